/* See wire.h. */
#include "dag/wire.h"
#include "dag/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_INPUT = 200 }; /* bytes: file systems take 255 */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct stage *const *)a)->name, (*(struct stage *const *)b)->name);
}

static void sort_names(struct experiment *e)
{
    e->by_name = arena_alloc(e->arena, (e->stage_count + 1) * sizeof *e->by_name);
    if (e->stage_count)
        memcpy(e->by_name, e->stages, e->stage_count * sizeof *e->by_name);
    qsort(e->by_name, e->stage_count, sizeof *e->by_name, by_name);
}

struct stage *experiment_stage(const struct experiment *e, const char *name)
{
    struct stage wanted = {.name = name}, *key = &wanted;
    struct stage **found = bsearch(&key, e->by_name, e->stage_count, sizeof *e->by_name, by_name);
    return found ? *found : NULL;
}

static bool below(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && (name[n] == 0 || name[n] == '/');
}

int experiment_pick(const struct experiment *e, const char *name, bool *picked, struct error *err)
{
    struct nearest nearest = {.wrong = name};
    bool any = false;
    for (size_t i = 0; i < e->stage_count; i++) {
        if (below(e->stages[i]->name, name))
            any = picked[i] = true;
        nearest_offer(&nearest, e->stages[i]->name);
        nearest_offer(&nearest, e->stages[i]->group);
    }
    return any ? 0
               : error_set(err, EINVAL, "%s: unknown stage '%s'%s", e->file, name,
                           nearest_hint(&nearest));
}

static int unknown_stage(const struct experiment *e, const char *text, const struct node *where,
                         struct error *err)
{
    struct nearest nearest = {.wrong = text};
    for (size_t i = 0; i < e->stage_count; i++) {
        if (below(e->stages[i]->name, text))
            return node_error(err, where, "'%s' is a matrix; name one of its stages, such as '%s'",
                              text, e->stages[i]->name);
        nearest_offer(&nearest, e->stages[i]->name);
    }
    for (size_t i = 0; i < e->external_count; i++)
        nearest_offer(&nearest, e->externals[i]->name);
    return node_error(err, where, "unknown stage or input '%s'%s", text, nearest_hint(&nearest));
}

struct external *experiment_external(const struct experiment *e, const char *name)
{
    size_t place = node_find(node_get(e->root, "inputs"), name, strlen(name));
    return place == NOWHERE ? NULL : e->externals[place];
}

static int find_output(const struct stage *stage, const char *port, const struct node *where,
                       size_t *output, struct error *err)
{
    if (stage->out) {
        *output = node_find(stage->out, port, strlen(port));
    } else {
        *output = 0;
        while (*output < stage->output_count && strcmp(stage->outputs[*output].port, port) != 0)
            ++*output;
    }
    if (*output < stage->output_count)
        return 0;
    struct nearest nearest = {.wrong = port};
    for (size_t i = 0; i < stage->output_count; i++)
        nearest_offer(&nearest, stage->outputs[i].port);
    return node_error(err, where, "unknown output '%s' of stage '%s' (kind %s)%s", port,
                      stage->name, stage->kind->name, nearest_hint(&nearest));
}

int experiment_resolve(const struct experiment *e, const char *text, const struct node *where,
                       struct stage **from, size_t *output, struct external **external,
                       struct error *err)
{
    *output = 0;
    if ((*external = experiment_external(e, text)))
        return 0;
    if ((*from = experiment_stage(e, text))) /* names may hold dots: the whole text first */
        return 0;
    const char *dot = strrchr(text, '.');
    char *name = arena_copy(e->arena, text, dot ? (size_t)(dot - text) : strlen(text));
    *from = dot ? experiment_stage(e, name) : NULL;
    return *from ? find_output(*from, dot + 1, where, output, err)
                 : unknown_stage(e, name, where, err);
}

/* ---- in: ---- */

/* What may not meet: a measured output and a result, a file and a folder. */
static int check_edge(const struct stage *stage, const struct port *port, const struct edge *edge,
                      struct error *err)
{
    if (edge->from == stage)
        return node_error(err, edge->where, "cycle: %s -> %s", stage->name, stage->name);
    const struct output *output = edge->from ? &edge->from->outputs[edge->output] : NULL;
    if (output && output->measured && !stage->kind->report)
        return node_error(err, edge->where,
                          "%s.%s holds measured times, which only the report may "
                          "read",
                          edge->from->name, output->port);
    if (!port)
        return 0;
    bool tree = output ? output->tree : edge->external->folder;
    if (tree != (port->form == PORT_TREE)) {
        char name[600];
        snprintf(name, sizeof name, "%s%s%s", edge->from ? edge->from->name : edge->external->name,
                 output ? "." : "", output ? output->port : "");
        return node_error(err, edge->where, "port %s of kind %s takes %s, and %s is %s", port->name,
                          stage->kind->name, tree ? "a file" : "a folder of files", name,
                          tree ? "a folder of files" : "a file");
    }
    return 0;
}

