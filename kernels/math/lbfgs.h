/* Minimises a smooth function by L-BFGS: the last ten steps and changes of the gradient stand for
 * the Hessian, a line search finds how far to go along each direction. */
#ifndef FERDAG_KERNELS_MATH_LBFGS_H
#define FERDAG_KERNELS_MATH_LBFGS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct lbfgs {
    size_t n; /* unknowns */
    /* The function's value and gradient (n) at x (n). Returns 0 or an error, which ends the
     * search. */
    int (*evaluate)(void *context, const double *x, double *value, double *gradient,
                    struct error *err);
    void *context;
    double tolerance;       /* it is done when no component of the gradient is larger */
    size_t most_iterations; /* steps, each of one or more evaluations */
    void (*progress)(void *context, size_t done, size_t total); /* after each step; may be NULL */
    void *progress_context;
};

struct lbfgs_report {
    size_t iterations, evaluations;
    double value, gradient; /* at the end: the function; the largest component of its gradient */
    bool converged; /* the gradient is small, or no step lowers the value by more than rounding */
};

/* Moves x (n) from where it is to a minimum. Steps satisfy the strong Wolfe conditions (Nocedal
 * and Wright, Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6); like scipy's L-BFGS-B it
 * also stops when a step lowers the value by less than 64 roundings. One thread, always the same
 * operations in the same order. Returns 0, also where it did not converge; -ENOMEM; or what
 * evaluate returned. */
int lbfgs_minimize(const struct lbfgs *problem, double *x, struct lbfgs_report *report,
                   struct error *err);

#endif
