/* Kernel values from dot products; shared by csvc.c, csvc_train.c and csvc_predict.c. */
#ifndef FERDAG_KERNELS_CSVC_KERNEL_H
#define FERDAG_KERNELS_CSVC_KERNEL_H

#include "kernels/csvc.h"

/* Turns dots (n, m), ld values a row, of rows a with rows b into kernel values, in place. Squared
 * norms of the rows are read for rbf only. Computed in double, kept in float32 as by LIBSVM. */
void csvc_kernel_apply(const struct csvc_kernel *kernel, float *dots, size_t n, size_t m, size_t ld,
                       const double *norms_a, const double *norms_b);

#endif
