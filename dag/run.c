/* See run.h. One loop, no threads of our own: a task becomes ready when its last input is settled,
 * the ready task with the longest chain behind it starts when CPUs and memory suffice, and its end
 * settles it, which makes others ready. Storing outputs (hashing, syncing) is left to libuv's
 * workers. */
#define _GNU_SOURCE
#include "base/file.h"
#include "dag/earlier.h"
#include "dag/folder.h"
#include "dag/local.h"
#include "dag/scheduler.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 100, GRACE_SECONDS = 5 };

/* One stage that runs, or whose outputs are being stored. */
struct work {
    struct work *next;
    struct run *run;
    struct task *task;
    struct child child;
    uv_work_t gather;
    char *folder;
    int lock;
    bool failed;
    struct stamps stamps;
    struct result result;
    struct origin origin;
    struct error error;
};

static void cache_broke(struct run *run, int rc, const struct error *error)
{
    if (run->rc == 0) {
        run->rc = rc;
        *run->err = *error;
    }
    run->stopping = true;
    for (struct work *w = run->works; w; w = w->next)
        child_signal(&w->child, SIGTERM);
    if (run->interrupted_at == 0)
        run->interrupted_at = progress_clock();
}

static void recount(struct run *run)
{
    struct progress *p = &run->progress;
    p->total = p->cached = p->ran = p->failed = p->not_run = 0;
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        const struct task *task = &run->plan->tasks[i];
        if (!task->wanted)
            continue;
        p->total++;
        p->cached += task->state == STATE_CACHED;
        p->ran += task->state == STATE_RAN;
        p->failed += task->state == STATE_FAILED;
        p->not_run += task->state == STATE_NOT_RUN;
    }
}

static void settle(struct run *run, struct task *task, enum state state)
{
    struct error error = {""};
    int rc = plan_settle(run->plan, task, state, &error);
    if (rc < 0)
        cache_broke(run, rc, &error);
    recount(run);
}

static void remember_latest(struct run *run, const struct task *task)
{
    struct error error;
    int rc = index_set_latest(run->plan->cache->index, run->plan->experiment->full,
                              task->stage->name, task->key, &error);
    if (rc < 0)
        cache_broke(run, rc, &error);
}

/* ---- the end of a stage ---- */

static void describe_failure(struct work *w)
{
    struct child *c = &w->child;
    if (w->error.text[0])
        return;
    if (c->signal)
        snprintf(w->error.text, sizeof w->error.text, "killed by signal %d (%s)", c->signal,
                 strsignal(c->signal));
    else if (c->message[0])
        snprintf(w->error.text, sizeof w->error.text, "%s", c->message);
    else
        snprintf(w->error.text, sizeof w->error.text, "exit status %d", (int)c->status);
}

static void drop_work(struct work *w)
{
    struct run *run = w->run;
    for (struct work **p = &run->works; *p; p = &(*p)->next)
        if (*p == w) {
            *p = w->next;
            break;
        }
    run->cpus -= w->task->stage->cpu;
    run->memory -= w->task->stage->mem;
    if (w->lock >= 0)
        cache_unlock(run->plan->cache, w->task->key, w->lock);
    result_free(&w->result);
    free(w->stamps.items);
    free(w->folder);
    free(w);
}

static void fail_work(struct work *w)
{
    struct run *run = w->run;
    struct task *task = w->task;
    struct error error;
    describe_failure(w);
    struct failure failure = {
        .key = task->key,
        .stage = (char *)task->stage->name,
        .kind = (char *)task->stage->kind->name,
        .message = w->error.text,
        .finished = w->child.started + w->child.seconds,
        .seconds = w->child.seconds,
        .log = w->result.log,
    };
    free(task->message);
    task->message = must(strdup(w->error.text));
    int rc = index_fail(run->plan->cache->index, &failure, &error);
    if (rc < 0)
        cache_broke(run, rc, &error);
    progress_stop(&run->progress, task->stage->name, NULL);
    progress_say(&run->progress, "ferdag: stage %s failed: %s", task->stage->name, w->error.text);
    if (!run->options->keep_going)
        run->stopping = true;
    if (task->stage->kind->open_ports)
        file_remove_tree(w->folder, NULL);
    drop_work(w);
    settle(run, task, STATE_FAILED);
}

