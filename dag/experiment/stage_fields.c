/* See stage_fields.h. */
#include "dag/experiment/stage_fields.h"
#include "base/nearest.h"
#include "dag/experiment/params.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 200 };

/* A field, or NULL if the stage has none. */
static const struct node *field(const struct reading *r, const char *name)
{
    const struct node *node = node_get(r->entry, name);
    return schema_absent(node) ? NULL : node;
}

static int read_kind(struct reading *r)
{
    const struct node *node = field(r, "kind");
    struct stage *stage = r->stage;
    struct nearest nearest = {0};
    if (!node && r->misspelled)
        return -EINVAL; /* reported */
    if (!node)
        return node_problem(r->e->problems, stage->where, "stage '%s' has no kind", stage->group);
    int rc = scope_text(&r->scope, node, &nearest.wrong, r->e->problems);
    if (rc < 0)
        return rc;
    stage->kind = kind_find(nearest.wrong);
    for (size_t i = 0; !stage->kind && kinds[i]; i++) {
        if (kinds[i]->was && strcmp(kinds[i]->was, nearest.wrong) == 0)
            return node_problem(r->e->problems, node,
                                "kind '%s' is called '%s' since format 2 (`ferdag migrate` renames "
                                "it in a file of format 1)",
                                nearest.wrong, kinds[i]->name);
        nearest_offer(&nearest, kinds[i]->name);
    }
    if (stage->kind)
        return 0;
    const char *hint = nearest_hint(&nearest);
    return node_problem(r->e->problems, node, "unknown kind '%s'%s", nearest.wrong,
                        *hint ? hint : "; `ferdag kinds` lists them");
}

/* An empty command is an error: it does nothing. */
static int check_program(const struct reading *r, const struct node *with)
{
    const char *run = json_string_value(json_object_get(r->stage->params, "run"));
    const struct node *node = node_get(with, "run");
    if (!r->stage->kind->open_ports || !run || run[strspn(run, " \t\n")])
        return 0;
    return node_problem(r->e->problems, node ? node : with,
                        "run: expected a command, not an empty text");
}

static int read_params(struct reading *r)
{
    const struct node *with = field(r, "with");
    if (!with && r->misspelled)
        return -EINVAL; /* reported */
    int rc = params_read(r->stage->kind, &r->scope, with, r->stage->where, &r->stage->params,
                         r->e->problems);
    return rc < 0 ? rc : check_program(r, with);
}

static int read_needs(struct reading *r)
{
    const struct param *needs = schema_member(&schema_stage, "needs");
    const struct node *written = field(r, "needs");
    const char *what = arena_print(r->e->arena, "stages.%s.needs", r->stage->group);
    struct node *expanded;
    r->stage->cpu = 1;
    if (!written)
        return 0;
    int rc = scope_expand(&r->scope, written, &expanded, r->e->problems);
    if (rc == 0)
        rc = schema_check(expanded, needs, what, SCHEMA_WHOLE, r->e->problems);
    if (rc < 0)
        return rc;
    json_t *values = schema_json(expanded, needs);
    const json_t *gpu = json_object_get(values, "gpu");
    r->stage->cpu = (int)json_integer_value(json_object_get(values, "cpu"));
    r->stage->mem = (uint64_t)json_integer_value(json_object_get(values, "mem"));
    r->stage->gpu_optional = json_is_string(gpu);
    r->stage->gpu = (int)lround(GPU_WHOLE * json_number_value(gpu));
    json_decref(values);
    return 0;
}

/* ---- out: ---- */

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

/* Whether the path is a sequence of valid names, and begins with a name other than "..". */
static bool is_inside(const char *file)
{
    if (!*file || *file == '/' || strchr(file, '\n') || strlen(file) > NAME_LIMIT ||
        file[strlen(file) - 1] == '/')
        return false;
    return !strstr(file, "//") && strcmp(file, "..") != 0 && strncmp(file, "../", 3) != 0;
}

