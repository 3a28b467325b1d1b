/* See tables.h. In a map with `rows: {id: {variables}}`, `columns: {id: {variables}}` and `cell:
 * "..."`, `cells: {row: {column: ...}}` is the cell's text once for each pair, with the variables
 * of its column and its row, ${row} and ${column}. A row's own `cell` wins over a column's, and
 * that over the table's; a cell that is missing or ~ is null. */
#include "dag/tables.h"
#include "base/utf8.h"
#include "dag/params.h"
#include "dag/wire.h"

#include <errno.h>
#include <string.h>

enum { CELL_LIMIT = 100000, SECTION_COUNT = 4, VARIABLE_LIMIT = 200 };

/* Bits of struct output's `referred` beside those of the sections. */
enum { TABLES_BIT = 1 << SECTION_COUNT, REPORT_BIT = 2 << SECTION_COUNT };

static const char *const sections[SECTION_COUNT] = {"tables", "claims", "paper", "report"};

struct reference {
    struct stage *from;
    size_t output;
    const struct node *where;
};

/* One section, expanded, and what it refers to. */
struct section {
    struct node *node; /* NULL if the file lacks it */
    struct reference *references;
    size_t reference_count;
    unsigned bit; /* in struct output's `referred` */
};

struct expander {
    struct experiment *e;
    size_t cells;
    struct error *err;
};

static int expand(struct expander *x, const struct node *node, struct node **out);

static struct scope global_scope(struct expander *x)
{
    return (struct scope){.arena = x->e->arena, .params = x->e->params, .steps = &x->e->steps};
}

/* rows or columns as a map of maps, with values expanded but for `cell`. */
static int expand_axis(struct expander *x, const struct node *axis, struct node **out)
{
    struct arena *arena = x->e->arena;
    struct scope scope = global_scope(x);
    *out = node_empty(arena, axis, NODE_MAP);
    if (axis->type != NODE_MAP && axis->type != NODE_LIST)
        return node_error(x->err, axis, "expected a map or list of rows or columns");
    for (size_t i = 0; i < axis->count; i++) {
        struct node *id = axis->type == NODE_MAP ? axis->keys[i] : axis->items[i];
        const struct node *variables = axis->type == NODE_MAP ? axis->items[i] : NULL;
        if (id->type != NODE_SCALAR)
            return node_error(x->err, id, "expected the name of a row or column");
        struct node *copy = node_empty(arena, id, NODE_MAP);
        if (variables && variables->type != NODE_MAP && !node_is_null(variables))
            return node_error(x->err, variables, "'%s': expected a map of variables, not %s",
                              id->text, node_form(variables));
        for (size_t k = 0; variables && k < variables->count; k++) {
            struct node *value = variables->items[k];
            int rc = strcmp(variables->keys[k]->text, "cell") == 0
                         ? 0
                         : scope_expand(&scope, value, &value, x->err);
            if (rc < 0)
                return rc;
            node_append(arena, copy, variables->keys[k], value);
        }
        node_append(arena, *out, id, copy);
    }
    return 0;
}

static void add_locals(struct variable *locals, size_t *count, const struct node *map)
{
    for (size_t i = 0; i < map->count && *count < VARIABLE_LIMIT - 2; i++)
        if (strcmp(map->keys[i]->text, "cell") != 0)
            locals[(*count)++] = (struct variable){map->keys[i]->text, map->items[i]};
}

static int expand_cell(struct expander *x, const struct node *table, const struct node *rows,
                       size_t r, const struct node *columns, size_t c, struct node **out)
{
    struct variable locals[VARIABLE_LIMIT];
    size_t count = 0;
    if (++x->cells > CELL_LIMIT)
        return node_error(x->err, table, "more than %d cells", CELL_LIMIT);
    add_locals(locals, &count, columns->items[c]);
    add_locals(locals, &count, rows->items[r]);
    locals[count++] = (struct variable){"row", rows->keys[r]};
    locals[count++] = (struct variable){"column", columns->keys[c]};
    const struct node *cell = node_get(rows->items[r], "cell");
    if (!cell)
        cell = node_get(columns->items[c], "cell");
    if (!cell)
        cell = node_get(table, "cell");
    if (!cell) {
        *out = node_scalar(x->e->arena, table, "~", true);
        return 0;
    }
    struct scope scope = global_scope(x);
    scope.locals = locals;
    scope.local_count = count;
    return scope_expand(&scope, cell, out, x->err);
}

