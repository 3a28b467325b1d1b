/* See run.h. One loop on one thread: a task becomes ready when its last input is settled; the ready
 * task with the longest chain of stages after it starts as soon as the executor has CPUs, memory
 * and GPUs for it; its end settles it, which makes others ready. Outputs are hashed and synced in
 * the background. */
#define _GNU_SOURCE
#include "cache/attempts.h"
#include "dag/execution.h"
#include "dag/forecast.h"
#include "dag/scheduler.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 100, GRACE_SECONDS = 5, FORECAST_SECONDS = 1 };

/* What only this file needs of a run. */
struct run_loop {
    struct scheduler s;
    size_t *ready; /* places of ready tasks, scratch memory */
    struct forecast_stage *stages;
    struct forecast_news news;
    double next_tick, next_forecast; /* clocks */
    bool cancelling;                 /* running stages were cancelled */
};

/* ---- the start of a stage ---- */

/* Whether a stage with the same key runs in this run: stages that differ only in name share a key;
 * one runs, the others take its result. */
static bool runs_here(const struct scheduler *s, const char *key)
{
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++) {
        const struct task *task = &s->plan->tasks[i];
        if (task->state == STATE_RUNNING && strcmp(task->key, key) == 0)
            return true;
    }
    return false;
}

/* Locks the task's key and looks whether another run has computed its result meanwhile. Returns
 * true if the stage must run now: *lock is held. */
static bool claim(struct scheduler *s, struct task *task, int *lock)
{
    struct error error = {""};
    struct cache *cache = s->plan->cache;
    *lock = key_lock(cache, task->key, &error);
    if (*lock == -EAGAIN) {
        if (!runs_here(s, task->key))
            progress_warn(&s->progress, "%s: waiting: another run is computing this stage",
                          task->stage->name);
        task->blocked = true;
        return false;
    }
    int rc = *lock;
    if (rc >= 0 && !task->forced) {
        rc = plan_find(s->plan, task, &error);
        if (rc == -ENOENT)
            return true;
        key_unlock(cache, task->key, *lock);
        if (rc == 0) {
            scheduler_settle(s, task, STATE_CACHED);
            scheduler_set_latest(s, task);
            return false;
        }
    }
    if (rc >= 0)
        return true;
    scheduler_fail(s, rc, &error);
    return false;
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

/* Whether the executor has room for the stage beside those that run. Alone, a stage may take more
 * CPUs and memory than there is. */
static bool fits(const struct scheduler *s, const struct stage *stage)
{
    struct gpu_pool gpus = s->gpus; /* a copy, to try */
    struct job_gpus taken;
    if (!gpu_pool_take(&gpus, gpu_wanted(stage, s->plan->backend, gpus.count), &taken))
        return false;
    if (!s->executions)
        return true;
    return stage->cpu <= s->capacity.cpus - s->used.cpus &&
           (stage->mem == 0 || (s->used.memory <= s->capacity.memory &&
                                stage->mem <= s->capacity.memory - s->used.memory));
}

static bool may_start(const struct scheduler *s, const struct task *task)
{
    return task->wanted && task->state == STATE_READY && !task->blocked &&
           (!s->options->only_report || task->stage->implicit);
}

/* Starts the ready tasks that fit, the most urgent first. Returns how many were taken up. */
static size_t start_most_urgent(struct run_loop *run)
{
    struct scheduler *s = &run->s;
    size_t count = 0, taken = 0;
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++)
        if (may_start(s, &s->plan->tasks[i]))
            run->ready[count++] = i;
    qsort_r(run->ready, count, sizeof *run->ready, by_urgency, s->plan->tasks);
    for (size_t i = 0; i < count && !s->stopping; i++) {
        struct task *task = &s->plan->tasks[run->ready[i]];
        int lock;
        /* Nothing overtakes the most urgent one that doesn't fit, or small stages could delay it
         * without end. */
        if (!fits(s, task->stage))
            break;
        if (task->state != STATE_READY)
            continue;
        if (claim(s, task, &lock))
            execution_start(s, task, lock);
        taken++;
    }
    return taken;
}

static void start_ready(struct run_loop *run)
{
    run->s.changed = false;
    while (!run->s.stopping && start_most_urgent(run) > 0)
        ; /* a result that claim has found may make other tasks ready */
}

/* ---- the loop ---- */

/* Whether a task waits for another run that holds the lock on its key. */
static bool any_blocked(const struct scheduler *s)
{
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++)
        if (s->plan->tasks[i].state == STATE_READY && s->plan->tasks[i].blocked)
            return true;
    return false;
}

/* Looks whether locks that tasks wait for were released. */
static void unblock(struct scheduler *s)
{
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++) {
        struct task *task = &s->plan->tasks[i];
        if (task->state != STATE_READY || !task->blocked)
            continue;
        task->blocked = !fits(s, task->stage) || key_is_locked(s->plan->cache, task->key);
        s->changed |= !task->blocked;
    }
}

