/* See table_cells.h. A row's `cell` and `over` override its column's, and those the table's. A cell
 * that is missing or ~ is null. */
#include "dag/experiment/table_cells.h"
#include "base/nearest.h"
#include "dag/experiment/axis.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    CELL_LIMIT = 100000,
    VARIABLE_LIMIT = 200,
    NAME_SIZE = 200, /* of a name in messages, as in schema.c */
};

static struct node *expand(struct expander *x, const struct node *node, const struct param *param);

static struct scope global_scope(struct expander *x)
{
    return experiment_scope(x->e, NULL, 0);
}

/* The expanded node; if that fails, which is reported, a `broken` node. */
static struct node *expand_value(struct expander *x, const struct node *node)
{
    struct scope scope = global_scope(x);
    struct node *value;
    if (scope_expand(&scope, node, &value, x->e->problems) == 0)
        return value;
    x->broken = true;
    return node_broken(x->e->arena, node);
}

/* Counts cells, and references of cells. Returns whether there may be so many. */
static bool count_cells(struct expander *x, const struct node *table, size_t count)
{
    if (x->cells + count <= CELL_LIMIT) {
        x->cells += count;
        return true;
    }
    if (x->cells <= CELL_LIMIT)
        node_problem(x->e->problems, table, "more than %d cells", CELL_LIMIT);
    x->cells = CELL_LIMIT + 1;
    x->broken = true;
    return false;
}

/* ---- over ---- */

/* What the cells of a table, row or column are the mean over: a variable and its values. */
struct over {
    bool given;                      /* null overrides that of the table, too */
    bool wrong;                      /* which was reported */
    bool used;                       /* by a cell */
    const struct node *key, *values; /* NULL: nothing */
};

/* Expands `over: {variable: values}`, with a list in place of a number of values. `above` names
 * what has it, as in the schema's messages: "tables.t.rows.r". */
static struct node *expand_over(struct expander *x, const struct node *node,
                                const struct param *param, const char *above)
{
    char what[NAME_SIZE];
    struct arena *arena = x->e->arena;
    struct node *map = expand_value(x, node);
    if (map->broken || map->type != NODE_MAP)
        return map;
    struct node *out = node_empty(arena, map, NODE_MAP);
    for (size_t i = 0; i < map->count; i++) {
        struct node *good;
        snprintf(what, sizeof what, "%s.over.%s", above, map->keys[i]->text);
        const struct axis_values read = {
            .schema = schema_item(param),
            .section = "over",
            .what = what,
            .key = map->keys[i],
            .raw = node->type == NODE_MAP ? node->items[i] : map->items[i],
            .values = map->items[i],
        };
        int rc = axis_read(x->e, &read, &good);
        if (rc < 0 || !count_cells(x, node, good->count)) {
            x->broken = true;
            good = node_broken(arena, map->keys[i]);
        }
        node_append(arena, out, map->keys[i], good);
    }
    return out;
}

/* Reads an expanded `over`; NULL: there is none. */
static struct over read_over(const struct node *node)
{
    if (!node || node_is_null(node))
        return (struct over){.given = node};
    bool valid = node->type == NODE_MAP && node->count == 1 && !node->items[0]->broken &&
                 node->items[0]->type == NODE_LIST && node->items[0]->count > 0;
    return (struct over){.given = true,
                         .wrong = !valid,
                         .key = valid ? node->keys[0] : NULL,
                         .values = valid ? node->items[0] : NULL};
}

static void check_over(struct expander *x, const struct over *over)
{
    if (over->values && !over->used)
        node_problem(x->e->problems, over->key, "over: no cell uses '${%s}'", over->key->text);
}

/* ---- rows and columns ---- */

/* The rows or columns of a table. */
struct axis {
    const struct param *item; /* the schema of a row or column */
    const char *name;         /* of all of them in messages: "tables.t.rows" */
    const struct node *wrong; /* the node, if it is neither a map nor a list */
    struct node *map;         /* {name: {variable: value}}; all but `cell` is expanded */
    bool **used;              /* of each row or column: which variables a cell used */
    struct over *over;        /* of each row or column */
};

