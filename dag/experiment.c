/* See experiment.h. Here: the file's parts, the matrices, and each stage's own fields; wire.c joins
 * the stages, tables.c adds those that the tables bring. */
#include "dag/experiment.h"
#include "dag/include.h"
#include "dag/nearest.h"
#include "dag/params.h"
#include "dag/tables.h"
#include "dag/wire.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STAGE_LIMIT = 10000, VARIABLE_LIMIT = 16, NAME_LIMIT = 200 };

static const char *const stage_keys[] = {"kind", "in", "with", "needs", "for", "out", NULL};
static const char *const input_keys[] = {"path", NULL};
static const char *const needs_keys[] = {"cpu", "mem", "gpu", NULL};

static int check_keys(const struct node *map, const char *const *names, const char *what,
                      struct error *err)
{
    if (map->type != NODE_MAP)
        return node_error(err, map, "%s: expected a map, not %s", what, node_form(map));
    for (size_t i = 0; i < map->count; i++) {
        struct nearest nearest = {.wrong = map->keys[i]->text};
        size_t k = 0;
        for (; names[k] && strcmp(names[k], nearest.wrong) != 0; k++)
            nearest_offer(&nearest, names[k]);
        if (!names[k])
            return node_error(err, map->keys[i], "unknown key '%s' of %s%s", nearest.wrong, what,
                              nearest_hint(&nearest));
    }
    return 0;
}

/* Names go into folders, file names and references: no '/', no blanks. */
static bool name_sound(const char *name, const char *also)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t n = strlen(name);
    if (n == 0 || n > NAME_LIMIT || !strchr(letters, name[0]))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!strchr(letters, name[i]) && !strchr(also, name[i]))
            return false;
    return true;
}

static struct scope make_scope(struct experiment *e, const struct variable *locals, size_t count)
{
    return (struct scope){.arena = e->arena,
                          .params = e->params,
                          .locals = locals,
                          .local_count = count,
                          .steps = &e->steps};
}

/* ---- inputs ---- */

static struct external *add_external(struct experiment *e, struct external external)
{
    struct external *added = arena_alloc(e->arena, sizeof *added);
    struct stat st;
    size_t n = strlen(external.path);
    external.folder = (n > 1 && external.path[n - 1] == '/') ||
                      (stat(external.path, &st) == 0 && S_ISDIR(st.st_mode));
    while (n > 1 && external.path[n - 1] == '/')
        n--;
    external.path = arena_copy(e->arena, external.path, n);
    external.place = e->external_count;
    *added = external;
    e->externals = arena_push(e->arena, e->externals, e->external_count, sizeof(struct external *));
    e->externals[e->external_count++] = added;
    return added;
}

static int read_external(struct experiment *e, const struct node *key, const struct node *value,
                         struct error *err)
{
    if (!name_sound(key->text, "-"))
        return node_error(err, key, "'%s' can't name an input: expected letters, digits, _ and -",
                          key->text);
    const struct node *path = value;
    if (value->type == NODE_MAP) {
        int rc = check_keys(value, input_keys, "an input", err);
        if (rc < 0)
            return rc;
        path = node_get(value, "path");
    }
    if (!path)
        return node_error(err, value, "input '%s' has no path", key->text);
    struct scope scope = make_scope(e, NULL, 0);
    scope.environment = true;
    const char *text;
    int rc = scope_text(&scope, path, &text, err);
    if (rc < 0)
        return rc;
    if (!*text)
        return node_error(err, path, "path: expected the name of a file");
    /* What the environment says is meant from where the user stands, the rest from the file. */
    char cwd[PATH_MAX] = "";
    const char *folder = scope.used_environment ? "" : include_folder(e->arena, path->file);
    if (*text == '/')
        folder = "";
    else if (*folder != '/' && !getcwd(cwd, sizeof cwd - 1))
        return error_errno(err, errno, "cannot tell the current folder");
    add_external(e,
                 (struct external){
                     .name = key->text,
                     .path = arena_print(e->arena, "%s%s%s%s", cwd, *cwd ? "/" : "", folder, text),
                     .where = path,
                 });
    return 0;
}

