/* Where each number came from: time and memory by kind, every stage that is shown, every number. */
#include "reports/content/content.h"

#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/number.h"
#include "base/text.h"

enum { SHORT_KEY = 12 };

/* ---- the stages, each once ---- */

struct stages {
    const json_t **items;
    size_t n;
};

static const char *stage_name(const json_t *entry)
{
    const char *name = cells_string(entry, "stage");
    return *name ? name : cells_string(entry, "name");
}

/* The entries of a list, one for each stage, in their order. */
static struct stages list_stages(struct document *doc, const json_t *list)
{
    struct stages stages = {.items = doc_alloc(doc, json_array_size(list), sizeof *stages.items)};
    json_t *seen = json_object(), *entry;
    size_t i;
    json_array_foreach((json_t *)list, i, entry)
    {
        if (json_object_get(seen, stage_name(entry)))
            continue;
        json_object_set_new(seen, stage_name(entry), json_true());
        stages.items[stages.n++] = entry;
    }
    json_decref(seen);
    return stages;
}

/* Brings the stages into the order in which the run has them. */
static void order_stages(struct document *doc, struct stages *stages, const json_t *run)
{
    json_t *names = json_object(), *entry;
    const json_t **ordered = doc_alloc(doc, stages->n, sizeof *ordered);
    size_t i, n = 0;
    for (i = 0; i < stages->n; i++)
        json_object_set_new(names, stage_name(stages->items[i]), json_integer((json_int_t)i));
    json_array_foreach((json_t *)run, i, entry)
    {
        const json_t *place = json_object_get(names, stage_name(entry));
        if (!place)
            continue;
        ordered[n++] = stages->items[json_integer_value(place)];
        json_object_del(names, stage_name(entry));
    }
    for (i = 0; i < stages->n; i++)
        if (json_object_get(names, stage_name(stages->items[i])))
            ordered[n++] = stages->items[i];
    stages->items = ordered;
    json_decref(names);
}

static bool is_missing(const json_t *entry)
{
    return json_is_true(json_object_get(entry, "missing"));
}

static double number_of(const json_t *entry, const char *name)
{
    const json_t *value = json_object_get(entry, name);
    return json_is_number(value) ? json_number_value(value) : -1;
}

static const char *short_key(struct document *doc, const json_t *of)
{
    return doc_text(doc, "%.*s", SHORT_KEY, cells_string(of, "key"));
}

static void set_column(struct doc_table *table, size_t c, enum doc_align align, const char *label)
{
    table->columns[c] =
        (struct doc_column){.group = "", .label = label, .part = "", .align = align};
}

/* ---- time and memory by kind ---- */

struct usage {
    const char *kind;
    size_t count;
    double seconds, longest, peak;
};

static void add_usage(struct usage *u, const json_t *entry)
{
    double seconds = number_of(entry, "seconds"), peak = number_of(entry, "peak_bytes");
    u->count++;
    u->seconds += seconds > 0 ? seconds : 0;
    u->longest = seconds > u->longest ? seconds : u->longest;
    u->peak = peak > u->peak ? peak : u->peak;
}

static void fill_usage(struct document *doc, struct doc_row *row, const struct usage *u)
{
    char numbers[4][NUMBER_SIZE];
    number_format(numbers[0], (double)u->count, 0, false, true);
    number_seconds(numbers[1], u->seconds);
    number_seconds(numbers[2], u->longest);
    number_bytes(numbers[3], u->peak);
    row->label = doc_text(doc, "%s", u->kind);
    for (size_t k = 0; k < 4; k++)
        row->cells[k].text = doc_text(doc, "%s", numbers[k]);
}

static void add_kinds(struct document *doc, const struct stages *stages)
{
    static const char *const heads[] = {"stages", "time, all", "longest", "peak memory"};
    struct usage *usages = doc_alloc(doc, stages->n, sizeof *usages);
    size_t n = 0, k;
    for (size_t i = 0; i < stages->n; i++) {
        const char *kind = cells_string(stages->items[i], "kind");
        if (is_missing(stages->items[i]))
            continue;
        for (k = 0; k < n && strcmp(usages[k].kind, kind) != 0;)
            k++;
        usages[k].kind = kind;
        n += k == n;
        add_usage(&usages[k], stages->items[i]);
    }
    doc_keep_together(doc);
    struct doc_table *table = doc_table(doc, 4, n);
    table->row_header = "Kind";
    for (k = 0; k < 4; k++)
        table->columns[k] =
            (struct doc_column){.group = "", .label = "", .part = heads[k], .align = ALIGN_RIGHT};
    for (k = 0; k < n; k++)
        fill_usage(doc, &table->rows[k], &usages[k]);
}

/* Time and memory of every stage of the run; of those that are shown, if no more is known. */
static void add_times(struct document *doc, const struct content *c)
{
    struct stages stages =
        list_stages(doc, json_array_size(c->stages) ? c->stages : c->sources.list);
    if (!stages.n)
        return;
    doc_paragraph(doc, STYLE_BODY,
                  "Wall time and memory of the stages, as they were when each last ran.");
    add_kinds(doc, &stages);
}

/* ---- every stage ---- */

static const char *params_text(struct document *doc, const json_t *params)
{
    struct text line = {0};
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)params, name, value)
    {
        text_print(&line, "%s%s\u00a0", line.size ? ", " : "", name);
        if (json_is_real(value)) {
            text_print(&line, "%.7g", json_real_value(value));
            continue;
        }
        char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
        text_add(&line, dump ? dump : "");
        free(dump);
    }
    const char *copy = doc_text(doc, "%s", text_string(&line));
    text_free(&line);
    return copy;
}

