/* See execution.h. The steps of one stage, in their order; "background" is another thread:
 *
 *   start                   makes the folder, checks the stamps of the inputs
 *   verify     background   reads the inputs of a stage that will run for minutes
 *   launch                  starts the job
 *   job_ended               checks the inputs again
 *   gather     background   hashes and syncs the outputs, writes the record of the result
 *   gathered                commits the result to the index, settles the task */
#define _GNU_SOURCE
#include "dag/execution.h"
#include "base/file.h"
#include "base/process.h"
#include "cache/tree.h"
#include "cache/attempts.h"
#include "dag/continuation.h"
#include "dag/folder.h"
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
    struct scheduler *scheduler;
    struct task *task;
    struct executor_job job;
    char *folder;
    int lock;
    bool failed;
    bool changed;  /* it failed because an external input has changed */
    bool verified; /* the inputs were read before the start and had their digests */
    struct digest *to_verify;
    size_t to_verify_count, damaged; /* damaged: index of the blob that was found damaged */
    struct blob_writer writer;
    struct result result;
    struct origin origin;
    double progress_kept; /* clock; see stage_progress_keep */
    struct error error;
};

/* ---- the end ---- */

static void describe_failure(struct execution *x)
{
    const struct executor_job *job = &x->job;
    if (x->error.text[0])
        return;
    if (job->signal)
        snprintf(x->error.text, sizeof x->error.text, "killed by signal %d (%s)", job->signal,
                 strsignal(job->signal));
    else if (job->message[0])
        snprintf(x->error.text, sizeof x->error.text, "%s", job->message);
    else
        snprintf(x->error.text, sizeof x->error.text, "exit status %d", job->status);
}

static void free_execution(struct execution *x)
{
    struct scheduler *s = x->scheduler;
    for (struct execution **p = &s->executions; *p; p = &(*p)->next)
        if (*p == x) {
            *p = x->next;
            break;
        }
    s->used.cpus -= x->job.threads;
    s->used.memory -= x->job.memory;
    gpu_pool_give(&s->gpus, &x->job.gpus);
    if (x->lock >= 0)
        key_unlock(s->plan->cache, x->task->key, x->lock);
    blob_writer_free(&x->writer);
    result_free(&x->result);
    free(x->to_verify);
    free(x->folder);
    free(x);
}

/* Whether a line of the log is the stage's message, which was printed already. */
static bool is_message(const char *line, const char *message)
{
    static const char before[] = LOG_INDENT "ferdag: ";
    size_t n = sizeof before - 1, length = strlen(message);
    return strncmp(line, before, n) == 0 &&
           strncmp(line + n, message, length < 200 ? length : 200) == 0;
}

/* The last lines of its log, and the command that prints all of it. */
static void print_log_end(const struct execution *x)
{
    struct scheduler *s = x->scheduler;
    struct arena *arena = s->plan->experiment->arena;
    char *path = must(x->result.log.hex[0] ? cache_blob_path(s->plan->cache, &x->result.log)
                                           : format_string("%s/log.txt", x->folder));
    char *end = stage_log_end(path, LOG_LINES, LOG_INDENT), *rest = end;
    bool any = false;
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        if (is_message(line, x->error.text))
            continue;
        progress_print(&s->progress, "%s", line);
        any = true;
    }
    if (any)
        progress_print(&s->progress, "  all of its log: ferdag log %s %s%s",
                       variant_quote(arena, s->plan->experiment->file), x->task->stage->name,
                       s->options->same);
    free(end);
    free(path);
}

static void fail(struct execution *x)
{
    struct scheduler *s = x->scheduler;
    struct task *task = x->task;
    struct error error;
    describe_failure(x);
    struct failure failure = {
        .key = task->key,
        .stage = (char *)task->stage->name,
        .kind = (char *)task->stage->kind->name,
        .message = x->error.text,
        .finished = x->job.started + x->job.seconds,
        .seconds = x->job.seconds,
        .log = x->result.log,
    };
    free(task->message);
    task->message = must(strdup(x->error.text));
    int rc = index_put_failure(s->plan->cache->index, s->plan->experiment->full, &failure, &error);
    if (rc < 0)
        scheduler_fail(s, rc, &error);
    progress_failed(&s->progress, task->stage->name, x->error.text);
    if (x->folder)
        print_log_end(x);
    if (!s->options->keep_going)
        s->stopping = true;
    if (task->stage->kind->open_ports && x->folder) {
        /* A launcher that was killed leaves processes that only the folder's name identifies. */
        process_kill_leftovers(x->folder);
        file_remove_tree(x->folder, NULL);
    }
    free_execution(x);
    scheduler_settle(s, task, STATE_FAILED);
}

/* The stage was cancelled: its folder is kept, and the next run resumes from it. */
static void interrupt(struct execution *x)
{
    struct scheduler *s = x->scheduler;
    struct task *task = x->task;
    progress_stop(&s->progress, task->stage->name, "stopped");
    free_execution(x);
    scheduler_settle(s, task, STATE_NOT_RUN);
}

