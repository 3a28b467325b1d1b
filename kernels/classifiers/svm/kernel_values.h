/* Kernel values from dot products, and whole blocks of them; shared by the csvc_*.c. Squared norms
 * of rows are read for rbf only. Values are computed in double and kept in float32, as LIBSVM's
 * are. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_KERNEL_VALUES_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_KERNEL_VALUES_H

#include <stdbool.h>
#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/svm/spill.h"

/* Turns dots (n, m), ld values a row, of rows a with rows b into kernel values, in place. Returns
 * false if one of them isn't finite. No threads. */
bool csvc_kernel_apply(const struct csvc_kernel *kernel, float *dots, size_t n, size_t m, size_t ld,
                       const double *norms_a, const double *norms_b);

/* Rows (n, d) and their squared norms. */
struct csvc_rows {
    const float *x;
    const double *norms;
    size_t n, d;
};

/* out (a.n, b.n): kernel values of rows a with rows b; back (b.n, a.n) is the transposed, or NULL.
 * wide: of products in double, in twice the time. spill: where out and back lie, NULL or with one
 * thread. -ERANGE if a value isn't finite, -ENOMEM (wide only). The same at any number of
 * threads. */
int csvc_kernel_block(const struct csvc_kernel *kernel, const struct csvc_rows *a,
                      const struct csvc_rows *b, bool wide, float *out, float *back,
                      struct spill *spill, int threads);

/* out (a.n, a.n): kernel values of rows with each other, exactly symmetric, in half the work. */
int csvc_kernel_square(const struct csvc_kernel *kernel, const struct csvc_rows *a, bool wide,
                       float *out, struct spill *spill, int threads);

/* Bytes that each thread of the two above takes if wide. */
size_t csvc_kernel_scratch(void);

/* out (n): kernel values of rows with themselves, in double. */
void csvc_kernel_diagonal(const struct csvc_kernel *kernel, const double *norms, size_t n,
                          double *out);

/* out (m, n) = in (n, m) transposed; ld are values a row. spill: where they lie, or NULL. */
void csvc_transpose(const float *in, size_t ld_in, size_t n, size_t m, float *out, size_t ld_out,
                    struct spill *spill);

#endif
