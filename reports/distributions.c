/* See distributions.h. Closed forms and classical expansions; libm gives erfc, log1p and exp.
 * Logarithms of gamma functions are never subtracted from each other: their difference is expanded
 * instead, so that no digits are lost for large arguments. */
#include "reports/distributions.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

/* ---- normal ---- */

double normal_tail(double z)
{
    return 0.5 * erfc(z * M_SQRT1_2);
}

/* Abramowitz and Stegun 26.2.23 (error 4.5e-4), then Newton's method on the tail. */
double normal_critical(double q)
{
    if (!(q > 0 && q < 1))
        return INFINITY;
    if (q > 0.5)
        return -normal_critical(1 - q);
    q = fmax(q, DBL_MIN);
    double t = sqrt(-2 * log(q));
    double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                       (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
    for (int i = 0; i < 5; i++) {
        double density = exp(-0.5 * z * z) * 0.5 * M_SQRT1_2 * M_2_SQRTPI;
        z += (normal_tail(z) - q) / density;
    }
    return z;
}

/* ---- Student's t ---- */

/* log(gamma(a + 1/2) / gamma(a)): Stirling's series for both, subtracted term by term; smaller
 * arguments are moved to 12 by gamma(a + 1) = a gamma(a). */
static double log_gamma_half_step(double a)
{
    double moved = 1;
    while (a < 12) {
        moved *= a / (a + 0.5);
        a += 1;
    }
    double i = 1 / a, s = i * i;
    double series =
        i *
        (-1.0 / 8 + s * (1.0 / 192 + s * (-1.0 / 640 + s * (17.0 / 14336 + s * (-31.0 / 18432)))));
    return log(moved) + 0.5 * log(a) + series;
}

/* The series of 2F1(a + 1/2, 1; 3/2; y), a > 0, 0 <= y < 1. All terms are positive. */
static double centre_series(double a, double y)
{
    double term = 1, sum = 1;
    for (int n = 0; term > sum * 1e-17; n++) {
        term *= (a + 0.5 + n) / (1.5 + n) * y;
        sum += term;
    }
    return sum;
}

/* 2F1(1/2, 1; c; -z), c > 1, z > 0: the continued fraction of Gauss (NIST handbook of mathematical
 * functions, 15.7.5), 1 / (1 + k1 z / (1 + k2 z / ...)), by the modified Lentz method. All k are
 * positive. For large c it is Laplace's fraction of the normal tail. */
static double tail_fraction(double c, double z)
{
    double f = 1, up = 1, down = 0, change = 2;
    for (int i = 0; i < 1000000 && fabs(change - 1) > DBL_EPSILON; i++) {
        double m = i;
        double odd = z * (m + 0.5) / (c + 2 * m) * (m > 0 ? (c + m - 1) / (c + 2 * m - 1) : 1);
        double even = z * (m + 1) * (c + m - 0.5) / ((c + 2 * m) * (c + 2 * m + 1));
        up = 1 + odd / up;
        down = 1 / (1 + odd * down);
        f *= up * down;
        up = 1 + even / up;
        down = 1 / (1 + even * down);
        change = up * down;
        f *= change;
    }
    return 1 / f;
}

/* P(T > t) = I_x(df/2, 1/2) / 2 for t >= 0 (the incomplete beta function), with x = df / (df + t^2)
 * and y = 1 - x. Each form of it has an argument that is known to full precision. */
double student_tail(double t, double df)
{
    if (isnan(t) || !(df > 0))
        return NAN;
    if (t < 0)
        return 1 - student_tail(-t, df);
    double a = 0.5 * df, ratio = t * (t / df), y = ratio / (1 + ratio);
    if (isinf(ratio))
        return 0;
    /* x^a / B(a, 1/2), with gamma(1/2) = sqrt(pi) */
    double front = exp(log_gamma_half_step(a) - a * log1p(ratio)) * 0.5 * M_2_SQRTPI;
    if (t < 1.5)
        return 0.5 - front * sqrt(y) * centre_series(a, y);
    return 0.5 * front / (a * sqrt(y)) * tail_fraction(a + 1, 1 / ratio);
}

/* By bisection: the tail falls strictly. */
double student_critical(double q, double df)
{
    if (!(q > 0 && q < 1 && df > 0))
        return INFINITY;
    if (q >= 0.5)
        return q > 0.5 ? -student_critical(1 - q, df) : 0;
    double low = 0, high = 1;
    while (student_tail(high, df) > q && high < 1e150) {
        low = high;
        high *= 2;
    }
    for (;;) {
        double t = low + (high - low) / 2;
        if (t <= low || t >= high)
            return t;
        if (student_tail(t, df) > q)
            low = t;
        else
            high = t;
    }
}

/* ---- fair coins ---- */

/* log(n!) - log(sqrt(2 pi n) (n/e)^n), n >= 1: Stirling's series; smaller n are moved to 16. */
static double stirling_error(double n)
{
    double moved = 0;
    while (n < 16) {
        moved += (n + 0.5) * log1p(1 / n) - 1;
        n += 1;
    }
    double i = 1 / n, s = i * i;
    return moved + i * (1.0 / 12 +
                        s * (-1.0 / 360 + s * (1.0 / 1260 + s * (-1.0 / 1680 + s * (1.0 / 1188)))));
}

/* P(X = k), n/2 <= k <= n, n >= 1, as Loader (2000) computes it: Stirling's formula for the three
 * factorials, with their large parts combined into
 *   k log(2k/n) + (n-k) log(2(n-k)/n) = n (log(1 - d^2) / 2 + d atanh(d)),   d = (2k - n) / n,
 * where the first form is accurate for d near 1 and the second for d near 0. */
static double coin_point(double k, double n)
{
    if (k >= n)
        return exp2(-n);
    double rest = n - k, d = (k - rest) / n;
    double exponent = d > 0.5 ? k * log(2 * k / n) + rest * log(2 * rest / n)
                              : n * (0.5 * log1p(-d * d) + d * atanh(d));
    double correction = stirling_error(n) - stirling_error(k) - stirling_error(rest);
    return exp(correction - exponent) * sqrt(n / (2 * M_PI * k * rest));
}

double coin_tail(size_t k, size_t n)
{
    if (k > n)
        return 0;
    if (k == 0)
        return 1;
    if (k < n - k)
        return 1 - coin_tail(n - k + 1, n);
    double term = 1, sum = 1;
    for (size_t j = k; j < n && term > sum * 1e-18; j++) {
        term *= (double)(n - j) / ((double)j + 1);
        sum += term;
    }
    return coin_point((double)k, (double)n) * sum;
}
