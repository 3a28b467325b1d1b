/* See schedule.h. */
#include "stages/cnn/schedule.h"

#include <math.h>

double schedule_rate(const struct schedule *s, double done)
{
    if (done < s->warmup)
        return s->lr * done / s->warmup;
    if (s->form == SCHEDULE_COSINE) {
        double t = (done - s->warmup) / fmax(1e-9, s->epochs - s->warmup);
        return s->lr * .5 * (1 + cos(M_PI * fmin(1, t)));
    }
    double whole = floor(done);
    if (whole <= s->decay_start)
        return s->lr;
    return s->lr * pow(s->decay_factor, floor((whole - s->decay_start) / s->decay_every));
}

double schedule_step_rate(const struct schedule *s, int epoch, size_t step, size_t steps)
{
    return schedule_rate(s, epoch + ((double)step + .5) / (double)steps);
}

bool schedule_same_start(const struct schedule *a, const struct schedule *b, int epochs,
                         size_t steps)
{
    for (int epoch = 0; epoch < epochs; epoch++) {
        if (schedule_rate(a, epoch) != schedule_rate(b, epoch))
            return false;
        for (size_t step = 0; step < steps; step++)
            if (schedule_step_rate(a, epoch, step, steps) !=
                schedule_step_rate(b, epoch, step, steps))
                return false;
    }
    return true;
}