static int read_externals(struct experiment *e, struct error *err)
{
    const struct node *inputs = node_get(e->root, "inputs");
    size_t count = inputs ? inputs->count : 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = read_external(e, inputs->keys[i], inputs->items[i], err);
    return rc;
}

/* ---- a stage's own fields ---- */

static int read_kind(struct scope *scope, const struct node *entry, struct stage *stage,
                     struct error *err)
{
    const struct node *node = node_get(entry, "kind");
    if (!node)
        return node_error(err, stage->where, "stage '%s' has no kind", stage->name);
    struct nearest nearest = {0};
    int rc = scope_text(scope, node, &nearest.wrong, err);
    if (rc < 0)
        return rc;
    stage->kind = kind_find(nearest.wrong);
    for (size_t i = 0; !stage->kind && kinds[i]; i++)
        nearest_offer(&nearest, kinds[i]->name);
    if (!stage->kind)
        return node_error(err, node, "unknown kind '%s'%s", nearest.wrong, nearest_hint(&nearest));
    return 0;
}

/* NUMBER[UNIT]: digits with or without a fraction, then nothing or K, M, G or T, behind which "B"
 * or "iB" may stand. The units are powers of 1024. Less than a byte is no size. */
static int read_size(const struct node *node, const char *text, uint64_t *size, struct error *err)
{
    static const char units[] = "KMGT", digits[] = "0123456789";
    static const double most = 1e18;
    size_t whole = strspn(text, digits);
    const char *end = text + whole;
    size_t fraction = *end == '.' ? strspn(end + 1, digits) : 0;
    end += fraction ? fraction + 1 : 0;
    double value = strtod(text, NULL);
    const char *unit = whole && *end ? strchr(units, *end) : NULL;
    for (const char *u = units; unit && u <= unit; u++)
        value *= 1024;
    if (unit)
        end += strcmp(end + 1, "iB") == 0 ? 3 : strcmp(end + 1, "B") == 0 ? 2 : 1;
    if (!whole || *end || !(value >= 1 && value < most))
        return node_error(err, node,
                          "mem: expected a size above 0 such as 500M, 1.5G or 2GiB (a number, then "
                          "nothing for bytes, or K, M, G or T), not '%s'",
                          text);
    *size = (uint64_t)value;
    return 0;
}

static int read_needs(struct scope *scope, const struct node *entry, struct stage *stage,
                      struct error *err)
{
    static const char *const gpus[] = {"none", "optional", "required"};
    stage->cpu = 1;
    const struct node *written = node_get(entry, "needs");
    if (!written)
        return 0;
    struct node *needs;
    int rc = scope_expand(scope, written, &needs, err);
    if (rc == 0)
        rc = check_keys(needs, needs_keys, "needs", err);
    for (size_t i = 0; rc == 0 && i < needs->count; i++) {
        const struct node *value = needs->items[i];
        const char *key = needs->keys[i]->text;
        if (value->type != NODE_SCALAR)
            return node_error(err, value, "%s: expected one value, not %s", key, node_form(value));
        if (strcmp(key, "mem") == 0) {
            rc = read_size(value, value->text, &stage->mem, err);
        } else if (strcmp(key, "cpu") == 0) {
            char *end;
            long cpu = strtol(value->text, &end, 10);
            if (end == value->text || *end || cpu < 1 || cpu > 1024)
                return node_error(err, value, "cpu: expected 1 to 1024, not '%s'", value->text);
            stage->cpu = (int)cpu;
        } else {
            size_t g = 0;
            while (g < 3 && strcmp(gpus[g], value->text) != 0)
                g++;
            if (g == 3)
                return node_error(err, value, "gpu: expected none, optional or required, not '%s'",
                                  value->text);
            stage->gpu = (enum gpu)g;
        }
    }
    return rc;
}

