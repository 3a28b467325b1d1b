/* See stage_inputs.h. */
#include "dag/experiment/stage_inputs.h"
#include "dag/experiment/include.h"
#include "base/nearest.h"
#include "dag/experiment/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_INPUT = 200 }; /* bytes; file systems allow 255 */

/* ---- one edge ---- */

/* The output that the edge reads; NULL for an external. */
static const struct output *edge_output(const struct edge *edge)
{
    if (!edge->from)
        return NULL;
    assert(edge->from->outputs);
    return &edge->from->outputs[edge->output];
}

/* "train/vgg19.best" or the name of an input. */
static const char *edge_name(struct arena *arena, const struct edge *edge)
{
    const struct output *output = edge_output(edge);
    assert(output || edge->external);
    return output ? arena_print(arena, "%s.%s", edge->from->name, output->port)
                  : edge->external->name;
}

static const char *data_of(const struct port *port)
{
    return port->data ? port->data : port->name;
}

/* The type of data in the output that the edge reads; NULL if unknown. */
static const char *data_given(const struct edge *edge)
{
    const struct kind *kind = edge->from ? edge->from->kind : NULL;
    for (const struct port *p = kind ? kind->outputs : NULL; p && p->name; p++)
        if (strcmp(p->name, edge_output(edge)->port) == 0)
            return data_of(p);
    return NULL;
}

/* Refuses a measured output as input of a result, a file in place of a folder, and data of another
 * type, such as features in place of weights. */
static int check_edge(const struct reading *r, const struct port *port, const struct edge *edge)
{
    const struct stage *stage = r->stage;
    const struct output *output = edge_output(edge);
    assert(stage && (output || edge->external));
    if (edge->from == stage)
        return node_problem(r->e->problems, edge->where, "cycle: %s -> %s", stage->name,
                            stage->name);
    if (output && output->measured && !stage->kind->report)
        return node_problem(r->e->problems, edge->where,
                            "%s holds measured times, which only the report may read",
                            edge_name(r->e->arena, edge));
    bool tree = output ? output->tree : edge->external->folder;
    if (port && tree != (port->form == PORT_TREE))
        return node_problem(r->e->problems, edge->where,
                            "port %s of kind %s takes %s, and %s is %s", port->name,
                            stage->kind->name, tree ? "a file" : "a folder of files",
                            edge_name(r->e->arena, edge), tree ? "a folder of files" : "a file");
    const char *wanted = port ? data_of(port) : "", *given = port ? data_given(edge) : NULL;
    if (given && strcmp(wanted, given) != 0)
        return node_problem(r->e->problems, edge->where,
                            "port %s of kind %s takes %s, and %s holds %s", port->name,
                            stage->kind->name, wanted, edge_name(r->e->arena, edge), given);
    return 0;
}

static int push_edge(const struct reading *r, const struct port *port, const struct edge *edge)
{
    struct stage *stage = r->stage;
    int rc = check_edge(r, port, edge);
    if (rc < 0)
        return rc;
    stage->inputs =
        arena_push(r->e->arena, stage->inputs, stage->input_count, sizeof *stage->inputs);
    stage->inputs[stage->input_count++] = *edge;
    return 0;
}

/* ---- one port ---- */

/* A port with several inputs. A port of a kind names them port.0, port.1, ...; an open port is a
 * folder with one entry each, named after the text that a star matched, else after the index. */
struct gathering {
    const struct reading *r;
    const struct port *port;
    const char *name;
    size_t count, width; /* width: digits of the largest index */
};

static const char *gathered_name(struct gathering *g, const char *star)
{
    struct arena *arena = g->r->e->arena;
    size_t place = g->count++;
    if (g->port)
        return arena_print(arena, "%s.%zu", g->name, place);
    return star ? arena_print(arena, "%s/%s", g->name, star)
                : arena_print(arena, "%s/%0*zu", g->name, (int)g->width, place);
}

static struct edge edge_of(const struct port *port, const char *name, const char *as,
                           const struct node *where)
{
    return (struct edge){.port = name,
                         .as = as,
                         .where = where,
                         .many = port && port->many,
                         .optional = port && port->optional};
}

