/* See evidence.h. The form depends on what both sides have: outcomes of the same images, a number
 * of images, a standard error, repeats, or nothing. */
#include "reports/evidence.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/distributions.h"

const char *const evidence_names[EVIDENCE_FORMS] = {
    [EVIDENCE_NONE] = "",
    [EVIDENCE_EXACT] = "exact numbers",
    [EVIDENCE_SPREAD] = "spread of repeats",
    [EVIDENCE_SINGLE] = "score test of one accuracy",
    [EVIDENCE_PAIRED] = "paired test on the same images",
    [EVIDENCE_INDEPENDENT] = "score test of two accuracies",
    [EVIDENCE_IMAGES] = "t test over images",
    [EVIDENCE_SEEDS] = "bootstrap over seeds and images",
    [EVIDENCE_NORMAL] = "standard errors",
};

enum { IMAGES_LIMIT = 100000000 };

/* ---- outcomes of the same images ---- */

struct outcome {
    const char *truth, *predicted;
    size_t n;
};

/* The outcome of a seed; n == 0 if it has none. */
static struct outcome outcome_of(const struct operand *o, size_t seed)
{
    const json_t *item = json_array_get(o->outcomes, seed);
    const char *truth = json_string_value(json_object_get(item, "truth"));
    const char *predicted = json_string_value(json_object_get(item, "predicted"));
    size_t n = truth ? strlen(truth) : 0;
    if (!predicted || n == 0 || strlen(predicted) != n || n > IMAGES_LIMIT)
        return (struct outcome){"", "", 0};
    return (struct outcome){truth, predicted, n};
}

/* The number of images if all outcomes of both sides are of the same ones, as far as their classes
 * show that; else 0. */
static size_t common_images(const struct operand *a, const struct operand *b)
{
    size_t seeds = json_array_size(a->outcomes);
    if (seeds == 0 || seeds != a->seeds || json_array_size(b->outcomes) != seeds ||
        b->seeds != seeds)
        return 0;
    struct outcome first = outcome_of(a, 0);
    for (size_t s = 0; s < seeds; s++) {
        struct outcome x = outcome_of(a, s), y = outcome_of(b, s);
        if (first.n == 0 || x.n != first.n || y.n != first.n ||
            memcmp(first.truth, x.truth, first.n) != 0 ||
            memcmp(first.truth, y.truth, first.n) != 0)
            return 0;
    }
    return first.n;
}

static struct paired count_outcomes(const struct operand *a, const struct operand *b)
{
    struct outcome x = outcome_of(a, 0), y = outcome_of(b, 0);
    struct paired p = {.n = x.n};
    for (size_t i = 0; i < x.n; i++) {
        bool left = x.predicted[i] == x.truth[i], right = y.predicted[i] == x.truth[i];
        p.left_only += left && !right;
        p.right_only += right && !left;
    }
    return p;
}

/* Adds weight times (left is correct - right is correct) to differences (seeds, n). */
static void add_differences(const struct operand *a, const struct operand *b, double weight,
                            float *differences, size_t n)
{
    for (size_t s = 0; s < a->seeds; s++) {
        struct outcome x = outcome_of(a, s), y = outcome_of(b, s);
        for (size_t i = 0; i < n; i++) {
            int left = x.predicted[i] == x.truth[i], right = y.predicted[i] == x.truth[i];
            differences[s * n + i] += (float)(weight * (left - right));
        }
    }
}

static int bootstrap(const float *differences, size_t n, struct evidence *e, struct error *err)
{
    e->form = EVIDENCE_SEEDS;
    e->draws.components = difference_components(differences, e->seeds, n);
    e->draws.means = malloc(BOOTSTRAP_DRAWS * sizeof *e->draws.means);
    if (!e->draws.means)
        return error_set(err, ENOMEM, "out of memory");
    return bootstrap_differences(differences, e->seeds, n, BOOTSTRAP_DRAWS, 1, e->draws.means, err);
}

/* The mean of values (n) with the deviation of the images. */
static int sample_images(const float *differences, size_t n, struct evidence *e, struct error *err)
{
    double *values = malloc(n * sizeof *values);
    if (!values)
        return error_set(err, ENOMEM, "out of memory for %zu images", n);
    for (size_t i = 0; i < n; i++)
        values[i] = differences[i];
    e->form = EVIDENCE_IMAGES;
    e->sample = sample_of(values, n);
    free(values);
    return 0;
}