static bool is_setting(const struct axis *axis, const char *name)
{
    return axis->item && schema_member(axis->item, name);
}

/* One row's or column's variables. */
static struct node *expand_variables(struct expander *x, const struct axis *axis,
                                     const struct node *id, const struct node *variables)
{
    const struct param *over = axis->item ? schema_member(axis->item, "over") : NULL;
    char above[NAME_SIZE];
    snprintf(above, sizeof above, "%s.%s", axis->name, id->text);
    struct node *copy = node_empty(x->e->arena, id, NODE_MAP);
    for (size_t k = 0; variables && variables->type == NODE_MAP && k < variables->count; k++) {
        struct node *value = variables->items[k];
        if (over && strcmp(variables->keys[k]->text, "over") == 0)
            value = expand_over(x, value, over, above);
        else if (strcmp(variables->keys[k]->text, "cell") != 0)
            value = expand_value(x, value);
        node_append(x->e->arena, copy, variables->keys[k], value);
    }
    return copy;
}

static void expand_axis(struct expander *x, const struct node *node, const struct param *param,
                        const char *name, struct axis *axis)
{
    struct arena *arena = x->e->arena;
    if (node->type == NODE_SCALAR)
        node = expand_value(x, node);
    *axis = (struct axis){.item = param ? schema_item(param) : NULL,
                          .name = name,
                          .wrong = node->type == NODE_SCALAR ? node : NULL,
                          .map = node_empty(arena, node, NODE_MAP)};
    for (size_t i = 0; node->type != NODE_SCALAR && i < node->count; i++) {
        struct node *id = node->type == NODE_MAP ? node->keys[i] : node->items[i];
        if (id->type != NODE_SCALAR)
            continue; /* reported */
        if (node->type == NODE_LIST && node_get(axis->map, id->text)) {
            node_problem(x->e->problems, id, "'%s' is given twice", id->text);
            x->broken = true;
            continue;
        }
        node_append(arena, axis->map, id,
                    expand_variables(x, axis, id, node->type == NODE_MAP ? node->items[i] : NULL));
    }
    axis->used = arena_alloc(arena, (axis->map->count + 1) * sizeof *axis->used);
    axis->over = arena_alloc(arena, (axis->map->count + 1) * sizeof *axis->over);
    for (size_t i = 0; i < axis->map->count; i++) {
        axis->used[i] = arena_alloc(arena, (axis->map->items[i]->count + 1) * sizeof(bool));
        axis->over[i] = read_over(node_get(axis->map->items[i], "over"));
    }
}

/* Reports variables that no cell uses: a misspelled setting, or one that was forgotten. */
static void check_used(struct expander *x, const struct axis *axis)
{
    for (size_t i = 0; i < axis->map->count; i++) {
        const struct node *map = axis->map->items[i];
        check_over(x, &axis->over[i]);
        for (size_t k = 0; k < map->count; k++) {
            struct nearest nearest = {.wrong = map->keys[k]->text};
            if (axis->used[i][k] || is_setting(axis, nearest.wrong))
                continue;
            for (const struct param *m = axis->item ? axis->item->members : NULL; m && m->name;
                 m++) {
                if (schema_was(m, nearest.wrong)) {
                    nearest.best = NULL;
                    node_problem(x->e->problems, map->keys[k],
                                 "'%s' is called '%s' since format 2 (`ferdag migrate` renames it)",
                                 nearest.wrong, m->name);
                    nearest.wrong = NULL;
                    break;
                }
                nearest_offer(&nearest, m->name);
            }
            if (nearest.wrong)
                node_problem(x->e->problems, map->keys[k],
                             "'%s' is neither a setting nor used in a cell%s", nearest.wrong,
                             nearest_hint(&nearest));
        }
    }
}

/* ---- cells ---- */

