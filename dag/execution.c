/* See execution.h. The steps of one stage, in their order:
 *
 *   start        on the loop     makes the folder, checks the inputs' stamps
 *   verify       on a worker     reads the inputs of a stage that will run for minutes
 *   launch       on the loop     starts the process
 *   child_ended  on the loop     checks the inputs again
 *   gather       on a worker     hashes and syncs the outputs, writes the result's record
 *   gathered     on the loop     commits the result to the index, settles the task */
#define _GNU_SOURCE
#include "dag/execution.h"
#include "base/file.h"
#include "base/process.h"
#include "cache/tree.h"
#include "cache/work.h"
#include "dag/earlier.h"
#include "dag/folder.h"
#include "dag/executors/local.h"
#include "dag/stage_log.h"
#include "dag/stage_progress.h"
#include "dag/variant.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LONG_SECONDS = 60, LOG_LINES = 12 };

#define LOG_INDENT "    "

struct execution {
    struct execution *next;
    struct run *run;
    struct task *task;
    struct child child;
    uv_work_t verifying, gathering;
    char *folder;
    int lock;
    bool failed;
    bool changed;  /* it failed since an input from outside isn't what it was */
    bool verified; /* the inputs were read and had their digests before the start */
    struct digest *to_verify;
    size_t to_verify_count, damaged; /* damaged: which of them, if verifying failed */
    struct blob_writer writer;
    struct result result;
    struct origin origin;
    double progress_kept; /* clock; see stage_progress_keep */
    struct error error;
};

/* ---- the end ---- */

static void describe_failure(struct execution *x)
{
    struct child *c = &x->child;
    if (x->error.text[0])
        return;
    if (c->signal)
        snprintf(x->error.text, sizeof x->error.text, "killed by signal %d (%s)", c->signal,
                 strsignal(c->signal));
    else if (c->message[0])
        snprintf(x->error.text, sizeof x->error.text, "%s", c->message);
    else
        snprintf(x->error.text, sizeof x->error.text, "exit status %d", (int)c->status);
}

static void drop(struct execution *x)
{
    struct run *run = x->run;
    for (struct execution **p = &run->executions; *p; p = &(*p)->next)
        if (*p == x) {
            *p = x->next;
            break;
        }
    run->cpus -= x->task->stage->cpu;
    run->memory -= x->task->stage->mem;
    if (x->lock >= 0)
        work_unlock(run->plan->cache, x->task->key, x->lock);
    blob_writer_free(&x->writer);
    result_free(&x->result);
    free(x->to_verify);
    free(x->folder);
    free(x);
}

/* Whether the line of a log is the stage's message, which stands above it already. */
static bool repeats(const char *line, const char *message)
{
    static const char before[] = LOG_INDENT "ferdag: ";
    size_t n = sizeof before - 1, length = strlen(message);
    return strncmp(line, before, n) == 0 &&
           strncmp(line + n, message, length < 200 ? length : 200) == 0;
}

/* Its last words, and how to get at the rest. */
static void say_log_end(const struct execution *x)
{
    struct run *run = x->run;
    struct arena *arena = run->plan->experiment->arena;
    char *path = must(x->result.log.hex[0] ? blob_path(run->plan->cache->folder, &x->result.log)
                                           : file_path("%s/log.txt", x->folder));
    char *end = stage_log_end(path, LOG_LINES, LOG_INDENT), *rest = end;
    bool any = false;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (repeats(line, x->error.text))
            continue;
        progress_say(&run->progress, "%s", line);
        any = true;
    }
    if (any)
        progress_say(&run->progress, "  all of its log: ferdag log %s %s%s",
                     variant_quote(arena, run->plan->experiment->file), x->task->stage->name,
                     run->options->same);
    free(end);
    free(path);
}

