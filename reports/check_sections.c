/* See check_sections.h. */
#include "reports/check_sections.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "reports/cells.h"
#include "reports/check_named_cells.h"
#include "reports/check_references.h"
#include "reports/check_values.h"
#include "reports/table_files.h"
#include "reports/sections.h"
#include "reports/settings.h"

enum {
    CELL_BYTES = 550,       /* of a cell in cells.json, without its reference and its unit */
    PAPER_BYTES = 200,      /* more, if there is a number of the paper */
    SOURCE_BYTES = 250,     /* more, for each reference of several, without its text */
    UNIT_COUNT = 4,         /* how often a cell names its unit */
    TABLES_LIMIT = 60000000 /* bytes of all cells; the report reads no more than 64 MB */
};

/* ---- tables ---- */

/* Whether `paper` has a key of that name that is no table. */
static bool is_section_member(const char *name)
{
    for (const struct param *p = sections_paper_members; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return true;
    return false;
}

/* Terms of a sum must exist, and those that are sums must come before it. */
static void check_sum(const char *table, const char *axis, const json_t *items, const char *id,
                      struct problems *problems)
{
    const json_t *terms = json_object_get(json_object_get(items, id), "sum");
    size_t i;
    json_t *term;
    json_array_foreach((json_t *)terms, i, term)
    {
        const char *name = json_string_value(term), *other, *where;
        json_t *value;
        char pointer[1000];
        if (!name)
            continue; /* reported */
        struct nearest nearest = {.wrong = name += *name == '-'};
        snprintf(pointer, sizeof pointer, "/tables/%s/%s/%s/sum/%zu", table, axis, id, i);
        where = pointer;
        long place = cells_index(items, name);
        json_object_foreach((json_t *)items, other, value) nearest_offer(&nearest, other);
        if (place < 0)
            problems_at(problems, where, "sum: there is no '%s' among the %s%s", name, axis,
                        nearest_hint(&nearest));
        else if (json_object_get(json_object_get(items, name), "sum") &&
                 place >= cells_index(items, id))
            problems_at(problems, where, "sum: '%s' is a sum itself, and must come before '%s'",
                        name, id);
    }
}

static void check_sums(const char *table, const char *axis, const json_t *items,
                       struct problems *problems)
{
    const char *id;
    json_t *item;
    json_object_foreach((json_t *)items, id, item) check_sum(table, axis, items, id, problems);
}

static size_t unit_length(const json_t *of)
{
    return strlen(cells_string(of, "unit"));
}

/* About how many bytes the cell takes in cells.json. */
static size_t cell_bytes(const json_t *table, const char *row, const char *column,
                         const json_t *cell, const json_t *paper)
{
    const json_t *number = json_object_get(json_object_get(paper, row), column);
    const char *reference = json_string_value(cell);
    size_t i, sources = 0;
    json_t *item;
    json_array_foreach((json_t *)cell, i, item) sources += SOURCE_BYTES + json_string_length(item);
    size_t unit = unit_length(table) +
                  unit_length(json_object_get(json_object_get(table, "rows"), row)) +
                  unit_length(json_object_get(json_object_get(table, "columns"), column));
    return CELL_BYTES + (json_is_number(number) ? PAPER_BYTES : 0) + UNIT_COUNT * unit +
           (reference ? strlen(reference) : 0) + sources;
}

static void not_a_reference(const char *id, const char *row, const char *column, const json_t *cell,
                            struct problems *problems)
{
    char pointer[1000], *text = json_dumps(cell, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    snprintf(pointer, sizeof pointer, "/tables/%s/cells/%s/%s", id, row, column);
    problems_at(problems, pointer,
                "cell %s/%s: expected a reference \"@stage.port:/pointer\", not '%.100s'", row,
                column, text ? text : "");
    free(text);
}

/* Checks a cell: a reference, or a list with one for each value of `over`. */
static void check_cell(const char *id, const char *row, const char *column, const json_t *cell,
                       const json_t *stages, struct problems *problems)
{
    struct error why;
    char pointer[1000];
    bool list = json_is_array(cell);
    for (size_t i = 0; i < (list ? json_array_size(cell) : 1); i++) {
        const json_t *one = list ? json_array_get(cell, i) : cell;
        if (json_is_null(one))
            continue; /* none, or reported */
        if (!json_is_string(one)) {
            not_a_reference(id, row, column, one, problems);
            return;
        }
        snprintf(pointer, sizeof pointer, "/tables/%s/cells/%s/%s", id, row, column);
        if (reference_check(json_string_value(one), REFERENCE_NUMBER, stages, &why) < 0) {
            problems_at(problems, pointer, "cell %s/%s: %s", row, column, why.text);
            return;
        }
    }
}

static void check_cells(const char *id, const json_t *table, const json_t *stages,
                        const json_t *paper, size_t *bytes, struct problems *problems)
{
    const char *row, *column;
    json_t *line, *cell;
    json_object_foreach(json_object_get(table, "cells"), row, line)
        json_object_foreach(line, column, cell)
    {
        bool sum =
            json_object_get(json_object_get(json_object_get(table, "rows"), row), "sum") ||
            json_object_get(json_object_get(json_object_get(table, "columns"), column), "sum");
        *bytes += cell_bytes(table, row, column, cell, paper);
        if (!sum)
            check_cell(id, row, column, cell, stages, problems);
    }
}

/* A table's name is the name of its files, and of its numbers in `paper`. */
static void check_table_name(const char *id, const char *pointer, struct problems *problems)
{
    if (!table_files_is_name(id))
        problems_at(problems, pointer,
                    "'%s' can't name a table: it names files; expected letters, digits, _ and -",
                    id);
    else if (table_files_is_taken(id))
        problems_at(problems, pointer,
                    "'%s' can't name a table: the claims are written to tables/%s.csv and .md; "
                    "expected another name",
                    id, id);
    else if (is_section_member(id))
        problems_at(problems, pointer,
                    "'%s' can't name a table: paper.%s is no table's numbers; expected another "
                    "name",
                    id, id);
}

/* Returns whether there are few enough cells to evaluate. */
static bool check_tables(const json_t *params, const json_t *stages, struct problems *problems)
{
    const char *id;
    json_t *table;
    size_t bytes = 0;
    json_object_foreach(json_object_get(params, "tables"), id, table)
    {
        char pointer[300];
        size_t before = bytes;
        snprintf(pointer, sizeof pointer, "/tables/%.200s", id);
        check_table_name(id, pointer, problems);
        check_sums(id, "rows", json_object_get(table, "rows"), problems);
        check_sums(id, "columns", json_object_get(table, "columns"), problems);
        check_cells(id, table, stages, json_object_get(json_object_get(params, "paper"), id),
                    &bytes, problems);
        if (before <= TABLES_LIMIT && bytes > TABLES_LIMIT)
            problems_at(problems, pointer,
                        "the tables have too many cells: together they would take more than %d MB",
                        TABLES_LIMIT / 1000000);
    }
    return bytes <= TABLES_LIMIT;
}

/* ---- paper ---- */

static void offer_all(struct nearest *nearest, const json_t *map)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)map, name, value) nearest_offer(nearest, name);
}

