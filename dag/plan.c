/* See plan.h. */
#include "dag/plan.h"
#include "base/file.h"
#include "dag/gpu_pool.h"
#include "dag/key.h"
#include "dag/experiment/schema.h"
#include "stages/gpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool state_has_result(enum state state)
{
    return state == STATE_CACHED || state == STATE_RAN;
}

bool state_is_settled(enum state state)
{
    return state >= STATE_CACHED;
}

static void want(struct plan *plan, struct stage *stage)
{
    plan->tasks[stage->place].wanted = true;
}

void plan_create(struct plan *plan, struct experiment *e, struct cache *cache, const char *backend,
                 const bool *picked)
{
    size_t n = e->stage_count;
    *plan = (struct plan){.experiment = e, .cache = cache, .backend = backend};
    if (kind_backend(backend, &plan->backend, NULL) < 0)
        plan->backend = backend; /* of another machine, whose numerics the file states */
    plan->tasks = must_alloc(n * sizeof *plan->tasks);
    plan->queue = must_alloc(n * sizeof *plan->queue);
    plan->sources = must_alloc(e->external_count * sizeof *plan->sources);
    for (size_t i = n; i > 0; i--) { /* from last to first: users come before their inputs */
        struct task *task = &plan->tasks[i - 1];
        task->stage = e->stages[i - 1];
        task->wanted |= !picked || picked[i - 1];
        for (size_t k = 0; task->wanted && k < task->stage->input_count; k++)
            if (task->stage->inputs[k].from)
                want(plan, task->stage->inputs[k].from);
    }
}

void plan_free(struct plan *plan)
{
    for (size_t i = 0; plan->tasks && i < plan->experiment->stage_count; i++) {
        free(plan->tasks[i].key_text);
        free(plan->tasks[i].message);
        result_free(&plan->tasks[i].result);
    }
    for (size_t i = 0; plan->sources && i < plan->experiment->external_count; i++)
        source_free(&plan->sources[i]);
    free(plan->tasks);
    free(plan->queue);
    free(plan->sources);
    *plan = (struct plan){0};
}

const struct source *plan_source(const struct plan *plan, const struct external *external)
{
    return &plan->sources[external->place];
}

/* The absolute path without links, malloc'd. The last part need not exist. */
static char *real_path(const char *path)
{
    char *real = realpath(path, NULL);
    if (real)
        return real;
    char *copy = must(strdup(path)), *slash = strrchr(copy, '/');
    if (slash)
        *slash = 0;
    real = realpath(!slash ? "." : *copy ? copy : "/", NULL);
    char *whole = real ? must(format_string("%s/%s", real, slash ? slash + 1 : copy)) : NULL;
    free(real);
    free(copy);
    return whole;
}

/* Refuses an input folder that contains the cache: each run would change its digest. */
static int check_cache(const char *folder, const char *cache, struct error *err)
{
    char *outer = real_path(folder), *inner = real_path(cache);
    size_t n = outer ? strlen(outer) : 0;
    bool holds =
        outer && inner && strncmp(inner, outer, n) == 0 && (!inner[n] || inner[n] == '/' || n == 1);
    free(outer);
    free(inner);
    return holds ? error_set(err, EINVAL, "the folder holds the cache, %s", cache) : 0;
}

/* Whether the external can be read as an input. Reads no content. */
static int look_at_external(const struct external *external, const char *cache, bool *missing,
                            struct error *why)
{
    struct stat st;
    int rc = 0;
    *missing = stat(external->path, &st) < 0;
    if (*missing)
        rc = error_errno(why, errno, "cannot open %s", external->path);
    else if (S_ISDIR(st.st_mode))
        rc = check_cache(external->path, cache, why);
    return rc < 0 ? rc : source_look(external, why);
}

static int hash_source(struct plan *plan, const struct external *external, struct error *err)
{
    struct source *source = &plan->sources[external->place];
    struct error why;
    bool missing;
    if (source->known || source->obstacle)
        return 0;
    if (!plan->lenient || look_at_external(external, plan->cache->folder, &missing, &why) == 0)
        return source_hash(plan->cache, external, source, err);
    const char *what = external->code ? "file" : "input";
    source->obstacle =
        must(missing ? format_string("%s %s is missing: %s", what, external->name, external->path)
                     : format_string("%s %s: %s", what, external->name, why.text));
    return 0;
}

const char *plan_obstacle(const struct plan *plan, const struct stage *stage)
{
    for (size_t i = 0; i < stage->input_count; i++)
        if (stage->inputs[i].external && plan_source(plan, stage->inputs[i].external)->obstacle)
            return plan_source(plan, stage->inputs[i].external)->obstacle;
    return NULL;
}

