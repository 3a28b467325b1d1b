/* See lbfgs.h. */
#include "kernels/math/lbfgs.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORY = 30, SEARCH_LIMIT = 30 };

static const double DECREASE = 1e-4, CURVATURE = 0.9; /* constants of the Wolfe conditions */
static const double FLAT = 64 * DBL_EPSILON; /* a smaller relative decrease is no progress */

struct state {
    const struct lbfgs *problem;
    struct lbfgs_report *report;
    double *x, *gradient; /* (n) each: the current point */
    double *trial, *trial_gradient, *direction;
    double *steps, *changes;  /* (HISTORY, n): of x and of the gradient, ring buffers */
    double products[HISTORY]; /* step . change */
    size_t kept, next;        /* entries in the ring buffers; the next to be overwritten */
};

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(a[i]));
    return most;
}

static void add(double *to, double factor, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += factor * from[i];
}

/* direction = -H gradient, by the two-loop recursion. */
static void choose_direction(struct state *s)
{
    size_t n = s->problem->n;
    double factors[HISTORY];
    for (size_t i = 0; i < n; i++)
        s->direction[i] = -s->gradient[i];
    for (size_t k = 0; k < s->kept; k++) { /* from the newest to the oldest */
        size_t at = (s->next + HISTORY - 1 - k) % HISTORY;
        factors[at] = dot(s->steps + at * n, s->direction, n) / s->products[at];
        add(s->direction, -factors[at], s->changes + at * n, n);
    }
    if (s->kept > 0) {
        size_t newest = (s->next + HISTORY - 1) % HISTORY;
        const double *change = s->changes + newest * n;
        double scale = s->products[newest] / dot(change, change, n);
        for (size_t i = 0; i < n; i++)
            s->direction[i] *= scale;
    }
    for (size_t k = s->kept; k-- > 0;) {
        size_t at = (s->next + HISTORY - 1 - k) % HISTORY;
        double factor = dot(s->changes + at * n, s->direction, n) / s->products[at];
        add(s->direction, factors[at] - factor, s->steps + at * n, n);
    }
}

/* A point x + t direction on the line of the search: the value and its derivative by t. */
struct point {
    double t, value, slope;
};

static int evaluate_at(struct state *s, double t, struct point *p, struct error *err)
{
    size_t n = s->problem->n;
    for (size_t i = 0; i < n; i++)
        s->trial[i] = s->x[i] + t * s->direction[i];
    s->report->evaluations++;
    int rc = s->problem->evaluate(s->problem->context, s->trial, &p->value, s->trial_gradient, err);
    p->t = t;
    p->slope = dot(s->trial_gradient, s->direction, n);
    if (!isfinite(p->value) || !isfinite(p->slope))
        *p = (struct point){t, INFINITY, INFINITY};
    return rc;
}

/* The minimum between two points of the cubic with the same values and slopes; the middle if that
 * is too near to an end. */
static double interpolate(const struct point *a, const struct point *b)
{
    double middle = (a->t + b->t) / 2, width = fabs(b->t - a->t);
    if (!isfinite(b->value))
        return a->t + (b->t - a->t) / 10;
    double d1 = a->slope + b->slope - 3 * (a->value - b->value) / (a->t - b->t);
    double square = d1 * d1 - a->slope * b->slope;
    if (!(square >= 0))
        return middle;
    double d2 = copysign(sqrt(square), b->t - a->t);
    double t = b->t - (b->t - a->t) * (b->slope + d2 - d1) / (b->slope - a->slope + 2 * d2);
    return fabs(t - a->t) >= width / 20 && fabs(t - b->t) >= width / 20 && fabs(t - middle) < width
               ? t
               : middle;
}

/* Finds a t that satisfies the strong Wolfe conditions; trial and trial_gradient are left there.
 * *at: the point found; at->t is 0 if no lower value was found. */