static void fail(struct execution *x)
{
    struct run *run = x->run;
    struct task *task = x->task;
    struct error error;
    if (x->folder)
        stage_progress_drop(x->folder);
    describe_failure(x);
    struct failure failure = {
        .key = task->key,
        .stage = (char *)task->stage->name,
        .kind = (char *)task->stage->kind->name,
        .message = x->error.text,
        .finished = x->child.started + x->child.seconds,
        .seconds = x->child.seconds,
        .log = x->result.log,
    };
    free(task->message);
    task->message = must(strdup(x->error.text));
    int rc = index_fail(run->plan->cache->index, run->plan->experiment->full, &failure, &error);
    if (rc < 0)
        run_cache_broke(run, rc, &error);
    progress_stop(&run->progress, task->stage->name, NULL);
    progress_say(&run->progress, "ferdag: stage %s failed: %s", task->stage->name, x->error.text);
    if (x->folder)
        say_log_end(x);
    if (!run->options->keep_going)
        run->stopping = true;
    if (task->stage->kind->open_ports && x->folder) {
        /* Of a launcher that was killed: soon nobody finds them. */
        process_end_survivors(x->folder);
        file_remove_tree(x->folder, NULL);
    }
    drop(x);
    run_settle(run, task, STATE_FAILED);
}

/* A stage that was stopped on purpose: its folder waits for the next run. */
static void interrupt(struct execution *x)
{
    struct run *run = x->run;
    struct task *task = x->task;
    progress_stop(&run->progress, task->stage->name, "stopped");
    drop(x);
    run_settle(run, task, STATE_NOT_RUN);
}

/* The cache or the machine is in trouble. */
static void break_off(struct execution *x, int rc, const struct error *error)
{
    struct run *run = x->run;
    struct task *task = x->task;
    progress_stop(&run->progress, task->stage->name, NULL);
    run_cache_broke(run, rc, error);
    drop(x);
    run_settle(run, task, STATE_NOT_RUN);
}

static bool same_outputs(const struct stage *stage, const struct result *a, const struct result *b)
{
    for (size_t i = 0; i < stage->output_count; i++) {
        const struct blob *x = result_output(a, stage->outputs[i].port);
        const struct blob *y = result_output(b, stage->outputs[i].port);
        bool extra = stage->outputs[i].port[0] == '.'; /* results of old may lack it */
        if (!stage->outputs[i].measured && !(extra && !(x && y)) &&
            (!x != !y || (x && strcmp(x->digest.hex, y->digest.hex) != 0)))
            return false;
    }
    return true;
}

/* A forced stage whose result was known: says so if the results differ. */
static void compare_forced(struct execution *x)
{
    struct result before;
    if (!x->task->forced || index_find(x->run->plan->cache->index, x->task->key, &before, NULL) < 0)
        return;
    if (!same_outputs(x->task->stage, &x->result, &before))
        progress_say(&x->run->progress,
                     "%s: gave other outputs than last time from the same inputs",
                     x->task->stage->name);
    result_free(&before);
}

static void succeed(struct execution *x)
{
    struct run *run = x->run;
    struct task *task = x->task;
    struct error error;
    char time[32];
    compare_forced(x);
    int rc = cache_commit(run->plan->cache, &x->result, &x->writer, &error);
    if (rc < 0) {
        break_off(x, rc, &error);
        return;
    }
    progress_duration(x->child.seconds, time, sizeof time);
    task->result = x->result;
    x->result = (struct result){0};
    file_remove_tree(x->folder, NULL);
    run_remember_latest(run, task);
    progress_stop(&run->progress, task->stage->name, NULL);
    if (!run->progress.terminal)
        progress_say(&run->progress, "%s: done in %s", task->stage->name, time);
    drop(x);
    run_settle(run, task, STATE_RAN);
}

