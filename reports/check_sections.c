/* See check_sections.h. */
#include "reports/check_sections.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "reports/cells.h"
#include "reports/check_places.h"
#include "reports/check_values.h"
#include "reports/claim_check.h"
#include "reports/claim_pairs.h"
#include "reports/table_files.h"
#include "reports/sections.h"
#include "reports/selector.h"
#include "reports/settings.h"
#include "reports/sources.h"

enum {
    PAIR_LIMIT = 10000,
    CELL_BYTES = 550,       /* of a cell in cells.json, beside its reference and its unit */
    PAPER_BYTES = 200,      /* more, if there is a number of the paper */
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

/* Terms of a sum must be there, not be the sum itself, and be summed before it. */
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
        long place = cells_place(items, name);
        json_object_foreach((json_t *)items, other, value) nearest_offer(&nearest, other);
        if (place < 0)
            problems_at(problems, where, "sum: there is no '%s' among the %s%s", name, axis,
                        nearest_hint(&nearest));
        else if (json_object_get(json_object_get(items, name), "sum") &&
                 place >= cells_place(items, id))
            problems_at(problems, where, "sum: '%s' is a sum itself, and must stand above '%s'",
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
    size_t unit = unit_length(table) +
                  unit_length(json_object_get(json_object_get(table, "rows"), row)) +
                  unit_length(json_object_get(json_object_get(table, "columns"), column));
    return CELL_BYTES + (json_is_number(number) ? PAPER_BYTES : 0) + UNIT_COUNT * unit +
           (reference ? strlen(reference) : 0);
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

static void check_cells(const char *id, const json_t *table, const json_t *stages,
                        const json_t *paper, size_t *bytes, struct problems *problems)
{
    const char *row, *column;
    json_t *line, *cell;
    json_object_foreach(json_object_get(table, "cells"), row, line)
        json_object_foreach(line, column, cell)
    {
        struct error why;
        char pointer[1000];
        bool sum =
            json_object_get(json_object_get(json_object_get(table, "rows"), row), "sum") ||
            json_object_get(json_object_get(json_object_get(table, "columns"), column), "sum");
        *bytes += cell_bytes(table, row, column, cell, paper);
        if (json_is_null(cell) || sum)
            continue;
        if (!json_is_string(cell)) {
            not_a_reference(id, row, column, cell, problems);
            continue;
        }
        snprintf(pointer, sizeof pointer, "/tables/%s/cells/%s/%s", id, row, column);
        if (place_check(json_string_value(cell), PLACE_NUMBER, stages, &why) < 0)
            problems_at(problems, pointer, "cell %s/%s: %s", row, column, why.text);
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

/* Whether the rows and columns of a table are known. */
static bool is_known(const json_t *table)
{
    size_t rows = json_object_size(json_object_get(table, "rows"));
    size_t columns = json_object_size(json_object_get(table, "columns"));
    return rows > 0 && rows <= CELLS_ROW_LIMIT && columns > 0 && columns <= CELLS_COLUMN_LIMIT;
}

/* Leaves out what is no reference. */
static void drop_wrong_cells(json_t *cells)
{
    const char *row, *column;
    json_t *line, *cell;
    json_object_foreach(cells, row, line) json_object_foreach(line, column, cell)
    {
        if (!json_is_string(cell))
            json_object_set_new(line, column, json_null());
    }
}

/* Leaves out of sums what names nothing. */
static void drop_wrong_terms(const json_t *items)
{
    const char *id;
    json_t *item;
    json_object_foreach((json_t *)items, id, item)
    {
        json_t *terms = json_object_get(item, "sum");
        for (size_t i = json_array_size(terms); i-- > 0;) {
            const char *name = json_string_value(json_array_get(terms, i));
            if (!name || cells_place(items, name + (*name == '-')) < 0)
                json_array_remove(terms, i);
        }
    }
}

/* What is known of the tables when claims and the headline are checked. */
struct known {
    const json_t *section; /* `tables` */
    json_t *tables;        /* evaluated without a number of ours */
    bool more, unsure;     /* see check_sections.h; unsure also if names in `paper` are wrong */
    bool whole;            /* nothing was wrong so far */
};

/* Whether a selector may name cells of a table that isn't known. */
static bool may_be_unknown(const struct known *known, const char *selector)
{
    size_t n = strcspn(selector, "/"), many = strcspn(selector, "*|");
    bool found = false;
    const char *id;
    json_t *table;
    json_object_foreach((json_t *)known->section, id, table)
    {
        bool same = strncmp(id, selector, n) == 0 && !id[n];
        if (!is_known(table) && (same || many < n))
            return true;
        found |= same;
    }
    return known->more && !found;
}

/* The tables whose cells claims can name: new. */
static json_t *known_tables(const json_t *tables)
{
    json_t *known = json_deep_copy(tables), *table;
    const char *id;
    json_object_foreach((json_t *)tables, id, table) if (!is_known(table))
        json_object_del(known, id);
    json_object_foreach(known, id, table)
    {
        drop_wrong_cells(json_object_get(table, "cells"));
        drop_wrong_terms(json_object_get(table, "rows"));
        drop_wrong_terms(json_object_get(table, "columns"));
    }
    return known;
}

/* Whether there are few enough cells to go on. */
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
        else if (is_known(table))
            json_object_foreach(numbers, row, line) check_paper_row(id, row, line, table, problems);
    }
}

/* Whether nothing that was wrong is missing in it. */
static bool is_whole(const json_t *map)
{
    return json_is_object(map) && !json_object_get(map, "");
}

static void check_settings(const json_t *params, struct problems *problems)
{
    const char *name;
    json_t *setting;
    json_object_foreach(json_object_get(json_object_get(params, "paper"), "settings"), name,
                        setting) if (is_whole(setting))
        settings_check(name, setting, json_object_get(params, "params"), problems);
    value_names_check(params, problems);
}

/* ---- claims ---- */

/* 0: it doesn't take the member; 1: it may have it; 2: it must. */
static int takes(const char *members, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = members; *p; p += strspn(p, " ")) {
        size_t k = strcspn(p, " ");
        if (k >= n && strncmp(p, name, n) == 0 && (k == n || (k == n + 1 && p[n] == '!')))
            return k == n ? 1 : 2;
        p += k;
    }
    return 0;
}

static bool is_given(const json_t *check, const char *name)
{
    const json_t *value = json_object_get(check, name);
    return value && !json_is_null(value) && !json_is_false(value);
}

static void check_check_members(const char *pointer, const json_t *check, struct problems *problems)
{
    static const char *const names[] = {"right", "among", "margin",   "min",
                                        "max",   "top",   "at_least", "majority"};
    const char *name = cells_string(check, "check"), *members = claim_check_members(name);
    if (!members)
        return; /* reported */
    char missing[300] = "";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char place[600];
        size_t n = strlen(missing);
        int taken = takes(members, names[i]);
        snprintf(place, sizeof place, "%s/%s", pointer, names[i]);
        if (taken == 0 && is_given(check, names[i]))
            problems_at(problems, place, "check %s takes no '%s'", name, names[i]);
        else if (taken == 2 && !is_given(check, names[i]) && is_whole(check))
            snprintf(missing + n, sizeof missing - n, "%s'%s'", n ? " and " : "", names[i]);
    }
    if (*missing)
        problems_at(problems, pointer, "check %s needs %s", name, missing);
    const json_t *least = json_object_get(check, "min"), *most = json_object_get(check, "max");
    if (json_is_number(least) && json_is_number(most) &&
        json_number_value(least) > json_number_value(most))
        problems_at(problems, pointer, "min: %.10g is above max: %.10g; expected min to max",
                    json_number_value(least), json_number_value(most));
    if (is_given(check, "at_least") && is_given(check, "majority"))
        problems_at(problems, pointer, "either at_least or majority says how many must hold");
}

