/* Solver of the dual problem of a two-class support vector machine, as in LIBSVM: sequential
 * minimal optimisation with second-order selection of the pair (Fan, Chen, Lin 2005, "Working set
 * selection using second order information for training SVM", algorithm WSS 2), LIBSVM's stopping
 * rule and offset. Newton steps and shrinking speed up ill-conditioned problems; see smo.c. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_SMO_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_SMO_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "kernels/classifiers/svm/spill.h"

/* Newton steps need at most this many free rows (rows between their bounds): their matrix takes 8
 * bytes for each pair of free rows. Shrinking copies at most n^2 / 3 kernel values. */
enum { SMO_MOST_FREE = 3000 };

/* Class 0 is the positive one. Rows are numbered class 0 first, then class 1. */
struct smo_problem {
    size_t n[2];            /* rows of each class, both > 0 */
    const float *k[2][2];   /* k[a][b] is (n[a], n[b]): kernel values of rows of a with rows of b */
    const double *diagonal; /* (n[0] + n[1]): kernel value of each row with itself; NULL: as in k */
    double c[2];            /* upper bound of each alpha, by class */
    struct spill *spill;    /* holds k and the copies of shrinking; NULL: plain memory */
    double tolerance;       /* stop when no pair violates optimality by more (LIBSVM's eps) */
};

struct smo_result {
    double *beta;      /* (n[0] + n[1]): label * alpha; memory of the caller */
    double rho;        /* decision for x: sum of beta_i K(x_i, x) - rho; > 0: class 0 */
    double objective;  /* 1/2 alpha' Q alpha - sum of alpha */
    size_t iterations; /* steps taken */
    bool converged;    /* false: stopped by LIBSVM's limit, max(10^7, 100 n) steps */
};

/* Fills result. Uses one thread; the same input gives the same bytes. -ENOMEM. */
int smo_solve(const struct smo_problem *problem, struct smo_result *result, struct error *err);

#endif
