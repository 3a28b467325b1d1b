/* See table_files.h. */
#include "reports/table_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "reports/cells.h"
#include "reports/content/content.h"
#include "reports/markdown.h"

static const char claims_name[] = "claims";
static const char *const parts[] = {"ours", "paper", "difference"};
enum { PARTS = 3 };

/* More columns of a number that is the mean over several values; "n" is their number. */
static const char *const over_parts[] = {"sd", "min", "max", "n"};
enum { OVER_PARTS = 4 };

void csv_field(struct text *t, const char *s)
{
    size_t n = strlen(s);
    bool quote = s[strcspn(s, "\",\r\n")] || (n && (s[0] == ' ' || s[n - 1] == ' '));
    if (quote)
        text_add(t, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"')
            text_add(t, "\"\"");
        else
            text_add_bytes(t, (c < 0x20 && c != '\n' && c != '\r') || c == 0x7f ? " " : s, 1);
    }
    if (quote)
        text_add(t, "\"");
}

/* A column's name in one line: "Full dataset, Public". */
static void column_name(struct text *t, const json_t *column)
{
    const char *group = cells_string(column, "group");
    text_print(t, "%s%s%s", group, *group ? ", " : "", cells_string(column, "label"));
}

static const char *row_header(const json_t *table)
{
    const char *header = cells_string(table, "row_header");
    return *header ? header : "row";
}

/* A row's name in one line: "SVM, linear kernel". */
static void row_name(struct text *t, const json_t *row)
{
    const char *group = cells_string(row, "group");
    text_print(t, "%s%s%s", group, *group ? ", " : "", cells_string(row, "label"));
}

/* Sets which columns have a number that is the mean over several values. */
static void find_over(const json_t *table, bool over[CELLS_COLUMN_LIMIT])
{
    size_t r, c;
    json_t *row, *cell;
    json_array_foreach(json_object_get(table, "rows"), r, row)
        json_array_foreach(json_object_get(row, "cells"), c, cell)
    {
        if (c < CELLS_COLUMN_LIMIT && cells_over_count(cell) > 1)
            over[c] = true;
    }
}

static void csv_head(struct text *t, const json_t *column, const char *part)
{
    struct text name = {0};
    column_name(&name, column);
    text_print(&name, " %s", part);
    text_add(t, ",");
    csv_field(t, text_string(&name));
    text_free(&name);
}

static void csv_header(struct text *t, const json_t *table, const bool *over)
{
    size_t c;
    json_t *column;
    csv_field(t, row_header(table));
    json_array_foreach(json_object_get(table, "columns"), c, column)
    {
        for (size_t p = 0; p < PARTS; p++)
            csv_head(t, column, parts[p]);
        for (size_t p = 0; c < CELLS_COLUMN_LIMIT && over[c] && p < OVER_PARTS; p++)
            csv_head(t, column, over_parts[p]);
    }
    text_add(t, "\n");
}

static void csv_cell(struct text *t, const json_t *cell, bool over)
{
    const json_t *text = json_object_get(cell, "text");
    size_t n = cells_over_count(cell);
    for (size_t p = 0; p < PARTS; p++) {
        text_add(t, ",");
        csv_field(t, cells_string(text, p == 0 && n > 1 ? "mean" : parts[p]));
    }
    for (size_t p = 0; over && p < OVER_PARTS - 1; p++) {
        text_add(t, ",");
        csv_field(t, cells_string(text, over_parts[p]));
    }
    if (over && n > 0)
        text_print(t, ",%zu", n);
    else if (over)
        text_add(t, ",");
}

void table_files_csv(struct text *t, const json_t *table)
{
    size_t r, c;
    json_t *row, *cell;
    bool over[CELLS_COLUMN_LIMIT] = {false};
    find_over(table, over);
    csv_header(t, table, over);
    json_array_foreach(json_object_get(table, "rows"), r, row)
    {
        struct text name = {0};
        row_name(&name, row);
        csv_field(t, text_string(&name));
        text_free(&name);
        json_array_foreach(json_object_get(row, "cells"), c, cell)
            csv_cell(t, cell, c < CELLS_COLUMN_LIMIT && over[c]);
        text_add(t, "\n");
    }
}

