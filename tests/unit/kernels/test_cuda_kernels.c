/* Each kernel of the `cuda` backend, compiled as host code, against the `ref` backend or a loop in
 * double. Inputs are multiples of 1/16 that bf16 holds exactly. Each kernel runs twice, the second
 * time with its blocks in the opposite order, and must give the same bits. All buffers start as
 * NaN, so a value that isn't written is found, and have guards at both ends (none under
 * AddressSanitizer, which has its own).
 *
 * Bounds: U = 2^-24 is the rounding error of float32, 2^-8 that of bf16. Each result is bounded by
 * a multiple of U times the sum of the magnitudes that were added, plus 2^-8 of itself if it is
 * stored as bf16. The multiple counts the roundings of one value: a few operations, or for sums the
 * rows that a thread adds (at most 17 here), 8 levels of a tree, and the error of the terms. */
#include "tests/unit/kernels/cuda_run.h"

/* ---- cases ---- */

static const struct shape shapes[] = {
    {1, 1, 1, 1},  {1, 8, 1, 1},  {1, 3, 5, 5},    {2, 5, 7, 6},   {3, 7, 5, 5},     {2, 8, 7, 6},
    {4, 24, 5, 5}, {2, 40, 7, 6}, {5, 64, 7, 6},   {2, 200, 3, 3}, {1, 64, 1, 2},    {3, 1, 5, 5},
    {3, 12, 9, 5}, {2, 33, 7, 3}, {2, 16, 23, 23}, {1, 130, 2, 3}, {34, 31, 32, 32},
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

struct test_case {
    struct shape s;
    enum value_type type;
    bool relu, residual, second, add, bias, in_place, sums;
    float offset; /* added to x */
};

static size_t rows_of(struct shape s)
{
    return s.n * s.h * s.w;
}

/* Calls `check` for all shapes, both types, and some combinations of the flags. */
static void for_cases(void (*check)(const struct test_case *c, const char *label), unsigned step)
{
    for (size_t i = 0; i < 2 * SHAPES; i++) {
        struct shape s = shapes[i / 2];
        if (count_of(s) > MOST_VALUES)
            continue;
        const unsigned every = count_of(s) > 100000 || MOST_VALUES < 1000 ? 5 * step : step;
        for (unsigned flags = (unsigned)i / 2 % step; flags < 128; flags += every) {
            char label[LABEL];
            struct test_case c = {s,          i % 2 ? VALUE_BF16 : VALUE_F32,
                                  flags & 1,  flags & 2,
                                  flags & 4,  flags & 8,
                                  flags & 16, flags & 32,
                                  flags & 64, 0};
            snprintf(label, sizeof label, "%s, %zu x %zu x %zu x %zu%s%s%s%s%s%s%s",
                     c.type == VALUE_BF16 ? "bf16" : "float32", s.n, s.c, s.h, s.w,
                     c.relu ? ", ReLU" : "", c.residual ? ", residual" : "",
                     c.second ? ", two gradients" : "", c.add ? ", added" : "",
                     c.bias ? ", bias" : "", c.in_place ? ", in place" : "",
                     c.sums ? ", sums" : "");
            check(&c, label);
        }
    }
}

/* ---- batch norm ---- */

/* Indices of the inputs of run_norm among its buffers. */
enum { X, BIAS, DY, DY2, ADD, RESIDUAL, GAMMA, BETA, MEAN, VAR };

static void *input_of(const struct run *r, int i)
{
    return r->buffer[i].memory + GUARD;
}

/* A result that starts as a copy of an input: for operations in place. */
static void *copy_of(struct run *r, const char *name, int i)
{
    const struct buffer *b = &r->buffer[i];
    void *v = buffer(r, name, b->type, b->count);
    memcpy(v, input_of(r, i), b->bytes);
    return v;
}

static void run_norm(struct run *r, const void *item)
{
    const struct test_case *c = item;
    const size_t rows = rows_of(c->s), channels = c->s.c, count = rows * channels;
    for (int i = X; i <= RESIDUAL; i++)
        input(r, i == BIAS ? VALUE_F32 : c->type, i == BIAS ? channels : count,
              i == X ? c->offset - 2 : -2, 65);
    vector(r, channels, 0.5F, 17);
    vector(r, channels, -1.013F, 33);
    vector(r, channels, -1, 33);
    vector(r, channels, 0.5F, 17);
    make_scratch(r, channels);
    const struct norm_vectors norm = {input_of(r, GAMMA),
                                      input_of(r, BETA),
                                      buffer(r, "mean", VALUE_F32, channels),
                                      buffer(r, "inverse", VALUE_F32, channels),
                                      copy_of(r, "running mean", MEAN),
                                      copy_of(r, "running var", VAR),
                                      buffer(r, "dgamma", VALUE_F32, channels),
                                      buffer(r, "dbeta", VALUE_F32, channels),
                                      1e-5F,
                                      0.1F,
                                      c->relu};
    const struct matrix m = {NULL, c->type, rows, channels, NULL};
    struct matrix x = m, y = m, e = m, dy = m, dy2 = m, residual = m, add = m, dx = m;
    x.data = input_of(r, X);
    x.bias = c->bias ? input_of(r, BIAS) : NULL;
    dy.data = c->residual && c->in_place ? copy_of(r, "dresidual", DY) : input_of(r, DY);
    dy2.data = input_of(r, DY2);
    y.data = c->in_place ? copy_of(r, "y", RESIDUAL) : buffer(r, "y", c->type, count);
    residual.data = c->in_place ? y.data : input_of(r, RESIDUAL);
    e.data = buffer(r, "y in evaluation", c->type, count);
    dx.data = c->in_place ? copy_of(r, "dx", ADD) : buffer(r, "dx", c->type, count);
    add.data = c->in_place ? dx.data : input_of(r, ADD);
    struct matrix g = dy;
    if (c->residual && !c->in_place)
        g.data = buffer(r, "dresidual", c->type, count);
    const struct matrix evaluated = {input_of(r, RESIDUAL), c->type, rows, channels, NULL};
    float *sums = c->sums ? buffer(r, "column sums", VALUE_F32, channels) : NULL;
    MUST(r, launch_norm_forward(&x, &norm, c->residual ? &evaluated : NULL, &e, false, r->stream));
    MUST(r, launch_moments(&x, &norm, r->scratch, r->stream));
    MUST(r, launch_norm_forward(&x, &norm, c->residual ? &residual : NULL, &y, true, r->stream));
    MUST(r, launch_norm_sums(&x, &norm, c->residual ? &y : NULL, &dy, c->second ? &dy2 : NULL,
                             c->residual ? &g : NULL, r->scratch, r->stream));
    MUST(r, launch_norm_backward(&x, &norm, c->residual ? &g : &dy,
                                 c->second && !c->residual ? &dy2 : NULL, c->residual,
                                 c->add ? &add : NULL, &dx, sums, r->scratch, r->stream));
}

/* The sums of magnitudes for the bounds of a channel. */
struct magnitudes {
    double scale;        /* gamma * inverse */
    double x;            /* largest |x| */
    double sum, product; /* of |g| and of |g| (|x| + |mean|) */
};

static struct magnitudes magnitudes(const struct run *r, const struct test_case *c, size_t channel)
{
    struct magnitudes m = {0};
    double mean = value(VALUE_F32, result(r, "mean")->memory + GUARD, channel);
    double inverse = value(VALUE_F32, result(r, "inverse")->memory + GUARD, channel);
    double bias = c->bias ? value(VALUE_F32, input_of(r, BIAS), channel) : 0;
    for (size_t i = channel; i < count_of(c->s); i += c->s.c) {
        double x = fabs(value(c->type, input_of(r, X), i) + bias);
        double g = fabs(value(c->type, input_of(r, DY), i)) +
                   (c->second ? fabs(value(c->type, input_of(r, DY2), i)) : 0);
        m.x = fmax(m.x, x);
        m.sum += g;
        m.product += g * (x + fabs(mean));
    }
    m.scale = value(VALUE_F32, input_of(r, GAMMA), channel) * inverse;
    return m;
}

/* Bounds of all results, one for each channel. */
struct bounds {
    double *mean, *inverse, *y, *evaluated, *dgamma, *dbeta, *dx, *none;
};

static double *array(size_t n)
{
    double *v = calloc(n, sizeof *v);
    assert_non_null(v);
    return v;
}

static struct bounds norm_bounds(const struct run *r, const struct test_case *c)
{
    const size_t channels = c->s.c;
    const double rows = (double)rows_of(c->s);
    struct bounds b = {array(channels), array(channels), array(channels), array(channels),
                       array(channels), array(channels), array(channels), array(channels)};
    for (size_t i = 0; i < channels; i++) {
        const struct magnitudes m = magnitudes(r, c, i);
        const double inverse = value(VALUE_F32, result(r, "inverse")->memory + GUARD, i);
        b.mean[i] = 4 * U * (m.x + 4);
        b.inverse[i] = 8 * U * inverse;
        /* twice |x| for x - mean; 4 for beta, residual and running mean */
        b.y[i] = 8 * U * (m.scale * 2 * m.x + 4);
        b.evaluated[i] = 8 * U * (3 * (m.x + 1) + 4);
        b.dbeta[i] = 32 * U * m.sum;
        b.dgamma[i] = 32 * U * m.product * inverse;
        b.dx[i] =
            64 * U *
            (m.scale * (4 + m.sum / rows + 2 * m.x * inverse * inverse * m.product / rows) + 2);
    }
    return b;
}

static void free_bounds(struct bounds b)
{
    free(b.mean), free(b.inverse), free(b.y), free(b.evaluated);
    free(b.dgamma), free(b.dbeta), free(b.dx), free(b.none);
}

/* The sums of columns are those of dx as it was stored. */
static void check_column_sums(const struct run *r, const struct test_case *c)
{
    const struct buffer *dx = result(r, "dx"), *sums = result(r, "column sums");
    for (size_t k = 0; k < c->s.c; k++) {
        double sum = 0, magnitude = 0;
        for (size_t i = k; i < dx->count; i += c->s.c) {
            double v = value(dx->type, dx->memory + GUARD, i);
            sum += v;
            magnitude += fabs(v);
        }
        near(r, sums, k, sum, 32 * U * magnitude);
    }
}

static void compare_norm(struct oracle *o, const struct test_case *c)
{
    const struct run *r = o->run;
    const struct shape s = c->s, v = {1, s.c, 1, 1};
    const struct range all = {0, s.n, s.n, 0};
    const struct backend *b = o->b;
    struct norm norm = {plain(o, 1, s.c, input_of(r, GAMMA)),
                        plain(o, 1, s.c, input_of(r, BETA)),
                        plain(o, 1, s.c, input_of(r, MEAN)),
                        plain(o, 1, s.c, input_of(r, VAR)),
                        plain(o, 1, s.c, NULL),
                        plain(o, 1, s.c, NULL),
                        plain(o, 1, s.c, NULL),
                        plain(o, 1, s.c, NULL),
                        1e-5,
                        0.1,
                        c->relu};
    struct tensor *x = tensor(o, s, c->type, input_of(r, X), c->bias ? input_of(r, BIAS) : NULL);
    struct tensor *residual =
        c->residual ? tensor(o, s, c->type, input_of(r, RESIDUAL), NULL) : NULL;
    struct tensor *dy = tensor(o, s, c->type, input_of(r, DY), NULL);
    struct tensor *dy2 = c->second ? tensor(o, s, c->type, input_of(r, DY2), NULL) : NULL;
    struct tensor *add = c->add ? tensor(o, s, c->type, input_of(r, ADD), NULL) : NULL;
    struct tensor *y = tensor(o, s, c->type, NULL, NULL), *e = tensor(o, s, c->type, NULL, NULL);
    struct tensor *dx = tensor(o, s, c->type, NULL, NULL), *g = c->residual ? dy : NULL;
    struct bounds bounds = norm_bounds(r, c);
    MUST(r, b->norm_forward(o->d, &norm, all, x, residual, e, false, &o->err));
    MUST(r, b->norm_ready(o->d, &norm, true, &o->err));
    MUST(r, b->norm_moments_end(o->d, &norm, s.n, x, &o->err));
    MUST(r, b->norm_forward(o->d, &norm, all, x, residual, y, true, &o->err));
    MUST(r, b->norm_sums(o->d, &norm, all, x, g ? y : NULL, dy, dy2, g, &o->err));
    MUST(r, b->norm_backward(o->d, &norm, all, x, dy, g ? NULL : dy2, g, add, dx, &o->err));
    compare(o, "mean", norm.mean, v, bounds.mean);
    compare(o, "inverse", norm.inverse, v, bounds.inverse);
    compare(o, "running mean", norm.running_mean, v, bounds.mean);
    compare(o, "running var", norm.running_var, v, bounds.mean);
    compare(o, "y in evaluation", e, s, bounds.evaluated);
    compare(o, "y", y, s, bounds.y);
    compare(o, "dbeta", norm.beta_gradient, v, bounds.dbeta);
    compare(o, "dgamma", norm.gamma_gradient, v, bounds.dgamma);
    compare(o, "dx", dx, s, bounds.dx);
    if (g)
        compare(o, "dresidual", dy, s, bounds.none);
    if (c->sums)
        check_column_sums(r, c);
    free_bounds(bounds);
}

static void check_norm(const struct test_case *c, const char *label)
{
    struct run r;
    struct oracle o;
    run_twice(&r, label, run_norm, c);
    open_oracle(&o, &r);
    compare_norm(&o, c);
    o.b->close(o.d);
    stop(&r);
}

static void test_norm(void **state)
{
    (void)state;
    for_cases(check_norm, 11);
    /* A mean 500 times the standard deviation: E[x^2] - E[x]^2 would have no digit left. */
    struct test_case far = {{3, 8, 5, 5}, VALUE_F32, true,  false, false,
                            false,        false,     false, false, 1000};
    check_norm(&far, "float32, mean 1000");
}

/* ---- additions and sums of columns ---- */

static void run_sums(struct run *r, const void *item)
{
    const struct test_case *c = item;
    const size_t channels = c->s.c, count = count_of(c->s);
    void *data = input(r, c->type, count, -2, 65);
    float *bias = vector(r, channels, -2, 65);
    void *added = input(r, c->type, count, -2, 65);
    float *bias2 = vector(r, channels, -2, 65);
    make_scratch(r, channels);
    const struct matrix x = {data, c->type, rows_of(c->s), channels, c->bias ? bias : NULL};
    const struct matrix a = {added, c->type, rows_of(c->s), channels, c->second ? bias2 : NULL};
    struct matrix sum = x, y = x;
    sum.data = buffer(r, "sum", c->type, count);
    y.data = buffer(r, "y", c->type, count);
    MUST(r, launch_add(&x, &a, &sum, r->stream));
    if (c->in_place) {
        struct matrix from = x;
        from.data = y.data;
        memcpy(y.data, data, r->buffer[0].bytes);
        MUST(r, launch_finish(&from, c->add ? &a : NULL, c->relu, &y, r->stream));
    } else
        MUST(r, launch_finish(&x, c->add ? &a : NULL, c->relu, &y, r->stream));
    MUST(r, launch_column_sums(&x, buffer(r, "sums", VALUE_F32, channels), r->scratch, r->stream));
}

/* All exact: sums of a few multiples of 1/16 below 16 fit in bf16, of many in float32. */
static void check_sums(const struct test_case *c, const char *label)
{
    struct run r;
    run_twice(&r, label, run_sums, c);
    for (size_t k = 0; k < c->s.c; k++) {
        double bias = c->bias ? value(VALUE_F32, input_of(&r, 1), k) : 0, sum = 0;
        double bias2 = c->second ? value(VALUE_F32, input_of(&r, 3), k) : 0;
        for (size_t i = k; i < count_of(c->s); i += c->s.c) {
            double x = value(c->type, input_of(&r, 0), i) + bias;
            double a = value(c->type, input_of(&r, 2), i) + bias2, y = x + (c->add ? a : 0);
            near(&r, result(&r, "sum"), i, x + a, 0);
            near(&r, result(&r, "y"), i, c->relu && y < 0 ? 0 : y, 0);
            sum += x;
        }
        near(&r, result(&r, "sums"), k, sum, U * fabs(sum));
    }
    stop(&r);
}

static void test_sums(void **state)
{
    (void)state;
    for_cases(check_sums, 13);
}

/* ---- pools ---- */

static void run_pools(struct run *r, const void *item)
{
    const struct test_case *c = item;
    const struct shape s = c->s, half = {s.n, s.c, s.h / 2, s.w / 2};
    const size_t rows = rows_of(s), plane = s.h * s.w;
    void *data = input(r, c->type, count_of(s), -2, c->second ? 3 : 65); /* 3: many equal ones */
    float *bias = vector(r, s.c, -2, 65);
    const struct matrix x = {data, c->type, rows, s.c, c->bias ? bias : NULL};
    struct matrix y = x, dx = x, dx2 = x, dy = x;
    dy.rows = y.rows = rows_of(half);
    dy.data = input(r, c->type, count_of(half), -2, 65);
    float *dmean = vector(r, s.n * s.c, -2, 65);
    y.data = buffer(r, "max", c->type, count_of(half));
    dx.data = buffer(r, "dx of max", c->type, count_of(s));
    dx2.data = buffer(r, "dx of mean", c->type, count_of(s));
    float *mean = buffer(r, "mean", VALUE_F32, s.n * s.c);
    MUST(r, launch_max_pool_forward(&x, s.n, s.h, s.w, &y, r->stream));
    MUST(r, launch_max_pool_backward(&x, s.n, s.h, s.w, &dy, &dx, r->stream));
    MUST(r, launch_average_pool_forward(&x, s.n, plane, mean, r->stream));
    MUST(r, launch_average_pool_backward(dmean, s.n, plane, &dx2, r->stream));
}

static void check_pools(const struct test_case *c, const char *label)
{
    struct run r;
    struct oracle o;
    const struct shape s = c->s, half = {s.n, s.c, s.h / 2, s.w / 2}, flat = {s.n, s.c, 1, 1};
    const struct range all = {0, s.n, s.n, 0};
    run_twice(&r, label, run_pools, c);
    open_oracle(&o, &r);
    double *exact = array(s.c), *rounded = array(s.c);
    for (size_t k = 0; k < s.c; k++)
        rounded[k] = 32 * U * 4;
    struct tensor *x = tensor(&o, s, c->type, input_of(&r, 0), c->bias ? input_of(&r, 1) : NULL);
    struct tensor *dx = tensor(&o, s, c->type, NULL, NULL), *mean = plain(&o, s.n, s.c, NULL);
    struct tensor *dmean = plain(&o, s.n, s.c, input_of(&r, 3));
    if (count_of(half)) {
        struct tensor *y = tensor(&o, half, c->type, NULL, NULL);
        struct tensor *dy = tensor(&o, half, c->type, input_of(&r, 2), NULL);
        MUST(&r, o.b->pool_forward(o.d, POOL_MAX, all, x, y, &o.err));
        MUST(&r, o.b->pool_backward(o.d, POOL_MAX, all, x, dy, dx, &o.err));
        compare(&o, "max", y, half, exact);
    }
    compare(&o, "dx of max", dx, s, exact); /* 0 without any window */
    MUST(&r, o.b->pool_forward(o.d, POOL_AVERAGE, all, x, mean, &o.err));
    MUST(&r, o.b->pool_backward(o.d, POOL_AVERAGE, all, x, dmean, dx, &o.err));
    compare(&o, "mean", mean, flat, rounded);
    compare(&o, "dx of mean", dx, s, rounded);
    free(exact);
    free(rounded);
    o.b->close(o.d);
    stop(&r);
}

static void test_pools(void **state)
{
    (void)state;
    for_cases(check_pools, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_pools),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