/* The cache failed, or the stage can't even start: ends the whole run. */
static void abandon(struct execution *x, int rc, const struct error *error)
{
    struct scheduler *s = x->scheduler;
    struct task *task = x->task;
    progress_stop(&s->progress, task->stage->name, NULL);
    scheduler_fail(s, rc, error);
    free_execution(x);
    scheduler_settle(s, task, STATE_NOT_RUN);
}

static bool same_outputs(const struct stage *stage, const struct result *a, const struct result *b)
{
    for (size_t i = 0; i < stage->output_count; i++) {
        const struct blob *x = result_output(a, stage->outputs[i].port);
        const struct blob *y = result_output(b, stage->outputs[i].port);
        bool extra = stage->outputs[i].port[0] == '.'; /* older results may lack it */
        if (!stage->outputs[i].measured && !(extra && !(x && y)) &&
            (!x != !y || (x && strcmp(x->digest.hex, y->digest.hex) != 0)))
            return false;
    }
    return true;
}

/* Prints a line if a forced stage gave other outputs than its earlier result. */
static void compare_forced(struct execution *x)
{
    struct result before;
    if (!x->task->forced ||
        index_find(x->scheduler->plan->cache->index, x->task->key, &before, NULL) < 0)
        return;
    if (!same_outputs(x->task->stage, &x->result, &before))
        progress_print(&x->scheduler->progress,
                       "%s: gave other outputs than last time from the same inputs",
                       x->task->stage->name);
    result_free(&before);
}

static void succeed(struct execution *x)
{
    struct scheduler *s = x->scheduler;
    struct task *task = x->task;
    struct error error;
    compare_forced(x);
    int rc = cache_add_result(s->plan->cache, &x->result, &x->writer, &error);
    if (rc < 0) {
        abandon(x, rc, &error);
        return;
    }
    task->result = x->result;
    x->result = (struct result){0};
    file_remove_tree(x->folder, NULL);
    scheduler_set_latest(s, task);
    progress_done(&s->progress, task->stage->name, x->job.seconds);
    free_execution(x);
    scheduler_settle(s, task, STATE_RAN);
}

/* Fills the result except for its outputs and its log. */
static void describe_result(struct execution *x)
{
    const struct plan *plan = x->scheduler->plan;
    const struct task *task = x->task;
    struct result *r = &x->result;
    json_t *inputs = plan_inputs_json(plan, task), *input;
    size_t i;
    json_array_foreach(inputs, i, input) if (x->verified)
        json_object_set_new(input, "verified", json_true());
    continuation_record(plan, task, &x->origin, inputs);
    r->key = must(strdup(task->key));
    r->stage = must(strdup(task->stage->name));
    r->kind = must(strdup(task->stage->kind->name));
    r->params = must(json_dumps(task->stage->params, JSON_COMPACT | JSON_REAL_PRECISION(17)));
    r->inputs = must(json_dumps(inputs, JSON_COMPACT));
    r->key_text = must(strdup(task->key_text));
    json_decref(inputs);
    r->started = x->job.started;
    r->finished = x->job.started + x->job.seconds;
    r->seconds = x->job.seconds;
    r->cpu_seconds = x->job.cpu_seconds;
    r->peak_bytes = x->job.peak_bytes;
    r->threads = task->stage->cpu;
}

