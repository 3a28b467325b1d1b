/* See smo.h. With beta_i = y_i alpha_i every row has its own box [lo, hi], and the loops need no
 * labels. value_i = -y_i * gradient_i. A step changes a pair of rows: the row i of largest value
 * whose beta may rise, and the row j whose beta may fall and which gives the greatest decrease of
 * the objective together with i. Among equals the last is taken, as in LIBSVM: with a kernel that
 * isn't positive definite (sigmoid) the first step decides which of many solutions is found.
 *
 * Steps of pairs alone may take millions of iterations (linear kernel, fewer columns than rows). So
 * after every n steps of a problem of n rows come Newton steps on the free rows, and shrinking:
 * rows at a bound are left out, and the others are solved on a copy of their kernel values. Neither
 * changes the result: the whole problem must meet the same stopping rule. */
#include "kernels/classifiers/svm/smo.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/math/target_clones.h"

enum { BLOCK = 256 };            /* rows with one maximum: only one block is searched for its row */
static const double TAU = 1e-12; /* replaces a curvature that isn't positive */
static const size_t LEAST_LIMIT = 10000000, LIMIT_PER_ROW = 100;
static const size_t PATIENCE = 1; /* steps per row before Newton steps and shrinking */

/* Newton steps: most free rows, most bounds reached with one factorisation, and the ridge added to
 * the diagonal in units of its mean times sqrt(rows), which is somewhat more than the rounding of
 * float32. */
enum { MOST_FREE = SMO_MOST_FREE, MOST_CONSTRAINTS = 128 };
static const double RIDGE = 2e-7;

struct solver {
    const struct smo_problem *problem;
    size_t n;
    size_t *iterations, limit; /* shared with the inner solvers of shrinking */
    bool *no_memory;           /* shared too: an allocation failed; stop */
    double *beta, *value;
    double *rise; /* 0 where beta < hi, -inf elsewhere: added to value before a maximum */
    double *fall; /* 0 where beta > lo, +inf elsewhere */
    double *diagonal;
};

/* value -= step * (a - b); returns the largest value that may rise. */
WIDEST static double update_block(size_t n, double *restrict value, const double *restrict rise,
                                  const float *restrict a, const float *restrict b, double step)
{
    double best = -INFINITY;
#pragma omp simd reduction(max : best)
    for (size_t t = 0; t < n; t++) {
        /* clang-tidy can't see that n rows were filled in. NOLINTBEGIN(clang-analyzer-core.*) */
        value[t] -= step * ((double)a[t] - (double)b[t]);
        double v = value[t] + rise[t]; /* NOLINTEND(clang-analyzer-core.*) */
        best = v > best ? v : best;
    }
    return best;
}

/* value -= step * a */
WIDEST static void shift(size_t n, double *restrict value, const float *restrict a, double step)
{
#pragma omp simd
    for (size_t t = 0; t < n; t++)
        value[t] -= step * (double)a[t];
}

/* Twice the decrease of the objective by a step of two rows, with values `top` and `value`; below 0
 * if the pair doesn't violate optimality. */
static inline double gain(double top, double value, double curvature)
{
    double violation = top - value;
    curvature = curvature > 0 ? curvature : TAU;
    return violation > 0 ? violation * violation / curvature : -1;
}

/* The largest gain of a block; *lowest becomes the least value that may fall, if lower. */
WIDEST static double gain_block(size_t n, const double *restrict value, const double *restrict fall,
                                const float *restrict row, const double *restrict diagonal,
                                double top, double own, double *lowest)
{
    double best = -1, low = *lowest;
#pragma omp simd reduction(max : best) reduction(min : low)
    for (size_t t = 0; t < n; t++) {
        double v = value[t] + fall[t];
        double g = gain(top, v, own + diagonal[t] - 2 * (double)row[t]);
        best = g > best ? g : best;
        low = v < low ? v : low;
    }
    *lowest = low;
    return best;
}

