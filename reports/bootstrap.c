/* See bootstrap.h.
 *
 * Let m[s] be the mean of seed s over all images, a[i] the mean of image i over all seeds, and mu
 * the mean of all. A draw of images (weights w, sum 1) and seeds (weights c, sum 1) has the mean
 *   sum_i sum_s w[i] c[s] x[s][i] = mu + (sum_i w[i] a[i] - mu) + (sum_s c[s] m[s] - mu) + product.
 * Three things are changed in it:
 *
 * 1. The product, sum (w[i] - 1/n) (c[s] - 1/S) x[s][i], is left out. What one seed does on one
 * image already varies in both other parts; the product would count it a third time (Owen 2007: up
 * to three times the true variance). With changes 2 and 3 it would widen the interval of three
 * seeds by up to 40 %.
 * 2. The seeds' part is multiplied by sqrt(S / (S-1)): S resampled seeds vary around their own
 * mean, not around the true one.
 * 3. It is also multiplied by sqrt((S-1) / chi-square(S-1)), a new number in each draw, since S
 * seeds tell little about their own variance. This turns a normal distribution into Student's t
 * with S - 1 degrees of freedom, at every level.
 *
 * Simulated coverage of the 95 % interval (tests/oracles/statistics_coverage.txt): 95 to 99.6 % for
 * 2 to 10 seeds. It is 95 % where the seeds' variance dominates, and higher where chance in single
 * images does, since that is still counted twice. Without change 3, three seeds whose variance
 * dominates have 84 %.
 *
 * Only sums over images matter, and few values of a[i] exist (2S + 1 for two classifiers), so
 * images of equal a[i] form a group, and a draw needs a count for each group: a multinomial vector,
 * made of conditional binomials. */
#include "reports/bootstrap.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include "base/random.h"
#include "reports/distributions.h"

enum { MAX_SEEDS = 1000, MAX_IMAGES = INT32_MAX, MAX_DRAWS = 10000000 };

/* ---- groups of images ---- */

struct group {
    double value;           /* a[i] of its images */
    size_t size;            /* images */
    double share;           /* of the images of this and all later groups; 1 for the last one */
    double log_in, log_out; /* log(share), log(1 - share) */
};

struct images {
    size_t n, group_count;
    struct group *groups;  /* the largest first */
    double *log_factorial; /* (n + 1) */
};

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* Fills groups (room for n) from values (n), which it sorts. */
static size_t make_groups(double *values, size_t n, struct group *groups)
{
    size_t count = 0, rest = n;
    qsort(values, n, sizeof *values, compare_doubles);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || values[i] != values[i - 1])
            groups[count++] = (struct group){.value = values[i]};
        groups[count - 1].size++;
    }
    qsort(groups, count, sizeof *groups, compare_groups);
    for (size_t g = 0; g < count; g++) {
        groups[g].share = (double)groups[g].size / (double)rest;
        groups[g].log_in = log(groups[g].share);
        groups[g].log_out = log1p(-groups[g].share);
        rest -= groups[g].size;
    }
    return count;
}

static void images_free(struct images *m)
{
    free(m->groups);
    free(m->log_factorial);
}

/* values: a[i] (n), sorted afterwards. */
static int images_prepare(struct images *m, double *values, size_t n)
{
    m->n = n;
    m->groups = calloc(n, sizeof *m->groups);
    m->log_factorial = calloc(n + 1, sizeof *m->log_factorial);
    if (!m->groups || !m->log_factorial)
        return -ENOMEM;
    for (size_t i = 1; i <= n; i++)
        m->log_factorial[i] = m->log_factorial[i - 1] + log((double)i);
    m->group_count = make_groups(values, n, m->groups);
    return 0;
}

/* A binomial number of n trials with the group's share: one uniform number, from which the
 * probabilities of the most likely number and then of its neighbours, alternately below and above,
 * are subtracted until it is used up. Takes O(sqrt(n)) steps. */
