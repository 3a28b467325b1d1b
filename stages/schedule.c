/* See schedule.h. */
#include "stages/schedule.h"

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
