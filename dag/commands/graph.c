/* `graph`: the stages and what they read, as text for Graphviz or Mermaid. The stages of a matrix
 * are one node with a count, or one node each with --all. Where there is a cache, nodes show the
 * state of their stages. */
#include "dag/commands/commands.h"
#include "base/utf8.h"
#include "dag/explain.h"
#include "dag/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERDICTS = VERDICT_FAILED + 1 };

enum shape { SHAPE_STAGE, SHAPE_INPUT, SHAPE_CODE };

struct graph_node {
    enum shape shape;
    const char *name;
    const char *kind; /* of stages; NULL if those of a matrix have several */
    size_t stages;    /* how many it stands for */
    size_t verdicts[VERDICTS];
    size_t first_edge; /* of those that lead to it, plus 1; 0: none */
};

struct graph_edge {
    size_t from, to;   /* nodes */
    const char *label; /* ports, separated by ", "; "" from outside */
    size_t next;       /* edge that leads to the same node, plus 1; 0: none */
};

struct graph {
    struct arena *arena;
    const struct experiment *experiment;
    bool all;           /* a node for each stage */
    bool states;        /* verdicts are known */
    size_t *of_stage;   /* nodes by the stages' places */
    size_t *of_outside; /* nodes by the externals' places, plus 1; 0: none yet */
    struct graph_node *nodes;
    size_t node_count;
    struct graph_edge *edges;
    size_t edge_count;
};

/* ---- from the experiment to the graph ---- */

static size_t add_node(struct graph *g, struct graph_node node)
{
    g->nodes = arena_push(g->arena, g->nodes, g->node_count, sizeof *g->nodes);
    g->nodes[g->node_count] = node;
    return g->node_count++;
}

/* A matrix of one stage, too, goes by its group's name. */
static void add_stage(struct graph *g, const struct stage *stage)
{
    const char *name = g->all ? stage->name : stage->group;
    size_t i = g->all ? g->node_count : 0;
    while (i < g->node_count && strcmp(g->nodes[i].name, name) != 0)
        i++;
    if (i == g->node_count)
        add_node(g, (struct graph_node){.name = name, .kind = stage->kind->name});
    struct graph_node *node = &g->nodes[i];
    if (node->kind && strcmp(node->kind, stage->kind->name) != 0)
        node->kind = NULL;
    node->stages++;
    g->of_stage[stage->place] = i;
}

/* A file that several stages declare as their code is one node. */
static size_t node_of_external(struct graph *g, const struct external *external)
{
    if (g->of_outside[external->place])
        return g->of_outside[external->place] - 1;
    const struct experiment *e = g->experiment;
    size_t node = 0;
    for (size_t i = 0; i < e->external_count && !node; i++)
        if (strcmp(e->externals[i]->path, external->path) == 0)
            node = g->of_outside[i];
    if (!node)
        node =
            1 + add_node(g, (struct graph_node){.shape = external->code ? SHAPE_CODE : SHAPE_INPUT,
                                                .name = external->name});
    g->of_outside[external->place] = node;
    return node - 1;
}

/* Whether a port stands in a list such as "best, last". */
static bool is_listed(const char *list, const char *port)
{
    size_t n = strlen(port);
    for (; *list; list += strspn(list, ", ")) {
        size_t m = strcspn(list, ",");
        if (m == n && strncmp(list, port, n) == 0)
            return true;
        list += m;
    }
    return false;
}

static void add_edge(struct graph *g, size_t from, size_t to, const char *port)
{
    for (size_t i = g->edges ? g->nodes[to].first_edge : 0; i; i = g->edges[i - 1].next) {
        struct graph_edge *edge = &g->edges[i - 1];
        if (edge->from != from)
            continue;
        if (*port && !is_listed(edge->label, port))
            edge->label =
                arena_print(g->arena, "%s%s%s", edge->label, *edge->label ? ", " : "", port);
        return;
    }
    g->edges = arena_push(g->arena, g->edges, g->edge_count, sizeof *g->edges);
    g->edges[g->edge_count++] =
        (struct graph_edge){.from = from, .to = to, .label = port, .next = g->nodes[to].first_edge};
    g->nodes[to].first_edge = g->edge_count;
}