static void add_locals(struct variable *locals, size_t *count, const struct axis *axis, size_t i)
{
    const struct node *map = axis->map->items[i];
    for (size_t k = 0; k < map->count && *count < VARIABLE_LIMIT - 2; k++)
        if (strcmp(map->keys[k]->text, "cell") != 0)
            locals[(*count)++] =
                (struct variable){map->keys[k]->text, map->items[k], &axis->used[i][k]};
}

/* The `cell` that applies to a row and column, or NULL. */
static const struct node *cell_pattern(const struct node *table, const struct node *row,
                                       const struct node *column)
{
    const struct node *cell = node_get(row, "cell");
    if (!cell)
        cell = node_get(column, "cell");
    return cell ? cell : node_get(table, "cell");
}

/* Expands a cell's pattern: one text or, if the pattern uses the variable of `over`, a list with
 * one for each value. locals[0] is for the variable. */
static int expand_pattern(struct expander *x, const struct node *pattern, struct variable *locals,
                          size_t count, struct over *over, struct problems *problems,
                          struct node **out)
{
    if (!over->values) {
        struct scope scope = experiment_scope(x->e, locals + 1, count - 1);
        return scope_expand(&scope, pattern, out, problems);
    }
    struct node *list = node_empty(x->e->arena, pattern, NODE_LIST);
    for (size_t i = 0; i < over->values->count; i++) {
        bool used = false;
        locals[0] = (struct variable){over->key->text, over->values->items[i], &used};
        struct scope scope = experiment_scope(x->e, locals, count);
        struct node *text;
        int rc = scope_expand(&scope, pattern, &text, problems);
        over->used |= used;
        if (rc < 0)
            return rc;
        *out = text;
        if (!used)
            return 0;
        if (i == 0 && !count_cells(x, pattern, over->values->count - 1))
            return -EINVAL;
        node_append(x->e->arena, list, NULL, text);
    }
    *out = list;
    return 0;
}

/* The expanded cell; null if there is none, or if it is wrong, which is reported. */
static struct node *expand_cell(struct expander *x, const struct node *table,
                                const struct axis *rows, size_t r, const struct axis *columns,
                                size_t c, struct over *whole)
{
    struct variable locals[VARIABLE_LIMIT];
    size_t count = 1;
    add_locals(locals, &count, columns, c);
    add_locals(locals, &count, rows, r);
    locals[count++] = (struct variable){"row", rows->map->keys[r], NULL};
    locals[count++] = (struct variable){"column", columns->map->keys[c], NULL};
    const struct node *row = rows->map->items[r], *column = columns->map->items[c];
    const struct node *cell = cell_pattern(table, row, column);
    bool sum = node_get(row, "sum") || node_get(column, "sum");
    struct over *over = rows->over[r].given      ? &rows->over[r]
                        : columns->over[c].given ? &columns->over[c]
                                                 : whole;
    struct node *out;
    /* In the row or column of a sum only the sum is shown; its variables are still checked. */
    struct problems *problems = sum ? NULL : x->e->problems;
    int rc = over->wrong ? -EINVAL
             : cell      ? expand_pattern(x, cell, locals, count, over, problems, &out)
                         : 0;
    if (cell && !sum && rc == 0)
        return out;
    x->broken |= cell && !sum;
    return node_scalar(x->e->arena, table, "~", true);
}

static struct node *expand_cells(struct expander *x, const struct node *table,
                                 const struct axis *rows, const struct axis *columns,
                                 const struct node *over_all)
{
    struct arena *arena = x->e->arena;
    struct node *cells = node_empty(arena, table, NODE_MAP);
    struct over over = read_over(over_all);
    if (!count_cells(x, table, rows->map->count * columns->map->count))
        return cells;
    for (size_t r = 0; r < rows->map->count; r++) {
        struct node *line = node_empty(arena, rows->map->keys[r], NODE_MAP);
        for (size_t c = 0; c < columns->map->count; c++)
            node_append(arena, line, columns->map->keys[c],
                        expand_cell(x, table, rows, r, columns, c, &over));
        node_append(arena, cells, rows->map->keys[r], line);
    }
    if (!x->broken) {
        check_used(x, rows);
        check_used(x, columns);
        check_over(x, &over);
    }
    return cells;
}