/* Cancels the running stages after a signal or a failure of the cache; the second signal, or some
 * seconds, end them for certain. */
static void cancel_running(struct run_loop *run)
{
    struct scheduler *s = &run->s;
    int signals = loop_take_signals(s->loop);
    if (signals > 0) {
        bool again = s->interrupted || signals > 1;
        s->interrupted = s->stopping = run->cancelling = true;
        s->cancelled = clock_monotonic();
        execution_cancel_all(s, again);
        progress_warn(&s->progress, "ferdag: interrupted; the same command continues the run");
    }
    if (s->cancelled > 0 && !run->cancelling) {
        run->cancelling = true;
        execution_cancel_all(s, false);
    }
    if (s->cancelled > 0 && clock_monotonic() - s->cancelled > GRACE_SECONDS)
        execution_cancel_all(s, true);
}

static struct forecast_stage describe_stage(struct scheduler *s, const struct task *task,
                                            double now)
{
    bool pending = task->wanted && !state_is_settled(task->state) &&
                   (!s->options->only_report || task->stage->implicit);
    struct forecast_stage f = {
        .stage = task->stage,
        .on_gpus =
            gpu_pool_stages(&s->gpus, gpu_wanted(task->stage, s->plan->backend, s->gpus.count)),
        .pending = pending,
        .running = task->state == STATE_RUNNING,
        .expected = pending ? estimates_seconds(s->estimates, task) : -1,
    };
    const struct activity *a = f.running ? progress_find(&s->progress, task->stage->name) : NULL;
    if (a)
        f.elapsed = now - a->since;
    if (a && a->total > 0) {
        f.reported = true;
        f.done = fmin(fmax(a->done / a->total, 0), 1);
        f.gained = (a->done - a->first) / a->total;
        f.in = a->last_reported - a->first_reported;
    }
    return f;
}

/* Estimates the time to go. The screen always shows it; a pipe gets a line when it changes much. */
static void update_forecast(struct run_loop *run, double now)
{
    struct scheduler *s = &run->s;
    size_t count = s->plan->experiment->stage_count;
    char line[256];
    for (size_t i = 0; i < count; i++)
        run->stages[i] = describe_stage(s, &s->plan->tasks[i], now);
    struct forecast f = forecast_make(run->stages, count, s->capacity.cpus, s->capacity.memory);
    s->progress.remaining = s->stopping ? -1 : f.seconds;
    if (!s->stopping && !s->progress.terminal &&
        forecast_line(&f, s->capacity.cpus, now, &run->news, line, sizeof line))
        progress_print(&s->progress, "%s", line);
}

static void tick(struct run_loop *run, double now)
{
    struct scheduler *s = &run->s;
    s->executor.type->poll(&s->executor);
    unblock(s);
    if (now >= run->next_forecast) {
        run->next_forecast = now + FORECAST_SECONDS;
        update_forecast(run, now);
    }
    s->progress.stopping = s->stopping;
    progress_tick(&s->progress);
}

static void run_stages(struct run_loop *run)
{
    struct scheduler *s = &run->s;
    s->changed = true;
    for (;;) {
        if (s->changed)
            start_ready(run);
        if (!s->executions && (s->stopping || !any_blocked(s)))
            return;
        double now = clock_monotonic();
        if (now >= run->next_tick) {
            run->next_tick = now + 1e-3 * TICK_MS;
            tick(run, now);
        }
        loop_wait(s->loop, (int)fmax(0, ceil(1e3 * (run->next_tick - clock_monotonic()))));
        cancel_running(run);
    }
}

/* ---- a run ---- */

/* Makes the keys of cached stages the latest ones of the experiment. */
static void remember_cached(struct scheduler *s)
{
    struct index *index = s->plan->cache->index;
    const char *file = s->plan->experiment->full;
    struct error error;
    bool begun = false;
    for (size_t i = 0; i < s->plan->experiment->stage_count && s->rc == 0; i++) {
        const struct task *task = &s->plan->tasks[i];
        char key[65] = "";
        if (task->state != STATE_CACHED)
            continue;
        int rc = index_latest(index, file, task->stage->name, key, &error);
        if (rc == 0 && strcmp(key, task->key) == 0)
            continue;
        if (rc == -ENOENT || rc == 0)
            rc = begun ? 0 : index_begin_transaction(index, &error);
        if (rc == 0) {
            begun = true;
            rc = index_set_latest(index, file, task->stage->name, task->key, &error);
        }
        if (rc < 0)
            scheduler_fail(s, rc, &error);
    }
    if (begun && index_end_transaction(index, &error) < 0)
        scheduler_fail(s, -EIO, &error);
}

