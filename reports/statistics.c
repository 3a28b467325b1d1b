/* See statistics.h.
 *
 * All comparisons of counts are score tests: z = (estimate - margin) / error, where the error is
 * computed from the probabilities that fit best among those whose difference is the margin. Tests,
 * intervals and "what would decide it" all derive from this z, so they can't contradict each other.
 */
#include "reports/statistics.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include "reports/distributions.h"

enum { BISECTIONS = 200 }; /* enough for any interval of doubles in -1..1 that matters */

/* ---- shared by all tests ---- */

/* The two-sided critical value; INFINITY for an alpha that is none. */
static double critical(double alpha)
{
    return alpha > 0 && alpha < 1 ? normal_critical(alpha / 2) : INFINITY;
}

/* (estimate - margin) / error. An error of 0 means that the margin allows one outcome only: z is
 * infinite, or NAN if that outcome is the observed one. */
static double ratio(double excess, double error)
{
    if (error > 0)
        return excess / error;
    return excess > 0 ? INFINITY : excess < 0 ? -INFINITY : NAN;
}

static double p_of(double z)
{
    return isnan(z) ? 1 : normal_tail(z);
}

/* n (critical / z)^2, rounded up. */
static size_t images_for(size_t n, double z, double z_critical)
{
    double images = ceil((double)n * (z_critical / z) * (z_critical / z));
    if (!(images < (double)SIZE_MAX)) /* also NAN */
        return SIZE_MAX;
    return images > 1 ? (size_t)images : 1;
}

/* ---- one accuracy ---- */

struct interval wilson_interval(size_t k, size_t n, double level)
{
    struct interval all = {0, 1};
    double z = critical(1 - level);
    if (n == 0 || k > n || isinf(z))
        return all;
    double count = (double)n, square = z * z, share = (double)k / count;
    double centre = (double)k + square / 2;
    double half = z * sqrt((double)(n - k) * share + square / 4);
    if (k > 0)
        all.low = fmax(0, (centre - half) / (count + square));
    if (k < n)
        all.high = fmin(1, (centre + half) / (count + square));
    return all;
}

static double single_z(size_t k, size_t n, double bound)
{
    if (n == 0 || k > n || isnan(bound))
        return NAN;
    return ratio((double)k / (double)n - bound, sqrt(fmax(0, bound * (1 - bound) / (double)n)));
}

double single_p_above(size_t k, size_t n, double bound)
{
    return p_of(single_z(k, n, bound));
}

double single_p_below(size_t k, size_t n, double bound)
{
    return p_of(-single_z(k, n, bound));
}

size_t single_images_to_decide(size_t k, size_t n, double bound, double alpha)
{
    return images_for(n, single_z(k, n, bound), critical(alpha));
}

/* ---- the difference of two accuracies ---- */

struct design {
    bool is_paired; /* which of the two members is used */
    struct paired paired;
    struct independent independent;
};

static struct design of_paired(const struct paired *p)
{
    struct design d = {.is_paired = true, .paired = *p};
    return d;
}

static struct design of_independent(const struct independent *p)
{
    struct design d = {.independent = *p};
    return d;
}

static bool paired_possible(const struct paired *p)
{
    return p->n > 0 && p->left_only <= p->n && p->right_only <= p->n - p->left_only;
}

static bool independent_possible(const struct independent *p)
{
    return p->left_n > 0 && p->right_n > 0 && p->left_correct <= p->left_n &&
           p->right_correct <= p->right_n;
}

static bool possible(const struct design *d)
{
    return d->is_paired ? paired_possible(&d->paired) : independent_possible(&d->independent);
}

double paired_difference(const struct paired *p)
{
    return paired_possible(p) ? ((double)p->left_only - (double)p->right_only) / (double)p->n : 0;
}

double independent_difference(const struct independent *p)
{
    if (!independent_possible(p))
        return 0;
    return (double)p->left_correct / (double)p->left_n -
           (double)p->right_correct / (double)p->right_n;
}

static double observed_difference(const struct design *d)
{
    return d->is_paired ? paired_difference(&d->paired) : independent_difference(&d->independent);
}

