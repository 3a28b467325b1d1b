/* Kernel values from dot products, and whole blocks of them; shared by the csvc_*.c. Squared norms
 * of rows are read for rbf only. Values are computed in double and kept in float32, as LIBSVM's
 * are. */
#ifndef FERDAG_KERNELS_CSVC_KERNEL_H
#define FERDAG_KERNELS_CSVC_KERNEL_H

#include <stdbool.h>
#include "kernels/csvc.h"

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

/* out (a.n, b.n): kernel values of rows a with rows b; back (b.n, a.n) is the transposed. Returns
 * false if one isn't finite. The same at any number of threads. */
bool csvc_kernel_block(const struct csvc_kernel *kernel, const struct csvc_rows *a,
                       const struct csvc_rows *b, float *out, float *back, int threads);

/* out (a.n, a.n): kernel values of rows with each other, exactly symmetric, in half the work. */
bool csvc_kernel_square(const struct csvc_kernel *kernel, const struct csvc_rows *a, float *out,
                        int threads);

/* out (m, n) = in (n, m) transposed; ld are values a row. */
void csvc_transpose(const float *in, size_t ld_in, size_t n, size_t m, float *out, size_t ld_out);

#endif
