/* See experiment.h. This file reads title, params and inputs, and expands the matrices of `stages`;
 * stage_fields.c and stage_inputs.c read each stage, tables.c adds the report's stages, graph.c
 * sorts them. */
#include "dag/experiment/experiment.h"
#include "dag/experiment/axis.h"
#include "dag/experiment/graph.h"
#include "dag/experiment/include.h"
#include "dag/experiment/parts.h"
#include "dag/experiment/schema.h"
#include "dag/experiment/stage_fields.h"
#include "dag/experiment/stage_inputs.h"
#include "dag/experiment/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STAGE_LIMIT = 10000, VARIABLE_LIMIT = 16 };

/* A section of the file. NULL if it is absent, or not a map, which was reported. */
static const struct node *section(const struct experiment *e, const char *name)
{
    const struct node *node = node_get(e->root, name);
    return node && node->type == NODE_MAP ? node : NULL;
}

/* ---- inputs ---- */

/* The absolute path of an entry of `inputs`; NULL if it is absent or wrong, which was reported. */
static const char *read_path(struct experiment *e, const struct node *path)
{
    struct scope scope = experiment_scope(e, NULL, 0);
    scope.environment = true;
    const char *text;
    if (path->type != NODE_SCALAR || scope_text(&scope, path, &text, e->problems) < 0)
        return NULL;
    if (!*text) {
        node_problem(e->problems, path, "path: expected the name of a file or folder");
        return NULL;
    }
    /* A path from the environment is relative to the current folder, any other to the file. */
    const char *folder = scope.used_environment ? "" : include_folder(e->arena, path->file);
    const char *full = experiment_path(e, folder, text);
    if (!full)
        node_problem(e->problems, path, "cannot tell the current folder: %s", strerror(errno));
    return full;
}

static void read_external(struct experiment *e, const struct node *key, const struct node *value)
{
    const struct node *path = value->type == NODE_MAP ? node_get(value, "path") : value;
    if (!experiment_name_is_valid(key->text, "-"))
        node_problem(e->problems, key,
                     "'%s' can't name an input: expected letters, digits, _ and -", key->text);
    size_t known = node_get(value, "path") ? 1 : 0;
    if (schema_absent(path) &&
        (value->type != NODE_MAP || value->count == known)) /* else it was reported */
        node_problem(e->problems, key, "input '%s' has no path", key->text);
    const char *text = schema_absent(path) ? NULL : read_path(e, path);
    experiment_add_external(e, (struct external){
                                   .name = key->text,
                                   .path = text ? text : "",
                                   .where = path ? path : key,
                               });
}

static void read_externals(struct experiment *e)
{
    const struct node *inputs = section(e, "inputs");
    for (size_t i = 0; inputs && i < inputs->count; i++)
        read_external(e, inputs->keys[i], inputs->items[i]);
}

/* Warns of inputs that no stage reads. */
static void warn_of_unused_inputs(struct experiment *e)
{
    const struct node *inputs = node_get(e->root, "inputs");
    for (size_t i = 0; inputs && i < inputs->count; i++)
        if (!e->externals[i]->used)
            node_warn(e->problems, inputs->keys[i], "nothing uses the input '%s'",
                      inputs->keys[i]->text);
}

/* ---- for: ---- */

struct matrix {
    struct experiment *e;
    const struct node *key, *entry, *axes; /* axes: the `for` map, or NULL */
    struct variable locals[VARIABLE_LIMIT];
    bool misspelled; /* see parts.h */
    bool full;       /* STAGE_LIMIT is reached */
    struct drafts *drafts;
};

/* Whether a variable of `for` has no valid value. */
static bool is_unknown(const struct matrix *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (m->locals[i].value->broken)
            return true;
    return false;
}

