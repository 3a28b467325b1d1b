/* See table_cells.h. A row's `cell` overrides its column's, and that the table's. A cell that is
 * missing or ~ is null. */
#include "dag/experiment/table_cells.h"
#include "base/nearest.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <string.h>

enum { CELL_LIMIT = 100000, VARIABLE_LIMIT = 200 };

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

/* ---- rows and columns ---- */

/* The rows or columns of a table. */
struct axis {
    const struct param *item; /* the schema of a row or column */
    const struct node *wrong; /* the node, if it is neither a map nor a list */
    struct node *map;         /* {name: {variable: value}}; all but `cell` is expanded */
    bool **used;              /* of each row or column: which variables a cell used */
};

static bool is_setting(const struct axis *axis, const char *name)
{
    return axis->item && schema_member(axis->item, name);
}

/* One row's or column's variables. */
static struct node *expand_variables(struct expander *x, const struct node *id,
                                     const struct node *variables)
{
    struct node *copy = node_empty(x->e->arena, id, NODE_MAP);
    for (size_t k = 0; variables && variables->type == NODE_MAP && k < variables->count; k++) {
        struct node *value = variables->items[k];
        if (strcmp(variables->keys[k]->text, "cell") != 0)
            value = expand_value(x, value);
        node_append(x->e->arena, copy, variables->keys[k], value);
    }
    return copy;
}

static void expand_axis(struct expander *x, const struct node *node, const struct param *param,
                        struct axis *axis)
{
    struct arena *arena = x->e->arena;
    if (node->type == NODE_SCALAR)
        node = expand_value(x, node);
    *axis = (struct axis){.item = param ? schema_item(param) : NULL,
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
                    expand_variables(x, id, node->type == NODE_MAP ? node->items[i] : NULL));
    }
    axis->used = arena_alloc(arena, (axis->map->count + 1) * sizeof *axis->used);
    for (size_t i = 0; i < axis->map->count; i++)
        axis->used[i] = arena_alloc(arena, (axis->map->items[i]->count + 1) * sizeof(bool));
}

/* Reports variables that no cell uses: a misspelled setting, or one that was forgotten. */
static void check_used(struct expander *x, const struct axis *axis)
{
    for (size_t i = 0; i < axis->map->count; i++) {
        const struct node *map = axis->map->items[i];
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

/* The expanded cell; null if there is none, or if it is wrong, which is reported. */
static struct node *expand_cell(struct expander *x, const struct node *table,
                                const struct axis *rows, size_t r, const struct axis *columns,
                                size_t c)
{
    struct variable locals[VARIABLE_LIMIT];
    size_t count = 0;
    add_locals(locals, &count, columns, c);
    add_locals(locals, &count, rows, r);
    locals[count++] = (struct variable){"row", rows->map->keys[r], NULL};
    locals[count++] = (struct variable){"column", columns->map->keys[c], NULL};
    const struct node *row = rows->map->items[r], *column = columns->map->items[c];
    const struct node *cell = cell_pattern(table, row, column);
    bool sum = node_get(row, "sum") || node_get(column, "sum");
    struct scope scope = experiment_scope(x->e, locals, count);
    struct node *out;
    /* In the row or column of a sum only the sum is shown; its variables are still checked. */
    int rc = cell ? scope_expand(&scope, cell, &out, sum ? NULL : x->e->problems) : 0;
    if (cell && !sum && rc == 0)
        return out;
    x->broken |= cell && !sum;
    return node_scalar(x->e->arena, table, "~", true);
}

static struct node *expand_cells(struct expander *x, const struct node *table,
                                 const struct axis *rows, const struct axis *columns)
{
    struct arena *arena = x->e->arena;
    struct node *cells = node_empty(arena, table, NODE_MAP);
    size_t count = rows->map->count * columns->map->count;
    if (x->cells + count > CELL_LIMIT) {
        if (x->cells <= CELL_LIMIT)
            node_problem(x->e->problems, table, "more than %d cells", CELL_LIMIT);
        x->cells = CELL_LIMIT + 1;
        x->broken = true;
        return cells;
    }
    x->cells += count;
    for (size_t r = 0; r < rows->map->count; r++) {
        struct node *line = node_empty(arena, rows->map->keys[r], NODE_MAP);
        for (size_t c = 0; c < columns->map->count; c++)
            node_append(arena, line, columns->map->keys[c],
                        expand_cell(x, table, rows, r, columns, c));
        node_append(arena, cells, rows->map->keys[r], line);
    }
    if (!x->broken) {
        check_used(x, rows);
        check_used(x, columns);
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
    expand_axis(x, node_get(table, "rows"), schema_member(param, "rows"), &rows);
    expand_axis(x, node_get(table, "columns"), schema_member(param, "columns"), &columns);
    struct node *cells = expand_cells(x, table, &rows, &columns);
    struct node *out = node_empty(arena, table, NODE_MAP);
    for (size_t i = 0; i < table->count; i++) {
        const char *key = table->keys[i]->text;
        if (strcmp(key, "rows") == 0)
            node_append(arena, out, table->keys[i], without_cells(arena, &rows));
        else if (strcmp(key, "columns") == 0)
            node_append(arena, out, table->keys[i], without_cells(arena, &columns));
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
    for (size_t i = 0; i < node->count; i++)
        node_append(x->e->arena, out, node->type == NODE_MAP ? node->keys[i] : NULL,
                    expand(x, node->items[i], below(param, node, i)));
    return out;
}

int table_cells_expand(struct expander *x, const struct node *node, const struct param *param,
                       struct node **out)
{
    x->broken = false;
    *out = expand(x, node, param);
    return x->broken ? -EINVAL : 0;
}