static bool is_operand(const json_t *check, const char *name)
{
    const json_t *value = json_object_get(check, name);
    return !value || json_is_string(value) || json_is_number(value);
}

/* Whether the cells that a member of the check names exist and are known. */
static bool check_selector(const char *pointer, const json_t *check, const char *name,
                           const struct known *known, struct problems *problems)
{
    const char *text = json_string_value(json_object_get(check, name));
    struct selection selection;
    struct error why;
    char place[600];
    if (!text)
        return true;
    if (may_be_unknown(known, text))
        return false;
    int rc = selector_find(known->tables, text, &selection, &why);
    selector_free(&selection);
    snprintf(place, sizeof place, "%s/%s", pointer, name);
    if (rc < 0)
        problems_at(problems, place, "%s: %s", name, why.text);
    return rc == 0;
}

/* *total is how many pairs the checks before it have. */
static void check_pairs(const char *pointer, const json_t *check, const struct known *known,
                        size_t *total, struct problems *problems)
{
    size_t count = 0;
    struct error why;
    json_int_t least = json_integer_value(json_object_get(check, "at_least"));
    char place[600];
    int rc = pairs_count(check, known->tables, &count, &why);
    if (rc == -ENODATA && !known->whole)
        return; /* the reference of ours may be what was wrong */
    if (rc < 0) {
        bool paper = !is_given(check, "right") && !is_given(check, "among");
        problems_at(problems, pointer, "%s%s",
                    paper && rc != -ENODATA ? "the paper has no number for these cells: " : "",
                    why.text);
        return;
    }
    snprintf(place, sizeof place, "%s/at_least", pointer);
    *total += count;
    if (*total > PAIR_LIMIT)
        problems_at(problems, pointer, "the claims compare more than %d pairs of cells",
                    PAIR_LIMIT);
    if (least > 0 && (size_t)least > count)
        problems_at(problems, place, "at_least: %lld, but the check compares %zu pair%s",
                    (long long)least, count, count == 1 ? "" : "s");
}

