/* Tails and quantiles of the distributions that the tests of statistics.h need. Relative errors of
 * tails are below 1e-12 (they grow with the exponent: about 3e-13 at 1e-300). Values under the
 * smallest double are 0. */
#ifndef FERDAG_REPORTS_DISTRIBUTIONS_H
#define FERDAG_REPORTS_DISTRIBUTIONS_H

#include <stddef.h>

/* P(Z > z), Z standard normal. */
double normal_tail(double z);

/* The z with P(Z > z) = q. INFINITY unless 0 < q < 1. */
double normal_critical(double q);

/* P(T > t), T Student's t with df > 0 degrees of freedom, by the incomplete beta function. */
double student_tail(double t, double df);

/* The t with P(T > t) = q. INFINITY unless 0 < q < 1 and df > 0. */
double student_critical(double q, double df);

/* P(X >= k), X binomial of n fair coins. Takes O(sqrt(n)) steps. */
double coin_tail(size_t k, size_t n);

#endif