static int add_edge(struct experiment *e, struct stage *stage, const struct port *port,
                    const char *name, const struct node *node, size_t place, struct error *err)
{
    if (node->type != NODE_SCALAR)
        return node_error(err, node, "in: %s: expected 'stage', 'stage.port' or an input, not %s",
                          name, node_form(node));
    struct edge edge = {.port = name,
                        .as = name,
                        .where = node,
                        .many = port && port->many,
                        .optional = port && port->optional};
    if (edge.many)
        edge.as = arena_print(e->arena, "%s.%zu", name, place);
    int rc = experiment_resolve(e, node->text, node, &edge.from, &edge.output, &edge.external, err);
    if (rc == 0)
        rc = check_edge(stage, port, &edge, err);
    if (rc < 0)
        return rc;
    stage->inputs = arena_push(e->arena, stage->inputs, stage->input_count, sizeof *stage->inputs);
    stage->inputs[stage->input_count++] = edge;
    return 0;
}

static int add_port(struct experiment *e, struct stage *stage, const struct port *port,
                    const char *name, const struct node *node, struct error *err)
{
    if (node->type != NODE_LIST)
        return add_edge(e, stage, port, name, node, 0, err);
    if (!port || !port->many)
        return node_error(err, node, "in: port %s of kind %s takes one input, not a list", name,
                          stage->kind->name);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < node->count; i++)
        rc = add_edge(e, stage, port, name, node->items[i], i, err);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The files and folders that the stage's outputs make in its folder, sorted. */
static const char **top_names(struct arena *arena, const struct stage *stage)
{
    const char **names = arena_alloc(arena, (stage->output_count + 1) * sizeof *names);
    for (size_t i = 0; i < stage->output_count; i++) {
        const char *file = stage->outputs[i].file;
        names[i] = arena_copy(arena, file, strcspn(file, "/"));
    }
    qsort(names, stage->output_count, sizeof *names, by_text);
    return names;
}

static bool clashes(const char *name, const char *const *taken, size_t count)
{
    return strcmp(name, "job.json") == 0 || strcmp(name, "log.txt") == 0 || *name == '.' ||
           strpbrk(name, "/\n") || !*name || strlen(name) > LONGEST_INPUT ||
           bsearch(&name, taken, count, sizeof *taken, by_text);
}

static int open_inputs(struct experiment *e, struct stage *stage, const struct node *in,
                       struct error *err)
{
    const char *const *taken = top_names(e->arena, stage);
    int rc = 0;
    for (size_t i = 0; rc == 0 && in && i < in->count; i++) {
        const struct node *key = in->keys[i];
        rc = clashes(key->text, taken, stage->output_count)
                 ? node_error(err, key,
                              "in: '%s' can't name an input: it is no file name, or an "
                              "output's",
                              key->text)
                 : add_port(e, stage, NULL, key->text, in->items[i], err);
    }
    return rc;
}

static int table_inputs(struct experiment *e, struct stage *stage, const struct node *in,
                        struct error *err)
{
    const struct port *ports = stage->kind->inputs;
    for (size_t i = 0; in && i < in->count; i++) {
        struct nearest nearest = {.wrong = in->keys[i]->text};
        const struct port *p = ports;
        for (; p->name && strcmp(p->name, nearest.wrong) != 0; p++)
            nearest_offer(&nearest, p->name);
        if (!p->name)
            return node_error(err, in->keys[i], "unknown input port '%s' of kind %s%s",
                              nearest.wrong, stage->kind->name, nearest_hint(&nearest));
    }
    int rc = 0;
    for (const struct port *p = ports; rc == 0 && p->name; p++) {
        const struct node *node = node_get(in, p->name);
        if (node && !node_is_null(node))
            rc = add_port(e, stage, p, p->name, node, err);
        else if (!p->optional)
            rc = node_error(err, stage->where, "input port '%s' of kind %s must be given", p->name,
                            stage->kind->name);
    }
    return rc;
}

static int read_inputs(struct experiment *e, const struct draft *draft, struct error *err)
{
    struct scope scope = {.arena = e->arena,
                          .params = e->params,
                          .locals = draft->locals,
                          .local_count = draft->local_count,
                          .steps = &e->steps};
    const struct node *written = node_get(draft->entry, "in");
    struct node *in = NULL;
    int rc = written && !node_is_null(written) ? scope_expand(&scope, written, &in, err) : 0;
    if (rc == 0 && in && in->type != NODE_MAP)
        rc = node_error(err, in, "in: expected a map of ports, not %s", node_form(in));
    if (rc < 0)
        return rc;
    return draft->stage->kind->open_ports ? open_inputs(e, draft->stage, in, err)
                                          : table_inputs(e, draft->stage, in, err);
}

