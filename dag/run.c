/* See run.h. One loop, no threads of our own: a task becomes ready when its last input is settled,
 * the ready task with the longest chain behind it starts when CPUs and memory suffice, and its end
 * settles it, which makes others ready. Storing outputs (hashing, syncing) is left to libuv's
 * workers. */
#define _GNU_SOURCE
#include "base/process.h"
#include "cache/work.h"
#include "dag/execution.h"
#include "dag/scheduler.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TICK_MS = 100, GRACE_SECONDS = 5 };

void run_cache_broke(struct run *run, int rc, const struct error *error)
{
    if (run->rc == 0) {
        run->rc = rc;
        *run->err = *error;
    }
    run->stopping = true;
    execution_signal(run, SIGTERM);
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

void run_settle(struct run *run, struct task *task, enum state state)
{
    struct error error = {""};
    int rc = plan_settle(run->plan, task, state, &error);
    if (rc < 0)
        run_cache_broke(run, rc, &error);
    recount(run);
}

void run_remember_latest(struct run *run, const struct task *task)
{
    struct error error;
    int rc = index_set_latest(run->plan->cache->index, run->plan->experiment->full,
                              task->stage->name, task->key, &error);
    if (rc < 0)
        run_cache_broke(run, rc, &error);
}

/* ---- the start of a stage ---- */

/* Stages that differ in name alone share a key: one runs, the others take its result. */
static bool runs_here(const struct run *run, const char *key)
{
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        const struct task *task = &run->plan->tasks[i];
        if (task->state == STATE_RUNNING && strcmp(task->key, key) == 0)
            return true;
    }
    return false;
}

/* Takes the key's lock, unless another run has the result meanwhile. 1: go on; 0: not now or not
 * needed. */
static int claim(struct run *run, struct task *task, int *lock)
{
    struct error error = {""};
    *lock = work_lock(run->plan->cache, task->key, &error);
    if (*lock == -EAGAIN) {
        if (!runs_here(run, task->key))
            progress_warn(&run->progress, "%s: waits for another run that is at it",
                          task->stage->name);
        task->blocked = true;
        return 0;
    }
    int rc = *lock;
    if (rc >= 0 && !task->forced) {
        rc = plan_find(run->plan, task, &error);
        if (rc == 0) {
            work_unlock(run->plan->cache, task->key, *lock);
            run_settle(run, task, STATE_CACHED);
            run_remember_latest(run, task);
            return 0;
        }
        if (rc == -ENOENT)
            return 1;
        work_unlock(run->plan->cache, task->key, *lock);
    }
    if (rc >= 0)
        return 1;
    run_cache_broke(run, rc, &error);
    return 0;
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
    if (!run->executions && !trials_running(run, NULL))
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
                int lock;
                if (claim(run, task, &lock))
                    execution_start(run, task, lock);
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
    if (!run->executions && !trials_running(run, NULL) && !blocked)
        uv_stop(&run->loop);
}

/* ---- the loop ---- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct run *run = handle->data;
    (void)number;
    execution_signal(run, run->interrupted ? SIGKILL : SIGTERM); /* the second time without mercy */
    run->interrupted = run->stopping = true;
    run->interrupted_at = progress_clock();
    progress_warn(&run->progress, "ferdag: stopping; the next run goes on from here");
    run_start_ready(run);
}

static bool is_ours(void *data, pid_t pid)
{
    struct run *run = data;
    return execution_owns(run, pid) || trials_own(run, pid);
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    process_kill_children(is_ours, run); /* what a killed stage left */
    if (run->interrupted_at > 0 && progress_clock() - run->interrupted_at > GRACE_SECONDS)
        execution_signal(run, SIGKILL);
    execution_tick(run);
    trials_tick(run);
    bool retry = false;
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        struct task *task = &run->plan->tasks[i];
        if (task->state == STATE_READY && task->blocked && !run->stopping) {
            task->blocked = !run_fits(run, task->stage) || work_locked(run->plan->cache, task->key);
            retry |= !task->blocked;
        }
    }
    if (retry)
        run_start_ready(run);
    if (run->stopping || run->options->only_report)
        run->progress.remaining = -1;
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
            run_cache_broke(run, rc, &error);
    }
    if (begun && index_end(index, &error) < 0)
        run_cache_broke(run, -EIO, &error);
}

/* Settles what can't come any more, so that reports may count it as missing. True if anything was.
 */
static bool give_up_waiting(struct run *run)
{
    for (size_t i = 0; i < run->plan->experiment->stage_count; i++) {
        struct task *task = &run->plan->tasks[i];
        if (task->wanted && task->state == STATE_READY && run->options->only_report &&
            !task->stage->implicit) {
            run_settle(run, task, STATE_NOT_RUN);
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

static void say_notice(void *data, const char *text)
{
    progress_warn(data, "ferdag: cache: %s", text);
}

int run_plan(struct plan *plan, const struct run_options *options, struct run_totals *totals,
             struct error *err)
{
    struct run run = {.plan = plan, .options = options, .err = err};
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    run.memory_limit = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX;
    run.ready = must_alloc(plan->experiment->stage_count * sizeof *run.ready);
    progress_begin(&run.progress, 0);
    plan->cache->data = &run.progress;
    plan->cache->notice = say_notice;
    plan->cache->verifying = NULL;
    recount(&run);
    remember_cached(&run);
    process_adopt_orphans();
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
        if (run.executions || !run.stopping)
            uv_run(&run.loop, UV_RUN_DEFAULT);
    }
    end_loop(&run);
    process_end_children(NULL, NULL);
    finish(&run, totals);
    progress_end(&run.progress);
    plan->cache->notice = NULL;
    forecast_free(run.forecasts);
    trials_free(run.trials);
    free(run.ready);
    return run.rc;
}