/* A stage that was stopped on purpose: its folder waits for the next run. */
static void interrupt_work(struct work *w)
{
    struct run *run = w->run;
    struct task *task = w->task;
    progress_stop(&run->progress, task->stage->name, "stopped");
    drop_work(w);
    settle(run, task, STATE_NOT_RUN);
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
static void compare_forced(struct work *w)
{
    struct result before;
    if (!w->task->forced || cache_find(w->run->plan->cache, w->task->key, &before, NULL) < 0)
        return;
    if (!same_outputs(w->task->stage, &w->result, &before))
        progress_say(&w->run->progress,
                     "%s: gave other outputs than last time from the same inputs",
                     w->task->stage->name);
    result_free(&before);
}

static int commit_work(struct work *w, struct error *err)
{
    struct plan *plan = w->run->plan;
    struct task *task = w->task;
    struct result *r = &w->result;
    json_t *inputs = plan_inputs_json(plan, task);
    earlier_record(plan, task, &w->origin, inputs);
    r->key = must(strdup(task->key));
    r->stage = must(strdup(task->stage->name));
    r->kind = must(strdup(task->stage->kind->name));
    r->params = must(json_dumps(task->stage->params, JSON_COMPACT | JSON_REAL_PRECISION(17)));
    r->inputs = must(json_dumps(inputs, JSON_COMPACT));
    r->key_text = must(strdup(task->key_text));
    json_decref(inputs);
    r->started = w->child.started;
    r->finished = w->child.started + w->child.seconds;
    r->seconds = w->child.seconds;
    r->cpu_seconds = w->child.cpu_seconds;
    r->peak_bytes = w->child.peak_bytes;
    r->threads = task->stage->cpu;
    compare_forced(w);
    return index_commit(plan->cache->index, r, err);
}

static void succeed(struct work *w)
{
    struct run *run = w->run;
    struct task *task = w->task;
    struct error error;
    char time[32];
    int rc = commit_work(w, &error);
    if (rc < 0) {
        progress_stop(&run->progress, task->stage->name, NULL);
        drop_work(w);
        cache_broke(run, rc, &error);
        settle(run, task, STATE_NOT_RUN);
        return;
    }
    progress_duration(w->child.seconds, time, sizeof time);
    task->result = w->result;
    w->result = (struct result){0};
    file_remove_tree(w->folder, NULL);
    remember_latest(run, task);
    progress_stop(&run->progress, task->stage->name, NULL);
    if (!run->progress.terminal)
        progress_say(&run->progress, "%s: done in %s", task->stage->name, time);
    drop_work(w);
    settle(run, task, STATE_RAN);
}

/* On a worker: no plan, no index. */
static void gather(uv_work_t *request)
{
    struct work *w = request->data;
    const char *cache = w->run->plan->cache->folder;
    if (!w->failed && folder_gather(cache, w->folder, w->task->stage, &w->result, &w->error) < 0)
        w->failed = true;
    if (w->failed)
        folder_store_log(cache, w->folder, &w->result.log, NULL);
}

static void gathered(uv_work_t *request, int status)
{
    struct work *w = request->data;
    struct run *run = w->run;
    (void)status;
    if (!w->failed && plan_check_inputs(run->plan, w->task->stage, &w->stamps, &w->error) < 0)
        w->failed = true;
    if (w->failed)
        fail_work(w);
    else
        succeed(w);
    run_start_ready(run);
}

static void child_ended(struct child *child)
{
    struct work *w = child->data;
    struct run *run = w->run;
    w->failed = child->status != 0 || child->signal != 0;
    if (w->failed && run->interrupted_at > 0) {
        interrupt_work(w);
        run_start_ready(run);
        return;
    }
    w->gather.data = w;
    uv_queue_work(&run->loop, &w->gather, gather, gathered);
}

static void child_said(struct child *child, const json_t *line)
{
    struct work *w = child->data;
    if (!earlier_origin(line, &w->origin)) {
        progress_update(&w->run->progress, w->task->stage->name, line);
        return;
    }
    char *from = earlier_words(w->task->stage->kind, w->origin.value, w->origin.key);
    progress_say(&w->run->progress, "%s: goes on from %s", w->task->stage->name, from);
    free(from);
}

/* ---- the start of a stage ---- */

/* Stages that differ in name alone share a key: one runs, the others take its result. */
static bool runs_here(const struct run *run, const char *key)
{
    for (const struct work *w = run->works; w; w = w->next)
        if (strcmp(w->task->key, key) == 0)
            return true;
    return false;
}

/* Takes the key's lock, unless another run has the result meanwhile. 1: go on; 0: not now or not
 * needed. */
static int claim(struct run *run, struct task *task, int *lock)
{
    struct error error = {""};
    *lock = cache_lock(run->plan->cache, task->key, &error);
    if (*lock == -EAGAIN) {
        if (!runs_here(run, task->key))
            progress_say(&run->progress, "%s: waits for another run that is at it",
                         task->stage->name);
        task->blocked = true;
        return 0;
    }
    int rc = *lock;
    if (rc >= 0 && !task->forced) {
        rc = cache_find(run->plan->cache, task->key, &task->result, &error);
        if (rc == 0) {
            cache_unlock(run->plan->cache, task->key, *lock);
            settle(run, task, STATE_CACHED);
            remember_latest(run, task);
            return 0;
        }
        if (rc == -ENOENT)
            return 1;
        cache_unlock(run->plan->cache, task->key, *lock);
    }
    if (rc >= 0)
        return 1;
    cache_broke(run, rc, &error);
    return 0;
}

static void start_task(struct run *run, struct task *task)
{
    int lock;
    if (!claim(run, task, &lock))
        return;
    struct work *w = must_alloc(sizeof *w);
    w->run = run;
    w->task = task;
    w->lock = lock;
    w->child.data = w;
    w->child.said = child_said;
    w->child.ended = child_ended;
    w->next = run->works;
    run->works = w;
    run->cpus += task->stage->cpu;
    run->memory += task->stage->mem;
    task->state = STATE_RUNNING;
    progress_start(&run->progress, task->stage->name);
    struct error error = {""};
    int rc = folder_prepare(run->plan, task, &w->folder, &error);
    plan_stamp_inputs(run->plan, task->stage, &w->stamps);
    if (rc == 0)
        rc = child_start(&w->child, &run->loop, task->stage->kind->name, w->folder,
                         task->stage->cpu, lock, &error);
    if (rc == 0)
        return;
    progress_stop(&run->progress, task->stage->name, NULL);
    progress_say(&run->progress, "ferdag: stage %s cannot start: %s", task->stage->name,
                 error.text);
    /* A disk that is full or a process table that is: the cache itself is in trouble. */
    cache_broke(run, rc, &error);
    drop_work(w);
    settle(run, task, STATE_NOT_RUN);
}

static int by_urgency(const void *a, const void *b, void *tasks)
{
    const struct stage *x = ((const struct task *)tasks)[*(const size_t *)a].stage;
    const struct stage *y = ((const struct task *)tasks)[*(const size_t *)b].stage;
    if (x->height != y->height)
        return x->height < y->height ? 1 : -1;
    if (x->work != y->work) /* large ones first, so that none is left for the end */
        return x->work < y->work ? 1 : -1;
    return x->place < y->place ? -1 : 1;
}

bool run_fits(const struct run *run, const struct stage *stage)
{
    if (!run->works && !trials_running(run, NULL))
        return true; /* alone, a stage may take more than there is */
    return run->cpus + stage->cpu <= run->options->jobs &&
           (stage->mem == 0 || run->memory + stage->mem <= run->memory_limit);
}

static bool may_start(const struct run *run, const struct task *task)
{
    return task->wanted && task->state == STATE_READY && !task->blocked &&
           (!run->options->only_report || task->stage->implicit);
}

void run_start_ready(struct run *run)
{
    size_t n = run->plan->experiment->stage_count, count;
    do { /* a result found by claim may make others ready */
        count = 0;
        bool room = trials_start(run);
        for (size_t i = 0; i < n && room && !run->stopping; i++)
            if (may_start(run, &run->plan->tasks[i]) &&
                !trials_running(run, run->plan->tasks[i].stage->kind))
                run->ready[count++] = i;
        qsort_r(run->ready, count, sizeof *run->ready, by_urgency, run->plan->tasks);
        size_t started = 0;
        for (size_t i = 0; i < count && !run->stopping; i++) {
            struct task *task = &run->plan->tasks[run->ready[i]];
            /* The most urgent that doesn't fit waits for room, and nothing passes it: else
             * small ones could keep it waiting for ever. */
            if (!run_fits(run, task->stage))
                break;
            if (task->state == STATE_READY) {
                start_task(run, task);
                started++;
            }
        }
        count = started;
    } while (count > 0);
    bool blocked = false;
    for (size_t i = 0; i < n && !run->stopping; i++)
        blocked |= run->plan->tasks[i].state == STATE_READY && run->plan->tasks[i].blocked;
    if (run->stopping)
        trials_tick(run);
    if (!run->works && !trials_running(run, NULL) && !blocked)
        uv_stop(&run->loop);
}

/* ---- the loop ---- */

static void stop_all(struct run *run, int signal)
{
    for (struct work *w = run->works; w; w = w->next)
        child_signal(&w->child, signal);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    (void)number;
    stop_all(run, run->interrupted ? SIGKILL : SIGTERM); /* the second time without mercy */
    run->interrupted = run->stopping = true;
    run->interrupted_at = progress_clock();
    progress_say(&run->progress, "ferdag: stopping; the next run goes on from here");
    run_start_ready(run);
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    if (run->interrupted_at > 0 && progress_clock() - run->interrupted_at > GRACE_SECONDS)
        stop_all(run, SIGKILL);
    for (struct work *w = run->works; w; w = w->next)
        child_tick(&w->child);
    trials_tick(run);
    bool retry = false;
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        struct task *task = &run->plan->tasks[i];
        if (task->state == STATE_READY && task->blocked && !run->stopping) {
            task->blocked =
                !run_fits(run, task->stage) || cache_locked(run->plan->cache, task->key);
            retry |= !task->blocked;
        }
    }
    if (retry)
        run_start_ready(run);
    if (run->stopping || run->options->only_report)
        run->progress.outlook[0] = 0;
    else
        forecast_look(run);
    progress_tick(&run->progress);
}