static double high(const struct solver *s, size_t i)
{
    return i < s->problem->n[0] ? s->problem->c[0] : 0;
}

static double low(const struct solver *s, size_t i)
{
    return i < s->problem->n[0] ? 0 : -s->problem->c[1];
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

static double kernel_value(const struct solver *s, size_t i, size_t j)
{
    size_t class = j >= s->problem->n[0];
    return kernel_row(s, i, class)[class ? j - s->problem->n[0] : j];
}

/* Call it after each use of a row of k, which has two parts. */
static void touch_row(const struct solver *s)
{
    spill_touch(s->problem->spill, 2, s->n * sizeof(float), SIZE_MAX);
}

/* At most BLOCK consecutive rows of one class. */
struct block {
    size_t class, start, offset, size; /* first row: start in the problem, offset in the class */
};

/* Moves to the next block, from a zeroed block to the first. Returns false after the last. */
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

/* Updates value after a step of i and j. Returns the row of largest value whose beta may rise; n if
 * there is none. */
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

/* The row to be paired with i; n if no pair violates optimality by more than the tolerance. */
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
    /* Search for the maximum again instead of for `best`: the compiler may fuse operations
     * differently here. */
    const float *row = kernel_row(s, i, found.class) + found.offset;
    size_t chosen = s->n;
    double most = -1;
    for (size_t t = 0; t < found.size; t++) {
        size_t at = found.start + t;
        double g =
            gain(top, s->value[at] + s->fall[at], own + s->diagonal[at] - 2 * (double)row[t]);
        if (g >= most) {
            most = g;
            chosen = at;
        }
    }
    return chosen;
}

/* Takes the best step of the pair within both boxes. Returns its length. */
static double step_pair(struct solver *s, size_t i, size_t j)
{
    double curvature = s->diagonal[i] + s->diagonal[j] - 2 * kernel_value(s, i, j);
    double step = (s->value[i] - s->value[j]) / (curvature > 0 ? curvature : TAU);
    double most_i = high(s, i) - s->beta[i], most_j = s->beta[j] - low(s, j);
    step = fmin(step, fmin(most_i, most_j));
    s->beta[i] = step == most_i ? high(s, i) : s->beta[i] + step;
    s->beta[j] = step == most_j ? low(s, j) : s->beta[j] - step;
    note_bounds(s, i);
    note_bounds(s, j);
    return step;
}

/* LIBSVM's offset: the mean over the free rows; without any, the middle of the interval that the
 * rows at bounds allow. */
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

/* active: the rows that can still be part of a pair, in order: free rows, and rows at a bound that
 * violate optimality with some row. kept[c]: how many of them are of class c. Returns their
 * number. */
static size_t find_active(const struct solver *s, size_t *active, size_t kept[2])
{
    double top = -INFINITY, bottom = INFINITY;
    for (size_t i = 0; i < s->n; i++) {
        top = fmax(top, s->value[i] + s->rise[i]);
        bottom = fmin(bottom, s->value[i] + s->fall[i]);
    }
    size_t count = 0;
    kept[0] = kept[1] = 0;
    for (size_t i = 0; i < s->n; i++) {
        bool may_rise = s->rise[i] == 0, may_fall = s->fall[i] == 0;
        if ((may_rise && may_fall) || (may_rise ? s->value[i] >= bottom : s->value[i] <= top)) {
            active[count++] = i;
            kept[i >= s->problem->n[0]]++;
        }
    }
    return count;
}

static int solver_make(struct solver *s)
{
    s->value = malloc(s->n * sizeof *s->value);
    s->rise = malloc(s->n * sizeof *s->rise);
    s->fall = malloc(s->n * sizeof *s->fall);
    s->diagonal = malloc(s->n * sizeof *s->diagonal);
    return s->value && s->rise && s->fall && s->diagonal ? 0 : -ENOMEM;
}

static void solver_free(struct solver *s)
{
    free(s->value);
    free(s->rise);
    free(s->fall);
    free(s->diagonal);
}