static size_t draw_binomial(const struct images *m, const struct group *g, size_t n,
                            struct random *r)
{
    const double *lf = m->log_factorial;
    size_t mode = (size_t)(((double)n + 1) * g->share);
    mode = mode < n ? mode : n;
    double u = random_unit(r), odds = g->share / (1 - g->share), inverse = 1 / odds;
    double below = exp(lf[n] - lf[mode] - lf[n - mode] + (double)mode * g->log_in +
                       (double)(n - mode) * g->log_out);
    double above = below, low = (double)mode, high = low, all = (double)n;
    u -= below;
    while (u >= 0 && below + above > 1e-20) { /* else rounding errors left some of u */
        below *= low * inverse / (all - low + 1);
        low -= 1;
        u -= below; /* 0 if low was 0 */
        if (u < 0)
            return (size_t)low;
        above *= (all - high) * odds / (high + 1);
        high += 1;
        u -= above; /* 0 if high was n */
        if (u < 0)
            return (size_t)high;
    }
    return mode;
}

/* The mean of a[i] over n images drawn with replacement. */
static double draw_images(const struct images *m, struct random *r)
{
    double sum = 0;
    size_t rest = m->n;
    for (size_t g = 0; g < m->group_count && rest > 0; g++) {
        bool last = g + 1 == m->group_count;
        size_t count = last ? rest : draw_binomial(m, &m->groups[g], rest, r);
        sum += (double)count * m->groups[g].value;
        rest -= count;
    }
    return sum / (double)m->n;
}

/* ---- seeds ---- */

/* A chi-square number: an exponential one for each two degrees, a squared normal one for an odd
 * rest. Never 0. */
static double draw_chi_square(size_t degrees, struct random *r)
{
    double sum = 0;
    for (size_t i = 0; i + 1 < degrees; i += 2)
        sum -= 2 * log(1 - random_unit(r));
    if (degrees % 2) {
        double z = random_normal(r);
        sum += z * z;
    }
    return fmax(sum, DBL_MIN);
}

/* The seeds' part of a draw: the mean of S seeds of deviations (S) from mu, drawn with replacement,
 * with the corrections 2 and 3. */
static double draw_seeds(const double *deviations, size_t seeds, struct random *r)
{
    double sum = 0, s = (double)seeds;
    if (seeds < 2)
        return 0;
    for (size_t i = 0; i < seeds; i++)
        sum += deviations[random_below(r, seeds)];
    /* sqrt(S / (S-1)) * sqrt((S-1) / chi-square) */
    return sum / s * sqrt(s / draw_chi_square(seeds - 1, r));
}

/* ---- the bootstrap ---- */

static int check(const float *differences, size_t seeds, size_t images, size_t draws,
                 struct error *err)
{
    if (seeds < 1 || seeds > MAX_SEEDS || images < 1 || images > MAX_IMAGES || draws < 1 ||
        draws > MAX_DRAWS)
        return error_set(err, EINVAL, "can't resample %zu seeds and %zu images %zu times", seeds,
                         images, draws);
    for (size_t i = 0; i < seeds * images; i++)
        if (!(differences[i] >= -1 && differences[i] <= 1))
            return error_set(err, EINVAL, "seed %zu, image %zu: difference %g is not in -1..1",
                             i / images, i % images, (double)differences[i]);
    return 0;
}

/* Means of each image over the seeds (images), and of each seed (seeds); returns the mean of all.
 */
static double marginal_means(const float *differences, size_t seeds, size_t images,
                             double *image_means, double *seed_means)
{
    double all = 0;
    for (size_t i = 0; i < images; i++)
        image_means[i] = 0;
    for (size_t s = 0; s < seeds; s++) {
        const float *row = differences + s * images;
        double sum = 0;
        for (size_t i = 0; i < images; i++) {
            sum += (double)row[i];
            image_means[i] += (double)row[i];
        }
        seed_means[s] = sum / (double)images;
        all += sum;
    }
    for (size_t i = 0; i < images; i++)
        image_means[i] /= (double)seeds;
    return all / ((double)seeds * (double)images);
}

/* A share, rounded so that errors in the last digits of libm's functions rarely show. */
static double round_share(double x)
{
    return nearbyint(fmin(1, fmax(-1, x)) * 0x1p40) * 0x1p-40;
}

static void draw_all(const struct images *m, const double *deviations, size_t seeds, size_t draws,
                     uint64_t seed, double *means)
{
    struct random of_images = random_start(seed, 0), of_seeds = random_start(seed, 1);
    for (size_t d = 0; d < draws; d++)
        means[d] =
            round_share(draw_images(m, &of_images) + draw_seeds(deviations, seeds, &of_seeds));
    qsort(means, draws, sizeof *means, compare_doubles);
}

