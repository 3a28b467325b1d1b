/* See activity.h. */
#include "dag/activity.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>

/* Seconds to go, or -1 if that is not known or all is done. From what was done since the first
 * report: what an interrupted run had done took no time in this one. */
static double time_left(const struct activity *a, double now)
{
    double done = a->done - a->first, left = a->total - a->done;
    if (!(done > 0) || !(a->total > 0) || !(left > 0))
        return -1;
    return fmax((a->last_reported - a->first_reported) / done * left - (now - a->last_reported), 0);
}

static int decimals(double x)
{
    return x == floor(x) ? 0 : 1;
}

void activity_text(const struct activity *a, double now, const char *separator,
                   enum activity_form form, char *text, size_t size)
{
    char counts[96] = "", rate[64] = "", left[48] = "", time[32];
    double seconds = time_left(a, now);
    size_t used = 0;
    if (a->total > 0)
        snprintf(counts, sizeof counts, "%s%s%.*f/%.*f", a->unit, *a->unit ? " " : "",
                 decimals(a->done), a->done, decimals(a->total), a->total);
    if (a->rate > 0)
        snprintf(rate, sizeof rate, "%.*f %s", a->rate < 10 ? 2 : 0, a->rate, a->rate_unit);
    if (seconds >= 0 && seconds < 10) /* an estimate: without tenths */
        snprintf(left, sizeof left, "%.0f s left", ceil(seconds));
    else if (seconds >= 0)
        snprintf(left, sizeof left, "%s left", duration_text(seconds, time, sizeof time));
    const char *const facts[][4] = {
        [ACTIVITY_PLAIN] = {counts, rate, left, a->note},
        [ACTIVITY_WIDE] = {counts, left, a->note, rate},
        [ACTIVITY_NARROW] = {left, a->note, "", ""},
    };
    text[0] = 0;
    for (size_t i = 0; i < 4 && used < size; i++)
        if (*facts[form][i])
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? separator : "",
                                     facts[form][i]);
}