static int add_instance(struct matrix *m, size_t count, const char *name)
{
    struct experiment *e = m->e;
    struct drafts *d = m->drafts;
    m->full = d->count >= STAGE_LIMIT;
    if (m->full)
        return node_problem(e->problems, m->key, "more than %d stages", STAGE_LIMIT);
    struct stage *stage = arena_alloc(e->arena, sizeof *stage);
    *stage = (struct stage){.name = name, .group = m->key->text, .where = m->key};
    bool unlisted = is_unknown(m, count);
    if (!unlisted) {
        e->stages = arena_push(e->arena, e->stages, e->stage_count, sizeof *e->stages);
        e->stages[e->stage_count++] = stage;
    }
    struct variable *locals = arena_alloc(e->arena, (count + 1) * sizeof *locals);
    memcpy(locals, m->locals, count * sizeof *locals);
    d->items = arena_push(e->arena, d->items, d->count, sizeof *d->items);
    d->items[d->count++] = (struct draft){.stage = stage,
                                          .entry = m->entry,
                                          .locals = locals,
                                          .local_count = count,
                                          .unlisted = unlisted,
                                          .misspelled = m->misspelled};
    return 0;
}

/* Checks the values of an axis. *good gets the valid ones, so that the rest can be checked further.
 */
static int check_axis(const struct matrix *m, size_t axis, const struct node *values,
                      struct node **good)
{
    const struct node *key = m->axes->keys[axis];
    const struct axis_values read = {
        .schema = schema_item(schema_member(&schema_stage, "for")),
        .section = "for",
        .what = arena_print(m->e->arena, "stages.%s.for.%s", m->key->text, key->text),
        .key = key,
        .raw = m->axes->items[axis],
        .values = values,
    };
    return axis_read(m->e, &read, good);
}

static int expand_axis(struct matrix *m, size_t axis, const char *name);

/* Checks the remaining axes and the stage's fields without a value for this axis. */
static int skip_axis(struct matrix *m, size_t axis, const char *name)
{
    struct node *broken = node_broken(m->e->arena, m->axes->items[axis]);
    m->locals[axis] = (struct variable){.name = m->axes->keys[axis]->text, .value = broken};
    expand_axis(m, axis + 1, name);
    return -EINVAL;
}

static int expand_axis(struct matrix *m, size_t axis, const char *name)
{
    if (!m->axes || axis == m->axes->count)
        return add_instance(m, axis, name);
    struct scope scope = experiment_scope(m->e, m->locals, axis);
    const struct node *key = m->axes->keys[axis];
    struct node *values;
    if (scope_expand(&scope, m->axes->items[axis], &values, m->e->problems) < 0)
        return skip_axis(m, axis, name);
    int rc = check_axis(m, axis, values, &values);
    if (rc < 0 && values->count == 0)
        return skip_axis(m, axis, name);
    for (size_t i = 0; i < values->count && !m->full; i++) {
        const struct node *value = values->items[i];
        m->locals[axis] = (struct variable){.name = key->text, .value = value};
        if (expand_axis(m, axis + 1, arena_print(m->e->arena, "%s/%s", name, value->text)) < 0)
            rc = -EINVAL;
    }
    return rc;
}

static int expand_entry(struct experiment *e, const struct node *key, const struct node *entry,
                        struct drafts *drafts)
{
    int rc = 0;
    if (!experiment_name_is_valid(key->text, "-"))
        rc = node_problem(e->problems, key,
                          "'%s' can't name a stage: expected letters, digits, _ and -", key->text);
    if (experiment_external(e, key->text))
        rc = node_problem(e->problems, key, "'%s' is the name of an input already", key->text);
    if (entry->type != NODE_MAP)
        return -EINVAL; /* reported */
    struct matrix matrix = {
        .e = e, .key = key, .entry = entry, .axes = node_get(entry, "for"), .drafts = drafts};
    for (size_t i = 0; i < entry->count; i++)
        matrix.misspelled |= !schema_member(&schema_stage, entry->keys[i]->text);
    if (schema_absent(matrix.axes))
        matrix.axes = NULL;
    if (matrix.axes && (matrix.axes->type != NODE_MAP || matrix.axes->count > VARIABLE_LIMIT))
        return -EINVAL; /* reported */
    return expand_axis(&matrix, 0, key->text) < 0 ? -EINVAL : rc;
}