/* From the mean of the differences of each image. */
static int average_images(const struct operand *lefts, const struct operand *rights, size_t count,
                          size_t n, struct evidence *e, struct error *err)
{
    float *differences = calloc(e->seeds * n, sizeof *differences);
    if (!differences)
        return error_set(err, ENOMEM, "out of memory for %zu images", n);
    for (size_t i = 0; i < count; i++)
        add_differences(&lefts[i], &rights[i], 1.0 / (double)count, differences, n);
    int rc =
        e->seeds > 1 ? bootstrap(differences, n, e, err) : sample_images(differences, n, e, err);
    free(differences);
    return rc;
}

/* ---- numbers without outcomes ---- */

static size_t correct_of(const struct operand *o)
{
    double share = o->shown / o->scale;
    return (size_t)llround(fmin(fmax(share, 0), 1) * o->n);
}

static bool is_accuracy(const struct operand *o)
{
    double share = o->shown / o->scale;
    return o->n >= 1 && o->n <= IMAGES_LIMIT && o->scale > 0 && share >= -1e-9 && share <= 1 + 1e-9;
}

/* The variance of a mean, shown. The part between seeds is estimated from few of them: with its
 * degrees of freedom those of the whole follow from Satterthwaite (1946). */
struct variance {
    double total, uncertainty; /* uncertainty: sum of part^2 / degrees of freedom */
};

static void add_seeds(struct variance *v, double part, size_t seeds)
{
    v->total += part;
    if (seeds > 1)
        v->uncertainty += part * part / (double)(seeds - 1);
}

static double degrees_of_freedom(const struct variance *v)
{
    return v->uncertainty > 0 ? v->total * v->total / v->uncertainty : INFINITY;
}

/* Adds the variance of one side: the images are the same for all seeds, so that more seeds reduce
 * the variance between seeds alone. */
static void add_variance(struct variance *v, const struct operand *o)
{
    size_t seeds = o->seeds > 0 ? o->seeds : 1;
    add_seeds(v, o->deviation * o->deviation / (double)seeds, seeds);
    if (!is_accuracy(o)) {
        v->total += o->standard_error * o->standard_error;
        return;
    }
    double share = fmin(fmax(o->shown / o->scale, 0), 1);
    v->total += o->scale * o->scale * share * (1 - share) / o->n;
}

static void compare_numbers(const struct operand *a, const struct operand *b, struct evidence *e)
{
    struct variance v = {0};
    add_variance(&v, a);
    add_variance(&v, b);
    double error = sqrt(v.total);
    e->degrees = degrees_of_freedom(&v);
    bool left = is_accuracy(a), right = is_accuracy(b), one_seed = a->seeds < 2 && b->seeds < 2;
    e->form = e->spread > 0 ? EVIDENCE_SPREAD : error > 0 ? EVIDENCE_NORMAL : EVIDENCE_EXACT;
    e->standard_error = error;
    if (e->spread > 0) /* repeats show more than their means over seeds */
        return;
    if (one_seed && left && right) {
        e->form = EVIDENCE_INDEPENDENT;
        e->independent =
            (struct independent){correct_of(a), (size_t)a->n, correct_of(b), (size_t)b->n};
    } else if (one_seed && left && b->standard_error == 0) {
        e->form = EVIDENCE_SINGLE;
        e->single.correct = correct_of(a);
        e->single.n = (size_t)a->n;
    } else if (one_seed && right && a->standard_error == 0) {
        e->form = EVIDENCE_SINGLE;
        e->single.correct = correct_of(b);
        e->single.n = (size_t)b->n;
        e->single.on_right = true;
    }
}

int evidence_make(const struct operand *left, const struct operand *right, struct evidence *e,
                  struct error *err)
{
    *e = (struct evidence){.form = EVIDENCE_NONE,
                           .left = left->shown,
                           .right = right->shown,
                           .scale = left->n > 0 || right->n == 0 ? left->scale : right->scale,
                           .spread = left->spread + right->spread,
                           .seeds = left->seeds > right->seeds ? left->seeds : right->seeds};
    if (!left->known || !right->known)
        return 0;
    size_t n = left->scale == right->scale && left->scale > 0 ? common_images(left, right) : 0;
    if (n == 0) {
        compare_numbers(left, right, e);
        return 0;
    }
    if (e->seeds > 1)
        return average_images(left, right, 1, n, e, err);
    e->form = EVIDENCE_PAIRED;
    e->paired = count_outcomes(left, right);
    return 0;
}

/* The images that all differences have in common; 0: they differ, or aren't known. */
static size_t images_of_all(const struct operand *lefts, const struct operand *rights, size_t count)
{
    size_t n = lefts[0].scale > 0 ? common_images(&lefts[0], &rights[0]) : 0;
    for (size_t i = 0; i < count && n > 0; i++)
        if (lefts[i].scale != lefts[0].scale || rights[i].scale != lefts[0].scale ||
            common_images(&lefts[0], &lefts[i]) != n || common_images(&lefts[0], &rights[i]) != n)
            n = 0;
    return n;
}