/* Copies the kernel values of the active rows with each other to `to` (count, count), as four
 * blocks, and fills `inner`, which borrows them. */
static void gather(const struct solver *s, const size_t *active, const size_t kept[2], float *to,
                   struct smo_problem *inner)
{
    *inner = (struct smo_problem){.n = {kept[0], kept[1]},
                                  .c = {s->problem->c[0], s->problem->c[1]},
                                  .tolerance = s->problem->tolerance};
    for (size_t a = 0; a < 2; a++)
        for (size_t b = 0; b < 2; b++) {
            const size_t *rows = active + (a ? kept[0] : 0), *columns = active + (b ? kept[0] : 0);
            size_t first = b ? s->problem->n[0] : 0;
            inner->k[a][b] = to;
            for (size_t r = 0; r < kept[a]; r++) {
                const float *row = kernel_row(s, rows[r], b);
                for (size_t c = 0; c < kept[b]; c++)
                    *to++ = row[columns[c] - first];
                touch_row(s);
            }
        }
}

static bool solve(struct solver *s);

/* Updates value after a change of beta_i. */
static void update_values(struct solver *s, size_t i, double change)
{
    for (size_t class = 0, start = 0; class < 2; start += s->problem->n[class ++])
        shift(s->problem->n[class], s->value + start, kernel_row(s, i, class), change);
    touch_row(s);
}

/* Copies beta of the active rows from the inner solver and updates value of all rows. */
static void copy_back(struct solver *s, const struct solver *inner, const size_t *active)
{
    for (size_t a = 0; a < inner->n; a++) {
        size_t i = active[a];
        double change = inner->beta[a] - s->beta[i];
        if (change == 0)
            continue;
        update_values(s, i, change);
        s->beta[i] = inner->beta[a];
        note_bounds(s, i);
    }
    for (size_t a = 0; a < inner->n; a++)
        s->value[active[a]] = inner->value[a];
}

/* Shrinking: solves the problem of the active rows alone, if they are at most half of the rows. */
static void shrink(struct solver *s)
{
    size_t kept[2], *active = malloc(s->n * sizeof *active);
    *s->no_memory = !active;
    if (!active)
        return;
    size_t count = find_active(s, active, kept);
    struct smo_problem problem;
    struct solver inner = {.problem = &problem,
                           .n = count,
                           .iterations = s->iterations,
                           .limit = s->limit,
                           .no_memory = s->no_memory};
    if (count > 1 && count <= s->n / 2) {
        struct spill *spill = s->problem->spill;
        float *k = spill_alloc(spill, count * count, sizeof *k);
        double *diagonal = malloc(count * sizeof *diagonal);
        inner.beta = malloc(count * sizeof *inner.beta);
        *s->no_memory = !k || !diagonal || !inner.beta || solver_make(&inner) < 0;
        if (!*s->no_memory) {
            gather(s, active, kept, k, &problem);
            problem.diagonal = diagonal;
            for (size_t a = 0; a < count; a++) {
                diagonal[a] = s->diagonal[active[a]];
                inner.beta[a] = s->beta[active[a]];
                inner.value[a] = s->value[active[a]];
            }
            solve(&inner);
            copy_back(s, &inner, active);
        }
        solver_free(&inner);
        free(inner.beta);
        free(diagonal);
        spill_free(spill, k);
    }
    free(active);
}

/* The face of the box that beta lies on, for Newton steps: the free rows, the Cholesky factor of
 * their kernel matrix K, and constraints A step = 0. Row 0 of A is all ones, because the sum of
 * beta stays 0; each bound that was reached adds a row that selects one free row. */
struct face {
    size_t n, *rows;
    double *k;                    /* (n, n): Cholesky factor of K plus a ridge */
    double *target;               /* (n): K^-1 value, the step without constraints */
    double *step;                 /* (n) */
    double *change;               /* (n): of beta, so far */
    size_t constraints, *reached; /* reached[c]: the free row that constraint c > 0 selects */
    double *z;                    /* (MOST_CONSTRAINTS, n): K^-1 times the rows of A */
    double *schur, *multiplier;   /* A K^-1 A' and the Lagrange multipliers */
};