static void begin_loop(struct run *run)
{
    if (uv_loop_init(&run->loop) < 0)
        must(NULL);
    uv_timer_init(&run->loop, &run->tick);
    run->tick.data = run;
    uv_timer_start(&run->tick, on_tick, TICK_MS, TICK_MS);
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction hangup;
    bool nohup = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    for (size_t i = 0; i < 3; i++) {
        uv_signal_init(&run->loop, &run->signals[i]);
        run->signals[i].data = run;
        if (numbers[i] != SIGHUP || !nohup)
            uv_signal_start(&run->signals[i], on_signal, numbers[i]);
    }
}

static void end_loop(struct run *run)
{
    uv_close((uv_handle_t *)&run->tick, NULL);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&run->signals[i], NULL);
    while (uv_run(&run->loop, UV_RUN_DEFAULT) != 0)
        ; /* a uv_stop that came late ends the first turn early */
    uv_loop_close(&run->loop);
}

/* Cached stages' keys become the latest of this file. */
static void remember_cached(struct run *run)
{
    struct index *index = run->plan->cache->index;
    const char *file = run->plan->experiment->full;
    struct error error;
    bool begun = false;
    for (size_t i = 0; i < run->plan->experiment->stage_count && run->rc == 0; i++) {
        const struct task *task = &run->plan->tasks[i];
        char key[65] = "";
        if (task->state != STATE_CACHED)
            continue;
        int rc = index_latest(index, file, task->stage->name, key, &error);
        if (rc == 0 && strcmp(key, task->key) == 0)
            continue;
        if (rc == -ENOENT || rc == 0)
            rc = begun ? 0 : index_begin(index, &error);
        if (rc == 0) {
            begun = true;
            rc = index_set_latest(index, file, task->stage->name, task->key, &error);
        }
        if (rc < 0)
            cache_broke(run, rc, &error);
    }
    if (begun && index_end(index, &error) < 0)
        cache_broke(run, -EIO, &error);
}