static void expand_entries(struct experiment *e, struct drafts *drafts)
{
    const struct node *stages = section(e, "stages");
    for (size_t i = 0; stages && i < stages->count; i++) {
        const struct node *key = stages->keys[i], *entry = stages->items[i];
        size_t before = drafts->count;
        if (expand_entry(e, key, entry, drafts) == 0)
            continue;
        if (drafts->count == before && entry->type == NODE_MAP)
            stage_check_kind(e, key, entry);
        e->broken = arena_push(e->arena, e->broken, e->broken_count, sizeof *e->broken);
        e->broken[e->broken_count++] = key->text;
    }
}

/* ---- the whole file ---- */

/* Names the report's folder in out/, so it must not be "." or "..". */
static const char *bare_name(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    size_t n = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0) ? (size_t)(dot - name)
                                                                              : strlen(name);
    return strspn(name, ".") >= n ? "experiment" : arena_copy(arena, name, n);
}

static int read_top(struct experiment *e, const char *const *settings, size_t setting_count)
{
    const struct param *schema = schema_file(e->arena);
    int rc = include_read(e->arena, e->file, schema, &e->root, &e->misspelled, e->problems);
    for (size_t i = 0; rc == 0 && i < setting_count; i++)
        rc = include_set(e->arena, e->root, settings[i], e->problems);
    if (rc < 0)
        return rc;
    e->params = section(e, "params");
    const struct node *stages = section(e, "stages");
    if (!node_get(e->root, "ferdag"))
        rc = problems_add(e->problems, e->file, 1, 1,
                          "expected 'ferdag: 2', the version of this format");
    bool none = !node_get(e->root, "stages") || (stages && stages->count == 0);
    if (none && !problems_any(e->problems)) /* a misspelled 'stages' was reported */
        rc = problems_add(e->problems, e->file, 1, 1, "no stages");
    return rc;
}

static void read_title(struct experiment *e)
{
    const struct node *title = node_get(e->root, "title");
    struct scope scope = experiment_scope(e, NULL, 0);
    e->title = e->name;
    if (title && title->type == NODE_SCALAR)
        scope_text(&scope, title, &e->title, e->problems);
}

/* The section `numerics`: texts in place of those of this machine. */
static void read_numerics(struct experiment *e)
{
    const struct node *numerics = section(e, "numerics");
    struct scope scope = experiment_scope(e, NULL, 0);
    for (int i = 0; numerics && i < NUMERICS_COUNT; i++) {
        const struct node *node = numerics_names[i] ? node_get(numerics, numerics_names[i]) : NULL;
        if (!node || node_is_null(node) || node->type != NODE_SCALAR ||
            scope_text(&scope, node, &e->numerics[i], e->problems) < 0)
            continue;
        if (i == NUMERICS_NET && !numerics_backend(NUMERICS_NET, e->numerics[i]))
            node_problem(e->problems, node,
                         "numerics.net: expected the name of a backend and its properties, as "
                         "`ferdag --version --verbose` prints them on the machine of the run, not "
                         "'%s'",
                         e->numerics[i]);
    }
}

int experiment_load(struct experiment *e, const char *file, const char *const *settings,
                    size_t setting_count, struct problems *problems)
{
    *e = (struct experiment){.arena = arena_create(), .problems = problems};
    e->file = arena_copy(e->arena, file, strlen(file));
    e->name = bare_name(e->arena, e->file);
    char *full = realpath(file, NULL);
    e->full = full ? arena_copy(e->arena, full, strlen(full)) : e->file;
    free(full);
    struct drafts drafts = {0};
    if (read_top(e, settings, setting_count) == 0) {
        read_title(e);
        read_numerics(e);
        read_externals(e);
        expand_entries(e, &drafts);
        for (size_t i = 0; i < drafts.count; i++)
            stage_read_fields(e, &drafts.items[i]);
        stage_read_inputs(e, &drafts);
        for (size_t i = 0; i < drafts.count; i++)
            if (drafts.items[i].unlisted)
                json_decref(drafts.items[i].stage->params);
        tables_add_stages(e);
        graph_sort(e);
    }
    if (!problems_any(problems)) {
        warn_of_unused_inputs(e);
        return 0;
    }
    experiment_free(e);
    return -EINVAL;
}

void experiment_free(struct experiment *e)
{
    for (size_t i = 0; i < e->stage_count; i++)
        json_decref(e->stages[i]->params);
    arena_destroy(e->arena);
    *e = (struct experiment){0};
}
