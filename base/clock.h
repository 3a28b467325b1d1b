/* Times of the clock. */
#ifndef FERDAG_BASE_CLOCK_H
#define FERDAG_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Seconds since 1970. */
double clock_now(void);

/* Nanoseconds since 1970. */
int64_t clock_ns(const struct timespec *t);

#endif
