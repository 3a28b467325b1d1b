/* What the parts of the scheduler share: run.c chooses what starts and holds the loop, trial.c runs
 * trials. */
#ifndef FERDAG_DAG_SCHEDULER_H
#define FERDAG_DAG_SCHEDULER_H

#include <uv.h>
#include "dag/forecast.h"
#include "dag/plan.h"
#include "dag/progress.h"
#include "dag/run.h"
#include "dag/trial.h"

struct run {
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t signals[3];
    struct plan *plan;
    const struct run_options *options;
    struct progress progress;
    struct forecast *forecasts;
    struct trial *trials;
    struct work *works; /* running stages, linked */
    int cpus;           /* in use */
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

/* Starts what may start now; ends the loop if there is nothing to wait for. To be called whenever
 * something has ended. */
void run_start_ready(struct run *run);

#endif
