/* Columns of numbers as 16-bit codes in the same order: what a tree looks for splits in. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_TREES_CODES_H
#define FERDAG_KERNELS_CLASSIFIERS_TREES_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct codes {
    size_t n, d;
    uint16_t *code; /* (d, n): one column after the other */
    bool *exact;    /* (d): equal codes mean equal values */
};

/* Codes of x (n, d), finite: a value's rank among the column's different values, as long as there
 * are at most 65,536 of those (equal values have equal codes, and -0 is 0); else that rank divided
 * so that it fits, and the column isn't exact. n below 2^32. -ENOMEM; codes_free also after an
 * error. */
int codes_make(struct codes *codes, const float *x, size_t n, size_t d, int threads,
               struct error *err);
void codes_free(struct codes *codes);

/* An unsigned integer that orders as the float does; -0 counts as 0. */
uint32_t codes_order(float value);

#endif