static void make_graph(struct graph *g)
{
    const struct experiment *e = g->experiment;
    g->of_stage = arena_alloc(g->arena, (e->stage_count + 1) * sizeof *g->of_stage);
    g->of_outside = arena_alloc(g->arena, (e->external_count + 1) * sizeof *g->of_outside);
    for (size_t i = 0; i < e->stage_count; i++)
        add_stage(g, e->stages[i]);
    for (size_t i = 0; i < e->stage_count; i++)
        for (size_t k = 0; k < e->stages[i]->input_count; k++) {
            const struct edge *edge = &e->stages[i]->inputs[k];
            size_t from =
                edge->from ? g->of_stage[edge->from->place] : node_of_external(g, edge->external);
            add_edge(g, from, g->of_stage[i],
                     edge->from ? edge->from->outputs[edge->output].port : "");
        }
}

static int add_states(struct graph *g, const struct plan *plan, struct error *err)
{
    for (size_t i = 0; i < g->experiment->stage_count; i++) {
        enum verdict verdict;
        char *reason;
        int rc = explain_verdict(plan, &plan->tasks[i], false, &verdict, &reason, err);
        if (rc < 0)
            return rc;
        free(reason);
        g->nodes[g->of_stage[i]].verdicts[verdict]++;
    }
    g->states = true;
    return 0;
}

/* ---- what a node shows ---- */

/* The state that a user should see first. */
static enum verdict node_verdict(const struct graph_node *node)
{
    static const enum verdict order[] = {VERDICT_FAILED, VERDICT_RUNNING, VERDICT_STALE,
                                         VERDICT_MISSING};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (node->verdicts[order[i]])
            return order[i];
    return VERDICT_CACHED;
}

/* "2 failed, 5 of 8 cached", or one word where all are the same. */
static const char *state_text(struct arena *arena, const struct graph_node *node)
{
    enum verdict verdict = node_verdict(node);
    size_t cached = node->verdicts[VERDICT_CACHED], n = node->verdicts[verdict];
    if (n == node->stages)
        return verdict_names[verdict];
    return arena_print(arena, "%zu %s, %zu of %zu cached", n, verdict_names[verdict], cached,
                       node->stages);
}

/* Up to three lines. */
static size_t node_lines(const struct graph *g, const struct graph_node *node, const char *lines[3])
{
    size_t n = 0;
    lines[n++] =
        node->stages > 1 ? arena_print(g->arena, "%s ×%zu", node->name, node->stages) : node->name;
    if (node->shape == SHAPE_STAGE)
        lines[n++] = node->kind ? node->kind : "several kinds";
    if (node->shape == SHAPE_STAGE && g->states)
        lines[n++] = state_text(g->arena, node);
    return n;
}

static const char *const fill_colors[] = {
    [VERDICT_CACHED] = "#d4edda",  [VERDICT_STALE] = "#fff3cd",  [VERDICT_MISSING] = "#f1f1f1",
    [VERDICT_RUNNING] = "#cfe2ff", [VERDICT_FAILED] = "#f8d7da",
};

/* ---- Graphviz ---- */

/* Inside double quotes. Names may be paths, with any bytes. */
static void print_dot_text(struct arena *arena, const char *text)
{
    char *copy = arena_copy(arena, text, strlen(text));
    utf8_repair(copy);
    for (const char *p = copy; *p; p++) {
        if (*p == '"' || *p == '\\')
            putchar('\\');
        putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
    }
}