/* The variance of the mean difference of a pair on the same images, by its images alone, as a
 * share. Adds the mean of each seed to seed_means. 0, or -ENOMEM. */
static int pair_variance(const struct operand *left, const struct operand *right, size_t n,
                         double *seed_means, double *variance, struct error *err)
{
    float *differences = calloc(left->seeds * n, sizeof *differences);
    if (!differences)
        return error_set(err, ENOMEM, "out of memory for %zu images", n);
    add_differences(left, right, 1, differences, n);
    *variance = difference_components(differences, left->seeds, n).images;
    for (size_t s = 0; s < left->seeds; s++)
        for (size_t i = 0; i < n; i++)
            seed_means[s] += differences[s * n + i] / (double)n;
    free(differences);
    return 0;
}

/* Of the mean difference of pairs that are each on the same images, but not all on the same ones,
 * such as those of two test sets: the images count as independent between pairs, the seeds are the
 * same. Shown. */
static int variance_of_pairs(const struct operand *lefts, const struct operand *rights,
                             size_t count, struct variance *variance, struct error *err)
{
    size_t seeds = lefts[0].seeds;
    double *means = calloc(seeds, sizeof *means), images = 0;
    int rc = means ? 0 : error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < count && rc == 0; i++) {
        double part = 0;
        rc = pair_variance(&lefts[i], &rights[i], common_images(&lefts[i], &rights[i]), means,
                           &part, err);
        images += part;
    }
    struct sample between = {0};
    if (rc == 0)
        between = sample_of(means, seeds);
    free(means);
    double scale = lefts[0].scale * lefts[0].scale;
    *variance = (struct variance){.total = scale * images};
    add_seeds(variance, scale * between.deviation * between.deviation / (double)seeds, seeds);
    return rc;
}

/* Whether each pair is on the same images, and all have the same seeds and scale. */
static bool pairs_have_outcomes(const struct operand *lefts, const struct operand *rights,
                                size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (common_images(&lefts[i], &rights[i]) == 0 || lefts[i].seeds != lefts[0].seeds ||
            lefts[i].scale != lefts[0].scale || rights[i].scale != lefts[0].scale ||
            !(lefts[0].scale > 0))
            return false;
    return true;
}

int evidence_make_mean(const struct operand *lefts, const struct operand *rights, size_t count,
                       struct evidence *e, struct error *err)
{
    double difference = 0, spread = 0;
    struct variance variance = {0};
    bool known = count > 0;
    *e = (struct evidence){.form = EVIDENCE_NONE, .scale = 1};
    for (size_t i = 0; i < count; i++) {
        known &= lefts[i].known && rights[i].known;
        difference += (lefts[i].shown - rights[i].shown) / (double)count;
        add_variance(&variance, &lefts[i]);
        add_variance(&variance, &rights[i]);
        spread += (lefts[i].spread + rights[i].spread) / (double)count;
    }
    if (!known)
        return 0;
    size_t n = images_of_all(lefts, rights, count);
    e->left = difference;
    e->scale = lefts[0].scale;
    e->seeds = lefts[0].seeds;
    e->spread = spread;
    if (n > 0)
        return average_images(lefts, rights, count, n, e, err);
    int rc = 0;
    if (pairs_have_outcomes(lefts, rights, count))
        rc = variance_of_pairs(lefts, rights, count, &variance, err);
    e->standard_error = sqrt(variance.total) / (double)count;
    e->degrees = degrees_of_freedom(&variance);
    e->form = spread > 0 ? EVIDENCE_SPREAD : variance.total > 0 ? EVIDENCE_NORMAL : EVIDENCE_EXACT;
    return rc;
}

void evidence_free(struct evidence *e)
{
    if (e->form == EVIDENCE_SEEDS)
        free(e->draws.means);
    *e = (struct evidence){.form = EVIDENCE_NONE};
}

/* ---- p-values ---- */

bool evidence_is_tested(const struct evidence *e)
{
    return e->form > EVIDENCE_SPREAD;
}

/* Of a difference in standard errors; the normal distribution without degrees of freedom. */
static double error_tail(double z, double degrees)
{
    return isinf(degrees) ? normal_tail(z) : student_tail(z, degrees);
}

