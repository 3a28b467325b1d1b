/* k nearest neighbours by brute force, exactly: products in bf16 or float32 with a bound of their
 * error choose the rows that may be among the nearest, and their distances are computed in double.
 */
#ifndef FERDAG_KERNELS_CLASSIFIERS_KNN_H
#define FERDAG_KERNELS_CLASSIFIERS_KNN_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct knn {
    size_t n, d, k;        /* k in 1 .. n */
    const float *x;        /* (n, d) training rows, borrowed */
    const uint8_t *labels; /* (n), borrowed */
    float *square;         /* (n) squared norms */
    float *norm;           /* (n) norms, rounded up */
    float *rest;           /* (n) norms of what bf16 leaves out; 0 without */
    uint32_t *packed;      /* rows in bf16 for knn_products.h; NULL: products in float32 */
    int threads;
};

/* Keeps x and labels, which must outlive it; values must be finite and at most 1e15. Takes 2 n d
 * bytes where the CPU has bf16 instructions. -ENOMEM. knn_free frees, also after an error. */
int knn_start(struct knn *knn, const float *x, const uint8_t *labels, size_t n, size_t d, size_t k,
              int threads, struct error *err);
void knn_free(struct knn *knn);

/* Class of each of m queries (m, d): Euclidean distance, majority of the k nearest, ties to the
 * tied class whose nearest member is nearest; of rows at the same distance the earlier counts as
 * nearer. Distances that decide are sums in double; whatever chooses the rows for which they are
 * computed can't leave one of the k nearest out, so the classes are the same on any CPU. -ENOMEM.
 */
int knn_predict(const struct knn *knn, const float *queries, size_t m, uint8_t *out,
                struct error *err);

#endif