static void check_external(const struct external *external, const char *cache, bool lenient,
                           struct problems *problems)
{
    struct error why;
    bool missing;
    int rc = look_at_external(external, cache, &missing, &why);
    if (rc < 0 && missing && lenient)
        node_warn(problems, external->where, "input '%s': %s", external->name, why.text);
    else if (rc < 0)
        node_problem(problems, external->where, "input '%s': %s", external->name, why.text);
}

/* The GPUs of this machine, and what they are needed for. */
struct gpu_check {
    const char *backend;
    int available;
    struct error why; /* there is none */
};

static struct gpu_check look_at_gpus(const char *backend)
{
    struct gpu_check check = {.backend = backend};
    check.available = gpus_count(&check.why);
    return check;
}

static void check_gpu(const struct stage *stage, const struct gpu_check *check, bool lenient,
                      struct problems *problems)
{
    int wanted = gpu_wanted(stage, check->backend, check->available);
    char text[1200];
    if (wanted <= GPU_WHOLE * check->available)
        return;
    if (check->available == 0)
        snprintf(text, sizeof text, "stage '%s' needs a GPU, and there is none: %s", stage->group,
                 check->why.text);
    else
        snprintf(text, sizeof text, "stage '%s' needs %d GPUs, and there %s %d", stage->group,
                 wanted / GPU_WHOLE, check->available == 1 ? "is" : "are", check->available);
    if (lenient)
        node_warn(problems, stage->where, "%s", text);
    else
        node_problem(problems, stage->where, "%s", text);
}

/* looked: indexed by external, so that each is checked once however many stages read it. */
static void check_inputs(const struct stage *stage, const char *cache, bool lenient, bool *looked,
                         struct problems *problems)
{
    for (size_t k = 0; k < stage->input_count; k++) {
        const struct external *external = stage->inputs[k].external;
        if (!external || looked[external->place])
            continue;
        looked[external->place] = true;
        check_external(external, cache, lenient, problems);
    }
}

void plan_check_surroundings(const struct experiment *e, const char *backend, const char *cache,
                             bool lenient, struct problems *problems)
{
    struct gpu_check gpus = look_at_gpus(backend);
    bool *looked = must_alloc((e->external_count + 1) * sizeof *looked);
    for (size_t i = 0; i < e->stage_count; i++) {
        check_inputs(e->stages[i], cache, lenient, looked, problems);
        check_gpu(e->stages[i], &gpus, lenient, problems);
    }
    free(looked);
}

void plan_check_wanted(const struct plan *plan, const char *cache, struct problems *problems)
{
    struct gpu_check gpus = look_at_gpus(plan->backend);
    bool *looked = must_alloc((plan->experiment->external_count + 1) * sizeof *looked);
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct stage *stage = plan->tasks[i].stage;
        if (!plan->tasks[i].wanted)
            continue;
        if (!plan->lenient)
            check_inputs(stage, cache, false, looked, problems);
        check_gpu(stage, &gpus, plan->lenient && stage->numerics, problems);
    }
    free(looked);
}

bool plan_input(const struct plan *plan, const struct edge *edge, struct blob *blob)
{
    if (edge->external) {
        const struct source *source = plan_source(plan, edge->external);
        *blob = (struct blob){.digest = source->digest,
                              .size = source->size,
                              .tree = source->tree,
                              .executable = source->executable};
        return source->known;
    }
    const struct task *from = &plan->tasks[edge->from->place];
    if (!state_has_result(from->state))
        return false;
    const struct blob *found = result_output(&from->result, edge->from->outputs[edge->output].port);
    if (found)
        *blob = *found;
    return found != NULL;
}

json_t *plan_inputs_json(const struct plan *plan, const struct task *task)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < task->stage->input_count; i++) {
        const struct edge *edge = &task->stage->inputs[i];
        struct blob blob;
        if (!plan_input(plan, edge, &blob))
            continue;
        json_t *item =
            edge->from
                ? json_pack("{s:s, s:s, s:s, s:s, s:s}", "port", edge->as, "stage",
                            edge->from->name, "output", edge->from->outputs[edge->output].port,
                            "key", plan->tasks[edge->from->place].key, "digest", blob.digest.hex)
                : json_pack("{s:s, s:s, s:s}", "port", edge->as, "input", edge->external->name,
                            "digest", blob.digest.hex);
        json_array_append_new(list, must(item));
    }
    return list;
}

int plan_check_inputs(const struct plan *plan, const struct stage *stage, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < stage->input_count; i++) {
        const struct edge *edge = &stage->inputs[i];
        struct blob blob;
        if (edge->external) {
            rc = source_check(edge->external, plan_source(plan, edge->external), err);
        } else if (plan_input(plan, edge, &blob)) {
            rc = cache_check(plan->cache, &blob, err);
            if (rc == -ENOENT)
                rc = error_set(err, EIO,
                               "its input %s is damaged or gone; run again: %s makes it anew",
                               edge->as, edge->from->name);
        }
    }
    return rc;
}

