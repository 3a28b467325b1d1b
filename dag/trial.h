/* Trials: how long stages will take, measured before the first of them starts.
 *
 * When the first stages of a kind with a trial are ready, one of each pace (see struct stage) is
 * tried out for some seconds. Stages that aren't ready take the answer for their pace, and paces
 * that weren't tried are reckoned by `work`. What an earlier run has done of a stage they don't
 * know: then the stage itself must be heard before its kind's time is told. Trials count as stages
 * do for -j, CPUs and memory, but leave no trace: one that fails says nothing, as the stage itself
 * will tell. */
#ifndef FERDAG_DAG_TRIAL_H
#define FERDAG_DAG_TRIAL_H

#include "dag/executors/local.h"
#include "dag/plan.h"

struct run;

/* One pace of a kind that is being tried or was. */
struct trial {
    struct trial *next;
    struct run *run;
    const struct stage *stage; /* the one that was chosen */
    double seconds;            /* what the whole stage will take; 0: not known (yet) */
    double started;            /* clock */
    bool begun;                /* some stage of the kind won't start from its beginning */
    bool running;
    char *name;   /* malloc'd: what is shown while it runs */
    char *folder; /* malloc'd */
    struct child child;
};

/* Starts those that are due and fit. False if one has to wait for room: then nothing else should
 * start. */
bool trials_start(struct run *run);

/* Whether a trial of the kind is running: then its stages wait. NULL: of any kind. */
bool trials_running(const struct run *run, const struct kind *kind);

/* Whether more of the kind are to come. */
bool trials_due(const struct run *run, const struct kind *kind);

/* Whether that process is a trial's. */
bool trials_own(const struct run *run, pid_t pid);

/* Call some times a second, and when the run is stopped, as that ends them. */
void trials_tick(struct run *run);

/* What the stage will take by the trials so far, in seconds, or -1 if they don't tell. */
double trials_seconds(const struct trial *trials, const struct stage *stage);

/* Whether stages of the kind were found begun when it was tried. */
bool trials_begun(const struct trial *trials, const struct kind *kind);

void trials_free(struct trial *trials);

#endif