/* Settles what can't come any more, so that reports may count it as missing. True if anything was.
 */
static bool give_up_waiting(struct run *run)
{
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        struct task *task = &run->plan->tasks[i];
        if (task->wanted && task->state == STATE_READY && run->options->only_report &&
            !task->stage->implicit) {
            settle(run, task, STATE_NOT_RUN);
            return true;
        }
    }
    return false;
}

static void finish(struct run *run, struct run_totals *totals)
{
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++)
        if (run->plan->tasks[i].wanted && !state_is_settled(run->plan->tasks[i].state))
            run->plan->tasks[i].state = STATE_NOT_RUN;
    recount(run);
    const struct progress *p = &run->progress;
    *totals = (struct run_totals){
        .stages = p->total,
        .cached = p->cached,
        .ran = p->ran,
        .failed = p->failed,
        .not_run = p->not_run,
        .seconds = progress_clock() - p->start,
        .interrupted = run->interrupted,
    };
}

/* What is to run has nowhere to put its results. */
static int refuse(struct run *run)
{
    size_t i = 0;
    while (!may_start(run, &run->plan->tasks[i]))
        i++;
    return error_set(
        run->err, EROFS,
        "the cache %s can't be written, and stage '%s' is to run; status, explain, show, "
        "log and run -n only read it",
        run->plan->cache->folder, run->plan->tasks[i].stage->name);
}

int run_plan(struct plan *plan, const struct run_options *options, struct run_totals *totals,
             struct error *err)
{
    struct run run = {.plan = plan, .options = options, .err = err};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    run.memory_limit = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    run.ready = must_alloc(plan->experiment->stage_count * sizeof *run.ready);
    progress_begin(&run.progress, 0);
    recount(&run);
    remember_cached(&run);
    begin_loop(&run);
    while (give_up_waiting(&run))
        ;
    bool any = false;
    for (size_t i = 0; i < plan->experiment->stage_count; i++)
        any |= may_start(&run, &plan->tasks[i]);
    if (any && run.rc == 0 && plan->cache->read_only)
        run.rc = refuse(&run);
    if (any && run.rc == 0) {
        run_start_ready(&run);
        if (run.works || !run.stopping)
            uv_run(&run.loop, UV_RUN_DEFAULT);
    }
    end_loop(&run);
    finish(&run, totals);
    progress_end(&run.progress);
    forecast_free(run.forecasts);
    trials_free(run.trials);
    free(run.ready);
    return run.rc;
}