static void check_paper_row(const char *id, const char *row, const json_t *numbers,
                            const json_t *table, struct problems *problems)
{
    const json_t *rows = json_object_get(table, "rows"),
                 *columns = json_object_get(table, "columns");
    struct nearest nearest = {.wrong = row};
    char pointer[1000];
    const char *column;
    json_t *number;
    snprintf(pointer, sizeof pointer, "/paper/%s/%s", id, row);
    offer_all(&nearest, rows);
    if (!json_object_get(rows, row)) {
        problems_at(problems, pointer, "paper.%s: the table has no row '%s'%s", id, row,
                    nearest_hint(&nearest));
        return;
    }
    json_object_foreach((json_t *)numbers, column, number)
    {
        if (json_object_get(columns, column))
            continue;
        nearest = (struct nearest){.wrong = column};
        offer_all(&nearest, columns);
        snprintf(pointer, sizeof pointer, "/paper/%s/%s/%s", id, row, column);
        problems_at(problems, pointer, "paper.%s: the table has no column '%s'%s", id, column,
                    nearest_hint(&nearest));
    }
}

static void check_paper_tables(const json_t *params, struct problems *problems)
{
    const json_t *tables = json_object_get(params, "tables");
    const char *id, *row;
    json_t *numbers, *line;
    json_object_foreach(json_object_get(params, "paper"), id, numbers)
    {
        char pointer[300];
        struct nearest nearest = {.wrong = id};
        const json_t *table = json_object_get(tables, id);
        if (!*id || is_section_member(id))
            continue;
        snprintf(pointer, sizeof pointer, "/paper/%.200s", id);
        offer_all(&nearest, tables);
        for (const struct param *p = sections_paper_members; p->name; p++)
            nearest_offer(&nearest, p->name);
        if (!table && !json_is_true(json_object_get(params, "more_tables")))
            problems_at(problems, pointer, "paper: there is no table '%s'%s", id,
                        nearest_hint(&nearest));
        else if (check_table_is_known(table))
            json_object_foreach(numbers, row, line) check_paper_row(id, row, line, table, problems);
    }
}

