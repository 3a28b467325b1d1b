/* See smo.h. With beta_i = y_i alpha_i every row has its own box [lo, hi] and labels leave the
 * loops. value_i = -y_i * gradient_i; the pair to change is the row of largest value that may rise
 * and, among those that may fall, the one that promises the greatest decrease of the objective. Of
 * equals the last is taken, as LIBSVM does: with a kernel that isn't positive (sigmoid) the first
 * step already decides which of many solutions is found. */
#include "kernels/smo.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { BLOCK = 256 };              /* rows whose maximum is kept together, to find it again fast */
static const double TAU = 1e-12;   /* stands in for a curvature that isn't positive */
static const size_t LEAST_LIMIT = 10000000, LIMIT_PER_ROW = 100;

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

struct solver {
    const struct smo_problem *problem;
    size_t n;
    double *beta, *value;
    double *rise; /* 0 where beta < hi, -inf elsewhere: added to value before a maximum */
    double *fall; /* 0 where beta > lo, +inf elsewhere */
    float *diagonal;
};

/* value -= step * (a - b); returns the largest value that may rise. */
WIDEST static double update_block(size_t n, double *restrict value, const double *restrict rise,
                                  const float *restrict a, const float *restrict b, double step)
{
    double best = -INFINITY;
#pragma omp simd reduction(max : best)
    for (size_t t = 0; t < n; t++) {
        value[t] -= step * ((double)a[t] - (double)b[t]);
        double v = value[t] + rise[t];
        best = v > best ? v : best;
    }
    return best;
}

/* Decrease of the objective (times 2) that row t promises when paired with a row of value top;
 * below 0 if the pair doesn't violate optimality. */
static inline double gain(double top, double value, double curvature)
{
    double violation = top - value;
    curvature = curvature > 0 ? curvature : TAU;
    return violation > 0 ? violation * violation / curvature : -1;
}

/* The largest gain of a block; *lowest becomes the least value that may fall, if lower. */
WIDEST static double gain_block(size_t n, const double *restrict value,
                                const double *restrict fall, const float *restrict row,
                                const float *restrict diagonal, double top, double own,
                                double *lowest)
{
    double best = -1, low = *lowest;
#pragma omp simd reduction(max : best) reduction(min : low)
    for (size_t t = 0; t < n; t++) {
        double v = value[t] + fall[t];
        double g = gain(top, v, own + (double)diagonal[t] - 2 * (double)row[t]);
        best = g > best ? g : best;
        low = v < low ? v : low;
    }
    *lowest = low;
    return best;
}

static double high(const struct solver *s, size_t i)
{
    return i < s->problem->n[0] ? s->problem->c : 0;
}

static double low(const struct solver *s, size_t i)
{
    return i < s->problem->n[0] ? 0 : -s->problem->c;
}

static void note_bounds(struct solver *s, size_t i)
{
    s->rise[i] = s->beta[i] < high(s, i) ? 0 : -INFINITY;
    s->fall[i] = s->beta[i] > low(s, i) ? 0 : INFINITY;
}

/* Kernel values of row i with the rows of a class. */
static const float *kernel_row(const struct solver *s, size_t i, size_t class)
{
    const struct smo_problem *p = s->problem;
    size_t own = i >= p->n[0], row = own ? i - p->n[0] : i;
    return p->k[own][class] + row * p->n[class];
}

/* A stretch of at most BLOCK rows of one class. */
struct block {
    size_t class, start, offset, size; /* start counts all rows, offset those of the class */
};

/* Goes to the next block; false after the last. Start with a zeroed block. */
static bool next_block(const struct solver *s, struct block *b)
{
    const size_t *n = s->problem->n;
    b->offset += b->size;
    b->start += b->size;
    if (b->offset == n[b->class]) {
        if (b->class == 1)
            return false;
        b->class = 1;
        b->offset = 0;
    }
    size_t left = n[b->class] - b->offset;
    b->size = left < BLOCK ? left : BLOCK;
    return true;
}

/* Moves value along the rows of i and j; returns the index of the largest value that may rise, n if none may. */
static size_t update(struct solver *s, size_t i, size_t j, double step)
{
    double best = -INFINITY;
    struct block b = {0}, found = {0};
    while (next_block(s, &b)) {
        double v = update_block(b.size, s->value + b.start, s->rise + b.start,
                                kernel_row(s, i, b.class) + b.offset,
                                kernel_row(s, j, b.class) + b.offset, step);
        if (v >= best) {
            best = v;
            found = b;
        }
    }
    for (size_t t = found.start + found.size; best > -INFINITY && t-- > found.start;)
        if (s->value[t] + s->rise[t] == best)
            return t;
    return s->n;
}

