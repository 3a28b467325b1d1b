/* The tables: for each cell our number, the paper's, and the difference. */
#include "reports/content/content.h"

#include <string.h>
#include "reports/cells.h"
#include "base/text.h"

enum {
    PARTS = 3,
    DETAILS = 5,     /* files that can't be read, named below a table */
    AXIS_VALUES = 20 /* values of an axis named below a table */
};

static const char *const part_names[PARTS] = {"ours", "paper", "difference"};
static const char *const part_heads[PARTS] = {"ours", "paper", "diff."};

static const char *part_text(const json_t *cell, size_t part)
{
    return cells_string(json_object_get(cell, "text"), part_names[part]);
}

/* Which parts a column of the table has: those with a text in some row, else ours. */
struct part_set {
    bool shown[PARTS];
};

static struct part_set find_parts(const json_t *rows, size_t column)
{
    struct part_set parts = {{false}};
    size_t r;
    json_t *row;
    json_array_foreach((json_t *)rows, r, row) for (size_t k = 0; k < PARTS; k++) parts.shown[k] =
        parts.shown[k] || *part_text(json_array_get(json_object_get(row, "cells"), column), k) != 0;
    if (!parts.shown[0] && !parts.shown[1])
        parts.shown[0] = true;
    return parts;
}

static enum doc_tone part_tone(const json_t *cell, size_t part, bool strong)
{
    if (part == 0 && json_object_get(cell, "missing"))
        return TONE_MISSING;
    return part == 1 ? TONE_MUTED : strong ? TONE_STRONG : TONE_NORMAL;
}

/* Fills the document's columns for one column of the table (its parts); returns how many. */
static size_t fill_column(struct document *doc, struct doc_table *table, size_t first,
                          const json_t *json, size_t index, const struct part_set *parts)
{
    const json_t *column = json_array_get(json_object_get(json, "columns"), index);
    const json_t *rows = json_object_get(json, "rows");
    size_t n = 0;
    for (size_t k = 0; k < PARTS; k++) {
        if (!parts->shown[k])
            continue;
        table->columns[first + n] = (struct doc_column){
            .group = doc_text(doc, "%s", cells_string(column, "group")),
            .label = doc_text(doc, "%s", cells_string(column, "label")),
            .part = part_heads[k],
            .align = ALIGN_DECIMAL,
            .joined = n > 0,
        };
        for (size_t r = 0; r < table->row_count; r++) {
            const json_t *row = json_array_get(rows, r);
            const json_t *cell = json_array_get(json_object_get(row, "cells"), index);
            table->rows[r].cells[first + n] = (struct doc_cell){
                doc_text(doc, "%s", part_text(cell, k)), part_tone(cell, k, table->rows[r].strong)};
        }
        n++;
    }
    return n;
}

/* What separates the next sentence: a note in YAML may end with a line end. */
static const char *space_before(const struct text *t)
{
    return t->size && !strchr(" \n", t->data[t->size - 1]) ? " " : "";
}

/* What is wrong with files that the table's numbers should be from, each once. */
static void add_details(struct text *t, const json_t *rows)
{
    json_t *seen = json_object(), *row, *cell;
    size_t r, c;
    json_array_foreach((json_t *)rows, r, row)
        json_array_foreach(json_object_get(row, "cells"), c, cell)
    {
        const json_t *source = json_object_get(cell, "source");
        struct text line = {0};
        if (!*cells_string(cell, "detail"))
            continue;
        text_print(&line, "@%s.%s: %s.", cells_string(source, "stage"),
                   cells_string(source, "port"), cells_string(cell, "detail"));
        if (!json_object_get(seen, text_string(&line)) && json_object_size(seen) < DETAILS)
            text_print(t, "%s%s", space_before(t), text_string(&line));
        json_object_set_new(seen, text_string(&line), json_true());
        text_free(&line);
    }
    if (json_object_size(seen) > DETAILS)
        text_print(t, " And so %zu more files.", json_object_size(seen) - DETAILS);
    json_decref(seen);
}

