/* Dot products of rows in bf16 with AVX-512 instructions: of DOTS_QUERIES queries with DOTS_ROWS
 * training rows at a time. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_KNN_PRODUCTS_H
#define FERDAG_KERNELS_CLASSIFIERS_KNN_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DOTS_QUERIES = 12, DOTS_ROWS = 32 };

/* Whether the CPU has the instructions of dots_multiply. */
bool dots_available(void);

/* Sizes in words of a packed group of queries and of training rows. */
size_t dots_query_words(size_t d);
size_t dots_row_words(size_t d);

/* Packs x (count, d) as a group of queries or of training rows, rounded to bf16 (to nearest, ties
 * to even); missing rows of the group become 0. rest (count), unless NULL: the norms of the
 * rounding errors of the rows, rounded up. */
void dots_pack_queries(const float *x, size_t count, size_t d, uint32_t *packed, float *rest);
void dots_pack_rows(const float *x, size_t count, size_t d, uint32_t *packed, float *rest);

/* out[q][r] = query q . row r, of the bf16 values. Sums are in float32 in any order: the error is
 * at most d 2^-23 |q| |r|. */
void dots_multiply(const uint32_t *queries, const uint32_t *rows, size_t d,
                   float out[DOTS_QUERIES][DOTS_ROWS]);

#endif