int bootstrap_differences(const float *differences, size_t seeds, size_t images, size_t draws,
                          uint64_t seed, double *means, struct error *err)
{
    int rc = check(differences, seeds, images, draws, err);
    if (rc < 0)
        return rc;
    struct images m = {0};
    double *image_means = calloc(images, sizeof *image_means);
    double *deviations = calloc(seeds, sizeof *deviations);
    rc = -ENOMEM;
    if (image_means && deviations) {
        double mean = marginal_means(differences, seeds, images, image_means, deviations);
        for (size_t s = 0; s < seeds; s++)
            deviations[s] -= mean;
        rc = images_prepare(&m, image_means, images);
    }
    if (rc == 0)
        draw_all(&m, deviations, seeds, draws, seed, means);
    else
        error_set(err, ENOMEM, "no memory to resample %zu images", images);
    images_free(&m);
    free(image_means);
    free(deviations);
    return rc;
}

/* ---- of sorted means ---- */

/* How many of sorted means (n) are less than x, or (with `equal`) at most x. */
static size_t count_below(const double *means, size_t n, double x, bool equal)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (means[middle] < x || (equal && means[middle] == x))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double bootstrap_p_above(const double *means, size_t draws, double bound)
{
    if (isnan(bound))
        return 1;
    return (1 + (double)count_below(means, draws, bound, true)) / ((double)draws + 1);
}

double bootstrap_p_below(const double *means, size_t draws, double bound)
{
    if (isnan(bound))
        return 1;
    return (1 + (double)(draws - count_below(means, draws, bound, false))) / ((double)draws + 1);
}

static double quantile(const double *sorted, size_t n, double share)
{
    double place = share * (double)(n - 1);
    size_t i = (size_t)place;
    if (i + 1 >= n)
        return sorted[n - 1];
    return sorted[i] + (place - (double)i) * (sorted[i + 1] - sorted[i]);
}

struct interval bootstrap_interval(const double *means, size_t draws, double level)
{
    struct interval ends = {-1, 1};
    if (draws > 0 && level > 0 && level < 1) {
        ends.low = quantile(means, draws, (1 - level) / 2);
        ends.high = quantile(means, draws, (1 + level) / 2);
    }
    return ends;
}
/* ---- what would decide it ---- */

struct components difference_components(const float *differences, size_t seeds, size_t images)
{
    struct components c = {NAN, NAN};
    double all = 0, total = 0, of_seeds = 0, of_images = 0; /* sums of squares */
    double rows = (double)seeds, columns = (double)images;
    for (size_t i = 0; i < seeds * images; i++)
        all += (double)differences[i];
    double mean = all / (rows * columns);
    for (size_t s = 0; s < seeds; s++) {
        double sum = 0;
        for (size_t i = 0; i < images; i++) {
            double x = (double)differences[s * images + i] - mean;
            sum += x;
            total += x * x;
        }
        of_seeds += sum * sum / columns;
    }
    for (size_t i = 0; i < images; i++) {
        double sum = 0;
        for (size_t s = 0; s < seeds; s++)
            sum += (double)differences[s * images + i] - mean;
        of_images += sum * sum / rows;
    }
    if (seeds > 1)
        c.seeds = of_seeds / (rows - 1) / columns;
    if (images > 1) {
        double both = seeds > 1 ? (total - of_seeds - of_images) / ((rows - 1) * (columns - 1)) : 0;
        c.images = fmax(0, of_images / (columns - 1) - both) / (rows * columns);
    }
    return c;
}

size_t seeds_to_decide(double difference, double margin, const struct components *c, double alpha)
{
    if (!(alpha > 0 && alpha < 1))
        return SIZE_MAX;
    double z = normal_critical(alpha / 2), distance = difference - margin;
    double spare = distance * distance - z * z * c->images;
    if (!(spare > 0 && c->seeds >= 0)) /* also NAN */
        return SIZE_MAX;
    double least = fmax(2, ceil(z * z * c->seeds / spare));
    if (!(least < 1e15))
        return SIZE_MAX;
    for (size_t n = (size_t)least;; n++) { /* t is little more than z: a few steps */
        double t = student_critical(alpha / 2, (double)(n - 1));
        if (t * t * c->seeds <= spare * (double)n)
            return n;
    }
}
