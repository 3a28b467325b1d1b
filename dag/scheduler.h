/* What the parts of the scheduler share: run.c chooses what starts and owns the loop, execution.c
 * runs one stage from its folder to its result. */
#ifndef FERDAG_DAG_SCHEDULER_H
#define FERDAG_DAG_SCHEDULER_H

#include <uv.h>
#include "dag/forecast.h"
#include "dag/plan.h"
#include "dag/progress.h"
#include "dag/run.h"

struct run {
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t signals[3];
    struct plan *plan;
    const struct run_options *options;
    struct progress progress;
    struct forecast *forecasts;
    struct execution *executions; /* running stages, linked */
    int cpus;                     /* in use */
    uint64_t memory, memory_limit;
    bool stopping; /* start nothing more */
    bool interrupted;
    double interrupted_at;
    size_t *ready; /* scratch for choosing */
    int rc;        /* the cache failed */
    struct error *err;
};

/* Whether a stage that may take so much would fit beside what runs now. */
bool run_fits(const struct run *run, const struct stage *stage);

/* Ends the run: the cache failed with rc and *error. */
void run_cache_broke(struct run *run, int rc, const struct error *error);

/* Settles a task in that state, and all that hangs on it. */
void run_settle(struct run *run, struct task *task, enum state state);

/* Makes the task's key the last one of its stage in this experiment. */
void run_remember_latest(struct run *run, const struct task *task);

/* Starts what may start now; ends the loop if there is nothing to wait for. To be called whenever
 * something has ended. */
void run_start_ready(struct run *run);

#endif