/* Tango's statistic at 0 <= margin < 1, of b images that only the left and c that only the right
 * one has right. q, the probability of the latter, is the larger root of the likelihood equation
 *   2n q^2 + (-b - c + (2n - b + c) margin) q - c margin (1 - margin) = 0. */
static double tango_z(double n, double b, double c, double margin)
{
    double linear = -b - c + (2 * n - b + c) * margin;
    double root = sqrt(linear * linear + 8 * n * c * margin * (1 - margin));
    double q;
    if (linear <= 0) /* the form that doesn't subtract */
        q = (root - linear) / (4 * n);
    else
        q = 2 * c * margin * (1 - margin) / (root + linear);
    double variance = n * (2 * q + margin * (1 - margin));
    return ratio(b - c - n * margin, sqrt(fmax(0, variance)));
}

static double paired_z(const struct paired *p, double margin)
{
    double n = (double)p->n, b = (double)p->left_only, c = (double)p->right_only;
    return margin >= 0 ? tango_z(n, b, c, margin) : -tango_z(n, c, b, -margin);
}

/* The derivative of the log-likelihood of `correct` of n at probability x. */
static double slope(size_t correct, size_t n, double x)
{
    double up = correct > 0 ? (double)correct / x : 0;
    double down = correct < n ? (double)(n - correct) / (1 - x) : 0;
    return up - down;
}

/* The probability of the right side that fits best if that of the left one is greater by the
 * margin. The log-likelihood is concave, so its derivative is bisected. */
static double right_at_margin(const struct independent *p, double margin)
{
    double low = fmax(0, -margin), high = fmin(1, 1 - margin);
    for (int i = 0; i < BISECTIONS; i++) {
        double x = low + (high - low) / 2;
        if (x <= low || x >= high)
            break;
        if (slope(p->left_correct, p->left_n, x + margin) + slope(p->right_correct, p->right_n, x) >
            0)
            low = x;
        else
            high = x;
    }
    return low + (high - low) / 2;
}

static double independent_z(const struct independent *p, double margin)
{
    double right, left_n = (double)p->left_n, right_n = (double)p->right_n;
    if (margin == 0) /* the pooled share, exact where all or none are correct */
        right = ((double)p->left_correct + (double)p->right_correct) / (left_n + right_n);
    else
        right = right_at_margin(p, margin);
    double left = right + margin;
    double variance = left * (1 - left) / left_n + right * (1 - right) / right_n;
    return ratio(independent_difference(p) - margin, sqrt(fmax(0, variance)));
}

/* The score statistic; NAN if there is no data. */
static double score(const struct design *d, double margin)
{
    if (!possible(d) || isnan(margin))
        return NAN;
    if (fabs(margin) >= 1) /* a difference of 1 allows one outcome only */
        return ratio(observed_difference(d) - margin, 0);
    return d->is_paired ? paired_z(&d->paired, margin) : independent_z(&d->independent, margin);
}

/* The end towards `outside` (-1 or 1) of the margins whose |z| is less than the critical value. z
 * falls as the margin grows. `inside` is the observed difference. */
static double interval_end(const struct design *d, double inside, double outside, double z_critical)
{
    for (int i = 0; i < BISECTIONS; i++) {
        double margin = inside + (outside - inside) / 2;
        if (margin == inside || margin == outside)
            break;
        if (fabs(score(d, margin)) < z_critical)
            inside = margin;
        else
            outside = margin;
    }
    return outside;
}

static struct interval score_interval(const struct design *d, double level)
{
    struct interval ends = {-1, 1};
    double z = critical(1 - level), observed = observed_difference(d);
    if (possible(d) && !isinf(z)) {
        ends.low = interval_end(d, observed, -1, z);
        ends.high = interval_end(d, observed, 1, z);
    }
    return ends;
}

double mcnemar_exact(size_t left_only, size_t right_only)
{
    size_t larger = left_only > right_only ? left_only : right_only;
    return fmin(1, 2 * coin_tail(larger, left_only + right_only));
}

double paired_p_above(const struct paired *p, double margin)
{
    struct design d = of_paired(p);
    if (margin == 0 && paired_possible(p))
        return coin_tail(p->left_only, p->left_only + p->right_only);
    return p_of(score(&d, margin));
}