static int gather_matrix(struct gathering *g, const struct node *node)
{
    struct match *matches;
    size_t count;
    int rc = experiment_match(g->r->e, node->text, node, &matches, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct edge edge = edge_of(g->port, g->name, gathered_name(g, matches[i].name), node);
        edge.from = matches[i].from;
        edge.output = matches[i].output;
        rc = push_edge(g->r, g->port, &edge);
    }
    return rc;
}

static bool is_pattern(const struct node *node)
{
    return node->type == NODE_SCALAR && strchr(node->text, '*');
}

/* Whether the node is in the file as written: then the check of the file's form has reported it. */
static bool is_written(const struct node *written, const struct node *node)
{
    if (!written || written->type == NODE_SCALAR)
        return false;
    if (written->line == node->line && written->column == node->column)
        return true;
    for (size_t i = 0; i < written->count; i++)
        if (is_written(written->items[i], node))
            return true;
    return false;
}

static int not_a_source(const struct reading *r, const char *name, const struct node *node)
{
    if (is_written(node_get(node_get(r->entry, "in"), name), node))
        return -EINVAL;
    return node_problem(r->e->problems, node,
                        "in: %s: expected 'stage', 'stage.port' or an input, not %s", name,
                        node_form(node));
}

static int gather_one(struct gathering *g, const struct node *node)
{
    const struct reading *r = g->r;
    if (node->broken)
        return -EINVAL; /* reported */
    if (node->type != NODE_SCALAR)
        return not_a_source(r, g->name, node);
    if (is_pattern(node))
        return gather_matrix(g, node);
    struct edge edge = edge_of(g->port, g->name, gathered_name(g, NULL), node);
    int rc = experiment_resolve(r->e, node->text, node, &edge.from, &edge.output, &edge.external);
    return rc < 0 ? rc : push_edge(r, g->port, &edge);
}

static size_t digits_of(size_t n)
{
    size_t digits = 1;
    for (; n >= 10; n /= 10)
        digits++;
    return digits;
}

static int add_several(const struct reading *r, const struct port *port, const char *name,
                       const struct node *node)
{
    struct gathering g = {.r = r, .port = port, .name = name};
    if (port && !port->many)
        return node_problem(r->e->problems, node, "in: port %s of kind %s takes one input, not %s",
                            name, r->stage->kind->name,
                            node->type == NODE_LIST ? "a list" : "several");
    if (node->type != NODE_LIST)
        return gather_one(&g, node);
    g.width = digits_of(node->count ? node->count - 1 : 0);
    int rc = 0;
    for (size_t i = 0; i < node->count; i++)
        if (gather_one(&g, node->items[i]) < 0)
            rc = -EINVAL;
    return rc;
}

static int add_port(const struct reading *r, const struct port *port, const char *name,
                    const struct node *node)
{
    if (node->type == NODE_LIST || is_pattern(node))
        return add_several(r, port, name, node);
    if (node->broken)
        return -EINVAL; /* reported */
    if (node->type != NODE_SCALAR)
        return not_a_source(r, name, node);
    struct edge edge = edge_of(port, name, name, node);
    if (port && port->many)
        edge.as = arena_print(r->e->arena, "%s.0", name);
    int rc = experiment_resolve(r->e, node->text, node, &edge.from, &edge.output, &edge.external);
    return rc < 0 ? rc : push_edge(r, port, &edge);
}

/* ---- open ports ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The top-level names of the stage's outputs in its folder, sorted. */
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

static bool is_file_name(const char *name)
{
    return *name && *name != '.' && !strpbrk(name, "/\n") && strlen(name) <= LONGEST_INPUT &&
           strcmp(name, "job.json") != 0 && strcmp(name, "log.txt") != 0;
}

static int add_open_port(const struct reading *r, const struct node *key, const struct node *node)
{
    bool none = node->type == NODE_LIST && node->count == 0, absent = schema_absent(node);
    if (node->unset || (absent && *node->text))
        return 0; /* removed with null or ~ */
    if (none || absent)
        return node_problem(r->e->problems, none ? node : key,
                            "in: %s: expected 'stage', 'stage.port' or an input, not %s", key->text,
                            none ? "an empty list" : "nothing");
    return add_port(r, NULL, key->text, node);
}

