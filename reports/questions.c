/* See questions.h. */
#include "reports/questions.h"

#include <errno.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/claims.h"
#include "reports/text.h"

static const char *answer_word(const char *result)
{
    static const struct {
        const char *result, *word;
    } words[] = {
        {"holds", "yes"}, {"fails", "no"}, {"open", "too close to tell within one standard error"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(result, words[i].result) == 0)
            return words[i].word;
    return "not run";
}

/* "TEXT: yes, 71.74 against 70.58." */
static int add_answer(struct text *note, const json_t *check, const json_t *tables,
                      struct error *err)
{
    json_t *json = NULL, *comparison;
    size_t i;
    int rc = claims_check(check, tables, &json, err);
    if (rc < 0)
        return rc;
    const char *result = cells_string(json, "result");
    text_print(note, "%s%s: %s", note->size ? " " : "", cells_string(check, "text"),
               answer_word(result));
    json_array_foreach(json_object_get(json, "comparisons"), i,
                       comparison) if (strcmp(result, "missing") != 0)
        text_print(note, ", %s", cells_string(comparison, "ours"));
    text_add(note, ".");
    json_decref(json);
    return 0;
}

int questions_answer(const json_t *section, json_t *tables, struct error *err)
{
    size_t t, i;
    json_t *table, *check;
    json_array_foreach(tables, t, table)
    {
        const char *id = cells_string(table, "id");
        const json_t *asks = json_object_get(json_object_get(section, id), "asks");
        struct text note = {0};
        int rc = 0;
        text_add(&note, cells_string(table, "note"));
        while (note.size > 0 && strchr(" \n", text_string(&note)[note.size - 1]))
            note.data[--note.size] = 0;
        json_array_foreach((json_t *)asks, i, check) if (rc == 0)
        {
            rc = add_answer(&note, check, tables, err);
            if (rc < 0)
                error_prefix(err, "tables.%s: asks %zu", id, i + 1);
        }
        if (rc == 0 && json_array_size(asks) > 0 &&
            (note.failed ||
             json_object_set_new(table, "note", json_string(text_string(&note))) < 0))
            rc = error_set(err, ENOMEM, "out of memory");
        text_free(&note);
        if (rc < 0)
            return rc;
    }
    return 0;
}