static void fill_stage(struct document *doc, struct doc_row *row, const json_t *entry)
{
    char seconds[NUMBER_SIZE], peak[NUMBER_SIZE], threads[NUMBER_SIZE] = "";
    number_seconds(seconds, number_of(entry, "seconds"));
    number_bytes(peak, number_of(entry, "peak_bytes"));
    if (number_of(entry, "threads") > 0)
        number_format(threads, number_of(entry, "threads"), 0, false, false);
    row->label = doc_text(doc, "%s", cells_string(entry, "stage"));
    row->detail = params_text(doc, json_object_get(entry, "params"));
    row->cells[0] = (struct doc_cell){doc_text(doc, "%s", cells_string(entry, "kind")), TONE_MUTED};
    row->cells[1] = is_missing(entry) ? (struct doc_cell){"not run", TONE_MISSING}
                                      : (struct doc_cell){short_key(doc, entry), TONE_CODE};
    row->cells[2].text = doc_text(doc, "%s", seconds);
    row->cells[3].text = doc_text(doc, "%s", peak);
    row->cells[4].text = doc_text(doc, "%s", threads);
}

static void add_stages(struct document *doc, const struct stages *stages)
{
    doc_heading(doc, 2, "stages", "Stages");
    struct doc_spans *p = doc_spans(doc, STYLE_SMALL);
    doc_span(doc, p, 0, NULL,
             "Every stage whose results are shown: its kind, the first twelve digits of its key, "
             "wall time, peak memory, threads, and below it its params. More is printed by ");
    doc_span(doc, p, MARK_CODE, NULL, "ferdag show FILE STAGE");
    doc_span(doc, p, 0, NULL, ", and what the stage printed by ");
    doc_span(doc, p, MARK_CODE, NULL, "ferdag log FILE STAGE");
    doc_span(doc, p, 0, NULL, ".");
    struct doc_table *table = doc_table(doc, 5, stages->n);
    table->reference = true;
    table->row_header = "Stage";
    set_column(table, 0, ALIGN_LEFT, "Kind");
    set_column(table, 1, ALIGN_LEFT, "Key");
    set_column(table, 2, ALIGN_RIGHT, "Time");
    set_column(table, 3, ALIGN_RIGHT, "Memory");
    set_column(table, 4, ALIGN_RIGHT, "Threads");
    for (size_t i = 0; i < stages->n; i++)
        fill_stage(doc, &table->rows[i], stages->items[i]);
}

/* ---- every number ---- */

/* Fills the row, if any, for a cell; returns whether it has a source. */
static bool fill_source(struct document *doc, struct doc_row *line, const json_t *table,
                        const json_t *row, const json_t *column, const json_t *cell)
{
    const json_t *source = json_object_get(cell, "source");
    const char *group = cells_string(column, "group"), *row_group = cells_string(row, "group"),
               *name = cells_string(table, "name");
    if (!source || !line)
        return source != NULL;
    line->group = doc_text(doc, "%s", *name ? name : cells_string(table, "id"));
    line->label = doc_text(doc, "%s%s%s, %s%s%s", row_group, *row_group ? ", " : "",
                           cells_string(row, "label"), group, *group ? ", " : "",
                           cells_string(column, "label"));
    line->cells[0] =
        (struct doc_cell){doc_text(doc, "%s", cells_string(json_object_get(cell, "text"), "ours")),
                          json_object_get(cell, "missing") ? TONE_MISSING : TONE_NORMAL};
    size_t sources = json_array_size(json_object_get(cell, "sources"));
    const char *more = sources > 1 ? doc_text(doc, " and %zu more", sources - 1) : "";
    line->cells[1] = (struct doc_cell){doc_text(doc, "%s.%s:%s%s", cells_string(source, "stage"),
                                                cells_string(source, "port"),
                                                cells_string(source, "pointer"), more),
                                       TONE_MUTED};
    line->cells[2] = (struct doc_cell){short_key(doc, source), TONE_CODE};
    return true;
}

/* Fills the rows (NULL: only counts them) for the numbers of all tables. */
static size_t fill_sources(struct document *doc, struct doc_row *rows, const json_t *tables)
{
    size_t i, r, k, n = 0;
    json_t *table, *row, *cell;
    json_array_foreach((json_t *)tables, i, table)
        json_array_foreach(json_object_get(table, "rows"), r, row)
            json_array_foreach(json_object_get(row, "cells"), k, cell)
    {
        const json_t *column = json_array_get(json_object_get(table, "columns"), k);
        n += fill_source(doc, rows ? &rows[n] : NULL, table, row, column, cell);
    }
    return n;
}

static void add_sources(struct document *doc, const json_t *tables)
{
    size_t n = fill_sources(doc, NULL, tables);
    if (!n)
        return;
    doc_heading(doc, 2, "numbers", "Every number");
    doc_paragraph(doc, STYLE_SMALL,
                  "The cell, our number, the stage\u2019s output and the place in it, and the "
                  "stage\u2019s key. Sums are of the cells above them.");
    struct doc_table *table = doc_table(doc, 3, n);
    table->reference = table->groups_above = true;
    table->row_header = "Cell";
    set_column(table, 0, ALIGN_DECIMAL, "Ours");
    set_column(table, 1, ALIGN_LEFT, "From");
    set_column(table, 2, ALIGN_LEFT, "Key");
    fill_sources(doc, table->rows, tables);
}

void content_provenance(struct document *doc, const struct content *c)
{
    struct stages stages = list_stages(doc, c->sources.list);
    if (!stages.n)
        return;
    doc_new_page(doc);
    doc_heading(doc, 1, "provenance", "Where the numbers came from");
    add_times(doc, c);
    order_stages(doc, &stages, c->stages);
    add_stages(doc, &stages);
    add_sources(doc, json_object_get(c->cells, "tables"));
}