static void check_settings(const json_t *params, struct problems *problems)
{
    const char *name;
    json_t *setting;
    json_object_foreach(json_object_get(json_object_get(params, "paper"), "settings"), name,
                        setting) if (check_is_whole(setting))
        settings_check(name, setting, json_object_get(params, "params"), problems);
    value_names_check(params, problems);
}

/* ---- figures ---- */

static void check_reference(const json_t *value, enum reference_use use, const json_t *stages,
                            const char *pointer, struct problems *problems)
{
    struct error why;
    if (!json_is_string(value))
        return; /* reported */
    if (reference_check(json_string_value(value), use, stages, &why) < 0)
        problems_at(problems, pointer, "%s", why.text);
}

static void check_figures(const json_t *report, const json_t *stages, struct problems *problems)
{
    size_t i;
    json_t *item, *line;
    const char *name;
    char pointer[400];
    json_array_foreach(json_object_get(report, "pictures"), i, item)
    {
        snprintf(pointer, sizeof pointer, "/report/pictures/%zu/file", i);
        check_reference(json_object_get(item, "file"), REFERENCE_PICTURE, stages, pointer,
                        problems);
    }
    json_array_foreach(json_object_get(report, "confusion_matrices"), i, item)
    {
        snprintf(pointer, sizeof pointer, "/report/confusion_matrices/%zu/matrix", i);
        check_reference(json_object_get(item, "matrix"), REFERENCE_LIST, stages, pointer, problems);
    }
    json_array_foreach(json_object_get(report, "curves"), i, item)
        json_object_foreach(json_object_get(item, "lines"), name, line)
    {
        snprintf(pointer, sizeof pointer, "/report/curves/%zu/lines/%.200s", i, name);
        check_reference(line, REFERENCE_LINES, stages, pointer, problems);
    }
}

/* ---- all ---- */

/* {NAME: STAGE} of the list */
static json_t *by_name(const json_t *stages)
{
    json_t *map = json_object(), *stage;
    size_t i;
    json_array_foreach((json_t *)stages, i, stage)
        json_object_set(map, cells_string(stage, "name"), stage);
    return map;
}

void check_sections(const json_t *params, struct problems *problems)
{
    json_t *stages = by_name(json_object_get(params, "stages"));
    bool few = check_tables(params, stages, problems);
    size_t before = problems->count;
    check_paper_tables(params, problems);
    bool unsure = problems->count > before || json_is_true(json_object_get(params, "unsure"));
    check_settings(params, problems);
    check_figures(json_object_get(params, "report"), stages, problems);
    if (few)
        check_named_cells(params, unsure, problems);
    json_decref(stages);
}
