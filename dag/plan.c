/* See plan.h. */
#include "dag/plan.h"
#include "dag/key.h"

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
    plan->tasks = must_alloc(n * sizeof *plan->tasks);
    plan->queue = must_alloc(n * sizeof *plan->queue);
    plan->sources = must_alloc(e->external_count * sizeof *plan->sources);
    for (size_t i = n; i > 0; i--) { /* users before their inputs */
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
    free(plan->tasks);
    free(plan->queue);
    free(plan->sources);
    *plan = (struct plan){0};
}

static struct source *source_of(const struct plan *plan, const struct external *external)
{
    return &plan->sources[external - plan->experiment->externals];
}

static int hash_source(struct plan *plan, const struct external *external, struct error *err)
{
    struct source *source = source_of(plan, external);
    if (source->known)
        return 0;
    int rc = cache_digest(plan->cache, external->path, &source->digest, &source->st, err);
    if (rc < 0) {
        error_prefix(err, "%s:%d:%d: input '%s'", external->where->file, external->where->line,
                     external->where->column, external->name);
        return rc == -EIO || rc == -ENOMEM ? rc : -EINVAL;
    }
    source->known = true;
    return 0;
}

static int check_external(const struct external *external, struct error *err)
{
    struct stat st;
    int rc = 0;
    if (stat(external->path, &st) < 0)
        rc = error_errno(err, errno, "cannot open %s", external->path);
    else if (!S_ISREG(st.st_mode))
        rc = error_set(err, EINVAL, "%s is not a regular file", external->path);
    else if (access(external->path, R_OK) < 0)
        rc = error_errno(err, errno, "cannot read %s", external->path);
    if (rc < 0)
        error_prefix(err, "%s:%d:%d: input '%s'", external->where->file, external->where->line,
                     external->where->column, external->name);
    return rc < 0 ? -EINVAL : 0;
}

int plan_check_externals(const struct plan *plan, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct task *task = &plan->tasks[i];
        for (size_t k = 0; task->wanted && rc == 0 && k < task->stage->input_count; k++)
            if (task->stage->inputs[k].external)
                rc = check_external(task->stage->inputs[k].external, err);
    }
    return rc;
}

bool plan_input(const struct plan *plan, const struct edge *edge, struct blob *blob)
{
    if (edge->external) {
        const struct source *source = source_of(plan, edge->external);
        *blob = (struct blob){.digest = source->digest, .size = (uint64_t)source->st.st_size};
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

static bool looks_changed(const struct stat *then, const struct external *external)
{
    struct stat now;
    return stat(external->path, &now) < 0 || now.st_ino != then->st_ino ||
           now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != then->st_mtim.tv_nsec;
}

/* Time of a blob's last change in ns, compared with itself alone: clocks may have been set. */
static void add_stamp(const char *cache, const struct digest *digest, struct stamps *stamps)
{
    struct stat st;
    char *path = must(blob_path(cache, digest));
    int64_t stamp =
        stat(path, &st) == 0 ? (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec : -1;
    free(path);
    stamps->items = must(realloc(stamps->items, (stamps->count + 1) * sizeof *stamps->items));
    stamps->items[stamps->count++] = stamp;
}

/* The blob that an edge brings and, for a tree, each of its files: calls for each, in order. */
static void stamp_edge(const struct plan *plan, const struct edge *edge, struct tree *tree,
                       struct stamps *stamps)
{
    const char *cache = plan->cache->folder;
    struct blob blob;
    *tree = (struct tree){0};
    if (!edge->from || !plan_input(plan, edge, &blob))
        return;
    add_stamp(cache, &blob.digest, stamps);
    if (blob.tree && tree_read(cache, &blob, tree, NULL) == 0)
        for (size_t i = 0; i < tree->count; i++)
            add_stamp(cache, &tree->entries[i].digest, stamps);
}

void plan_stamp_inputs(const struct plan *plan, const struct stage *stage, struct stamps *stamps)
{
    *stamps = (struct stamps){0};
    for (size_t i = 0; i < stage->input_count; i++) {
        struct tree tree;
        stamp_edge(plan, &stage->inputs[i], &tree, stamps);
        tree_free(&tree);
    }
}

static void remove_blob(const char *cache, const struct digest *digest)
{
    char *path = must(blob_path(cache, digest));
    unlink(path);
    free(path);
}

/* Blobs are read-only, but their owner can change that, and root needn't. Removes those of an edge
 * that were written to; true if there were any. */
static bool remove_written(const struct plan *plan, const struct edge *edge,
                           const struct stamps *before, size_t *next)
{
    struct stamps now = {0};
    struct tree tree;
    struct blob blob;
    bool written = false;
    stamp_edge(plan, edge, &tree, &now);
    for (size_t i = 0; i < now.count && *next + i < before->count; i++)
        if (now.items[i] != before->items[*next + i] && plan_input(plan, edge, &blob)) {
            remove_blob(plan->cache->folder, i ? &tree.entries[i - 1].digest : &blob.digest);
            written = true;
        }
    *next += now.count;
    tree_free(&tree);
    free(now.items);
    return written;
}

int plan_check_inputs(const struct plan *plan, const struct stage *stage,
                      const struct stamps *before, struct error *err)
{
    size_t next = 0;
    for (size_t i = 0; i < stage->input_count; i++) {
        const struct edge *edge = &stage->inputs[i];
        if (edge->external && looks_changed(&source_of(plan, edge->external)->st, edge->external))
            return error_set(err, EIO, "input '%s' (%s) changed while the stage ran",
                             edge->external->name, edge->external->path);
        if (remove_written(plan, edge, before, &next))
            return error_set(err, EIO, "it wrote to its input %s, which must be made again by %s",
                             edge->as, edge->from->name);
    }
    return 0;
}

/* A task that can't be resolved because of an input: its state then; STATE_READY if it can. */
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

static int make_key(const struct plan *plan, struct task *task, struct error *err)
{
    const struct stage *stage = task->stage;
    struct key_input *inputs = must_alloc(stage->input_count * sizeof *inputs);
    for (size_t i = 0; i < stage->input_count; i++) {
        const struct edge *edge = &stage->inputs[i];
        struct blob blob = {0};
        inputs[i].missing = !plan_input(plan, edge, &blob);
        inputs[i].digest = blob.digest;
        inputs[i].key = edge->from ? plan->tasks[edge->from->place].key : NULL;
    }
    free(task->key_text);
    int rc = key_make(stage, plan->backend, inputs, task->key, &task->key_text, err);
    free(inputs);
    return rc;
}

/* All inputs are settled: computes the key and looks whether the cache knows it. */
static int resolve(struct plan *plan, struct task *task, struct error *err)
{
    task->state = blocked_by(plan, task);
    if (task->state == STATE_READY) {
        int rc = make_key(plan, task, err);
        if (rc == 0 && !task->forced)
            rc = cache_find(plan->cache, task->key, &task->result, err);
        if (rc < 0 && rc != -ENOENT)
            return rc;
        if (rc == 0 && !task->forced)
            task->state = STATE_CACHED;
    }
    if (state_is_settled(task->state))
        plan->queue[plan->queued++] = task->stage->place;
    return 0;
}

/* Tells the users of settled tasks, and theirs in turn. */
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
