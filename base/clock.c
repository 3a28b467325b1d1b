/* See clock.h. */
#include "base/clock.h"

#include <math.h>
#include <stdio.h>

static const double REPORT_SECONDS = 0.3;

double clock_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t clock_ns(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

double clock_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool clock_report_due(double *last)
{
    double now = clock_monotonic();
    if (now - *last < REPORT_SECONDS)
        return false;
    *last = now;
    return true;
}

const char *duration_text(double seconds, char *text, size_t size)
{
    long s = lround(seconds);
    if (seconds < 10)
        snprintf(text, size, "%.1f s", seconds);
    else if (s < 60)
        snprintf(text, size, "%ld s", s);
    else if (s < 3600)
        snprintf(text, size, "%ld min %02ld s", s / 60, s % 60);
    else if (s < 48 * 3600)
        snprintf(text, size, "%ld h %02ld min", s / 3600, s / 60 % 60);
    else
        snprintf(text, size, "%ld d %02ld h", s / 86400, s / 3600 % 24);
    return text;
}
