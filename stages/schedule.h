/* The learning rate over a training. */
#ifndef FERDAG_STAGES_SCHEDULE_H
#define FERDAG_STAGES_SCHEDULE_H

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

#endif
