/* Minimisation of a smooth function by L-BFGS: the last 30 steps and changes of the gradient
 * approximate the Hessian, and a line search chooses the length of each step. */
#ifndef FERDAG_KERNELS_MATH_LBFGS_H
#define FERDAG_KERNELS_MATH_LBFGS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct lbfgs {
    size_t n; /* unknowns */
    /* Computes the function's value and gradient (n) at x (n). Returns 0, or a negative code that
     * ends the search. */
    int (*evaluate)(void *context, const double *x, double *value, double *gradient,
                    struct error *err);
    void *context;
    double tolerance;       /* converged when no component of the gradient is larger */
    size_t most_iterations; /* limit on steps; a step takes one or more evaluations */
    void (*progress)(void *context, size_t done, size_t total); /* after each step; may be NULL */
    void *progress_context;
};

struct lbfgs_report {
    size_t iterations, evaluations;
    double value;    /* of the function at the end */
    double gradient; /* largest absolute component of the gradient at the end */
    bool converged;  /* the gradient is within the tolerance, or no step lowers the value by more
                        than rounding */
};

/* Moves x (n) from its initial value to a minimum. Steps satisfy the strong Wolfe conditions
 * (Nocedal and Wright, Numerical Optimization, algorithms 7.4, 7.5, 3.5 and 3.6). Like scipy's
 * L-BFGS-B it also stops when a step lowers the value by less than 64 DBL_EPSILON. One thread;
 * operations have a fixed order. Returns 0, also if it did not converge; -ENOMEM; or the error of
 * evaluate. */
int lbfgs_minimize(const struct lbfgs *problem, double *x, struct lbfgs_report *report,
                   struct error *err);

#endif
