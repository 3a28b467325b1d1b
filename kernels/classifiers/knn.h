/* k nearest neighbours, exact, by brute force. Dot products in bf16 or float32, with a bound of
 * their error, select the rows that may be among the nearest; the distances of these are computed
 * in double. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_KNN_H
#define FERDAG_KERNELS_CLASSIFIERS_KNN_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "kernels/math/products.h"

struct knn {
    size_t n, d, k;            /* k in 1 .. n */
    const float *x;            /* (n, d): training rows, borrowed */
    const uint8_t *labels;     /* (n), borrowed */
    float *square;             /* (n): squared norms */
    float *norm;               /* (n): norms, rounded up */
    float *rest;               /* (n): norms of the rounding errors of bf16; 0 with float32 */
    uint32_t *packed;          /* rows in bf16 for knn_products.h; NULL: products in float32 */
    struct products *products; /* computes products with the rows on a GPU; NULL: the CPU does */
    int threads;
};

/* Prepares predictions from x and labels, which must outlive knn; absolute values of x are at most
 * 1e15. Takes 2 n d bytes if the CPU has bf16 instructions. -ENOMEM; -EINVAL if k > n. knn_free
 * frees, also after an error. */
int knn_start(struct knn *knn, const float *x, const uint8_t *labels, size_t n, size_t d, size_t k,
              int threads, struct error *err);
void knn_free(struct knn *knn);

/* As knn_start. Products of queries with training rows are computed where `backend` says
 * (products.h), in float32 on a GPU; the classes are the same. Also an error of products_open. */
int knn_start_on(struct knn *knn, const char *backend, const float *x, const uint8_t *labels,
                 size_t n, size_t d, size_t k, int threads, struct error *err);

/* out (m): the class of each query (m, d), by majority of the k nearest training rows in Euclidean
 * distance; ties to the tied class with the nearest row. Among rows at the same distance the first
 * counts as nearest. The distances that decide are sums in double, and the selection never excludes
 * one of the k nearest, so the result is the same on any CPU, GPU and number of threads. -ENOMEM,
 * or an error of products.h. Not to be called from several threads at once if knn->products isn't
 * NULL.
 */
int knn_predict(const struct knn *knn, const float *queries, size_t m, uint8_t *out,
                struct error *err);

#endif