int wire_stages(struct experiment *e, const struct drafts *drafts, struct error *err)
{
    sort_names(e);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < drafts->count; i++)
        rc = read_inputs(e, &drafts->items[i], err);
    return rc;
}

int wire_add(struct experiment *e, struct stage *stage, struct error *err)
{
    struct stage *other = experiment_stage(e, stage->name);
    e->stages = arena_push(e->arena, e->stages, e->stage_count, sizeof *e->stages);
    e->stages[e->stage_count++] = stage;
    sort_names(e);
    if (other)
        return node_error(err, other->where,
                          "'%s' is the name of the stage that the file's tables "
                          "bring; name this one otherwise",
                          stage->name);
    return 0;
}

/* ---- order ---- */

struct walk {
    struct experiment *e;
    struct stage **order;
    size_t count;
    enum { WHITE, GREY, BLACK } * colours; /* by place */
    struct stage **path;
    size_t depth;
    struct error *err;
};

static int name_cycle(struct walk *w, const struct edge *edge)
{
    char text[700] = "";
    size_t start = 0, used = 0;
    while (w->path[start] != edge->from)
        start++;
    /* The path leads from user to input; said in the direction in which data would flow. */
    for (size_t i = w->depth; i > start && used < sizeof text - 1; i--)
        used += (size_t)snprintf(text + used, sizeof text - used, " -> %s", w->path[i - 1]->name);
    return node_error(w->err, edge->where, "cycle: %s%s", edge->from->name, text);
}

static int visit(struct walk *w, struct stage *stage)
{
    w->colours[stage->place] = GREY;
    w->path[w->depth++] = stage;
    for (size_t i = 0; i < stage->input_count; i++) {
        const struct edge *edge = &stage->inputs[i];
        if (!edge->from || w->colours[edge->from->place] == BLACK)
            continue;
        if (w->colours[edge->from->place] == GREY)
            return name_cycle(w, edge);
        int rc = visit(w, edge->from);
        if (rc < 0)
            return rc;
    }
    w->depth--;
    w->colours[stage->place] = BLACK;
    w->order[w->count++] = stage;
    return 0;
}

static void add_user(struct experiment *e, struct stage *from, struct stage *user)
{
    if (from->user_count && from->users[from->user_count - 1] == user)
        return; /* a stage's inputs are added together */
    from->users = arena_push(e->arena, from->users, from->user_count, sizeof *from->users);
    from->users[from->user_count++] = user;
}

/* The params that time depends on, as JSON, and the threads. */
static const char *make_pace(struct arena *arena, const struct stage *stage)
{
    json_t *params = must(json_object());
    for (const struct param *p = stage->kind->params; p->name; p++)
        if (!p->timeless &&
            json_object_set(params, p->name, json_object_get(stage->params, p->name)) < 0)
            must(NULL);
    char *text = must(json_dumps(params, JSON_COMPACT | JSON_REAL_PRECISION(17)));
    const char *pace = arena_print(arena, "%d %s", stage->cpu, text);
    json_decref(params);
    free(text);
    return pace;
}

int wire_order(struct experiment *e, struct error *err)
{
    size_t n = e->stage_count;
    struct walk w = {.e = e, .err = err};
    w.order = arena_alloc(e->arena, (n + 1) * sizeof *w.order);
    w.path = arena_alloc(e->arena, (n + 1) * sizeof *w.path);
    w.colours = arena_alloc(e->arena, (n + 1) * sizeof *w.colours);
    for (size_t i = 0; i < n; i++)
        e->stages[i]->place = i;
    for (size_t i = 0; i < n; i++)
        if (w.colours[i] == WHITE) {
            int rc = visit(&w, e->stages[i]);
            if (rc < 0)
                return rc;
        }
    e->stages = w.order;
    for (size_t i = 0; i < n; i++) {
        struct stage *stage = e->stages[i];
        stage->place = i;
        stage->work = stage->kind->work ? stage->kind->work(stage->params) : 0;
        stage->pace = stage->kind->trial ? make_pace(e->arena, stage) : NULL;
        for (size_t k = 0; k < stage->input_count; k++)
            if (stage->inputs[k].from)
                add_user(e, stage->inputs[k].from, stage);
    }
    for (size_t i = n; i > 0; i--) {
        struct stage *stage = e->stages[i - 1];
        stage->height = 1;
        for (size_t k = 0; k < stage->user_count; k++)
            if (stage->users[k]->height >= stage->height)
                stage->height = stage->users[k]->height + 1;
    }
    return 0;
}