/* The state of a task as its inputs are: STATE_READY if it can be resolved, else the state it gets
 * because of an input. */
static enum state blocked_by(struct plan *plan, struct task *task)
{
    for (size_t i = 0; i < task->stage->input_count; i++) {
        const struct edge *edge = &task->stage->inputs[i];
        struct blob blob;
        if (!edge->from || plan_input(plan, edge, &blob) || task->stage->kind->report)
            continue;
        if (!state_has_result(plan->tasks[edge->from->place].state))
            return STATE_NOT_RUN;
        if (edge->optional)
            continue;
        free(task->message);
        size_t size = 200 + strlen(edge->from->name);
        task->message = must_alloc(size);
        snprintf(task->message, size, "input %s: %s left no %.60s", edge->as, edge->from->name,
                 edge->from->outputs[edge->output].port);
        return STATE_FAILED;
    }
    return STATE_READY;
}

int plan_key(const struct plan *plan, const struct stage *stage, char key[65], char **text,
             struct error *err)
{
    struct key_input *inputs = must_alloc(stage->input_count * sizeof *inputs);
    for (size_t i = 0; i < stage->input_count; i++) {
        const struct edge *edge = &stage->inputs[i];
        struct blob blob = {0};
        inputs[i].missing = !plan_input(plan, edge, &blob);
        inputs[i].digest = blob.digest;
        inputs[i].executable = blob.executable && stage->kind->open_ports;
        inputs[i].folder = blob.tree && (edge->external || blob.size == 0);
        inputs[i].key = edge->from ? plan->tasks[edge->from->place].key : NULL;
    }
    int rc = key_make(stage, plan->backend, inputs, key, text, err);
    free(inputs);
    return rc;
}

static int make_key(const struct plan *plan, struct task *task, struct error *err)
{
    free(task->key_text);
    return plan_key(plan, task->stage, task->key, &task->key_text, err);
}

/* A record from an older version may lack an output. */
static bool is_whole(const struct stage *stage, const struct result *result)
{
    bool whole = true;
    for (size_t i = 0; i < stage->output_count; i++)
        whole &= stage->outputs[i].optional || result_output(result, stage->outputs[i].port);
    return whole;
}

int plan_find(const struct plan *plan, struct task *task, struct error *err)
{
    int rc = cache_find(plan->cache, task->key, &task->result, err);
    if (rc == 0 && !is_whole(task->stage, &task->result)) {
        result_free(&task->result);
        rc = -ENOENT;
    }
    return rc;
}

/* Computes the key of a task whose inputs are settled, and looks it up in the cache. */
static int resolve(struct plan *plan, struct task *task, struct error *err)
{
    if (plan_obstacle(plan, task->stage))
        return 0; /* it stays waiting */
    task->state = blocked_by(plan, task);
    if (task->state == STATE_READY) {
        int rc = make_key(plan, task, err);
        if (rc == 0 && !task->forced)
            rc = plan_find(plan, task, err);
        if (rc < 0 && rc != -ENOENT)
            return rc;
        if (rc == 0 && !task->forced)
            task->state = STATE_CACHED;
    }
    if (state_is_settled(task->state))
        plan->queue[plan->queued++] = task->stage->place;
    return 0;
}

/* Updates the users of settled tasks, and theirs in turn. */
static int spread(struct plan *plan, struct error *err)
{
    int rc = 0;
    while (rc == 0 && plan->queued > 0) {
        const struct stage *stage = plan->tasks[plan->queue[--plan->queued]].stage;
        for (size_t i = 0; rc == 0 && i < stage->user_count; i++) {
            struct task *user = &plan->tasks[stage->users[i]->place];
            if (user->wanted && --user->waiting == 0)
                rc = resolve(plan, user, err);
        }
    }
    return rc;
}

int plan_settle(struct plan *plan, struct task *task, enum state state, struct error *err)
{
    task->state = state;
    plan->queue[plan->queued++] = task->stage->place;
    return spread(plan, err);
}

int plan_start(struct plan *plan, struct error *err)
{
    size_t n = plan->experiment->stage_count;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        for (size_t k = 0;
             plan->tasks[i].wanted && rc == 0 && k < plan->tasks[i].stage->input_count; k++)
            if (plan->tasks[i].stage->inputs[k].external)
                rc = hash_source(plan, plan->tasks[i].stage->inputs[k].external, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < plan->tasks[i].stage->user_count; k++)
            plan->tasks[plan->tasks[i].stage->users[k]->place].waiting++;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool root = true;
        for (size_t k = 0; k < plan->tasks[i].stage->input_count; k++)
            root &= !plan->tasks[i].stage->inputs[k].from;
        if (root && plan->tasks[i].wanted)
            rc = resolve(plan, &plan->tasks[i], err);
        if (rc == 0)
            rc = spread(plan, err);
    }
    return rc;
}