static void gather(void *data)
{
    struct execution *x = data;
    const struct cache *cache = x->scheduler->plan->cache;
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

static void gathered(void *data)
{
    struct execution *x = data;
    if (x->failed)
        fail(x);
    else
        succeed(x);
}

static void job_ended(struct executor_job *job)
{
    struct execution *x = job->data;
    struct scheduler *s = x->scheduler;
    x->failed = job->status != 0 || job->signal != 0;
    if (x->failed && s->cancelled > 0) {
        interrupt(x);
        return;
    }
    /* Before a record is written, as a record makes the result valid. */
    if (!x->failed && plan_check_inputs(s->plan, x->task->stage, &x->error) < 0)
        x->failed = true;
    if (!x->failed)
        describe_result(x);
    loop_background(s->loop, gather, gathered, x);
}

static void job_reported(struct executor_job *job, const json_t *line)
{
    struct execution *x = job->data;
    struct progress *progress = &x->scheduler->progress;
    if (!continuation_read_origin(line, &x->origin)) {
        progress_update(progress, x->task->stage->name, line);
        stage_progress_keep(x->folder, line, &x->progress_kept);
        return;
    }
    char *from = continuation_text(x->task->stage->kind, x->origin.value, x->origin.key);
    progress_print(progress, "%s: continues from %s", x->task->stage->name, from);
    free(from);
}

/* ---- the start ---- */

/* A failure to start is that of a full disk or a broken cache: the stage isn't to blame. */
static void fail_start(struct execution *x, int rc, const struct error *error)
{
    progress_print(&x->scheduler->progress, "ferdag: stage %s cannot start: %s",
                   x->task->stage->name, error->text);
    abandon(x, rc, error);
}

static void launch(struct execution *x)
{
    struct executor *executor = &x->scheduler->executor;
    struct error error = {""};
    x->job.folder = x->folder;
    int rc = executor->type->start(executor, &x->job, &error);
    if (rc < 0)
        fail_start(x, rc, &error);
}

/* Takes over a job that an earlier run has started and that outlived it, if the executor has such
 * jobs. */
static bool attach(struct execution *x)
{
    struct executor *executor = &x->scheduler->executor;
    if (!executor->type->attach || x->task->forced)
        return false;
    x->folder = attempt_last(x->scheduler->plan->cache, x->task->key);
    x->job.folder = x->folder;
    if (x->folder && executor->type->attach(executor, &x->job) == 0)
        return true;
    free(x->folder);
    x->folder = NULL;
    return false;
}

static void add_digest(struct execution *x, const struct digest *digest)
{
    x->to_verify = must(realloc(x->to_verify, (x->to_verify_count + 1) * sizeof *x->to_verify));
    x->to_verify[x->to_verify_count++] = *digest;
}

/* Lists the blobs of the stage's inputs. */
static void list_blobs(struct execution *x)
{
    const struct plan *plan = x->scheduler->plan;
    const struct stage *stage = x->task->stage;
    for (size_t i = 0; i < stage->input_count; i++) {
        struct blob blob;
        struct tree tree = {0};
        if (!stage->inputs[i].from || !plan_input(plan, &stage->inputs[i], &blob))
            continue;
        add_digest(x, &blob.digest);
        if (blob.tree && cache_read_tree(plan->cache, &blob, &tree, NULL) == 0)
            for (size_t k = 0; k < tree.count; k++)
                if (tree_is_file(&tree.entries[k]))
                    add_digest(x, &tree.entries[k].digest);
        tree_free(&tree);
    }
}

/* Whether the stage will run for minutes, so that the time to read its inputs doesn't matter. */
static bool runs_long(const struct scheduler *s, const struct task *task)
{
    return task->stage->kind->work || estimates_seconds(s->estimates, task) > LONG_SECONDS;
}

static int verify_sources(struct execution *x)
{
    const struct stage *stage = x->task->stage;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < stage->input_count; i++) {
        const struct external *external = stage->inputs[i].external;
        if (external)
            rc = source_verify(external, plan_source(x->scheduler->plan, external), &x->error);
    }
    return rc;
}

static void verify(void *data)
{
    struct execution *x = data;
    for (size_t i = 0; i < x->to_verify_count && !x->failed; i++)
        if (cache_verify(x->scheduler->plan->cache, &x->to_verify[i], &x->error) < 0) {
            x->failed = true;
            x->damaged = i;
        }
    x->changed = !x->failed && verify_sources(x) < 0;
    x->failed |= x->changed;
}

static void verified(void *data)
{
    struct execution *x = data;
    struct scheduler *s = x->scheduler;
    if (s->cancelled > 0) {
        interrupt(x);
        return;
    }
    x->verified = !x->failed;
    if (!x->failed) {
        launch(x);
        return;
    }
    if (!x->changed) { /* the metadata was right, so the storage medium changed the bytes */
        cache_damaged(s->plan->cache, &x->to_verify[x->damaged], x->error.text, NULL);
        error_prefix(&x->error, "an input of it is damaged; the next run makes it anew");
    }
    fail(x);
}

static struct execution *create(struct scheduler *s, struct task *task, int lock)
{
    const struct stage *stage = task->stage;
    struct execution *x = must_alloc(sizeof *x);
    *x = (struct execution){
        .next = s->executions,
        .scheduler = s,
        .task = task,
        .lock = lock,
        .job = {.kind = stage->kind->name,
                .threads = stage->cpu,
                .memory = stage->mem,
                .lock = lock,
                .data = x,
                .reported = job_reported,
                .ended = job_ended},
    };
    s->executions = x;
    s->used.cpus += stage->cpu;
    s->used.memory += stage->mem;
    gpu_pool_take(&s->gpus, gpu_wanted(stage, s->plan->backend, s->gpus.count), &x->job.gpus);
    task->state = STATE_RUNNING;
    return x;
}

void execution_start(struct scheduler *s, struct task *task, int lock)
{
    struct execution *x = create(s, task, lock);
    struct error error = {""};
    progress_start(&s->progress, task->stage->name);
    if (plan_check_inputs(s->plan, task->stage, &x->error) < 0) {
        fail(x);
        return;
    }
    if (attach(x))
        return;
    int rc = folder_prepare(s->plan, task, &x->folder, &error);
    if (rc < 0) {
        fail_start(x, rc, &error);
        return;
    }
    if (!runs_long(s, task)) {
        launch(x);
        return;
    }
    list_blobs(x);
    loop_background(s->loop, verify, verified, x);
}

void execution_cancel_all(struct scheduler *s, bool force)
{
    for (struct execution *x = s->executions; x; x = x->next)
        s->executor.type->cancel(&s->executor, &x->job, force);
}
