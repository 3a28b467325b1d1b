/* Inner products of rows in bf16, some queries with many training rows at a time. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_KNN_PRODUCTS_H
#define FERDAG_KERNELS_CLASSIFIERS_KNN_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DOTS_QUERIES = 12, DOTS_ROWS = 32 }; /* of one product */

/* Whether the CPU has instructions for it. */
bool dots_available(void);

/* Words that a packed group of queries, or of training rows, takes. */
size_t dots_query_words(size_t d);
size_t dots_row_words(size_t d);

/* Packs the first `count` rows of x (count, d), rounded to bf16 (to nearest, ties to even), for the
 * one or the other; those that are lacking in the group become 0. rest[i], if rest isn't NULL,
 * becomes the norm of what rounding took from row i, rounded up. */
void dots_pack_queries(const float *x, size_t count, size_t d, uint32_t *packed, float *rest);
void dots_pack_rows(const float *x, size_t count, size_t d, uint32_t *packed, float *rest);

/* out[q][r] = query q . row r of the bf16 values, accumulated in float32 in some order: off by at
 * most d 2^-23 |q| |r|. */
void dots_multiply(const uint32_t *queries, const uint32_t *rows, size_t d,
                   float out[DOTS_QUERIES][DOTS_ROWS]);

#endif
