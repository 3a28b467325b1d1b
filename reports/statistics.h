/* Tests and intervals for accuracies and their differences. Pure functions of counts.
 *
 * Units: accuracies, differences, margins and bounds are shares in 0..1, not points (one point is
 * 0.01). `level` is a confidence level such as 0.95, `alpha` the level of a test such as 0.05;
 * both are in 0..1, ends excluded.
 *
 * x_p_above is the one-sided p-value of the hypothesis "the true value is at most the margin": if
 * it is small, the value is above the margin. x_p_below is the p-value of "at least the margin".
 * The two-sided p-value is min(1, 2 * the smaller of the two). "Within m" is shown by two one-sided
 * tests (TOST): its p-value is the larger of x_p_above(-m) and x_p_below(+m).
 *
 * An interval of level 1 - alpha contains the margins that neither test rejects at alpha / 2. (The
 * one exception is paired_p_* with margin 0, which is exact while the interval is asymptotic.)
 *
 * Without any data (n = 0), for impossible counts (k > n), and for a level, alpha or margin that is
 * not a number or a level or alpha out of range, a p-value is 1, an interval contains all that is
 * possible, and no number of images decides. A p-value under the smallest double (about 5e-324) is
 * 0.
 *
 * Each function is compared with scipy, statsmodels or a brute-force computation in
 * tests/unit/reports/test_statistics.c; tests/oracles/statistics.py made the figures. */
#ifndef FERDAG_REPORTS_STATISTICS_H
#define FERDAG_REPORTS_STATISTICS_H

#include <stddef.h>
#include "base/error.h"

struct interval {
    double low, high;
};

/* ---- one accuracy: k of n images ---- */

/* The score interval of Wilson (1927), without continuity correction. [0, 1] if n = 0. */
struct interval wilson_interval(size_t k, size_t n, double level);

/* One accuracy against a constant: the score test, z = (k/n - bound) / sqrt(bound(1-bound)/n),
 * whose inversion is Wilson's interval. */
double single_p_above(size_t k, size_t n, double bound);
double single_p_below(size_t k, size_t n, double bound);

/* How many images would decide k/n against the bound; see paired_images_to_decide. */
size_t single_images_to_decide(size_t k, size_t n, double bound, double alpha);

/* ---- two classifiers on the same images ---- */

struct paired {
    size_t n;                     /* images */
    size_t left_only, right_only; /* images that only the left / only the right one classifies
                                     correctly; their sum is at most n */
};

/* left - right: (left_only - right_only) / n; 0 if n = 0. */
double paired_difference(const struct paired *p);

/* margin 0: McNemar's exact test (1947), the upper tail of Binomial(left_only + right_only, 1/2); 1
 * without discordant images. Another margin: the score test of Tango (1998), Statistics in Medicine
 * 17:891, with the variance of the maximum likelihood estimate under "difference = margin". */
double paired_p_above(const struct paired *p, double margin);
double paired_p_below(const struct paired *p, double margin);

/* Tango's score interval of left - right: the margins that his test doesn't reject. */
struct interval paired_interval(const struct paired *p, double level);

/* McNemar's exact test, two-sided: min(1, twice the smaller tail). */
double mcnemar_exact(size_t left_only, size_t right_only);

/* What would decide it: the number of images at which the observed shares would have the two-sided
 * p-value alpha against the margin. A score statistic z grows with the square root of n at equal
 * shares, so this is n (z_alpha / z)^2, rounded up (Tango's test, margin 0 included; the exact test
 * needs a little more). The power of such a test is about one half. SIZE_MAX if the observed
 * difference is the margin, there is no data, or the number is greater than SIZE_MAX. */
size_t paired_images_to_decide(const struct paired *p, double margin, double alpha);

/* The smallest true difference that McNemar's test of n images detects with the given power (such
 * as 0.8) at two-sided alpha, if the share `discordance` of the images is discordant: the d > 0
 * with d sqrt(n) = z_{alpha/2} sqrt(r) + z_power sqrt(r - d^2),   r = discordance (Miettinen 1968,
 * Connor 1987). INFINITY if no difference can be detected: d can't exceed r. */
double paired_detectable(size_t n, double discordance, double alpha, double power);

/* ---- two accuracies whose images can't be paired ---- */

/* Different test sets, or a test set whose outcomes per image aren't published. */
struct independent {
    size_t left_correct, left_n, right_correct, right_n;
};

/* left - right; 0 if there is no data. */
double independent_difference(const struct independent *p);

/* The score test of Mee (1984) and Farrington and Manning (1990), with the variance of the maximum
 * likelihood estimates under "difference = margin" and without the factor N/(N-1). */
double independent_p_above(const struct independent *p, double margin);
double independent_p_below(const struct independent *p, double margin);
struct interval independent_interval(const struct independent *p, double level);

/* As paired_images_to_decide: images of the left side; the right side grows in proportion. */
size_t independent_images_to_decide(const struct independent *p, double margin, double alpha);

/* ---- the mean of n values ---- */

/* For example, per image the mean over four models of the paired difference. */
struct sample {
    size_t n;
    double mean, deviation; /* standard deviation with divisor n - 1; 0 if n < 2 */
};

/* The sample of values (n). */
struct sample sample_of(const double *values, size_t n);

/* Student's t with n - 1 degrees of freedom. With n < 2 nothing is known: p is 1, the interval is
 * infinite. With deviation 0 the interval is the mean alone. */
double sample_p_above(const struct sample *s, double bound);
double sample_p_below(const struct sample *s, double bound);
struct interval sample_interval(const struct sample *s, double level);

/* As paired_images_to_decide, by the normal approximation; at least 2. SIZE_MAX also if n < 2. */
size_t sample_images_to_decide(const struct sample *s, double bound, double alpha);

/* ---- several tests ---- */

/* Holm (1979): adjusted[i] <= alpha if and only if Holm's procedure at level alpha rejects
 * hypothesis i of n. p and adjusted are (n), in the same order, and may be the same array.
 * Returns 0, -EINVAL if a p-value isn't in 0..1, or -ENOMEM. */
int holm_adjust(const double *p, size_t n, double *adjusted, struct error *err);

#endif