static void check_check(const char *pointer, const json_t *check, const struct known *known,
                        size_t *total, struct problems *problems)
{
    static const char *const names[] = {"left", "right", "among"};
    size_t before = problems->count;
    check_check_members(pointer, check, problems);
    bool found = true;
    for (size_t i = 0; i < 3; i++)
        found &= check_selector(pointer, check, names[i], known, problems);
    bool paper = !is_given(check, "right") && !is_given(check, "among");
    if (!is_operand(check, "right"))
        problems_at(problems, pointer, "right: expected cells or a number");
    else if (found && problems->count == before && is_whole(check) && !(paper && known->unsure))
        check_pairs(pointer, check, known, total, problems);
}

static void check_claims(const json_t *params, const struct known *known, struct problems *problems)
{
    const char *id;
    json_t *claim, *check;
    size_t i, total = 0;
    json_object_foreach(json_object_get(params, "claims"), id, claim)
        json_array_foreach(json_object_get(claim, "checks"), i, check)
    {
        if (total > PAIR_LIMIT)
            return;
        char pointer[400];
        snprintf(pointer, sizeof pointer, "/claims/%.200s/checks/%zu", id, i);
        check_check(pointer, check, known, &total, problems);
    }
}

/* ---- report ---- */

static void check_headline(const json_t *report, const struct known *known,
                           struct problems *problems)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(report, "headline"), i, item)
    {
        struct selection s;
        struct error why;
        char pointer[100];
        const char *cell = cells_string(item, "cell");
        snprintf(pointer, sizeof pointer, "/report/headline/%zu/cell", i);
        if (!is_whole(item) || may_be_unknown(known, cell))
            continue;
        if (selector_find(known->tables, cell, &s, &why) < 0)
            problems_at(problems, pointer, "cell: %s", why.text);
        else if (s.n != 1)
            problems_at(problems, pointer, "cell: '%s' names %zu cells; expected one", cell, s.n);
        else if (!cells_is_ours(s.items[0].cell) && known->whole)
            problems_at(problems, pointer,
                        "cell: '%s' is no number of ours: expected a cell with a reference", cell);
        selector_free(&s);
    }
}

static void check_place(const json_t *value, enum place_use use, const json_t *stages,
                        const char *pointer, struct problems *problems)
{
    struct error why;
    if (!json_is_string(value))
        return; /* reported */
    if (place_check(json_string_value(value), use, stages, &why) < 0)
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
        check_place(json_object_get(item, "file"), PLACE_PICTURE, stages, pointer, problems);
    }
    json_array_foreach(json_object_get(report, "confusion_matrices"), i, item)
    {
        snprintf(pointer, sizeof pointer, "/report/confusion_matrices/%zu/matrix", i);
        check_place(json_object_get(item, "matrix"), PLACE_LIST, stages, pointer, problems);
    }
    json_array_foreach(json_object_get(report, "curves"), i, item)
        json_object_foreach(json_object_get(item, "lines"), name, line)
    {
        snprintf(pointer, sizeof pointer, "/report/curves/%zu/lines/%.200s", i, name);
        check_place(line, PLACE_LINES, stages, pointer, problems);
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

/* Claims and the headline name cells of tables, of those that are known. */
static void check_named_cells(const json_t *params, bool unsure, struct problems *problems)
{
    struct sources none = {.loaded = json_object()};
    struct error why = {""};
    struct known known = {.section = json_object_get(params, "tables"),
                          .more = json_is_true(json_object_get(params, "more_tables")),
                          .unsure = unsure};
    bool all = !problems_any(problems) && !known.more && !unsure;
    known.whole = all && !json_is_true(json_object_get(params, "incomplete"));
    json_t *tables = all ? json_incref((json_t *)known.section) : known_tables(known.section);
    if (cells_evaluate(tables, json_object_get(params, "paper"), &none, &known.tables, &why) < 0) {
        problems_at(problems, "/tables", "%s", why.text);
    } else {
        check_claims(params, &known, problems);
        check_headline(json_object_get(params, "report"), &known, problems);
    }
    json_decref(known.tables);
    json_decref(tables);
    sources_close(&none);
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
