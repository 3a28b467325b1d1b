/* Dot products of many rows on a GPU, by cuBLAS. A struct products holds rows in the memory of the
 * GPU. NULL stands for the CPU: callers then compute products themselves, in tiles (blas.h).
 *
 * Products of float32 rows are accumulated in float32, without TF32 or another type of fewer bits.
 * The order of a sum differs from OpenBLAS, so the error of a.b has the same bound, d 2^-24 |a|
 * |b|, but other bits. `wide` products are of the same rows, accumulated and returned in double. On
 * one type of GPU with one version of cuBLAS, the bits depend on the arguments only: they don't
 * depend on threads, free memory, or other programs.
 *
 * A build without CUDA has products_none.c instead of cuda/products.c. */
#ifndef FERDAG_KERNELS_MATH_PRODUCTS_H
#define FERDAG_KERNELS_MATH_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct products;

/* Opens the place where `backend` computes products, and copies rows x (n, d) to it. *products is
 * NULL, for the CPU, for the backends "cpu" and "ref", for backend NULL, for "auto" if this machine
 * has no usable GPU, and if there are no rows. products_close frees it. Returns 0; -ENODEV if
 * `backend` is "cuda" and there is no usable GPU or no cuBLAS; -ENOMEM (memory of host or GPU);
 * -EFBIG; or another negative code. */
int products_open(const char *backend, const float *x, size_t n, size_t d, bool wide,
                  struct products **products, struct error *err);
void products_close(struct products *products);

/* A product of two ranges of rows. */
struct product {
    const float *queries; /* (n, d), in the memory of the host; NULL: rows of x; NULL if wide */
    size_t first, n;      /* first: of x, if queries is NULL */
    size_t other, m;      /* rows other .. other + m - 1 of x */
};

/* Some whole rows of a product. */
struct products_part {
    size_t first, count; /* of the n rows */
    const void *values;  /* (count, m): float, or double if wide. Valid during the call */
};

/* Reads a part. Returns 0, or a negative code, which stops the product. */
typedef int products_use(void *context, const struct products_part *part);

/* Computes a product in parts and calls `use` for each, in ascending order, in the calling thread.
 * While `use` runs, the GPU computes the next part. The first part has the most rows. May be called
 * from several threads at once; the calls wait for each other. Returns 0, the code of `use`, or
 * that of products_error. */
int products_multiply(struct products *products, const struct product *product, products_use *use,
                      void *context);

/* The first failure of the GPU or of cuBLAS, after which all calls fail: returns its negative code
 * and fills err. Returns 0 if there was none. NULL is allowed for products. */
int products_error(struct products *products, struct error *err);

#endif