/* The partner of i; n when i has none or no pair violates optimality by the tolerance. */
static size_t partner(const struct solver *s, size_t i)
{
    double best = -1, lowest = INFINITY, top = s->value[i], own = s->diagonal[i];
    struct block b = {0}, found = {0};
    while (next_block(s, &b)) {
        double g = gain_block(b.size, s->value + b.start, s->fall + b.start,
                              kernel_row(s, i, b.class) + b.offset, s->diagonal + b.start, top, own,
                              &lowest);
        if (g >= best) {
            best = g;
            found = b;
        }
    }
    if (top - lowest < s->problem->tolerance || best <= 0)
        return s->n;
    /* The maximum itself, not the value found above: the compiler may fuse operations differently. */
    const float *row = kernel_row(s, i, found.class) + found.offset;
    size_t chosen = s->n;
    double most = -1;
    for (size_t t = 0; t < found.size; t++) {
        size_t at = found.start + t;
        double g = gain(top, s->value[at] + s->fall[at],
                        own + (double)s->diagonal[at] - 2 * (double)row[t]);
        if (g >= most) {
            most = g;
            chosen = at;
        }
    }
    return chosen;
}

/* Takes the best step for the pair within both boxes; returns its length. */
static double step_pair(struct solver *s, size_t i, size_t j)
{
    size_t class = j >= s->problem->n[0];
    double k = kernel_row(s, i, class)[class ? j - s->problem->n[0] : j];
    double curvature = (double)s->diagonal[i] + (double)s->diagonal[j] - 2 * k;
    double step = (s->value[i] - s->value[j]) / (curvature > 0 ? curvature : TAU);
    double room_i = high(s, i) - s->beta[i], room_j = s->beta[j] - low(s, j);
    step = fmin(step, fmin(room_i, room_j));
    s->beta[i] = step == room_i ? high(s, i) : s->beta[i] + step;
    s->beta[j] = step == room_j ? low(s, j) : s->beta[j] - step;
    note_bounds(s, i);
    note_bounds(s, j);
    return step;
}

/* LIBSVM's offset: the mean over free rows, or the middle of what the bounded ones allow. */
static void finish(const struct solver *s, struct smo_result *result)
{
    double least = INFINITY, most = -INFINITY, sum = 0, objective = 0;
    size_t free_rows = 0;
    for (size_t i = 0; i < s->n; i++) {
        double v = -s->value[i];
        objective += s->beta[i] * v - fabs(s->beta[i]);
        if (s->beta[i] >= high(s, i)) {
            most = fmax(most, v);
        } else if (s->beta[i] <= low(s, i)) {
            least = fmin(least, v);
        } else {
            free_rows++;
            sum += v;
        }
    }
    result->rho = free_rows ? sum / (double)free_rows : (least + most) / 2;
    result->objective = objective / 2;
}

static void solve(struct solver *s, struct smo_result *result)
{
    size_t limit = s->n * LIMIT_PER_ROW > LEAST_LIMIT ? s->n * LIMIT_PER_ROW : LEAST_LIMIT;
    for (size_t i = 0; i < s->n; i++) {
        size_t class = i >= s->problem->n[0];
        s->beta[i] = 0;
        s->value[i] = class ? -1 : 1;
        s->diagonal[i] = kernel_row(s, i, class)[class ? i - s->problem->n[0] : i];
        note_bounds(s, i);
    }
    result->iterations = 0;
    result->converged = false;
    size_t i = update(s, 0, 0, 0);
    while (result->iterations < limit) {
        size_t j = i < s->n ? partner(s, i) : s->n;
        if (j == s->n) {
            result->converged = true;
            break;
        }
        double step = step_pair(s, i, j);
        i = update(s, i, j, step);
        result->iterations++;
    }
    finish(s, result);
}

int smo_solve(const struct smo_problem *problem, struct smo_result *result, struct error *err)
{
    size_t n = problem->n[0] + problem->n[1];
    struct solver s = {.problem = problem, .n = n, .beta = result->beta};
    s.value = malloc(n * sizeof *s.value);
    s.rise = malloc(n * sizeof *s.rise);
    s.fall = malloc(n * sizeof *s.fall);
    s.diagonal = malloc(n * sizeof *s.diagonal);
    int rc = 0;
    if (!s.value || !s.rise || !s.fall || !s.diagonal)
        rc = error_set(err, ENOMEM, "out of memory for a problem of %zu rows", n);
    else
        solve(&s, result);
    free(s.value);
    free(s.rise);
    free(s.fall);
    free(s.diagonal);
    return rc;
}