/* The p-value of "left - right <= bound" (above) or ">= bound", with the bound as shown. */
static double one_sided(const struct evidence *e, double bound, bool above)
{
    if (isinf(bound))
        return (bound < 0) == above ? 0 : 1;
    double margin = bound / e->scale, constant;
    switch (e->form) {
    case EVIDENCE_PAIRED:
        return above ? paired_p_above(&e->paired, margin) : paired_p_below(&e->paired, margin);
    case EVIDENCE_INDEPENDENT:
        return above ? independent_p_above(&e->independent, margin)
                     : independent_p_below(&e->independent, margin);
    case EVIDENCE_SINGLE: /* left - right against the bound is the accuracy against a constant */
        constant =
            e->single.on_right ? (e->left - bound) / e->scale : (e->right + bound) / e->scale;
        return above != e->single.on_right
                   ? single_p_above(e->single.correct, e->single.n, constant)
                   : single_p_below(e->single.correct, e->single.n, constant);
    case EVIDENCE_IMAGES:
        return above ? sample_p_above(&e->sample, margin) : sample_p_below(&e->sample, margin);
    case EVIDENCE_SEEDS:
        return above ? bootstrap_p_above(e->draws.means, BOOTSTRAP_DRAWS, margin)
                     : bootstrap_p_below(e->draws.means, BOOTSTRAP_DRAWS, margin);
    case EVIDENCE_NORMAL:
        return error_tail((above ? 1 : -1) * (e->left - e->right - bound) / e->standard_error,
                          e->degrees);
    default:
        return 1;
    }
}

void evidence_p(const struct evidence *e, const struct range *range, double *inside,
                double *outside)
{
    *inside = fmax(one_sided(e, range->low, true), one_sided(e, range->high, false));
    *outside = fmin(one_sided(e, range->low, false), one_sided(e, range->high, true));
}

int evidence_place(const struct evidence *e, const struct range *range)
{
    double difference = e->left - e->right;
    double rounding = 1e-9 * fmax(fmax(fabs(e->left), fabs(e->right)), 1e-300);
    double depth = fmin(difference - range->low, range->high - difference);
    if (e->spread > 0)
        return fabs(depth) <= e->spread ? 0 : depth > 0 ? 1 : -1;
    return depth > rounding || (!range->open && depth >= -rounding) ? 1 : -1;
}

static struct interval scaled(struct interval x, double scale)
{
    return (struct interval){x.low * scale, x.high * scale};
}

/* Of a - b for a constant on one side. */
static struct interval single_interval(const struct evidence *e, double level)
{
    struct interval x = scaled(wilson_interval(e->single.correct, e->single.n, level), e->scale);
    return e->single.on_right ? (struct interval){e->left - x.high, e->left - x.low}
                              : (struct interval){x.low - e->right, x.high - e->right};
}

struct interval evidence_interval(const struct evidence *e, double level)
{
    double half;
    switch (e->form) {
    case EVIDENCE_PAIRED:
        return scaled(paired_interval(&e->paired, level), e->scale);
    case EVIDENCE_INDEPENDENT:
        return scaled(independent_interval(&e->independent, level), e->scale);
    case EVIDENCE_SINGLE:
        return single_interval(e, level);
    case EVIDENCE_IMAGES:
        return scaled(sample_interval(&e->sample, level), e->scale);
    case EVIDENCE_SEEDS:
        return scaled(bootstrap_interval(e->draws.means, BOOTSTRAP_DRAWS, level), e->scale);
    default:
        half = (1 - level) / 2;
        half = isinf(e->degrees) ? normal_critical(half) : student_critical(half, e->degrees);
        half *= e->standard_error;
        return (struct interval){e->left - e->right - half, e->left - e->right + half};
    }
}

/* ---- what would decide ---- */

static double nearest_bound(const struct evidence *e, const struct range *range)
{
    double difference = e->left - e->right;
    return difference - range->low < range->high - difference ? range->low : range->high;
}

size_t evidence_images_to_decide(const struct evidence *e, const struct range *range, double alpha)
{
    double bound = nearest_bound(e, range), margin = bound / e->scale;
    switch (e->form) {
    case EVIDENCE_PAIRED:
        return paired_images_to_decide(&e->paired, margin, alpha);
    case EVIDENCE_INDEPENDENT:
        return independent_images_to_decide(&e->independent, margin, alpha);
    case EVIDENCE_SINGLE:
        return single_images_to_decide(e->single.correct, e->single.n,
                                       e->single.on_right ? (e->left - bound) / e->scale
                                                          : (e->right + bound) / e->scale,
                                       alpha);
    case EVIDENCE_IMAGES:
        return sample_images_to_decide(&e->sample, margin, alpha);
    default:
        return SIZE_MAX;
    }
}

size_t evidence_seeds_to_decide(const struct evidence *e, const struct range *range, double alpha)
{
    if (e->form != EVIDENCE_SEEDS)
        return SIZE_MAX;
    return seeds_to_decide((e->left - e->right) / e->scale, nearest_bound(e, range) / e->scale,
                           &e->draws.components, alpha);
}