/* Refuses a file that is outside the stage's folder, or one of the program's own. Names that start
 * with a dot are those of outputs that only help later stages. */
static int check_file(const struct reading *r, const struct node *where, const char *file)
{
    struct problems *problems = r->e->problems;
    if (!file || !is_inside(file))
        return node_problem(problems, where, "out: expected a file name inside the stage's folder");
    for (const char *p = file; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
        size_t n = strcspn(p, "/");
        if ((n == 1 && *p == '.') || (n == 2 && strncmp(p, "..", 2) == 0))
            return node_problem(problems, where, "out: write '%s' without '%.*s'", file, (int)n, p);
        if (*p == '.')
            return node_problem(problems, where,
                                "out: '%s': names that start with a dot are reserved for ferdag",
                                file);
    }
    if (strcmp(file, "job.json") == 0 || strcmp(file, "log.txt") == 0)
        return node_problem(problems, where, "out: '%s' is reserved for ferdag", file);
    return 0;
}

/* Whether the paths are equal or one is inside the other. */
static bool overlap(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), least = n < m ? n : m;
    return strncmp(a, b, least) == 0 && (!a[least] || a[least] == '/') &&
           (!b[least] || b[least] == '/');
}

/* Orders by path, with '/' lowest, so that a folder's content follows the folder directly. */
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

/* Refuses two outputs whose paths overlap. `out` has the outputs in the same order. */
static int check_overlaps(const struct reading *r, const struct node *out)
{
    const struct stage *stage = r->stage;
    size_t n = stage->output_count;
    const struct output **sorted =
        arena_alloc(r->e->arena, (n + 1) * sizeof(const struct output *));
    for (size_t i = 0; i < n; i++)
        sorted[i] = &stage->outputs[i];
    qsort(sorted, n, sizeof *sorted, by_file);
    int rc = 0;
    for (size_t i = 1; i < n; i++) {
        const struct output *later = sorted[i] > sorted[i - 1] ? sorted[i] : sorted[i - 1];
        if (overlap(sorted[i - 1]->file, sorted[i]->file))
            rc = node_problem(r->e->problems, out->items[later - stage->outputs],
                              "out: two ports share the file '%s'", later->file);
    }
    return rc;
}

static int add_open_output(const struct reading *r, const struct node *key, const struct node *file)
{
    struct arena *arena = r->e->arena;
    struct stage *stage = r->stage;
    char *name =
        file->type == NODE_SCALAR ? arena_copy(arena, file->text, strlen(file->text)) : NULL;
    size_t n = name ? strlen(name) : 0;
    bool tree = n > 1 && name[n - 1] == '/';
    if (tree)
        name[n - 1] = 0;
    if (!experiment_name_is_valid(key->text, "-"))
        return node_problem(r->e->problems, key,
                            "'%s' can't name a port: expected letters, digits, _ and -", key->text);
    if (file->broken)
        return -EINVAL; /* reported */
    int rc = check_file(r, file, name);
    if (rc < 0)
        return rc;
    stage->outputs = arena_push(arena, stage->outputs, stage->output_count, sizeof *stage->outputs);
    stage->outputs[stage->output_count++] =
        (struct output){.port = key->text, .file = name, .tree = tree};
    return 0;
}

/* Reads `out` of a kind with open ports: a map from port to file name; '/' at the end means a
 * folder. */
