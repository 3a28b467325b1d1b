/* See estimate.h. */
#include "dag/estimate.h"
#include "base/arena.h"
#include "base/file.h"
#include "dag/key.h"
#include "dag/result_params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stored result, prepared for comparison. */
struct past {
    struct past_time row;
    json_t *params;
    char *inputs;   /* "PORT DIGEST" lines */
    double seconds; /* of the whole stage, also if the result was continued from a shorter one */
    double work;    /* 0: the kind has no such number */
};

/* The stored results of one kind. */
struct history {
    struct history *next;
    const struct kind *kind;
    struct past *items;
    size_t count;
};

struct estimate {
    enum { UNKNOWN, BEFORE_INPUTS, WITH_INPUTS } made; /* when it was looked up */
    double seconds;
};

struct estimates {
    const struct plan *plan;
    struct history *histories;
    struct estimate *stages; /* by place */
};

/* The digests of a result's inputs, malloc'd. What it was continued from isn't an input. */
static char *list_inputs(const json_t *inputs)
{
    char *text = NULL;
    size_t size = 0, i;
    const json_t *item;
    FILE *out = must(open_memstream(&text, &size));
    json_array_foreach(inputs, i, item)
    {
        const char *port = json_string_value(json_object_get(item, "port"));
        const char *digest = json_string_value(json_object_get(item, "digest"));
        if (port && digest && !json_object_get(item, "param"))
            fprintf(out, "%s %s\n", port, digest);
    }
    if (fclose(out) != 0)
        must(NULL);
    return text;
}

/* The share of a stage that was left when it continued from a shorter one; 1 if it didn't. */
static double own_share(const json_t *inputs, const json_t *params)
{
    const json_t *item;
    size_t i;
    json_array_foreach(inputs, i, item)
    {
        const char *param = json_string_value(json_object_get(item, "param"));
        double whole = param ? json_number_value(json_object_get(params, param)) : 0;
        double before = json_number_value(json_object_get(item, "value"));
        if (whole > 0 && before >= 0 && before < whole)
            return 1 - before / whole;
    }
    return 1;
}

/* Takes over the row. */
static void prepare(struct past *past, const struct past_time *row, const struct kind *kind)
{
    json_t *inputs = json_loads(row->inputs, 0, NULL);
    *past = (struct past){.row = *row, .params = result_params(kind, row->params)};
    past->inputs = list_inputs(inputs);
    past->seconds = row->seconds / own_share(inputs, past->params);
    bool complete = true;
    for (const struct param *p = kind->params; p->name; p++)
        complete &= json_object_get(past->params, p->name) != NULL;
    if (kind->work && complete)
        past->work = kind->work(past->params);
    json_decref(inputs);
}

static void free_history(struct history *h)
{
    for (size_t i = 0; i < h->count; i++) {
        json_decref(h->items[i].params);
        free(h->items[i].inputs);
        past_time_free(&h->items[i].row);
    }
    free(h->items);
    free(h);
}

/* Loads it at first use. A damaged index gives no estimate; its error is reported elsewhere. */
static const struct history *find_history(struct estimates *e, const struct kind *kind)
{
    for (struct history *h = e->histories; h; h = h->next)
        if (h->kind == kind)
            return h;
    struct history *h = must_alloc(sizeof *h);
    struct past_time *rows = NULL;
    *h = (struct history){.next = e->histories, .kind = kind};
    e->histories = h;
    if (index_past_times(e->plan->cache->index, kind->name, e->plan->experiment->full, &rows,
                         &h->count, NULL) < 0)
        return h;
    h->items = must_alloc((h->count + 1) * sizeof *h->items);
    for (size_t i = 0; i < h->count; i++)
        prepare(&h->items[i], &rows[i], kind);
    free(rows);
    return h;
}

static double equal_params(const struct stage *stage, const json_t *params)
{
    double equal = 0, all = 0;
    for (const struct param *p = stage->kind->params; p->name; p++, all++)
        equal += json_equal(json_object_get(params, p->name),
                            json_object_get(stage->params, p->name)) != 0;
    return all > 0 ? equal / all : 1;
}

/* How well a result predicts the stage; 0: not at all. inputs: NULL if not known yet; numerics: a
 * line of the key's text, or "". */
static double similarity(const struct stage *stage, const char *inputs, const char *numerics,
                         const struct past *past)
{
    bool same_inputs = inputs && strcmp(inputs, past->inputs) == 0;
    if (past->row.threads != stage->cpu || !strstr(past->row.key_text, numerics) ||
        (!same_inputs && !past->row.latest))
        return 0;
    bool same_name = strcmp(past->row.stage, stage->name) == 0;
    double params = equal_params(stage, past->params);
    if (stage->kind->work ? !(past->work > 0 && stage->work > 0) : !same_name && params < 1)
        return 0;
    return 1 + 4 * same_inputs + 2 * same_name + params;
}

static double look_up(struct estimates *e, const struct task *task)
{
    const struct stage *stage = task->stage;
    const struct history *history = find_history(e, stage->kind);
    const struct past *best = NULL;
    char numerics[NUMERICS_LIMIT], line[NUMERICS_LIMIT + 20] = "", *inputs = NULL;
    double highest = 0;
    if (stage->kind->numerics != NUMERICS_NONE &&
        key_numerics(stage, e->plan->backend, numerics, sizeof numerics, NULL) == 0)
        snprintf(line, sizeof line, "\nnumerics %s\n", numerics);
    if (task->state != STATE_WAITING) {
        json_t *list = plan_inputs_json(e->plan, task);
        inputs = list_inputs(list);
        json_decref(list);
    }
    for (size_t i = 0; i < history->count; i++) {
        double value = similarity(stage, inputs, line, &history->items[i]);
        if (value > highest) {
            highest = value;
            best = &history->items[i];
        }
    }
    free(inputs);
    if (!best)
        return -1;
    return stage->kind->work ? best->seconds * stage->work / best->work : best->seconds;
}

struct estimates *estimates_create(const struct plan *plan)
{
    struct estimates *e = must_alloc(sizeof *e);
    e->plan = plan;
    e->stages = must_alloc((plan->experiment->stage_count + 1) * sizeof *e->stages);
    return e;
}

void estimates_free(struct estimates *e)
{
    for (struct history *next, *h = e ? e->histories : NULL; h; h = next) {
        next = h->next;
        free_history(h);
    }
    if (e)
        free(e->stages);
    free(e);
}

double estimates_seconds(struct estimates *e, const struct task *task)
{
    struct estimate *known = &e->stages[task->stage->place];
    int due = task->state == STATE_WAITING ? BEFORE_INPUTS : WITH_INPUTS;
    if ((int)known->made < due) {
        known->seconds = look_up(e, task);
        known->made = task->state == STATE_WAITING ? BEFORE_INPUTS : WITH_INPUTS;
    }
    return known->seconds;
}

void estimates_renew(struct estimates *e, const struct kind *kind)
{
    for (struct history **h = &e->histories; *h; h = &(*h)->next)
        if ((*h)->kind == kind) {
            struct history *old = *h;
            *h = old->next;
            free_history(old);
            break;
        }
    for (size_t i = 0; i < e->plan->experiment->stage_count; i++)
        if (e->plan->experiment->stages[i]->kind == kind && e->stages[i].seconds < 0)
            e->stages[i].made = UNKNOWN;
}