/* All of the result but what it left. */
static void describe_result(struct execution *x)
{
    const struct plan *plan = x->run->plan;
    const struct task *task = x->task;
    struct result *r = &x->result;
    json_t *inputs = plan_inputs_json(plan, task), *input;
    size_t i;
    json_array_foreach(inputs, i, input) if (x->verified)
        json_object_set_new(input, "verified", json_true());
    earlier_record(plan, task, &x->origin, inputs);
    r->key = must(strdup(task->key));
    r->stage = must(strdup(task->stage->name));
    r->kind = must(strdup(task->stage->kind->name));
    r->params = must(json_dumps(task->stage->params, JSON_COMPACT | JSON_REAL_PRECISION(17)));
    r->inputs = must(json_dumps(inputs, JSON_COMPACT));
    r->key_text = must(strdup(task->key_text));
    json_decref(inputs);
    r->started = x->child.started;
    r->finished = x->child.started + x->child.seconds;
    r->seconds = x->child.seconds;
    r->cpu_seconds = x->child.cpu_seconds;
    r->peak_bytes = x->child.peak_bytes;
    r->threads = task->stage->cpu;
}

static void gather(uv_work_t *request)
{
    struct execution *x = request->data;
    const char *cache = x->run->plan->cache->folder;
    blob_writer_start(&x->writer, cache);
    if (!x->failed &&
        folder_gather(&x->writer, x->folder, x->task->stage, &x->result, &x->error) < 0) {
        x->failed = true;
        blob_writer_free(&x->writer);
        blob_writer_start(&x->writer, cache);
    }
    if (x->failed)
        folder_store_log(&x->writer, x->folder, &x->result.log, NULL);
}

static void gathered(uv_work_t *request, int status)
{
    struct execution *x = request->data;
    struct run *run = x->run;
    (void)status;
    if (x->failed)
        fail(x);
    else
        succeed(x);
    run_start_ready(run);
}

static void child_ended(struct child *child)
{
    struct execution *x = child->data;
    struct run *run = x->run;
    x->failed = child->status != 0 || child->signal != 0;
    if (x->failed && run->interrupted_at > 0) {
        interrupt(x);
        run_start_ready(run);
        return;
    }
    /* Before a record is written: it would be believed. */
    if (!x->failed && plan_check_inputs(run->plan, x->task->stage, &x->error) < 0)
        x->failed = true;
    if (!x->failed)
        describe_result(x);
    x->gathering.data = x;
    uv_queue_work(&run->loop, &x->gathering, gather, gathered);
}

static void child_said(struct child *child, const json_t *line)
{
    struct execution *x = child->data;
    if (!earlier_origin(line, &x->origin)) {
        progress_update(&x->run->progress, x->task->stage->name, line);
        stage_progress_keep(x->folder, line, &x->progress_kept);
        return;
    }
    char *from = earlier_words(x->task->stage->kind, x->origin.value, x->origin.key);
    progress_say(&x->run->progress, "%s: goes on from %s", x->task->stage->name, from);
    free(from);
}

/* ---- the start ---- */

static void launch(struct execution *x)
{
    struct run *run = x->run;
    struct error error = {""};
    int rc = child_start(&x->child, &run->loop, x->task->stage->kind->name, x->folder,
                         x->task->stage->cpu, x->lock, &error);
    if (rc < 0) {
        progress_say(&run->progress, "ferdag: stage %s cannot start: %s", x->task->stage->name,
                     error.text);
        break_off(x, rc, &error);
    }
}

static void add_digest(struct execution *x, const struct digest *digest)
{
    x->to_verify = must(realloc(x->to_verify, (x->to_verify_count + 1) * sizeof *x->to_verify));
    x->to_verify[x->to_verify_count++] = *digest;
}

/* The blobs of the stage's inputs. */
static void list_blobs(struct execution *x)
{
    const struct plan *plan = x->run->plan;
    const struct stage *stage = x->task->stage;
    for (size_t i = 0; i < stage->input_count; i++) {
        struct blob blob;
        struct tree tree = {0};
        if (!stage->inputs[i].from || !plan_input(plan, &stage->inputs[i], &blob))
            continue;
        add_digest(x, &blob.digest);
        if (blob.tree && tree_read(plan->cache->folder, &blob, &tree, NULL) == 0)
            for (size_t k = 0; k < tree.count; k++)
                if (tree_is_file(&tree.entries[k]))
                    add_digest(x, &tree.entries[k].digest);
        tree_free(&tree);
    }
}