static void face_free(struct face *f)
{
    free(f->rows);
    free(f->reached);
    free(f->k);
    free(f->target);
    free(f->step);
    free(f->change);
    free(f->z);
    free(f->schur);
    free(f->multiplier);
}

/* Finds the free rows and allocates the arrays. Returns false if there are too few or too many free
 * rows, or no memory. */
static bool face_make(struct face *f, const struct solver *s)
{
    *f = (struct face){.rows = malloc(s->n * sizeof *f->rows)};
    *s->no_memory = !f->rows;
    for (size_t i = 0; f->rows && i < s->n; i++)
        if (s->rise[i] == 0 && s->fall[i] == 0)
            f->rows[f->n++] = i;
    if (f->n < 2 || f->n > MOST_FREE)
        return false;
    f->reached = malloc(MOST_CONSTRAINTS * sizeof *f->reached);
    f->k = malloc(f->n * f->n * sizeof *f->k);
    f->target = malloc(f->n * sizeof *f->target);
    f->step = malloc(f->n * sizeof *f->step);
    f->change = calloc(f->n, sizeof *f->change);
    f->z = malloc(MOST_CONSTRAINTS * f->n * sizeof *f->z);
    f->schur = malloc(MOST_CONSTRAINTS * MOST_CONSTRAINTS * sizeof *f->schur);
    f->multiplier = malloc(MOST_CONSTRAINTS * sizeof *f->multiplier);
    *s->no_memory = !(f->reached && f->k && f->target && f->step && f->change && f->z && f->schur &&
                      f->multiplier);
    return !*s->no_memory;
}

/* Returns false if the kernel matrix of the free rows isn't positive definite. */
static bool face_factor(struct face *f, const struct solver *s)
{
    double trace = 0;
    for (size_t a = 0; a < f->n; a++) {
        for (size_t b = 0; b <= a; b++)
            f->k[a * f->n + b] = kernel_value(s, f->rows[a], f->rows[b]);
        touch_row(s);
        trace += f->k[a * f->n + a];
        f->target[a] = s->value[f->rows[a]];
        f->z[a] = 1;
    }
    for (size_t a = 0; a < f->n; a++)
        f->k[a * f->n + a] += RIDGE * sqrt((double)f->n) * trace / (double)f->n;
    if (blas_cholesky(f->k, f->n) < 0)
        return false;
    blas_cholesky_solve(f->k, f->n, f->target);
    blas_cholesky_solve(f->k, f->n, f->z);
    f->constraints = 1;
    return true;
}

/* The product of row c of A with a vector. */
static double constraint_of(const struct face *f, size_t c, const double *x)
{
    if (c > 0)
        return x[f->reached[c]];
    double sum = 0;
    for (size_t a = 0; a < f->n; a++)
        sum += x[a];
    return sum;
}

/* The best step under the constraints: K^-1 (value - A' multiplier) with A step = 0. */
static bool face_direction(struct face *f)
{
    size_t q = f->constraints;
    for (size_t c = 0; c < q; c++) {
        for (size_t b = 0; b <= c; b++)
            f->schur[c * q + b] = constraint_of(f, c, f->z + b * f->n);
        f->multiplier[c] = constraint_of(f, c, f->target);
    }
    if (blas_cholesky(f->schur, q) < 0)
        return false;
    blas_cholesky_solve(f->schur, q, f->multiplier);
    memcpy(f->step, f->target, f->n * sizeof *f->step);
    for (size_t c = 0; c < q; c++)
        for (size_t a = 0; a < f->n; a++)
            f->step[a] -= f->multiplier[c] * f->z[c * f->n + a];
    for (size_t c = 1; c < q; c++)
        f->step[f->reached[c]] = 0;
    return true;
}

