/* Sorting 64-bit keys by their upper halves. */
#ifndef FERDAG_KERNELS_MATH_SORT_H
#define FERDAG_KERNELS_MATH_SORT_H

#include <stddef.h>
#include <stdint.h>

/* Sorts n keys by their upper 32 bits, ascending and stable. spare has n elements too. The result
 * is in keys or in spare; returns which. */
uint64_t *sort_by_high_half(uint64_t *keys, uint64_t *spare, size_t n);

#endif