static void kind_outputs(struct experiment *e, struct stage *stage)
{
    for (const struct port *p = stage->kind->outputs; p->name; p++) {
        stage->outputs =
            arena_push(e->arena, stage->outputs, stage->output_count, sizeof *stage->outputs);
        stage->outputs[stage->output_count++] = (struct output){
            .port = p->name,
            .file = p->file,
            .tree = p->form == PORT_TREE,
            .optional = p->optional,
            .measured = p->measured,
        };
    }
}

/* A file name that stays inside the stage's folder and clear of what the engine puts there. */
static bool file_sound(const char *file)
{
    if (!*file || *file == '/' || strpbrk(file, "\n") || strlen(file) > NAME_LIMIT)
        return false;
    for (const char *p = file; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (*p == '/' || !*p || *p == '.')
            return false;
    return strcmp(file, "job.json") != 0 && strcmp(file, "log.txt") != 0;
}

/* Whether one is the other or lies in it. */
static bool overlap(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), least = n < m ? n : m;
    return strncmp(a, b, least) == 0 && (!a[least] || a[least] == '/') &&
           (!b[least] || b[least] == '/');
}

/* By file, '/' before all else: what lies in a folder stands right behind it. */
static int by_file(const void *x, const void *y)
{
    const char *a = (*(const struct output *const *)x)->file,
               *b = (*(const struct output *const *)y)->file;
    while (*a && *a == *b) {
        a++;
        b++;
    }
    int p = *a == '/' ? 1 : (unsigned char)*a + (*a != 0),
        q = *b == '/' ? 1 : (unsigned char)*b + (*b != 0);
    return p - q;
}

/* No two outputs may share a file; `out` has them in the same order. */
static int check_overlaps(struct experiment *e, const struct stage *stage, const struct node *out,
                          struct error *err)
{
    size_t n = stage->output_count;
    const struct output **sorted = arena_alloc(e->arena, (n + 1) * sizeof(const struct output *));
    for (size_t i = 0; i < n; i++)
        sorted[i] = &stage->outputs[i];
    qsort(sorted, n, sizeof *sorted, by_file);
    for (size_t i = 1; i < n; i++) {
        const struct output *later = sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1];
        if (overlap(sorted[i - 1]->file, sorted[i]->file))
            return node_error(err, out->items[later - stage->outputs],
                              "out: two ports share the file '%s'", later->file);
    }
    return 0;
}

/* `out:` of a kind with open ports: port -> file name, with '/' at its end for a folder. */
static int open_outputs(struct experiment *e, struct scope *scope, const struct node *entry,
                        struct stage *stage, struct error *err)
{
    const struct node *written = node_get(entry, "out");
    struct node *out;
    if (!written)
        return node_error(err, stage->where, "kind %s needs 'out: { port: file }'",
                          stage->kind->name);
    int rc = scope_expand(scope, written, &out, err);
    if (rc == 0 && (out->type != NODE_MAP || out->count == 0))
        rc = node_error(err, out, "out: expected a map of ports to file names");
    for (size_t i = 0; rc == 0 && i < out->count; i++) {
        const struct node *key = out->keys[i], *file = out->items[i];
        char *name =
            file->type == NODE_SCALAR ? arena_copy(e->arena, file->text, strlen(file->text)) : NULL;
        size_t n = name ? strlen(name) : 0;
        bool tree = n > 1 && name[n - 1] == '/';
        if (tree)
            name[n - 1] = 0;
        if (!name_sound(key->text, "-"))
            return node_error(err, key, "'%s' can't name a port", key->text);
        if (!name || !file_sound(name))
            return node_error(err, file, "out: expected a file name inside the stage's folder");
        stage->outputs = arena_push(e->arena, stage->outputs, i, sizeof *stage->outputs);
        stage->outputs[stage->output_count++] =
            (struct output){.port = key->text, .file = name, .tree = tree};
    }
    if (rc == 0)
        rc = check_overlaps(e, stage, out, err);
    node_seal(e->arena, out);
    stage->out = out;
    return rc;
}

