/* Runs what a plan says must run: the scheduler. */
#ifndef FERDAG_DAG_RUN_H
#define FERDAG_DAG_RUN_H

#include "dag/plan.h"

struct run_options {
    int jobs;         /* CPUs to use at once; 0: all that the executor has */
    const char *same; /* options that commands on this run need: "" or " --set a=1" */
    bool keep_going;  /* after a failure go on with all that doesn't need it */
    bool only_report; /* run `tables` and `report` alone, with what is cached */
};

struct run_totals {
    size_t stages, cached, ran, failed, not_run;
    double seconds;
    bool interrupted;
};

/* The plan must be started. Returns a negative code only if the cache itself fails; stages that
 * fail are in the totals. */
int run_plan(struct plan *plan, const struct run_options *options, struct run_totals *totals,
             struct error *err);

#endif
