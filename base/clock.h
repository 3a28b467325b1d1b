/* Clocks and durations. */
#ifndef FERDAG_BASE_CLOCK_H
#define FERDAG_BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Seconds since 1970. */
double clock_now(void);

/* Nanoseconds since 1970. */
int64_t clock_ns(const struct timespec *t);

/* Seconds of a clock that is never set back; its zero has no meaning. */
double clock_monotonic(void);

/* Limits how often progress is reported: if 0.3 s have passed since *last, a time of
 * clock_monotonic, sets *last to now and returns true. */
bool clock_report_due(double *last);

/* Writes a duration into text and returns it: "4.1 s", "41 s", "2 min 03 s", "1 h 05 min",
 * "16 d 02 h". */
const char *duration_text(double seconds, char *text, size_t size);

#endif