/* Whether only a run of its stage could settle the task, or nothing: in a lenient plan, a stage
 * whose external input can't be read stays waiting. */
static bool is_stuck(const struct scheduler *s, const struct task *task)
{
    return task->state == STATE_READY ||
           (task->state == STATE_WAITING && plan_obstacle(s->plan, task->stage));
}

/* `report` and `verify` run only stages that the program adds. Settles one of the others that have
 * no result, so that reports count its results as missing. Returns false if there is none. */
static bool give_up_one(struct scheduler *s)
{
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++) {
        struct task *task = &s->plan->tasks[i];
        if (task->wanted && s->options->only_report && !task->stage->implicit &&
            is_stuck(s, task)) {
            scheduler_settle(s, task, STATE_NOT_RUN);
            return true;
        }
    }
    return false;
}

static void count_totals(struct scheduler *s, struct run_totals *totals)
{
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++)
        if (s->plan->tasks[i].wanted && !state_is_settled(s->plan->tasks[i].state))
            s->plan->tasks[i].state = STATE_NOT_RUN;
    scheduler_count(s);
    const struct progress *p = &s->progress;
    *totals = (struct run_totals){
        .stages = p->total,
        .cached = p->cached,
        .ran = p->ran,
        .failed = p->failed,
        .not_run = p->not_run,
        .seconds = clock_monotonic() - p->start,
        .interrupted = s->interrupted,
    };
}

static int refuse_read_only(struct scheduler *s, const struct task *task)
{
    return error_set(s->err, EROFS,
                     "the cache %s can't be written, and stage '%s' is to run; status, explain, "
                     "show, log and run -n only read it",
                     s->plan->cache->folder, task->stage->name);
}

static const struct task *first_to_start(const struct scheduler *s)
{
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++)
        if (may_start(s, &s->plan->tasks[i]))
            return &s->plan->tasks[i];
    return NULL;
}

static void print_notice(void *data, const char *text)
{
    progress_warn(data, "ferdag: cache: %s", text);
}

/* A stage that needs more GPUs than the executor has would never start. */
static int check_gpus(struct scheduler *s)
{
    for (size_t i = 0; i < s->plan->experiment->stage_count; i++) {
        const struct task *task = &s->plan->tasks[i];
        struct gpu_pool empty = {.count = s->gpus.count};
        struct job_gpus taken;
        int wanted = gpu_wanted(task->stage, s->plan->backend, empty.count);
        if (task->wanted && !state_is_settled(task->state) && !s->options->only_report &&
            !gpu_pool_take(&empty, wanted, &taken))
            return error_set(s->err, EINVAL, "stage '%s' needs %.10g GPUs, and %s has %d",
                             task->stage->name, (double)wanted / GPU_WHOLE, s->executor.type->name,
                             empty.count);
    }
    return 0;
}

static int open_executor(struct scheduler *s)
{
    s->loop = loop_create();
    const struct executor_type *type = s->options->executor ? s->options->executor : executors[0];
    s->executor = (struct executor){.type = type, .loop = s->loop};
    int rc = s->executor.type->open(&s->executor, s->err);
    if (rc < 0)
        return rc;
    s->capacity = s->executor.type->capacity(&s->executor);
    if (s->options->jobs > 0)
        s->capacity.cpus = s->options->jobs;
    s->gpus.count = s->capacity.gpus;
    return 0;
}

static void run_all(struct run_loop *run)
{
    struct scheduler *s = &run->s;
    scheduler_count(s);
    remember_cached(s);
    while (give_up_one(s))
        ;
    const struct task *first = first_to_start(s);
    if (first && s->rc == 0 && s->plan->cache->read_only)
        s->rc = refuse_read_only(s, first);
    if (first && s->rc == 0)
        s->rc = check_gpus(s);
    if (first && s->rc == 0)
        run_stages(run);
}

int run_plan(struct plan *plan, const struct run_options *options, struct run_totals *totals,
             struct error *err)
{
    size_t count = plan->experiment->stage_count;
    struct run_loop run = {.s = {.plan = plan, .options = options, .err = err}};
    struct scheduler *s = &run.s;
    progress_begin(&s->progress, 0);
    s->progress.remaining = -1;
    plan->cache->data = &s->progress;
    plan->cache->notice = print_notice;
    plan->cache->verifying = NULL;
    s->estimates = estimates_create(plan);
    run.ready = must_alloc((count + 1) * sizeof *run.ready);
    run.stages = must_alloc((count + 1) * sizeof *run.stages);
    s->rc = open_executor(s);
    if (s->rc == 0) {
        run_all(&run);
        s->executor.type->close(&s->executor);
    }
    loop_free(s->loop);
    count_totals(s, totals);
    progress_end(&s->progress);
    plan->cache->notice = NULL;
    estimates_free(s->estimates);
    free(run.stages);
    free(run.ready);
    return s->rc;
}
