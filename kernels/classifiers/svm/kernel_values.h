/* Kernel values from dot products, and blocks of them. Squared norms of rows are read for rbf only.
 * Values are computed in double and stored in float32, as in LIBSVM. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_KERNEL_VALUES_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_KERNEL_VALUES_H

#include <stdbool.h>
#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/svm/spill.h"
#include "kernels/math/products.h"

/* Replaces dots (n, m), the dot products of rows a with rows b, by kernel values; consecutive rows
 * are ld values apart. Returns whether all are finite. One thread. */
bool csvc_kernel_apply(const struct csvc_kernel *kernel, float *dots, size_t n, size_t m, size_t ld,
                       const double *norms_a, const double *norms_b);

/* Rows (n, d) and their squared norms. */
struct csvc_rows {
    const float *x;
    const double *norms;
    size_t n, d;
    struct products *products; /* computes dot products of its rows; NULL: the CPU does */
    size_t first;              /* the row of `products` that is the first of x */
};

/* out (a.n, b.n): kernel values of rows a with rows b; transposed (b.n, a.n): the same, or NULL.
 * wide: from dot products in double, which takes twice the time; products, which a and b share, are
 * wide too then. spill: holds out and transposed, and needs threads == 1; or NULL. -ERANGE if a
 * value isn't finite; -ENOMEM (with wide); or the code of products_error. The result doesn't depend
 * on the number of threads. */
int csvc_kernel_block(const struct csvc_kernel *kernel, const struct csvc_rows *a,
                      const struct csvc_rows *b, bool wide, float *out, float *transposed,
                      struct spill *spill, int threads);

/* out (a.n, a.n): kernel values of rows with each other, exactly symmetric. Otherwise as
 * csvc_kernel_block, in half the time. */
int csvc_kernel_square(const struct csvc_kernel *kernel, const struct csvc_rows *a, bool wide,
                       float *out, struct spill *spill, int threads);

/* Bytes of scratch memory of each thread of these two with wide. */
size_t csvc_kernel_scratch(void);

/* out (n): kernel values of rows with themselves, in double. */
void csvc_kernel_diagonal(const struct csvc_kernel *kernel, const double *norms, size_t n,
                          double *out);

/* out (m, n) = in (n, m) transposed; consecutive rows are ld_in and ld_out values apart. spill:
 * holds them, or NULL. */
void csvc_transpose(const float *in, size_t ld_in, size_t n, size_t m, float *out, size_t ld_out,
                    struct spill *spill);

#endif