/* Moves beta along the step to its end or to the first bound, which becomes a constraint. Returns
 * false at the end, or if there are MOST_CONSTRAINTS. */
static bool face_advance(struct face *f, struct solver *s)
{
    double length = 1;
    size_t stop = f->n;
    for (size_t a = 0; a < f->n; a++) {
        size_t i = f->rows[a];
        double most = f->step[a] > 0 ? high(s, i) - s->beta[i] : s->beta[i] - low(s, i);
        if (fabs(f->step[a]) * length > most) {
            length = most / fabs(f->step[a]);
            stop = a;
        }
    }
    for (size_t a = 0; a < f->n; a++) {
        size_t i = f->rows[a];
        double to = s->beta[i] + length * f->step[a];
        if (a == stop)
            to = f->step[a] > 0 ? high(s, i) : low(s, i);
        to = fmin(fmax(to, low(s, i)), high(s, i));
        f->change[a] += to - s->beta[i];
        s->beta[i] = to;
        f->target[a] -= length * f->step[a];
    }
    if (stop == f->n || f->constraints == MOST_CONSTRAINTS)
        return false;
    double *z = f->z + f->constraints * f->n;
    memset(z, 0, f->n * sizeof *z);
    z[stop] = 1;
    blas_cholesky_solve(f->k, f->n, z);
    f->reached[f->constraints++] = stop;
    return true;
}

/* Newton steps on the face that beta lies on, from bound to bound. They replace millions of steps
 * of pairs where the kernel matrix is ill-conditioned. */
static void newton(struct solver *s)
{
    struct face f;
    if (face_make(&f, s) && face_factor(&f, s)) {
        while (face_direction(&f) && face_advance(&f, s))
            ;
        for (size_t a = 0; a < f.n; a++)
            if (f.change[a] != 0) {
                update_values(s, f.rows[a], f.change[a]);
                note_bounds(s, f.rows[a]);
            }
    }
    face_free(&f);
}

/* Continues from beta and value until no pair violates optimality. Returns false if the limit on
 * iterations was reached or memory ran out. */
static bool solve(struct solver *s)
{
    size_t rest = s->n * PATIENCE;
    for (size_t i = 0; i < s->n; i++) {
        s->diagonal[i] = s->problem->diagonal ? s->problem->diagonal[i] : kernel_value(s, i, i);
        touch_row(s);
        note_bounds(s, i);
    }
    size_t i = update(s, 0, 0, 0);
    while (*s->iterations < s->limit) {
        size_t j = i < s->n ? partner(s, i) : s->n;
        if (j == s->n)
            return true;
        double step = step_pair(s, i, j);
        i = update(s, i, j, step);
        touch_row(s);
        touch_row(s);
        ++*s->iterations;
        if (--rest == 0) {
            newton(s);
            if (!*s->no_memory)
                shrink(s);
            if (*s->no_memory)
                return false;
            i = update(s, 0, 0, 0);
            rest = s->n * PATIENCE;
        }
    }
    return false;
}

int smo_solve(const struct smo_problem *problem, struct smo_result *result, struct error *err)
{
    size_t n = problem->n[0] + problem->n[1];
    bool no_memory = false;
    struct solver s = {.problem = problem,
                       .n = n,
                       .iterations = &result->iterations,
                       .limit = LIMIT_PER_ROW * n > LEAST_LIMIT ? LIMIT_PER_ROW * n : LEAST_LIMIT,
                       .no_memory = &no_memory,
                       .beta = result->beta};
    result->iterations = 0;
    if (solver_make(&s) < 0) {
        no_memory = true;
    } else {
        for (size_t i = 0; i < n; i++) {
            s.beta[i] = 0;
            s.value[i] = i < problem->n[0] ? 1 : -1;
        }
        result->converged = solve(&s);
        finish(&s, result);
    }
    solver_free(&s);
    return no_memory ? error_set(err, ENOMEM, "out of memory for a problem of %zu rows", n) : 0;
}
