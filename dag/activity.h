/* The last report of a running stage, and its text on a line. */
#ifndef FERDAG_DAG_ACTIVITY_H
#define FERDAG_DAG_ACTIVITY_H

#include <stddef.h>

struct activity {
    const char *stage;
    double since;       /* clock when it started */
    double done, total; /* of `unit`s; total 0: not known */
    char unit[24], rate_unit[24], note[240];
    double rate;
    double first; /* `done` in its first report: an interrupted run may have done it */
    double first_reported, last_reported; /* clock of its first and last report */
    double printed;                       /* clock when one was last printed as a plain line */
};

/* The facts on a line, the most important first where the end may be cut. */
enum activity_form {
    ACTIVITY_PLAIN, /* "epoch 3/10 · 210 images/s · 41 s left · loss 0.3" */
    ACTIVITY_WIDE,  /* "epoch 3/10 · 41 s left · loss 0.3 · 210 images/s" */
    ACTIVITY_NARROW /* "41 s left · loss 0.3" */
};

/* Writes the facts that the stage reported on one line, with `separator` between them; "" if there
 * are none. `now` is a time of clock_monotonic. */
void activity_text(const struct activity *activity, double now, const char *separator,
                   enum activity_form form, char *text, size_t size);

#endif
