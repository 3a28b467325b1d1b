/* Finds the name that was probably meant by a misspelt one, for "did you mean 'x'?". */
#ifndef FERDAG_BASE_NEAREST_H
#define FERDAG_BASE_NEAREST_H

#include <stddef.h>

struct nearest {
    const char *wrong; /* what was typed */
    const char *best;  /* nearest candidate so far; NULL: none is near. Borrowed */
    size_t distance;   /* of best */
    char hint[160];
};

/* Compares one candidate. It is near if at most a third of the letters were changed, omitted, added
 * or swapped with their neighbour; case does not count. */
void nearest_offer(struct nearest *nearest, const char *candidate);

/* " (did you mean 'x'?)", or "" if no candidate was near; valid as long as `nearest`. */
const char *nearest_hint(struct nearest *nearest);

#endif