static int read_stage(struct experiment *e, struct draft *draft, struct error *err)
{
    struct stage *stage = draft->stage;
    struct scope scope = make_scope(e, draft->locals, draft->local_count);
    int rc = read_kind(&scope, draft->entry, stage, err);
    if (rc < 0)
        return rc;
    struct node *with = NULL;
    const struct node *written = node_get(draft->entry, "with");
    if (written && !node_is_null(written))
        rc = scope_expand(&scope, written, &with, err);
    if (rc == 0)
        rc = params_check(stage->kind, with, stage->where, &stage->params, err);
    if (rc == 0)
        rc = read_needs(&scope, draft->entry, stage, err);
    if (rc < 0)
        return rc;
    if (stage->kind->open_ports)
        return open_outputs(e, &scope, draft->entry, stage, err);
    const struct node *out = node_get(draft->entry, "out");
    if (out)
        return node_error(err, out,
                          "out: the outputs of kind %s are its own; only kind command "
                          "names them",
                          stage->kind->name);
    kind_outputs(e, stage);
    return 0;
}

/* ---- for: ---- */

struct matrix {
    struct experiment *e;
    const struct node *key, *entry, *axes; /* axes: the `for` map, or NULL */
    struct variable locals[VARIABLE_LIMIT];
    struct drafts *drafts;
    struct error *err;
};

static int add_instance(struct matrix *m, size_t count, const char *name)
{
    struct experiment *e = m->e;
    struct drafts *d = m->drafts;
    if (d->count >= STAGE_LIMIT)
        return node_error(m->err, m->key, "more than %d stages", STAGE_LIMIT);
    struct stage *stage = arena_alloc(e->arena, sizeof *stage);
    *stage = (struct stage){.name = name, .group = m->key->text, .where = m->key};
    e->stages = arena_push(e->arena, e->stages, e->stage_count, sizeof *e->stages);
    e->stages[e->stage_count++] = stage;
    struct variable *locals = arena_alloc(e->arena, (count + 1) * sizeof *locals);
    memcpy(locals, m->locals, count * sizeof *locals);
    d->items = arena_push(e->arena, d->items, d->count, sizeof *d->items);
    d->items[d->count++] = (struct draft){stage, m->entry, locals, count};
    return 0;
}

static int expand_axis(struct matrix *m, size_t axis, const char *name)
{
    if (!m->axes || axis == m->axes->count)
        return add_instance(m, axis, name);
    struct scope scope = make_scope(m->e, m->locals, axis);
    const struct node *key = m->axes->keys[axis];
    struct node *values;
    int rc = scope_expand(&scope, m->axes->items[axis], &values, m->err);
    if (rc == 0 && !name_sound(key->text, "-"))
        rc = node_error(m->err, key, "'%s' can't name a variable", key->text);
    if (rc == 0 && (values->type != NODE_LIST || values->count == 0))
        rc = node_error(m->err, values, "for: %s: expected a list of values", key->text);
    for (size_t i = 0; rc == 0 && i < values->count; i++) {
        const struct node *value = values->items[i];
        if (value->type != NODE_SCALAR || !name_sound(value->text, "-.+"))
            return node_error(m->err, value,
                              "for: a value becomes part of a name; expected "
                              "letters, digits, _ - . +");
        for (size_t k = 0; k < i; k++)
            if (strcmp(values->items[k]->text, value->text) == 0)
                return node_error(m->err, value, "for: '%s' is given twice", value->text);
        m->locals[axis] = (struct variable){key->text, value};
        rc = expand_axis(m, axis + 1, arena_print(m->e->arena, "%s/%s", name, value->text));
    }
    return rc;
}