static void print_dot(const struct graph *g)
{
    static const char *const shapes[] = {
        [SHAPE_STAGE] = "box", [SHAPE_INPUT] = "ellipse", [SHAPE_CODE] = "note"};
    puts("digraph experiment {\n"
         "  rankdir=LR;\n"
         "  node [style=filled, fillcolor=white, fontname=sans];\n"
         "  edge [fontname=sans, fontsize=10];");
    for (size_t i = 0; i < g->node_count; i++) {
        const struct graph_node *node = &g->nodes[i];
        const char *lines[3];
        size_t n = node_lines(g, node, lines);
        printf("  n%zu [shape=%s, label=\"", i, shapes[node->shape]);
        for (size_t k = 0; k < n; k++) {
            fputs(k ? "\\n" : "", stdout);
            print_dot_text(g->arena, lines[k]);
        }
        putchar('"');
        if (node->shape == SHAPE_STAGE && g->states)
            printf(", fillcolor=\"%s\"", fill_colors[node_verdict(node)]);
        puts("];");
    }
    for (size_t i = 0; i < g->edge_count; i++) {
        const struct graph_edge *edge = &g->edges[i];
        printf("  n%zu -> n%zu", edge->from, edge->to);
        if (*edge->label) {
            fputs(" [label=\"", stdout);
            print_dot_text(g->arena, edge->label);
            fputs("\"]", stdout);
        }
        puts(";");
    }
    puts("}");
}

/* ---- Mermaid ---- */

/* Inside double quotes: all that could end the text or begin markup is written by its number. */
static void print_mermaid_text(struct arena *arena, const char *text)
{
    char *copy = arena_copy(arena, text, strlen(text));
    utf8_repair(copy);
    for (const char *p = copy; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            putchar('?');
        else if (strchr("\"#<>&`|\\", *p))
            printf("#%d;", *p);
        else
            putchar(*p);
}

static void print_mermaid(const struct graph *g)
{
    static const struct {
        const char *open, *close;
    } shapes[] = {[SHAPE_STAGE] = {"[\"", "\"]"},
                  [SHAPE_INPUT] = {"([\"", "\"])"},
                  [SHAPE_CODE] = {">\"", "\"]"}};
    puts("graph LR");
    for (size_t i = 0; i < g->node_count; i++) {
        const struct graph_node *node = &g->nodes[i];
        const char *lines[3];
        size_t n = node_lines(g, node, lines);
        printf("  n%zu%s", i, shapes[node->shape].open);
        for (size_t k = 0; k < n; k++) {
            fputs(k ? "<br/>" : "", stdout);
            print_mermaid_text(g->arena, lines[k]);
        }
        fputs(shapes[node->shape].close, stdout);
        if (node->shape == SHAPE_STAGE && g->states)
            printf(":::%s", verdict_names[node_verdict(node)]);
        putchar('\n');
    }
    for (size_t i = 0; i < g->edge_count; i++) {
        const struct graph_edge *edge = &g->edges[i];
        printf("  n%zu -->", edge->from);
        if (*edge->label) {
            fputs("|\"", stdout);
            print_mermaid_text(g->arena, edge->label);
            fputs("\"|", stdout);
        }
        printf(" n%zu\n", edge->to);
    }
    for (size_t i = 0; g->states && i < VERDICTS; i++)
        printf("  classDef %s fill:%s,color:#000\n", verdict_names[i], fill_colors[i]);
}

static const struct {
    const char *name;
    void (*print)(const struct graph *graph);
} formats[] = {{"dot", print_dot}, {"mermaid", print_mermaid}};

int command_graph(const struct options *options, struct error *err)
{
    struct session s;
    bool planned;
    size_t format = 0, n = sizeof formats / sizeof *formats;
    while (options->format && format < n && strcmp(options->format, formats[format].name) != 0)
        format++;
    if (format == n) {
        error_set(err, EINVAL, "--format %s: expected dot or mermaid", options->format);
        return EXIT_BAD;
    }
    int status = session_open_loose(&s, options, &planned, err);
    if (status != EXIT_DONE)
        return status;
    struct graph graph = {
        .arena = s.experiment.arena, .experiment = &s.experiment, .all = options->all};
    make_graph(&graph);
    int rc = planned ? add_states(&graph, &s.plan, err) : 0;
    if (rc == 0)
        formats[format].print(&graph);
    session_close(&s);
    return session_status(rc);
}