/* Reading its inputs is worth it: it will run for minutes, as its kind or its last result says. */
static bool runs_long(const struct run *run, const struct task *task)
{
    struct index *index = run->plan->cache->index;
    char key[65];
    struct result last;
    if (task->stage->kind->work)
        return true;
    if (index_latest(index, run->plan->experiment->full, task->stage->name, key, NULL) < 0 ||
        index_find(index, key, &last, NULL) < 0)
        return false;
    bool longer = last.seconds > LONG_SECONDS;
    result_free(&last);
    return longer;
}

static int verify_sources(struct execution *x)
{
    const struct stage *stage = x->task->stage;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < stage->input_count; i++) {
        const struct external *external = stage->inputs[i].external;
        if (external)
            rc = source_verify(external, plan_source(x->run->plan, external), &x->error);
    }
    return rc;
}

static void verify(uv_work_t *request)
{
    struct execution *x = request->data;
    struct stamp stamp;
    for (size_t i = 0; i < x->to_verify_count && !x->failed; i++)
        if (blob_verify(x->run->plan->cache->folder, &x->to_verify[i], &stamp, &x->error) < 0) {
            x->failed = true;
            x->damaged = i;
        }
    x->changed = !x->failed && verify_sources(x) < 0;
    x->failed |= x->changed;
}

/* The stamps were right: bits that changed nevertheless are the medium's fault. */
static void verified(uv_work_t *request, int status)
{
    struct execution *x = request->data;
    struct run *run = x->run;
    (void)status;
    if (run->interrupted_at > 0) {
        interrupt(x);
        run_start_ready(run);
        return;
    }
    x->verified = !x->failed;
    if (x->failed) {
        if (!x->changed) {
            cache_damaged(run->plan->cache, &x->to_verify[x->damaged], x->error.text, NULL);
            error_prefix(&x->error, "an input of it is damaged; the next run makes it anew");
        }
        fail(x);
        run_start_ready(run);
        return;
    }
    launch(x);
    if (run->stopping)
        run_start_ready(run);
}

static struct execution *create(struct run *run, struct task *task, int lock)
{
    struct execution *x = must_alloc(sizeof *x);
    x->run = run;
    x->task = task;
    x->lock = lock;
    x->child.data = x;
    x->child.said = child_said;
    x->child.ended = child_ended;
    x->verifying.data = x;
    x->next = run->executions;
    run->executions = x;
    run->cpus += task->stage->cpu;
    run->memory += task->stage->mem;
    task->state = STATE_RUNNING;
    return x;
}

void execution_start(struct run *run, struct task *task, int lock)
{
    struct execution *x = create(run, task, lock);
    struct error error = {""};
    progress_start(&run->progress, task->stage->name);
    if (plan_check_inputs(run->plan, task->stage, &x->error) < 0) {
        fail(x);
        return;
    }
    int rc = folder_prepare(run->plan, task, &x->folder, &error);
    if (rc < 0) { /* a disk that is full: the cache itself is in trouble */
        progress_say(&run->progress, "ferdag: stage %s cannot start: %s", task->stage->name,
                     error.text);
        break_off(x, rc, &error);
        return;
    }
    if (!runs_long(run, task)) {
        launch(x);
        return;
    }
    list_blobs(x);
    uv_queue_work(&run->loop, &x->verifying, verify, verified);
}

void execution_signal(struct run *run, int signal)
{
    for (struct execution *x = run->executions; x; x = x->next)
        child_signal(&x->child, signal);
}

bool execution_owns(const struct run *run, pid_t pid)
{
    for (const struct execution *x = run->executions; x; x = x->next)
        if (child_is(&x->child, pid))
            return true;
    return false;
}

void execution_tick(struct run *run)
{
    for (struct execution *x = run->executions; x; x = x->next)
        child_tick(&x->child);
}
