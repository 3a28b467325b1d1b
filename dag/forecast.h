/* How long a run will still take, by the kinds that say how much work their stages are.
 *
 * Beforehand, trials tell how many seconds each stage will take (trial.h). Then running stages say
 * how far they are, and so by how much the trials were wrong; of a kind without trials, how many
 * seconds one of its work takes. Stages of kinds that say nothing of work aren't counted: what is
 * shown names the kind. */
#ifndef FERDAG_DAG_FORECAST_H
#define FERDAG_DAG_FORECAST_H

#include "dag/plan.h"
#include "dag/progress.h"

struct run;

/* A stage that has not finished. */
struct forecast_stage {
    double work;    /* in seconds by the trials, or in the kind's unit */
    double done;    /* share of it, 0 to 1 */
    double gained;  /* share that was done while we watched */
    double seconds; /* in so long */
    int lanes;      /* how many like it can run at once; at least 1 */
};

/* Seconds until the last of them is done, or -1 if none was watched long enough. A watched one goes
 * on at its own speed, the others at the mean speed: *speed, in seconds for one of work, which is
 * kept for a time when none is watched (0 at the start). */
double forecast_seconds(const struct forecast_stage *stages, size_t count, double *speed);

/* "about 21 days", "about 2 h 10 min" */
const char *forecast_words(double seconds, char *text, size_t size);

/* What was last said of a kind's time to go, and when. */
struct forecast_said {
    double seconds, clock; /* clock 0: nothing yet */
};

/* Whether `seconds` to go, at `clock`, is worth a line: a first word on more than some minutes, or
 * one that differs a lot from what is left of the last. */
bool forecast_is_news(const struct forecast_said *said, double seconds, double clock);

/* One kind's. */
struct forecast {
    const struct kind *kind;
    double speed;
    struct forecast_said said;
    struct forecast *next;
};

/* Looks at all that runs and waits, puts the time to go into run->progress.remaining, and says what
 * is news, but nothing of a kind whose trials aren't over. run->forecasts starts as NULL. */
void forecast_look(struct run *run);
void forecast_free(struct forecast *forecasts);

#endif