static int open_inputs(const struct reading *r, const struct node *in)
{
    size_t count = r->stage->output_count;
    const char *const *taken = top_names(r->e->arena, r->stage);
    int rc = 0;
    for (size_t i = 0; in && i < in->count; i++) {
        const struct node *key = in->keys[i];
        if (!is_file_name(key->text))
            rc = node_problem(r->e->problems, key,
                              "in: '%s' can't name an input: expected the name of a file without "
                              "'/' or a dot at its start, other than job.json and log.txt",
                              key->text);
        else if (bsearch(&key->text, taken, count, sizeof *taken, by_text))
            rc = node_problem(r->e->problems, key,
                              "in: '%s' can't name an input: an output of the stage has that name",
                              key->text);
        else if (add_open_port(r, key, in->items[i]) < 0)
            rc = -EINVAL;
    }
    return rc;
}

/* The name under which a stage finds a file of `files`: the relative path as written, or only the
 * last part if the path leads out of the experiment's folder. */
static const char *file_name(struct arena *arena, const char *text)
{
    size_t n = strlen(text);
    while (n > 1 && text[n - 1] == '/')
        n--;
    char *name = arena_copy(arena, text, n);
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    bool inside = *name != '/';
    for (const char *p = name; inside && p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        inside = *p != '/' && *p && !(p[0] == '.' && p[1] == '.' && (!p[2] || p[2] == '/'));
    const char *slash = strrchr(name, '/');
    return inside || !slash ? name : slash + 1;
}

static bool file_name_sound(const char *name)
{
    const char *p = name, *slash;
    do {
        if (*p == '/' || !*p || (*p == '.' && (!p[1] || p[1] == '/' || p[1] == '.')))
            return false;
        slash = strchr(p, '/');
        p = slash ? slash + 1 : p;
    } while (slash);
    return strcmp(name, "job.json") != 0 && strcmp(name, "log.txt") != 0;
}

static int add_file(const struct reading *r, const struct node *node)
{
    struct experiment *e = r->e;
    if (node->broken)
        return -EINVAL; /* reported */
    if (node->type != NODE_SCALAR || !*node->text || node_is_null(node))
        return node_problem(e->problems, node, "files: expected the name of a file or folder");
    const char *name = file_name(e->arena, node->text);
    const char *path = experiment_path(e, include_folder(e->arena, node->file), node->text);
    if (!file_name_sound(name))
        return node_problem(e->problems, node,
                            "files: '%s' can't be the name of a file in the "
                            "stage's folder",
                            name);
    if (!path)
        return node_problem(e->problems, node, "cannot tell the current folder: %s",
                            strerror(errno));
    struct edge edge = edge_of(NULL, "files", name, node);
    edge.external = experiment_add_external(
        e, (struct external){.name = name, .path = path, .where = node, .code = true});
    return push_edge(r, NULL, &edge);
}

/* Adds the entries of `files` as external inputs. */
static int read_files(const struct reading *r)
{
    const struct node *written = node_get(r->entry, "files");
    struct scope scope = r->scope;
    struct node *files = NULL;
    if (schema_absent(written))
        return 0;
    int rc = scope_expand(&scope, written, &files, r->e->problems);
    if (!files)
        return -EINVAL; /* reported */
    if (files->type != NODE_LIST)
        return rc < 0 ? rc : add_file(r, files);
    for (size_t i = 0; i < files->count; i++)
        if (add_file(r, files->items[i]) < 0)
            rc = -EINVAL;
    return rc;
}

static int by_as(const void *a, const void *b)
{
    return strcmp((*(const struct edge *const *)a)->as, (*(const struct edge *const *)b)->as);
}

/* Refuses inputs and outputs whose paths overlap. Names with '/' come from `files` and from ports
 * with several inputs. */
static int check_names(const struct reading *r)
{
    const struct stage *stage = r->stage;
    const char *const *taken = top_names(r->e->arena, stage);
    const struct edge **sorted =
        arena_alloc(r->e->arena, (stage->input_count + 1) * sizeof(const struct edge *));
    for (size_t i = 0; i < stage->input_count; i++)
        sorted[i] = &stage->inputs[i];
    qsort(sorted, stage->input_count, sizeof *sorted, by_as);
    int rc = 0;
    for (size_t i = 0; i < stage->input_count; i++) {
        const char *as = sorted[i]->as, *before = i ? sorted[i - 1]->as : NULL;
        const char *top = arena_copy(r->e->arena, as, strcspn(as, "/"));
        size_t n = before ? strlen(before) : 0;
        if (before && strncmp(before, as, n) == 0 && (!as[n] || as[n] == '/'))
            rc = node_problem(r->e->problems, sorted[i]->where,
                              "two inputs of stage '%s' have the name '%s'", stage->group, before);
        else if (bsearch(&top, taken, stage->output_count, sizeof *taken, by_text))
            rc = node_problem(r->e->problems, sorted[i]->where,
                              "an input and an output of stage '%s' have the name '%s'",
                              stage->group, top);
    }
    return rc;
}

/* ---- ports of a table ---- */

static int unknown_port(const struct reading *r, const struct node *key)
{
    const struct kind *kind = r->stage->kind;
    struct nearest nearest = {.wrong = key->text};
    const char **names = NULL;
    size_t count = 0;
    for (const struct port *p = kind->inputs; p->name; p++) {
        nearest_offer(&nearest, p->name);
        names = arena_push(r->e->arena, names, count, sizeof *names);
        names[count++] = p->name;
    }
    const char *hint = nearest_hint(&nearest);
    if (!*hint)
        hint = count == 0
                   ? "; it has none"
                   : arena_print(r->e->arena, "; its input port%s %s", count == 1 ? " is" : "s are",
                                 experiment_name_list(r->e->arena, names, count));
    return node_problem(r->e->problems, key, "unknown input port '%s' of kind %s%s", key->text,
                        kind->name, hint);
}

static int table_inputs(const struct reading *r, const struct node *in)
{
    const struct kind *kind = r->stage->kind;
    bool misspelled = r->misspelled;
    int rc = 0;
    for (size_t i = 0; in && i < in->count; i++) {
        const struct port *p = kind->inputs;
        while (p->name && strcmp(p->name, in->keys[i]->text) != 0)
            p++;
        if (!p->name)
            rc = unknown_port(r, in->keys[i]);
        misspelled |= !p->name;
    }
    for (const struct port *p = kind->inputs; p->name; p++) {
        const struct node *node = node_get(in, p->name);
        if (!schema_absent(node) && node->type == NODE_LIST && node->count == 0 && !p->optional)
            rc = node_problem(r->e->problems, node,
                              "input port '%s' of kind %s: expected at least one", p->name,
                              kind->name);
        else if (!schema_absent(node))
            rc = add_port(r, p, p->name, node) < 0 ? -EINVAL : rc;
        else if (!p->optional && !misspelled)
            rc = node_problem(r->e->problems, r->stage->where,
                              "input port '%s' of kind %s must be given: %s", p->name, kind->name,
                              p->text);
    }
    return rc;
}

/* Checks that the inputs of a stage of unknown kind exist. */
static void check_references(const struct reading *r, const struct node *node)
{
    struct edge edge;
    struct match *matches;
    size_t count;
    for (size_t i = 0; node->type != NODE_SCALAR && i < node->count; i++)
        check_references(r, node->items[i]);
    if (node->type != NODE_SCALAR || node->broken || node_is_null(node))
        return;
    if (is_pattern(node))
        experiment_match(r->e, node->text, node, &matches, &count);
    else
        experiment_resolve(r->e, node->text, node, &edge.from, &edge.output, &edge.external);
}

static void read_inputs(struct experiment *e, const struct draft *draft)
{
    struct reading r = experiment_reading(e, draft);
    const struct node *written = node_get(draft->entry, "in");
    struct node *in = NULL;
    int rc = schema_absent(written) ? 0 : scope_expand(&r.scope, written, &in, e->problems);
    if (rc < 0 && !in)
        return;
    if (!draft->stage->kind) {
        if (in)
            check_references(&r, in);
    } else if (in && in->type != NODE_MAP) {
        node_problem(e->problems, in, "in: expected a map of ports, not %s", node_form(in));
    } else if (!draft->stage->kind->open_ports) {
        table_inputs(&r, in);
    } else {
        rc = open_inputs(&r, in) < 0 ? -EINVAL : rc;
        if (read_files(&r) == 0 && rc == 0)
            check_names(&r);
    }
}

void stage_read_inputs(struct experiment *e, const struct drafts *drafts)
{
    references_prepare(e);
    for (size_t i = 0; i < drafts->count; i++)
        read_inputs(e, &drafts->items[i]);
}