static int expand_entry(struct experiment *e, const struct node *key, const struct node *entry,
                        struct drafts *drafts, struct error *err)
{
    if (!name_sound(key->text, "-"))
        return node_error(err, key, "'%s' can't name a stage: expected letters, digits, _ and -",
                          key->text);
    if (experiment_external(e, key->text))
        return node_error(err, key, "'%s' is the name of an input already", key->text);
    int rc = check_keys(entry, stage_keys, "a stage", err);
    struct matrix matrix = {.e = e,
                            .key = key,
                            .entry = entry,
                            .axes = node_get(entry, "for"),
                            .drafts = drafts,
                            .err = err};
    if (rc == 0 && matrix.axes && matrix.axes->type != NODE_MAP)
        rc = node_error(err, matrix.axes, "for: expected a map of variables, not %s",
                        node_form(matrix.axes));
    if (rc == 0 && matrix.axes && matrix.axes->count > VARIABLE_LIMIT)
        rc = node_error(err, matrix.axes, "for: more than %d variables", VARIABLE_LIMIT);
    return rc < 0 ? rc : expand_axis(&matrix, 0, key->text);
}

/* ---- the whole file ---- */

static const char *bare_name(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    size_t n = dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0) ? (size_t)(dot - name)
                                                                              : strlen(name);
    return n ? arena_copy(arena, name, n) : "experiment";
}

static int read_top(struct experiment *e, const char *const *settings, size_t setting_count,
                    struct error *err)
{
    int rc = include_read(e->arena, e->file, &e->root, err);
    for (size_t i = 0; rc == 0 && i < setting_count; i++)
        rc = include_set(e->arena, e->root, settings[i], err);
    if (rc < 0)
        return rc;
    e->params = node_get(e->root, "params");
    if (!node_get(e->root, "ferdag"))
        return error_set(err, EINVAL, "%s:1:1: expected 'ferdag: 1', the version of this format",
                         e->file);
    const struct node *stages = node_get(e->root, "stages");
    if (!stages || stages->count == 0)
        return error_set(err, EINVAL, "%s:1:1: no stages", e->file);
    const struct node *title = node_get(e->root, "title");
    struct scope scope = make_scope(e, NULL, 0);
    e->title = e->name;
    return title ? scope_text(&scope, title, &e->title, err) : 0;
}

int experiment_load(struct experiment *e, const char *file, const char *const *settings,
                    size_t setting_count, struct error *err)
{
    *e = (struct experiment){.arena = arena_create()};
    e->file = arena_copy(e->arena, file, strlen(file));
    e->name = bare_name(e->arena, e->file);
    char *full = realpath(file, NULL);
    e->full = full ? arena_copy(e->arena, full, strlen(full)) : e->file;
    free(full);
    struct drafts drafts = {0};
    int rc = read_top(e, settings, setting_count, err);
    if (rc == 0)
        rc = read_externals(e, err);
    const struct node *stages = rc == 0 ? node_get(e->root, "stages") : NULL;
    for (size_t i = 0; rc == 0 && i < stages->count; i++)
        rc = expand_entry(e, stages->keys[i], stages->items[i], &drafts, err);
    for (size_t i = 0; rc == 0 && i < drafts.count; i++)
        rc = read_stage(e, &drafts.items[i], err);
    if (rc == 0)
        rc = wire_stages(e, &drafts, err);
    if (rc == 0)
        rc = tables_add_stages(e, err);
    if (rc == 0)
        rc = wire_order(e, err);
    if (rc < 0)
        experiment_free(e);
    return rc;
}

void experiment_free(struct experiment *e)
{
    for (size_t i = 0; i < e->stage_count; i++)
        json_decref(e->stages[i]->params);
    arena_destroy(e->arena);
    *e = (struct experiment){0};
}
