/* See selector.h. */
#include "reports/selector.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/nearest.h"
#include "reports/cells.h"

struct pattern {
    const char *start;
    size_t n;
};

static bool is_many(struct pattern p)
{
    return memchr(p.start, '*', p.n) || memchr(p.start, '|', p.n);
}

static bool matches(struct pattern p, const char *name)
{
    size_t length = strlen(name);
    if (p.n == 1 && *p.start == '*')
        return true;
    for (const char *at = p.start, *end = p.start + p.n; at <= end;) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        size_t n = (size_t)((bar ? bar : end) - at);
        if (n == length && memcmp(at, name, n) == 0)
            return true;
        at += n + 1;
    }
    return false;
}

static int split(const char *selector, struct pattern parts[3], struct error *err)
{
    const char *p = selector;
    for (int i = 0; i < 3; i++) {
        size_t n = strcspn(p, "/");
        parts[i] = (struct pattern){p, n};
        if (n == 0 || (i < 2) != (p[n] == '/'))
            return error_set(err, EINVAL, "'%s' names no cell: expected table/row/column",
                             selector);
        p += n + 1;
    }
    return 0;
}

static const json_t *find_table(const json_t *tables, struct pattern id)
{
    size_t i;
    json_t *table;
    json_array_foreach((json_t *)tables, i,
                       table) if (matches(id, cells_string(table, "id"))) return table;
    return NULL;
}

static void select_row(const json_t *table, const json_t *row, struct pattern pattern,
                       struct selection *s)
{
    const json_t *columns = json_object_get(table, "columns");
    size_t c;
    json_t *column;
    json_array_foreach((json_t *)columns, c, column)
    {
        const char *id = cells_string(column, "id"), *name = cells_string(table, "name");
        if (matches(pattern, id))
            s->items[s->n++] = (struct selected){
                .table_id = cells_string(table, "id"),
                .table_name = *name ? name : cells_string(table, "id"),
                .row_id = cells_string(row, "id"),
                .column_id = id,
                .row = row,
                .column = column,
                .cell = json_array_get(json_object_get(row, "cells"), c),
            };
    }
}

/* Whether each of "a|b" is the id of a row or column. */
static int check_alternatives(struct pattern p, const json_t *list, const char *what,
                              const char *selector, struct error *err)
{
    for (const char *at = p.start, *end = p.start + p.n; at <= end;) {
        const char *bar = memchr(at, '|', (size_t)(end - at));
        size_t n = (size_t)((bar ? bar : end) - at), i;
        char name[200];
        struct nearest nearest = {.wrong = name};
        json_t *item;
        bool found = n == 1 && *at == '*';
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        json_array_foreach((json_t *)list, i, item) found =
            found || strcmp(cells_string(item, "id"), name) == 0;
        json_array_foreach((json_t *)list, i, item) if (!found)
            nearest_offer(&nearest, cells_string(item, "id"));
        if (!found)
            return error_set(err, EINVAL, "'%s': there is no %s '%s'%s", selector, what, name,
                             nearest_hint(&nearest));
        at += n + 1;
    }
    return 0;
}

static int unknown_table(const json_t *tables, struct pattern id, const char *selector,
                         struct error *err)
{
    char name[200];
    struct nearest nearest = {.wrong = name};
    size_t i;
    json_t *table;
    snprintf(name, sizeof name, "%.*s", (int)id.n, id.start);
    json_array_foreach((json_t *)tables, i, table)
        nearest_offer(&nearest, cells_string(table, "id"));
    return error_set(err, EINVAL, "'%s': there is no table '%s'%s", selector, name,
                     nearest_hint(&nearest));
}

int selector_find(const json_t *tables, const char *selector, struct selection *s,
                  struct error *err)
{
    struct pattern parts[3] = {{"", 0}, {"", 0}, {"", 0}};
    *s = (struct selection){0};
    int rc = split(selector, parts, err);
    if (rc < 0)
        return rc;
    const json_t *table = find_table(tables, parts[0]);
    if (!table)
        return unknown_table(tables, parts[0], selector, err);
    const json_t *rows = json_object_get(table, "rows");
    rc = check_alternatives(parts[1], rows, "row", selector, err);
    if (rc == 0)
        rc = check_alternatives(parts[2], json_object_get(table, "columns"), "column", selector,
                                err);
    if (rc < 0)
        return rc;
    size_t most = json_array_size(rows) * json_array_size(json_object_get(table, "columns"));
    s->items = calloc(most ? most : 1, sizeof *s->items);
    if (!s->items)
        return error_set(err, ENOMEM, "out of memory");
    s->many_rows = is_many(parts[1]);
    s->many_columns = is_many(parts[2]);
    size_t r;
    json_t *row;
    json_array_foreach((json_t *)rows, r, row) if (matches(parts[1], cells_string(row, "id")))
        select_row(table, row, parts[2], s);
    return s->n ? 0 : error_set(err, EINVAL, "'%s': there is no such row or column", selector);
}

void selector_free(struct selection *s)
{
    free(s->items);
    *s = (struct selection){0};
}