double paired_p_below(const struct paired *p, double margin)
{
    struct paired swapped = {p->n, p->right_only, p->left_only};
    return paired_p_above(&swapped, -margin);
}

struct interval paired_interval(const struct paired *p, double level)
{
    struct design d = of_paired(p);
    return score_interval(&d, level);
}

size_t paired_images_to_decide(const struct paired *p, double margin, double alpha)
{
    struct design d = of_paired(p);
    return images_for(p->n, score(&d, margin), critical(alpha));
}

double paired_detectable(size_t n, double discordance, double alpha, double power)
{
    double a = critical(alpha) * sqrt(discordance), b = normal_critical(1 - power);
    if (n == 0 || !(discordance > 0 && discordance <= 1) || isinf(a) || isinf(b))
        return INFINITY;
    /* (d sqrt(n) - a)^2 = b^2 (r - d^2), the root with the sign of b */
    double root = sqrt((double)n), square = b * b, all = (double)n + square;
    double inner = discordance * all - a * a; /* the discriminant, divided by b^2 */
    double d = (a * root + b * sqrt(fmax(0, inner))) / all;
    return inner >= 0 && d > 0 && d <= discordance ? d : INFINITY;
}

double independent_p_above(const struct independent *p, double margin)
{
    struct design d = of_independent(p);
    return p_of(score(&d, margin));
}

double independent_p_below(const struct independent *p, double margin)
{
    struct design d = of_independent(p);
    return p_of(-score(&d, margin));
}

struct interval independent_interval(const struct independent *p, double level)
{
    struct design d = of_independent(p);
    return score_interval(&d, level);
}

size_t independent_images_to_decide(const struct independent *p, double margin, double alpha)
{
    struct design d = of_independent(p);
    return images_for(p->left_n, score(&d, margin), critical(alpha));
}

/* ---- the mean of n values ---- */

struct sample sample_of(const double *values, size_t n)
{
    struct sample s = {.n = n};
    double squares = 0;
    for (size_t i = 0; i < n; i++)
        s.mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += (values[i] - s.mean) * (values[i] - s.mean);
    s.deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    return s;
}

static double sample_t(const struct sample *s, double bound)
{
    if (s->n < 2 || !isfinite(s->mean) || !(s->deviation >= 0))
        return NAN;
    return ratio(s->mean - bound, s->deviation / sqrt((double)s->n));
}

double sample_p_above(const struct sample *s, double bound)
{
    double t = sample_t(s, bound);
    return isnan(t) ? 1 : student_tail(t, (double)s->n - 1);
}

double sample_p_below(const struct sample *s, double bound)
{
    double t = sample_t(s, bound);
    return isnan(t) ? 1 : student_tail(-t, (double)s->n - 1);
}

struct interval sample_interval(const struct sample *s, double level)
{
    struct interval all = {-INFINITY, INFINITY};
    if (s->n < 2 || !isfinite(s->mean) || !(s->deviation >= 0) || !(level > 0 && level < 1))
        return all;
    double half =
        student_critical((1 - level) / 2, (double)s->n - 1) * s->deviation / sqrt((double)s->n);
    struct interval ends = {s->mean - half, s->mean + half};
    return ends;
}

size_t sample_images_to_decide(const struct sample *s, double bound, double alpha)
{
    size_t n = images_for(s->n, sample_t(s, bound), critical(alpha));
    return n > 2 ? n : 2;
}

/* ---- several tests ---- */

struct ranked {
    double p;
    size_t index;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

int holm_adjust(const double *p, size_t n, double *adjusted, struct error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!(p[i] >= 0 && p[i] <= 1))
            return error_set(err, EINVAL, "p-value %zu of %zu is %g, not in 0..1", i + 1, n, p[i]);
    if (n == 0)
        return 0;
    struct ranked *order = calloc(n, sizeof *order);
    if (!order)
        return error_set(err, ENOMEM, "no memory for %zu p-values", n);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct ranked){p[i], i};
    qsort(order, n, sizeof *order, compare_ranked);
    double largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmax(largest, fmin(1, (double)(n - i) * order[i].p));
        adjusted[order[i].index] = largest;
    }
    free(order);
    return 0;
}