/* The axis without the `cell`s, for the renderer. */
static struct node *without_cells(struct arena *arena, const struct node *axis)
{
    struct node *out = node_empty(arena, axis, NODE_MAP);
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

static int expand_table(struct expander *x, const struct node *table, struct node **out)
{
    struct arena *arena = x->e->arena;
    struct node *rows, *columns, *cells = node_empty(arena, table, NODE_MAP);
    int rc = expand_axis(x, node_get(table, "rows"), &rows);
    if (rc == 0)
        rc = expand_axis(x, node_get(table, "columns"), &columns);
    for (size_t r = 0; rc == 0 && r < rows->count; r++) {
        struct node *line = node_empty(arena, rows->keys[r], NODE_MAP);
        for (size_t c = 0; rc == 0 && c < columns->count; c++) {
            struct node *cell;
            rc = expand_cell(x, table, rows, r, columns, c, &cell);
            if (rc == 0)
                node_append(arena, line, columns->keys[c], cell);
        }
        node_append(arena, cells, rows->keys[r], line);
    }
    *out = node_empty(arena, table, NODE_MAP);
    for (size_t i = 0; rc == 0 && i < table->count; i++) {
        const char *key = table->keys[i]->text;
        struct node *value = NULL;
        if (strcmp(key, "cells") == 0)
            return node_error(x->err, table->keys[i], "cells are made from rows, columns and cell");
        if (strcmp(key, "cell") == 0)
            continue;
        if (strcmp(key, "rows") == 0)
            value = without_cells(arena, rows);
        else if (strcmp(key, "columns") == 0)
            value = without_cells(arena, columns);
        else
            rc = expand(x, table->items[i], &value);
        if (rc == 0)
            node_append(arena, *out, table->keys[i], value);
    }
    if (rc == 0)
        node_append(arena, *out, node_scalar(arena, table, "cells", true), cells);
    return rc;
}

static int expand(struct expander *x, const struct node *node, struct node **out)
{
    struct scope scope = global_scope(x);
    if (node->type == NODE_SCALAR)
        return scope_expand(&scope, node, out, x->err);
    if (node_get(node, "rows") && node_get(node, "columns"))
        return expand_table(x, node, out);
    *out = node_empty(x->e->arena, node, node->type);
    for (size_t i = 0; i < node->count; i++) {
        struct node *item;
        int rc = expand(x, node->items[i], &item);
        if (rc < 0)
            return rc;
        node_append(x->e->arena, *out, node->type == NODE_MAP ? node->keys[i] : NULL, item);
    }
    return 0;
}

/* Marks the output as referred to by a section or a stage; false if it was already. */
static bool refer_first(const struct reference *reference, unsigned bit)
{
    unsigned *referred = &reference->from->outputs[reference->output].referred;
    bool first = !(*referred & bit);
    *referred |= bit;
    return first;
}

/* "@stage.port:/pointer" -> the stage's output; the text is made whole where it left out the port.
 */
static int read_reference(struct experiment *e, struct section *section, struct node *node,
                          struct error *err)
{
    const char *text = node->text + 1;
    if (*text == '@') { /* "@@..." is a text that starts with "@" */
        node->text = text;
        return 0;
    }
    const char *colon = strchr(text, ':');
    if (colon && colon[1] && colon[1] != '/')
        return node_error(err, node, "after ':' expected a JSON pointer such as :/public/accuracy");
    char *name = arena_copy(e->arena, text, colon ? (size_t)(colon - text) : strlen(text));
    struct reference reference = {.where = node};
    struct external *external;
    int rc = experiment_resolve(e, name, node, &reference.from, &reference.output, &external, err);
    if (rc < 0)
        return rc;
    if (external)
        return node_error(err, node, "'%s' is an input; expected an output of a stage", name);
    node->text = arena_print(e->arena, "@%s.%s%s", reference.from->name,
                             reference.from->outputs[reference.output].port, colon ? colon : "");
    if (!refer_first(&reference, section->bit))
        return 0;
    section->references = arena_push(e->arena, section->references, section->reference_count,
                                     sizeof *section->references);
    section->references[section->reference_count++] = reference;
    return 0;
}

/* A copy of the tree with its references read; the tree itself is shared with params. */
static int collect(struct experiment *e, struct section *section, const struct node *node,
                   struct node **out, struct error *err)
{
    *out = arena_alloc(e->arena, sizeof **out);
    **out = *node;
    if (node->type == NODE_SCALAR)
        return *node->text == '@' ? read_reference(e, section, *out, err) : 0;
    (*out)->items = arena_alloc(e->arena, (node->count + 1) * sizeof *node->items);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < node->count; i++)
        rc = collect(e, section, node->items[i], &(*out)->items[i], err);
    return rc;
}

static int section_index(const char *name)
{
    for (int i = 0; i < SECTION_COUNT; i++)
        if (strcmp(sections[i], name) == 0)
            return i;
    return -1;
}

/* What every stage was given, overrides included; by name, as the file's order means nothing. */
static json_t *stages_json(const struct experiment *e)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->by_name[i];
        if (!stage->implicit &&
            json_array_append_new(list,
                                  must(json_pack("{s:s, s:s, s:O}", "name", stage->name, "kind",
                                                 stage->kind->name, "params", stage->params))) < 0)
            must(NULL);
    }
    return list;
}

