/* See graph.h. */
#include "dag/experiment/graph.h"
#include "dag/experiment/schema.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct walk {
    struct experiment *e;
    struct stage **order;
    size_t count;
    enum { WHITE, GREY, BLACK } * colours; /* indexed by place */
    struct stage **path;
    size_t depth;
};

static int name_cycle(struct walk *w, const struct edge *edge)
{
    char text[700] = "";
    size_t start = 0, used = 0;
    while (w->path[start] != edge->from)
        start++;
    /* The path leads from user to input; the message follows the data. */
    for (size_t i = w->depth; i > start && used < sizeof text - 1; i--)
        used += (size_t)snprintf(text + used, sizeof text - used, " -> %s", w->path[i - 1]->name);
    return node_problem(w->e->problems, edge->where, "cycle: %s%s", edge->from->name, text);
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
        return; /* the inputs of one stage are added in a row */
    from->users = arena_push(e->arena, from->users, from->user_count, sizeof *from->users);
    from->users[from->user_count++] = user;
}

static void describe(struct experiment *e, struct stage *stage)
{
    if (!stage->broken && stage->kind->work)
        stage->work = stage->kind->work(stage->params);
    for (size_t k = 0; k < stage->input_count; k++)
        if (stage->inputs[k].from)
            add_user(e, stage->inputs[k].from, stage);
}

static void measure_heights(struct experiment *e)
{
    for (size_t i = e->stage_count; i > 0; i--) {
        struct stage *stage = e->stages[i - 1];
        stage->height = 1;
        for (size_t k = 0; k < stage->user_count; k++)
            if (stage->users[k]->height >= stage->height)
                stage->height = stage->users[k]->height + 1;
    }
}

int graph_sort(struct experiment *e)
{
    size_t n = e->stage_count;
    struct walk w = {.e = e};
    w.order = arena_alloc(e->arena, (n + 1) * sizeof *w.order);
    w.path = arena_alloc(e->arena, (n + 1) * sizeof *w.path);
    w.colours = arena_alloc(e->arena, (n + 1) * sizeof *w.colours);
    for (size_t i = 0; i < n; i++)
        e->stages[i]->place = i;
    for (size_t i = 0; i < n; i++)
        if (w.colours[i] == WHITE && visit(&w, e->stages[i]) < 0)
            return -EINVAL;
    e->stages = w.order;
    for (size_t i = 0; i < n; i++) {
        e->stages[i]->place = i;
        describe(e, e->stages[i]);
    }
    measure_heights(e);
    return 0;
}
