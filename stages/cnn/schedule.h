/* The learning rate over a training. */
#ifndef FERDAG_STAGES_CNN_SCHEDULE_H
#define FERDAG_STAGES_CNN_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>

enum schedule_form { SCHEDULE_STEP, SCHEDULE_COSINE };

struct schedule {
    enum schedule_form form;
    double lr;           /* the highest */
    int epochs;          /* of the whole training */
    int warmup;          /* epochs over which the rate rises linearly from 0 */
    double decay_factor; /* step: times this ... */
    int decay_every;     /* ... every so many epochs ... */
    int decay_start;     /* ... from this many epochs on: the first cut comes at start + every */
};

/* The rate when `done` epochs (with a fraction: 1.5 is half way through the second) are behind.
 * step: constant within an epoch, as the public PyTorch code that the paper's numbers match;
 * cosine: lr * (1 + cos(pi * t)) / 2, t from 0 after the warm-up to 1 at the end (Loshchilov and
 * Hutter 2017, without restarts). */
double schedule_rate(const struct schedule *s, double done);

/* The rate of a step of an epoch that has so many, all counted from 0: that at the step's middle,
 * so that a warm-up's first one isn't 0. */
double schedule_step_rate(const struct schedule *s, int epoch, size_t step, size_t steps);

/* Whether the first `epochs` epochs have the same rates in both, bit by bit. */
bool schedule_same_start(const struct schedule *a, const struct schedule *b, int epochs,
                         size_t steps);

#endif