static int search(struct state *s, const struct point *start, double t, struct point *at,
                  struct error *err)
{
    struct point low = *start, high = {0},
                 p; /* low: the best so far; the minimum is between low and high */
    bool bracket = false;
    for (int i = 0; i < SEARCH_LIMIT; i++) {
        int rc = evaluate_at(s, t, &p, err);
        if (rc < 0)
            return rc;
        if (p.value > start->value + DECREASE * t * start->slope ||
            (low.t > 0 && p.value >= low.value)) {
            high = p;
            bracket = true;
        } else if (fabs(p.slope) <= -CURVATURE * start->slope) {
            *at = p;
            return 0;
        } else {
            if (bracket ? p.slope * (high.t - low.t) >= 0 : p.slope >= 0) {
                high = low;
                bracket = true;
            }
            low = p;
        }
        t = bracket ? interpolate(&low, &high) : 4 * t;
        if (bracket && fabs(high.t - low.t) <= DBL_EPSILON * fabs(high.t))
            break;
    }
    *at = low;
    return low.t > 0 ? evaluate_at(s, low.t, at, err) : 0; /* for the gradient */
}

/* Stores the step to trial if its product with the change of the gradient is positive, as for a
 * convex function. */
static void remember(struct state *s)
{
    size_t n = s->problem->n;
    double *step = s->steps + s->next * n, *change = s->changes + s->next * n;
    for (size_t i = 0; i < n; i++) {
        step[i] = s->trial[i] - s->x[i];
        change[i] = s->trial_gradient[i] - s->gradient[i];
    }
    double product = dot(step, change, n);
    if (!(product > DBL_EPSILON * dot(change, change, n)))
        return;
    s->products[s->next] = product;
    s->next = (s->next + 1) % HISTORY;
    s->kept += s->kept < HISTORY;
}

static int iterate(struct state *s, struct error *err)
{
    const struct lbfgs *problem = s->problem;
    struct lbfgs_report *report = s->report;
    size_t n = problem->n;
    report->evaluations = 1;
    int rc = problem->evaluate(problem->context, s->x, &report->value, s->gradient, err);
    while (rc == 0) {
        report->gradient = largest(s->gradient, n);
        report->converged = report->converged || report->gradient <= problem->tolerance;
        if (report->converged || report->iterations == problem->most_iterations)
            return 0;
        choose_direction(s);
        struct point start = {0, report->value, dot(s->gradient, s->direction, n)}, end;
        double length = sqrt(dot(s->gradient, s->gradient, n));
        rc = search(s, &start, s->kept > 0 ? 1 : fmin(1, 1 / length), &end, err);
        if (rc < 0)
            return rc;
        report->iterations++;
        if (problem->progress)
            problem->progress(problem->progress_context, report->iterations,
                              problem->most_iterations);
        double size = fmax(1, fmax(fabs(start.value), fabs(end.value)));
        bool flat = start.value - end.value <= FLAT * size;
        if (flat && s->kept > 0 && end.t == 0) {
            s->kept = 0; /* the direction may be bad: continue with steepest descent */
            continue;
        }
        report->converged = flat;
        if (end.t > 0) {
            remember(s);
            memcpy(s->x, s->trial, n * sizeof *s->x);
            memcpy(s->gradient, s->trial_gradient, n * sizeof *s->gradient);
            report->value = end.value;
        }
    }
    return rc;
}

int lbfgs_minimize(const struct lbfgs *problem, double *x, struct lbfgs_report *report,
                   struct error *err)
{
    enum { VECTORS = 4 + 2 * HISTORY };
    size_t n = problem->n;
    *report = (struct lbfgs_report){0};
    double *memory = calloc(n, VECTORS * sizeof *memory);
    if (!memory)
        return error_set(err, ENOMEM, "out of memory to minimise over %zu unknowns", n);
    struct state s = {.problem = problem,
                      .report = report,
                      .x = x,
                      .gradient = memory,
                      .trial = memory + n,
                      .trial_gradient = memory + 2 * n,
                      .direction = memory + 3 * n,
                      .steps = memory + 4 * n,
                      .changes = memory + (4 + HISTORY) * n};
    int rc = iterate(&s, err);
    free(memory);
    return rc;
}