static void csv_count(struct text *t, const json_t *check, const char *name)
{
    text_print(t, ",%lld", (long long)json_integer_value(json_object_get(check, name)));
}

static void claims_csv(struct text *t, const json_t *claims)
{
    static const char *const counts[] = {"needed",  "holds",       "open",    "fails",
                                         "missing", "paper_holds", "paper_of"};
    size_t i, k;
    json_t *claim, *check;
    text_add(
        t,
        "number,claim,verdict,reason,check,decides,result,needed,holds,not decided,fails,missing,"
        "paper holds,paper of\n");
    json_array_foreach((json_t *)claims, i, claim)
        json_array_foreach(json_object_get(claim, "checks"), k, check)
    {
        text_print(t, "%lld,", (long long)json_integer_value(json_object_get(claim, "number")));
        csv_field(t, cells_string(claim, "title"));
        text_print(t, ",%s,", cells_string(claim, "verdict"));
        csv_field(t, cells_string(claim, "reason"));
        text_add(t, ",");
        csv_field(t, cells_string(check, "text"));
        text_print(t, ",%s,%s",
                   json_is_true(json_object_get(check, "informational")) ? "no" : "yes",
                   cells_string(check, "result"));
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            csv_count(t, check, counts[c]);
        text_add(t, "\n");
    }
}

/* The table's own page: its title as that of the document. */
static struct document *table_document(const json_t *table, const char *notice)
{
    const char *name = cells_string(table, "name"), *title = cells_string(table, "title");
    struct document *doc = doc_open("", "");
    doc->title = doc_text(doc, "%s%s%s", name, *name ? ": " : "", title);
    content_table(doc, table, notice);
    return doc;
}

void table_files_markdown(struct text *t, const json_t *table, const char *notice)
{
    struct document *doc = table_document(table, notice);
    markdown_write(t, doc, "");
    doc_close(doc);
}

static void claims_markdown(struct text *t, const json_t *claims, const char *notice)
{
    struct document *doc = doc_open("Claims", "");
    doc_paragraph(doc, STYLE_BODY, notice);
    content_claim_sections(doc, claims, 1);
    markdown_write(t, doc, "");
    doc_close(doc);
}

static int write_file(struct text *t, const char *folder, const char *name, const char *ending,
                      struct error *err)
{
    char *path = format_string("%s/%s%s", folder, name, ending);
    if (!path) {
        text_free(t);
        return error_set(err, ENOMEM, "out of memory");
    }
    int rc = text_write(t, path, err);
    free(path);
    return rc;
}

bool table_files_is_name(const char *id)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return *id && strlen(id) < 100 && id[strspn(id, allowed)] == 0;
}

bool table_files_is_taken(const char *id)
{
    return strcmp(id, claims_name) == 0;
}

int table_files_write(const char *folder, const json_t *tables, const json_t *claims,
                      const char *notice, struct error *err)
{
    size_t i;
    json_t *table;
    struct text t = {0};
    int rc = 0;
    json_array_foreach((json_t *)tables, i, table)
    {
        const char *id = cells_string(table, "id");
        if (!table_files_is_name(id))
            return error_set(err, EINVAL,
                             "tables: '%s' is no name for a file: letters, digits, _ and -", id);
        if (table_files_is_taken(id))
            return error_set(err, EINVAL, "tables: '%s' is the name of the claims' files", id);
        table_files_csv(&t, table);
        rc = write_file(&t, folder, id, ".csv", err);
        if (rc < 0)
            return rc;
        table_files_markdown(&t, table, notice);
        rc = write_file(&t, folder, id, ".md", err);
        if (rc < 0)
            return rc;
    }
    if (json_array_size(claims) == 0)
        return 0;
    claims_csv(&t, claims);
    rc = write_file(&t, folder, claims_name, ".csv", err);
    if (rc < 0)
        return rc;
    claims_markdown(&t, claims, notice);
    return write_file(&t, folder, claims_name, ".md", err);
}
