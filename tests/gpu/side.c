/* A backend's device in check_gpu, its drawn tensors, and the comparison of results; see check.h.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/gpu/check.h"

void side_open(struct side *s, const char *backend, enum precision precision)
{
    memset(s, 0, sizeof *s);
    s->b = backend_find(backend, &s->err);
    if (!s->b)
        s->failed = -EINVAL;
    else
        s->failed = s->b->open(&s->d, &s->traits, 1, precision, &s->err);
    if (s->failed)
        s->d = NULL;
}

void side_close(struct side *s)
{
    results_free(&s->results);
    if (s->d)
        s->b->close(s->d);
    s->d = NULL;
}

void results_free(struct results *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->items[i].values);
    r->count = 0;
}

size_t shape_values(struct shape s)
{
    return s.n * s.c * s.h * s.w;
}

void draw_values(struct random *r, struct draw draw, float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = random_bits(r);
        if (draw.steps == 0) {
            values[i] = (float)(draw.low * (1 - 0x1p-52 * (double)(bits >> 11)));
            continue;
        }
        double v = draw.low + (double)((bits >> 1) % draw.steps) / 16;
        values[i] = (float)(draw.sign && bits & 1 ? -v : v);
    }
}

struct tensor *side_tensor(struct side *s, enum tensor_use use, struct shape shape,
                           struct draw draw)
{
    size_t n = shape_values(shape);
    struct tensor *t = NULL;
    float *values = calloc(n, sizeof *values);
    if (!values)
        TRY(s, error_set(&s->err, ENOMEM, "out of memory"));
    TRY(s, s->b->tensor(s->d, use, shape, &t, &s->err));
    if (values)
        draw_values(&s->random, draw, values, n);
    TRY(s, s->b->write(s->d, t, values, shape.n, &s->err));
    free(values);
    return t;
}

void side_keep(struct side *s, const char *name, struct tensor *t, struct shape shape)
{
    struct result r = {name, calloc(shape_values(shape), sizeof *r.values), shape_values(shape)};
    if (!r.values || s->results.count == MAX_RESULTS)
        TRY(s, error_set(&s->err, ENOMEM, "out of memory for results"));
    TRY(s, s->b->read(s->d, t, r.values, shape.n, &s->err));
    if (s->failed)
        free(r.values);
    else
        s->results.items[s->results.count++] = r;
}

int compare_result(const struct result *a, const struct result *ref, struct bound bound,
                   struct error *err)
{
    double squares = 0, worst = 0;
    size_t at = 0, wrong = 0;
    for (size_t i = 0; i < ref->count; i++)
        squares += (double)ref->values[i] * (double)ref->values[i];
    double rms = sqrt(squares / (double)ref->count);
    for (size_t i = 0; i < ref->count; i++) {
        double r = (double)ref->values[i], off = fabs((double)a->values[i] - r);
        double excess = off - (bound.relative * fabs(r) + bound.absolute * rms);
        if (excess <= 0)
            continue;
        wrong++;
        if (!(excess <= worst)) { /* NaN, too */
            worst = isnan(excess) ? INFINITY : excess;
            at = i;
        }
    }
    if (!wrong)
        return 0;
    return error_set(err, ERANGE,
                     "%s: %zu of %zu values are wrong; value %zu is %.9g, ref has %.9g (allowed: "
                     "%.2g of it + %.2g)",
                     ref->name, wrong, ref->count, at, (double)a->values[at],
                     (double)ref->values[at], bound.relative, bound.absolute * rms);
}

int compare_bits(const struct results *a, const struct results *b, struct error *err)
{
    for (size_t i = 0; i < a->count && i < b->count; i++)
        if (memcmp(a->items[i].values, b->items[i].values, a->items[i].count * sizeof(float)) != 0)
            return error_set(err, EILSEQ, "%s: two runs differ", a->items[i].name);
    return a->count == b->count ? 0 : error_set(err, EILSEQ, "a run has fewer results");
}