/* The rows or columns without `cell`, for the renderer. */
static struct node *without_cells(struct arena *arena, const struct axis *of)
{
    const struct node *axis = of->map;
    struct node *out = node_empty(arena, axis, NODE_MAP);
    if (of->wrong)
        return (struct node *)of->wrong;
    for (size_t i = 0; i < axis->count; i++) {
        const struct node *map = axis->items[i];
        struct node *copy = node_empty(arena, map, NODE_MAP);
        for (size_t k = 0; k < map->count; k++)
            if (strcmp(map->keys[k]->text, "cell") != 0)
                node_append(arena, copy, map->keys[k], map->items[k]);
        node_append(arena, out, axis->keys[i], copy);
    }
    return out;
}

static struct node *expand_table(struct expander *x, const struct node *table,
                                 const struct param *param)
{
    struct arena *arena = x->e->arena;
    struct axis rows, columns;
    bool broken = x->broken;
    x->broken = false;
    char name[NAME_SIZE], row_name[NAME_SIZE], column_name[NAME_SIZE];
    const char *id = x->name ? x->name : "";
    snprintf(name, sizeof name, "tables.%s", id);
    snprintf(row_name, sizeof row_name, "tables.%s.rows", id);
    snprintf(column_name, sizeof column_name, "tables.%s.columns", id);
    expand_axis(x, node_get(table, "rows"), schema_member(param, "rows"), row_name, &rows);
    expand_axis(x, node_get(table, "columns"), schema_member(param, "columns"), column_name,
                &columns);
    struct node *over = node_get(table, "over");
    if (over)
        over = expand_over(x, over, schema_member(param, "over"), name);
    struct node *cells = expand_cells(x, table, &rows, &columns, over);
    struct node *out = node_empty(arena, table, NODE_MAP);
    for (size_t i = 0; i < table->count; i++) {
        const char *key = table->keys[i]->text;
        if (strcmp(key, "rows") == 0)
            node_append(arena, out, table->keys[i], without_cells(arena, &rows));
        else if (strcmp(key, "columns") == 0)
            node_append(arena, out, table->keys[i], without_cells(arena, &columns));
        else if (strcmp(key, "over") == 0)
            node_append(arena, out, table->keys[i], over);
        else if (strcmp(key, "cell") != 0)
            node_append(arena, out, table->keys[i], expand(x, table->items[i], NULL));
    }
    node_append(arena, out, node_scalar(arena, table, "cells", true), cells);
    x->broken |= broken;
    return out;
}

/* Whether the node is a table: its schema has rows and columns, and it has both. */
static bool is_table(const struct node *node, const struct param *param)
{
    return node->type == NODE_MAP && param && param->type == PARAM_MAP &&
           schema_member(param, "rows") && schema_member(param, "columns") &&
           node_get(node, "rows") && node_get(node, "columns");
}

/* The schema of item i of a node, or NULL. */
static const struct param *below(const struct param *param, const struct node *node, size_t i)
{
    if (!param)
        return NULL;
    if (param->type == PARAM_LIST || param->type == PARAM_NAMED)
        return schema_item(param);
    return node->type == NODE_MAP ? schema_member(param, node->keys[i]->text) : NULL;
}

static struct node *expand(struct expander *x, const struct node *node, const struct param *param)
{
    if (node->type == NODE_SCALAR)
        return expand_value(x, node);
    if (is_table(node, param))
        return expand_table(x, node, param);
    struct node *out = node_empty(x->e->arena, node, node->type);
    for (size_t i = 0; i < node->count; i++) {
        x->name = node->type == NODE_MAP ? node->keys[i]->text : NULL;
        node_append(x->e->arena, out, node->type == NODE_MAP ? node->keys[i] : NULL,
                    expand(x, node->items[i], below(param, node, i)));
    }
    return out;
}

int table_cells_expand(struct expander *x, const struct node *node, const struct param *param,
                       struct node **out)
{
    x->broken = false;
    *out = expand(x, node, param);
    return x->broken ? -EINVAL : 0;
}
