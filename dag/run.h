/* The scheduler: runs the stages of a plan that have no result. */
#ifndef FERDAG_DAG_RUN_H
#define FERDAG_DAG_RUN_H

#include "dag/plan.h"

struct executor_type;

struct run_options {
    int jobs;         /* CPUs to use at once; 0: all that the executor has */
    const char *same; /* options to repeat in commands that messages suggest: "" or " --set a=1" */
    bool keep_going;  /* after a failure, run all stages that don't depend on it */
    bool only_report; /* run only `tables` and `report`, if wanted, with the results that are
                       cached. The plan may be lenient */
    const struct executor_type *executor; /* where stages run; NULL: the default */
};

struct run_totals {
    size_t stages, cached, ran, failed, not_run;
    double seconds;
    bool interrupted;
};

/* The plan must be started. Returns a negative code if the cache or the executor fails; failed
 * stages are in the totals. */
int run_plan(struct plan *plan, const struct run_options *options, struct run_totals *totals,
             struct error *err);

#endif
