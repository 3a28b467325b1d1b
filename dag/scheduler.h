/* The state of a run, which run.c and execution.c share. run.c chooses what starts, execution.c
 * runs one stage from its folder to its result; both call the functions below, which call neither.
 */
#ifndef FERDAG_DAG_SCHEDULER_H
#define FERDAG_DAG_SCHEDULER_H

#include "dag/estimate.h"
#include "dag/executors/executor.h"
#include "dag/gpu_pool.h"
#include "dag/plan.h"
#include "dag/progress.h"
#include "dag/run.h"

struct scheduler {
    struct plan *plan;
    const struct run_options *options;
    struct loop *loop;
    struct executor executor;
    struct capacity capacity, used; /* used: CPUs and memory */
    struct gpu_pool gpus;
    struct execution *executions; /* running stages, linked */
    struct progress progress;
    struct estimates *estimates;
    bool changed;     /* a stage has ended since run.c last chose what starts */
    bool stopping;    /* no more stages start */
    bool interrupted; /* by a signal */
    double cancelled; /* clock when running stages were to be cancelled, or 0 */
    int rc;           /* negative: the cache failed; *err has the reason */
    struct error *err;
};

/* Ends the run because the cache failed with rc and *error: no more stages start, and those that
 * run are cancelled. The first call decides the error of the run. */
void scheduler_fail(struct scheduler *s, int rc, const struct error *error);

/* Settles a task in that state, and all that depends on it alone. */
void scheduler_settle(struct scheduler *s, struct task *task, enum state state);

/* Makes the task's key the latest one of its stage in this experiment. */
void scheduler_set_latest(struct scheduler *s, const struct task *task);

/* Counts the tasks by their states, for the progress that is shown. */
void scheduler_count(struct scheduler *s);

#endif
