/* See check_named_cells.h. */
#include "reports/check_named_cells.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/claim_check.h"
#include "reports/claim_pairs.h"
#include "reports/selector.h"
#include "reports/sources.h"

enum { PAIR_LIMIT = 10000 };

bool check_table_is_known(const json_t *table)
{
    size_t rows = json_object_size(json_object_get(table, "rows"));
    size_t columns = json_object_size(json_object_get(table, "columns"));
    return rows > 0 && rows <= CELLS_ROW_LIMIT && columns > 0 && columns <= CELLS_COLUMN_LIMIT;
}

bool check_is_whole(const json_t *map)
{
    return json_is_object(map) && !json_object_get(map, "");
}

/* ---- the tables that are known ---- */

/* Whether a cell is a reference, or a list with one for each value of `over`. */
static bool is_right(const json_t *cell)
{
    size_t i;
    json_t *one;
    json_array_foreach((json_t *)cell, i, one)
    {
        if (!json_is_string(one))
            return false;
    }
    return json_is_string(cell) || json_is_array(cell);
}

/* Replaces what is not a reference by null. */
static void drop_wrong_cells(json_t *cells)
{
    const char *row, *column;
    json_t *line, *cell;
    json_object_foreach(cells, row, line) json_object_foreach(line, column, cell)
    {
        if (!is_right(cell))
            json_object_set_new(line, column, json_null());
    }
}

/* Removes terms that name nothing from sums. */
static void drop_wrong_terms(const json_t *items)
{
    const char *id;
    json_t *item;
    json_object_foreach((json_t *)items, id, item)
    {
        json_t *terms = json_object_get(item, "sum");
        for (size_t i = json_array_size(terms); i-- > 0;) {
            const char *name = json_string_value(json_array_get(terms, i));
            if (!name || cells_index(items, name + (*name == '-')) < 0)
                json_array_remove(terms, i);
        }
    }
}

/* What is known about the tables when claims and the headline are checked. */
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
        if (!check_table_is_known(table) && (same || many < n))
            return true;
        found |= same;
    }
    return known->more && !found;
}

/* A copy of the tables whose cells claims can name. */
static json_t *known_tables(const json_t *tables)
{
    json_t *known = json_deep_copy(tables), *table;
    const char *id;
    json_object_foreach((json_t *)tables, id, table) if (!check_table_is_known(table))
        json_object_del(known, id);
    json_object_foreach(known, id, table)
    {
        drop_wrong_cells(json_object_get(table, "cells"));
        drop_wrong_terms(json_object_get(table, "rows"));
        drop_wrong_terms(json_object_get(table, "columns"));
    }
    return known;
}

/* ---- claims ---- */

/* Whether a check with these members (see claim_check_members) takes one: 0 no, 1 optional, 2
 * required. */
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
        else if (taken == 2 && !is_given(check, names[i]) && check_is_whole(check))
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
        problems_at(problems, pointer,
                    "at_least and majority exclude each other: expected one of them");
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

/* Adds the number of its pairs to *total, which all checks share. */
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
    else if (found && problems->count == before && check_is_whole(check) &&
             !(paper && known->unsure))
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

/* ---- headline ---- */

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
        if (!check_is_whole(item) || may_be_unknown(known, cell))
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

/* ---- all ---- */

void check_named_cells(const json_t *params, bool unsure, struct problems *problems)
{
    struct sources none = {.loaded = json_object()};
    struct error why = {""};
    struct known known = {.section = json_object_get(params, "tables"),
                          .more = json_is_true(json_object_get(params, "more_tables")),
                          .unsure = unsure};
    known.whole = !problems_any(problems) && !known.more && !unsure &&
                  !json_is_true(json_object_get(params, "incomplete"));
    json_t *tables =
        known.whole ? json_incref((json_t *)known.section) : known_tables(known.section);
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