/* "Mean ± standard deviation of 3 runs (seeds 1, 2, 3)." for each axis of the table's numbers. */
static void add_axes(struct text *t, const json_t *rows)
{
    json_t *seen = json_object(), *row, *cell, *value;
    size_t r, c, i;
    json_array_foreach((json_t *)rows, r, row)
        json_array_foreach(json_object_get(row, "cells"), c, cell)
    {
        const json_t *over = json_object_get(cell, "over"),
                     *values = json_object_get(over, "values");
        struct text line = {0};
        if (cells_over_count(cell) < 2)
            continue;
        text_print(&line, "Mean \u00b1 standard deviation of %zu runs (%ss ",
                   json_array_size(values), cells_string(over, "axis"));
        json_array_foreach((json_t *)values, i, value) if (i < AXIS_VALUES)
            text_print(&line, "%s%s", i ? ", " : "", json_string_value(value));
        if (json_array_size(values) > AXIS_VALUES)
            text_print(&line, " and %zu more", json_array_size(values) - AXIS_VALUES);
        text_add(&line, ").");
        if (!json_object_get(seen, text_string(&line)))
            text_print(t, "%s%s", space_before(t), text_string(&line));
        json_object_set_new(seen, text_string(&line), json_true());
        text_free(&line);
    }
    json_decref(seen);
}

static void fill_rows(struct document *doc, struct doc_table *table, const json_t *rows)
{
    for (size_t r = 0; r < table->row_count; r++) {
        const json_t *row = json_array_get(rows, r);
        table->rows[r].group = doc_text(doc, "%s", cells_string(row, "group"));
        table->rows[r].label = doc_text(doc, "%s", cells_string(row, "label"));
        table->rows[r].strong = json_is_true(json_object_get(row, "bold"));
    }
}

struct doc_table *content_table(struct document *doc, const json_t *json, const char *notice)
{
    const json_t *rows = json_object_get(json, "rows");
    size_t count = json_array_size(json_object_get(json, "columns")), total = 0, filled = 0;
    struct part_set *parts = doc_alloc(doc, count, sizeof *parts);
    for (size_t c = 0; c < count; c++) {
        parts[c] = find_parts(rows, c);
        for (size_t k = 0; k < PARTS; k++)
            total += parts[c].shown[k];
    }
    doc_keep_together(doc);
    struct doc_table *table = doc_table(doc, total, json_array_size(rows));
    fill_rows(doc, table, rows);
    for (size_t c = 0; c < count; c++)
        filled += fill_column(doc, table, filled, json, c, &parts[c]);
    struct text below = {0};
    const char *note = cells_string(json, "note");
    text_print(&below, "%s%s%s", notice, *notice && *note ? " " : "", note);
    add_axes(&below, rows);
    add_details(&below, rows);
    table->row_header = doc_text(doc, "%s", cells_string(json, "row_header"));
    table->note = doc_text(doc, "%s", text_string(&below));
    text_free(&below);
    return table;
}

void content_tables(struct document *doc, const struct content *c)
{
    const json_t *tables = json_object_get(c->cells, "tables");
    size_t i;
    json_t *json;
    if (json_array_size(tables) == 0)
        return;
    doc_new_page(doc);
    doc_heading(doc, 1, "tables", "Tables");
    doc_paragraph(
        doc, STYLE_BODY,
        "Each column shows what this experiment got, what the paper says, and the difference "
        "where both are known. A number that is missing says why, such as \u201cnot run\u201d.");
    json_array_foreach((json_t *)tables, i, json)
    {
        struct doc_table *table = content_table(doc, json, cells_string(c->cells, "notice"));
        table->name = doc_text(doc, "%s", cells_string(json, "name"));
        table->title = doc_text(doc, "%s", cells_string(json, "title"));
    }
}