static int read_open_outputs(struct reading *r)
{
    const struct node *written = field(r, "out");
    struct node *out = NULL;
    if (!written && r->misspelled)
        return -EINVAL; /* reported */
    if (!written)
        return node_problem(r->e->problems, r->stage->where, "kind %s needs 'out: { port: file }'",
                            r->stage->kind->name);
    int rc = scope_expand(&r->scope, written, &out, r->e->problems);
    if (!out)
        return rc;
    if (rc == 0 && out->type == NODE_MAP && out->count == 0)
        rc = node_problem(r->e->problems, out,
                          "out: a command needs at least one output: 'out: { port: file }'");
    else if (rc == 0 && out->type != NODE_MAP)
        rc = node_problem(r->e->problems, out, "out: expected a map of ports to file names");
    for (size_t i = 0; i < out->count && out->type == NODE_MAP; i++)
        if (add_open_output(r, out->keys[i], out->items[i]) < 0)
            rc = -EINVAL;
    if (rc == 0)
        rc = check_overlaps(r, out);
    if (rc < 0)
        return rc;
    node_seal(r->e->arena, out);
    r->stage->out = out;
    return 0;
}

/* ---- what only kinds with open ports have ---- */

static bool is_variable(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    if (!*name || !strchr(letters, *name))
        return false;
    for (; *name; name++)
        if (!strchr(letters, *name) && !(*name >= '0' && *name <= '9'))
            return false;
    return true;
}

static int read_env(struct reading *r)
{
    const struct node *written = field(r, "env");
    struct node *names = NULL;
    if (!written)
        return 0;
    int rc = scope_expand(&r->scope, written, &names, r->e->problems);
    if (!names)
        return rc;
    size_t count = names->type == NODE_LIST ? names->count : 1;
    struct stage *stage = r->stage;
    for (size_t i = 0; i < count; i++) {
        const struct node *name = names->type == NODE_LIST ? names->items[i] : names;
        if (name->broken)
            continue; /* reported */
        if (name->type != NODE_SCALAR || !is_variable(name->text)) {
            rc = node_problem(
                r->e->problems, name, "env: expected the name of an environment variable, not %s",
                name->type == NODE_SCALAR ? arena_print(r->e->arena, "'%s'", name->text)
                                          : node_form(name));
            continue;
        }
        stage->env = arena_push(r->e->arena, stage->env, stage->env_count, sizeof *stage->env);
        stage->env[stage->env_count++] = name->text;
    }
    return rc;
}

static int refuse_open_fields(const struct reading *r)
{
    static const char *const names[] = {"out", "files", "env"};
    int rc = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct node *node = field(r, names[i]);
        if (node)
            rc = node_problem(r->e->problems, node, "%s: only kind command takes it, not kind %s",
                              names[i], r->stage->kind->name);
    }
    return rc;
}

void stage_check_kind(struct experiment *e, const struct node *key, const struct node *entry)
{
    struct stage stage = {.name = key->text, .group = key->text, .where = key};
    struct reading r = {.e = e,
                        .stage = &stage,
                        .entry = entry,
                        .misspelled = true,
                        .scope = experiment_scope(e, NULL, 0)};
    const struct node *kind = field(&r, "kind");
    if (kind && kind->type == NODE_SCALAR && !strstr(kind->text, "${"))
        read_kind(&r);
}

/* Checks the fields of a stage of unknown kind as far as possible. */
static void check_unknown(struct reading *r)
{
    static const char *const names[] = {"with", "out", "files"};
    struct node *expanded;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct node *node = field(r, names[i]);
        if (node)
            scope_expand(&r->scope, node, &expanded, r->e->problems);
    }
    read_env(r);
}

void stage_read_fields(struct experiment *e, const struct draft *draft)
{
    struct reading r = experiment_reading(e, draft);
    bool broken = read_kind(&r) < 0;
    if (!broken)
        broken = read_params(&r) < 0;
    broken |= read_needs(&r) < 0;
    if (r.stage->kind)
        r.stage->numerics = e->numerics[r.stage->kind->numerics];
    if (r.stage->kind && r.stage->kind->open_ports) {
        broken |= read_open_outputs(&r) < 0;
        broken |= read_env(&r) < 0;
    } else if (r.stage->kind) {
        broken |= refuse_open_fields(&r) < 0;
        kind_outputs(e, r.stage);
    } else {
        check_unknown(&r);
    }
    r.stage->broken = broken;
}
