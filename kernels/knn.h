/* k nearest neighbours by brute force: distances by matrix products, the nearest few again in
 * double. */
#ifndef FERDAG_KERNELS_KNN_H
#define FERDAG_KERNELS_KNN_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct knn {
    size_t n, d, k;        /* k in 1 .. n */
    const float *x;        /* (n, d) training rows, borrowed */
    const uint8_t *labels; /* (n), borrowed */
    double *norms;         /* (n) squared norms, owned */
    int threads;
};

/* Keeps x and labels, which must outlive it, and computes the norms. -ENOMEM. knn_free frees. */
int knn_start(struct knn *knn, const float *x, const uint8_t *labels, size_t n, size_t d, size_t k,
              int threads, struct error *err);
void knn_free(struct knn *knn);

/* Class of each of m queries (m, d): Euclidean distance, majority of the k nearest, ties to the
 * tied class whose nearest member is nearest; of rows at the same distance the earlier counts as
 * nearer. float32 products choose the k + 8 nearest, which are then ordered by distances in double.
 * -ENOMEM. */
int knn_predict(const struct knn *knn, const float *queries, size_t m, uint8_t *out,
                struct error *err);

#endif
