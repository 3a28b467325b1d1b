/* "Did you mean ...?": the name among several that is nearest to a mistyped one. */
#ifndef FERDAG_BASE_NEAREST_H
#define FERDAG_BASE_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *wrong; /* what was typed */
    const char *best;  /* nearest candidate so far, NULL if none is near */
    size_t distance;
    char hint[160];
};

/* Offers a candidate. Near is at most a third of the letters changed, left out, added or swapped.
 */
void nearest_offer(struct nearest *nearest, const char *candidate);

/* " (did you mean 'x'?)", or "" if nothing was near; lives in nearest. */
const char *nearest_hint(struct nearest *nearest);

#endif