/* The value of a param that is named after a section, or title, params or stages. */
static json_t *param_value(struct experiment *e, const struct section *parts,
                           const struct param *param, const struct node *params)
{
    int i = section_index(param->name);
    if (i >= 0)
        return parts[i].node ? node_json(parts[i].node) : must(json_object());
    if (strcmp(param->name, "title") == 0)
        return must(utf8_json(e->title)); /* it may be the file's name */
    if (strcmp(param->name, "params") == 0)
        return params ? node_json(params) : must(json_object());
    if (strcmp(param->name, "stages") == 0)
        return stages_json(e);
    return NULL;
}

static void add_source(struct experiment *e, struct stage *stage, const struct port *port,
                       const struct reference *reference)
{
    stage->inputs = arena_push(e->arena, stage->inputs, stage->input_count, sizeof *stage->inputs);
    stage->inputs[stage->input_count] = (struct edge){
        .port = port->name,
        .as = port->many ? arena_print(e->arena, "%s.%zu", port->name, stage->input_count)
                         : port->name,
        .many = port->many,
        .optional = true,
        .from = reference->from,
        .output = reference->output,
        .where = reference->where,
    };
    stage->input_count++;
}

/* A stage of that kind over the sections that the kind's params name. */
static struct stage *make_stage(struct experiment *e, const char *name, const struct kind *kind,
                                const struct section *parts, const struct node *params,
                                unsigned bit)
{
    struct stage *stage = arena_alloc(e->arena, sizeof *stage);
    *stage = (struct stage){.name = name,
                            .group = name,
                            .kind = kind,
                            .where = e->root,
                            .cpu = 1,
                            .implicit = true,
                            .params = must(json_object())};
    const struct port *sources = kind->inputs;
    while (sources->name && strcmp(sources->name, "sources") != 0)
        sources++;
    for (const struct param *p = kind->params; p->name; p++) {
        json_t *value = param_value(e, parts, p, params);
        int i = section_index(p->name);
        if (value)
            json_object_set_new(stage->params, p->name, value);
        for (size_t k = 0; i >= 0 && sources->name && k < parts[i].reference_count; k++)
            if (refer_first(&parts[i].references[k], bit))
                add_source(e, stage, sources, &parts[i].references[k]);
    }
    for (const struct port *p = kind->outputs; p->name; p++) {
        stage->outputs =
            arena_push(e->arena, stage->outputs, stage->output_count, sizeof *stage->outputs);
        stage->outputs[stage->output_count++] = (struct output){.port = p->name,
                                                                .file = p->file,
                                                                .tree = p->form == PORT_TREE,
                                                                .optional = p->optional,
                                                                .measured = p->measured};
    }
    return stage;
}

/* Params of the kinds that no section gives take their defaults. */
static int fill_defaults(struct stage *stage, struct error *err)
{
    int rc = 0;
    for (const struct param *p = stage->kind->params; rc == 0 && p->name; p++) {
        json_t *value = NULL;
        if (json_object_get(stage->params, p->name))
            continue;
        rc = p->standard ? params_standard(p, stage->where, &value, err)
                         : error_set(err, EINVAL, "kind %s has a param '%s' that no section gives",
                                     stage->kind->name, p->name);
        if (rc == 0 && json_object_set_new(stage->params, p->name, value) < 0)
            must(NULL);
    }
    return rc;
}

int tables_add_stages(struct experiment *e, struct error *err)
{
    const struct kind *tables = kind_find("report_tables"), *report = kind_find("report_pdf");
    struct section parts[SECTION_COUNT] = {{0}};
    struct expander x = {.e = e, .err = err};
    int rc = 0;
    for (int i = 0; rc == 0 && i < SECTION_COUNT; i++) {
        const struct node *node = node_get(e->root, sections[i]);
        struct node *expanded;
        if (!node)
            continue;
        parts[i].bit = 1u << i;
        rc = expand(&x, node, &expanded);
        if (rc == 0)
            rc = collect(e, &parts[i], expanded, &parts[i].node, err);
    }
    struct node *params = NULL;
    struct scope scope = global_scope(&x);
    if (rc == 0 && e->params)
        rc = scope_expand(&scope, e->params, &params, err);
    if (rc < 0 || !(parts[0].node || parts[1].node || parts[3].node))
        return rc;
    struct stage *first = make_stage(e, "tables", tables, parts, params, TABLES_BIT);
    struct stage *second = make_stage(e, "report", report, parts, params, REPORT_BIT);
    for (const struct port *p = report->inputs; p->name; p++)
        if (strcmp(p->name, "tables") == 0)
            add_source(e, second, p, &(struct reference){.from = first, .where = e->root});
    int added = wire_add(e, first, err);
    rc = wire_add(e, second, added < 0 ? NULL : err);
    if (added < 0 || rc < 0)
        return added < 0 ? added : rc;
    rc = fill_defaults(first, err);
    return rc < 0 ? rc : fill_defaults(second, err);
}
