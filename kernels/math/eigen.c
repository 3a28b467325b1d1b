/* See eigen.h. */
#include "kernels/math/eigen.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

void dsyevr_(const char *jobz, const char *range, const char *uplo, const int *n, double *a,
             const int *lda, const double *vl, const double *vu, const int *il, const int *iu,
             const double *abstol, int *m, double *w, double *z, const int *ldz, int *isuppz,
             double *work, const int *lwork, int *iwork, const int *liwork, int *info);

int eigen_largest(double *a, size_t n, size_t k, double *w, double *z, struct error *err)
{
    const int d = (int)n, first = d - (int)k + 1, size = 40 * d + 64;
    const double none = 0;
    int found = 0, info = -1;
    int *support = malloc(2 * n * sizeof *support), *iwork = malloc((size_t)size * sizeof *iwork);
    double *work = malloc((size_t)size * sizeof *work);
    bool memory = support && iwork && work;
    if (memory)
        dsyevr_("V", "I", "U", &d, a, &d, &none, &none, &first, &d, &none, &found, w, z, &d,
                support, work, &size, iwork, &size, &info);
    free(support);
    free(iwork);
    free(work);
    if (!memory)
        return error_set(err, ENOMEM, "out of memory for %zu eigenvectors", k);
    if (info != 0 || (size_t)found != k)
        return error_set(err, EINVAL, "the eigenvalues of %zu dimensions did not converge", n);
    return 0;
}
