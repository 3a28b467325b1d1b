/* Every operation of every backend against `ref`, and `ref` against finite differences. Cases are
 * data: shapes, drawn values from a fixed seed. The values are multiples of 1/16 that bf16 holds
 * exactly, so that its bound is that of rounding results to 8 bits (2^-9 relative, and a few of
 * them), not that of rounding inputs. Tests in bf16 are skipped where the backend would compute in
 * fp32. The program runs itself again as if the CPU had fewer instructions; "test_kernels isa"
 * prints the name of those that it has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/random.h"
#include "kernels/backends/backend.h"
#include "kernels/backends/cpu/onednn.h"
#include "tests/unit/need.h"

/* ---- a backend, its tensors, and what an operation gave ---- */

static const struct variant {
    const char *backend;
    enum precision precision;
    int threads;
    double bound; /* on |a - ref| / |ref| of each result */
} variants[] = {
#ifdef TEST_OF_CUDA /* test_cuda_operations.c, which includes this file */
    {"cuda", PRECISION_FP32, 1, 3e-6},
    {"cuda", PRECISION_BF16, 1, 6e-3},
#else
    {"cpu", PRECISION_FP32, 1, 3e-6},
    {"cpu", PRECISION_FP32, 2, 3e-6},
    {"cpu", PRECISION_BF16, 1, 6e-3},
    {"cpu", PRECISION_BF16, 3, 6e-3},
#endif
};
enum { VARIANTS = sizeof variants / sizeof *variants, MAX_RESULTS = 8, LABEL = 256 };

static const enum precision fp32 = PRECISION_FP32,
                            bf16 = PRECISION_BF16; /* that a test is run in */

struct world {
    const char *label; /* the case, for messages */
    const struct backend *b;
    struct device *d;
    struct device_traits traits;
    struct random random;
    struct error err;
    uint8_t labels[2 + 128]; /* of the queue */
    size_t results;
    struct result {
        const char *name;
        float *values;
        size_t count;
    } result[MAX_RESULTS];
};

#define MUST(world, call)                                                                          \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", (world)->label, (world)->err.text);                                 \
    } while (0)

static void start(struct world *w, const char *label, const char *backend, enum precision precision,
                  int threads, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->label = label;
    w->b = backend_find(backend, &w->err);
    assert_non_null(w->b);
    MUST(w, w->b->open(&w->d, &w->traits, threads, precision, &w->err));
    w->random = random_start(seed, 0);
}

static void stop(struct world *w)
{
    for (size_t i = 0; i < w->results; i++)
        free(w->result[i].values);
    w->b->close(w->d);
}

static size_t count_of(struct shape s)
{
    return s.n * s.c * s.h * s.w;
}

/* Draws values in steps of 1/16 from `low` up, `steps` of them. */
static float *draw(struct world *w, size_t count, double low, uint64_t steps)
{
    float *v = calloc(count, sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < count; i++)
        v[i] = (float)(low + (double)random_below(&w->random, steps) / 16);
    return v;
}

static struct tensor *tensor(struct world *w, enum tensor_use use, struct shape s, double low,
                             uint64_t steps)
{
    struct tensor *t = NULL;
    float *v = draw(w, count_of(s), low, steps);
    MUST(w, w->b->tensor(w->d, use, s, &t, &w->err));
    MUST(w, w->b->write(w->d, t, v, s.n, &w->err));
    free(v);
    return t;
}

static struct tensor *activation(struct world *w, struct shape s)
{
    return tensor(w, TENSOR_ACTIVATION, s, -2, 65);
}

static struct tensor *vector(struct world *w, size_t count, double low, uint64_t steps)
{
    return tensor(w, TENSOR_PLAIN, (struct shape){1, count, 1, 1}, low, steps);
}

static void keep(struct world *w, const char *name, struct tensor *t, struct shape s)
{
    struct result *r = &w->result[w->results++];
    r->name = name;
    r->count = count_of(s);
    r->values = calloc(r->count, sizeof *r->values);
    assert_non_null(r->values);
    MUST(w, w->b->read(w->d, t, r->values, s.n, &w->err));
}

static double distance(const float *a, const float *b, size_t n)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        s += (double)b[i] * (double)b[i];
    }
    return s > 0 ? sqrt(d / s) : sqrt(d);
}

/* Skips the test if the backend would compute in fp32 instead. */
static void need_precision(enum precision precision)
{
    struct world w;
    start(&w, variants->backend, variants->backend, precision, 1, 0);
    bool has = w.traits.precision == precision;
    stop(&w);
    need(has, "bf16 instructions");
}

/* Compares the results of a variant with those of ref. winograd: as below. */
static void compare(const struct variant *v, bool winograd, const struct world *w,
                    const struct world *ref)
{
    const double winograd_bound = 1.6e-2;
    assert_int_equal(ref->results, w->results);
    for (size_t i = 0; i < w->results; i++) {
        const struct result *a = &w->result[i], *b = &ref->result[i];
        double d = distance(a->values, b->values, a->count);
        bool rounded = winograd && v->precision == PRECISION_BF16 && strcmp(a->name, "dbias") != 0;
        double bound = rounded ? winograd_bound : v->bound;
        if (!(d <= bound))
            fail_msg("%s: %s is %.2e from ref, more than %.2e", w->label, a->name, d, bound);
    }
}

/* Runs a case on ref and on each variant of the precision and compares all that it kept. winograd:
 * it may be convolved in that way, which in bf16 rounds what is transformed (test_winograd.c). */
static void conform(void (*run)(struct world *w, const void *item), const void *item,
                    enum precision precision, bool winograd, const char *label)
{
    for (const struct variant *v = variants; v < variants + VARIANTS; v++) {
        struct world ref, w;
        char whole[LABEL];
        if (v->precision != precision)
            continue;
        snprintf(whole, sizeof whole, "%s on %s in %s with %d threads", label, v->backend,
                 precision == PRECISION_BF16 ? "bf16" : "fp32", v->threads);
        start(&ref, whole, "ref", PRECISION_FP32, 1, 11);
        start(&w, whole, v->backend, v->precision, v->threads, 11);
        run(&ref, item);
        run(&w, item);
        compare(v, winograd, &w, &ref);
        stop(&ref);
        stop(&w);
    }
}

/* ---- ranges of images ---- */

static struct range all(size_t n)
{
    return (struct range){0, n, n, 0};
}

/* Batches are done in ranges of 2, the last of which may be of 1, by the workers in turn. The cuda
 * backend takes whole batches. */
static struct range first_range(size_t n)
{
#ifdef TEST_OF_CUDA
    return all(n);
#else
    return (struct range){0, n < 2 ? n : 2, n, 0};
#endif
}

static struct range next_range(const struct world *w, struct range r)
{
    size_t first = r.first + r.count, left = r.batch - first;
    return (struct range){first, left < 2 ? left : 2, r.batch, (r.worker + 1) % w->traits.workers};
}

/* ---- convolutions ---- */

struct conv_case {
    size_t n, in, out, height, width, kernel, stride, groups;
    bool image, bias;
    unsigned flags;
};

static const struct conv_case conv_cases[] = {
    {2, 1, 16, 12, 12, 3, 1, 1, true, false, 0},
    {3, 1, 8, 9, 7, 3, 1, 1, true, true, 0},
    {2, 1, 16, 8, 8, 1, 1, 1, true, false, 0},
    {2, 1, 5, 8, 8, 3, 1, 1, true, false, CONV_RELU},
    {2, 16, 16, 10, 10, 3, 1, 1, false, false, 0},
    {2, 16, 32, 10, 10, 3, 2, 1, false, false, 0},
    {2, 16, 32, 9, 9, 3, 2, 1, false, true, CONV_ADD},
    {1, 32, 16, 5, 5, 3, 1, 1, false, false, CONV_ADD | CONV_RELU},
    {2, 32, 64, 10, 10, 1, 2, 1, false, false, 0},
    {2, 32, 64, 7, 7, 1, 1, 1, false, true, CONV_RELU},
    {2, 8, 8, 6, 6, 3, 1, 1, false, false, CONV_ADD},
    {2, 12, 24, 7, 5, 3, 2, 1, false, true, 0},
    {2, 3, 2, 5, 5, 3, 1, 1, false, false, 0},
    {2, 1, 1, 6, 6, 3, 1, 1, false, false, 0},
    {2, 64, 64, 1, 1, 3, 1, 1, false, true, 0},
    {2, 64, 64, 2, 2, 3, 1, 1, false, true, 0},
    {2, 32, 32, 8, 8, 3, 1, 2, false, false, 0},
    {2, 32, 32, 9, 9, 3, 2, 2, false, false, CONV_RELU},
    {2, 16, 16, 6, 6, 3, 1, 2, false, false, 0},
    {2, 24, 24, 6, 6, 3, 2, 2, false, false, 0},
    {2, 2, 2, 6, 6, 3, 1, 2, false, false, 0},
    {3, 32, 64, 15, 14, 3, 2, 1, false, true, 0},
    {5, 32, 64, 15, 14, 3, 1, 2, false, true, 0},
    {5, 48, 48, 5, 5, 3, 1, 2, false, false, 0},
    {8, 16, 32, 23, 23, 1, 2, 1, false, false, 0},
    {5, 24, 40, 7, 6, 3, 1, 1, false, true, CONV_ADD | CONV_RELU},
    {3, 64, 32, 10, 10, 3, 1, 1, false, true, CONV_RELU},
    {2, 64, 64, 8, 8, 3, 1, 2, false, true, CONV_ADD | CONV_RELU},
    {3, 96, 192, 5, 5, 3, 1, 3, false, false, 0},
};

static void run_conv(struct world *w, const void *item)
{
    const struct conv_case *c = item;
    const struct conv_spec spec = {.in = c->in,
                                   .out = c->out,
                                   .kernel = c->kernel,
                                   .stride = c->stride,
                                   .pad = c->kernel / 2,
                                   .groups = c->groups,
                                   .height = c->height,
                                   .width = c->width,
                                   .image = c->image};
    struct shape sx = {c->n, c->in, c->height, c->width};
    struct shape sw = {c->out, c->in / c->groups, c->kernel, c->kernel}, sb = {1, c->out, 1, 1};
    struct shape sy = {c->n, c->out, (c->height - 1) / c->stride + 1,
                       (c->width - 1) / c->stride + 1};
    struct conv *conv = NULL;
    MUST(w, w->b->conv(w->d, &spec, &conv, &w->err));
    struct tensor *x = c->image ? tensor(w, TENSOR_IMAGE, sx, -2, 65) : activation(w, sx);
    struct tensor *weights = tensor(w, TENSOR_PLAIN, sw, -2, 65);
    struct tensor *bias = c->bias ? vector(w, c->out, -2, 65) : NULL;
    struct tensor *y = activation(w, sy), *dy = activation(w, sy);
    struct tensor *dx = c->image ? NULL : activation(w, sx);
    struct tensor *dw = tensor(w, TENSOR_PLAIN, sw, 0, 3), *db = vector(w, c->out, 0, 3);
    unsigned gradients = bias ? CONV_WEIGHTS | CONV_BIAS : CONV_WEIGHTS;
    for (int batch = 0; batch < 2; batch++) { /* the second starts from nothing, too */
        MUST(w, w->b->conv_ready(conv, 0, c->n, weights, false, &w->err));
        for (struct range r = first_range(c->n); batch == 0 && r.count; r = next_range(w, r))
            MUST(w, w->b->conv_forward(conv, r, x, weights, bias, y, c->flags, &w->err));
        if (dx)
            MUST(w, w->b->conv_ready(conv, 0, c->n, weights, true, &w->err));
        for (struct range r = first_range(c->n); r.count; r = next_range(w, r))
            MUST(w, w->b->conv_backward(conv, r, x, weights, dy, dx, gradients, &w->err));
        MUST(w, w->b->conv_backward_end(conv, dw, bias ? db : NULL, &w->err));
    }
    keep(w, "y", y, sy);
    keep(w, "dweights", dw, sw);
    if (dx)
        keep(w, "dx", dx, sx);
    if (bias)
        keep(w, "dbias", db, sb);
    /* New weights and fewer images must take effect; weights packed by an earlier call must not be
     * used. */
    float *other = draw(w, count_of(sw), -1, 33);
    MUST(w, w->b->write(w->d, weights, other, sw.n, &w->err));
    free(other);
    MUST(w, w->b->conv_ready(conv, w->traits.workers - 1, 1, weights, false, &w->err));
    MUST(w, w->b->conv_forward(conv, all(1), x, weights, NULL, y, 0, &w->err));
    sy.n = 1;
    keep(w, "y of one image", y, sy);
}

static void test_conv(void **state)
{
    const enum precision *precision = *state;
    need_precision(*precision);
    for (size_t i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) {
        const struct conv_case *c = &conv_cases[i];
        char label[LABEL];
        snprintf(label, sizeof label,
                 "conv of %zu images%s, %zu -> %zu channels, %zu x %zu, kernel %zu, stride %zu, "
                 "groups %zu%s%s%s",
                 c->n, c->image ? " (first layer)" : "", c->in, c->out, c->height, c->width,
                 c->kernel, c->stride, c->groups, c->bias ? ", bias" : "",
                 c->flags & CONV_ADD ? ", added" : "", c->flags & CONV_RELU ? ", ReLU" : "");
        bool winograd = c->kernel == 3 && c->stride == 1 && !c->image;
        conform(run_conv, c, *precision, winograd, label);
    }
}

/* ---- batch norm ---- */

struct norm_case {
    size_t n, channels, height, width;
    bool relu, residual, second, add, in_place;
};

static const struct norm_case norm_cases[] = {
    {4, 16, 6, 6, true, false, false, false, true}, {4, 16, 6, 6, true, false, false, false, false},
    {4, 32, 5, 7, true, true, true, false, false},  {4, 24, 5, 5, true, true, false, true, false},
    {3, 8, 4, 4, false, false, false, false, true}, {3, 5, 4, 4, true, false, true, true, true},
    {4, 40, 1, 1, true, false, false, true, false}, {4, 1, 3, 3, false, true, true, true, false},
    {2, 16, 1, 2, true, false, true, false, true},
};

static struct norm make_norm(struct world *w, const struct norm_case *c)
{
    return (struct norm){
        .gamma = vector(w, c->channels, 0.5, 17),
        .beta = vector(w, c->channels, -1, 33),
        .running_mean = vector(w, c->channels, -1, 33),
        .running_var = vector(w, c->channels, 0.5, 17),
        .mean = vector(w, c->channels, 0, 1),
        .inverse = vector(w, c->channels, 0, 1),
        .gamma_gradient = vector(w, c->channels, 0, 1),
        .beta_gradient = vector(w, c->channels, 0, 1),
        .epsilon = 1e-5,
        .momentum = 0.1,
        .relu = c->relu,
    };
}

static void run_norm(struct world *w, const void *item)
{
    const struct norm_case *c = item;
    struct shape s = {c->n, c->channels, c->height, c->width}, v = {1, c->channels, 1, 1};
    struct norm norm = make_norm(w, c);
    struct tensor *x = activation(w, s), *y = activation(w, s), *dy = activation(w, s);
    struct tensor *residual = activation(w, s), *dy2 = activation(w, s), *add = activation(w, s);
    struct tensor *e = activation(w, s);
    struct tensor *dx = c->in_place ? dy : activation(w, s);
    struct tensor *second = c->second ? dy2 : NULL, *on_top = c->add ? add : NULL;
    if (!c->residual)
        residual = NULL;
    MUST(w, w->b->norm_ready(w->d, &norm, false, &w->err));
    MUST(w, w->b->norm_forward(w->d, &norm, all(c->n), x, residual, e, false, &w->err));
    MUST(w, w->b->norm_ready(w->d, &norm, true, &w->err));
    for (struct range r = first_range(c->n); r.count; r = next_range(w, r))
        MUST(w, w->b->norm_moments(w->d, &norm, r, x, &w->err));
    MUST(w, w->b->norm_moments_end(w->d, &norm, c->n, x, &w->err));
    for (struct range r = first_range(c->n); r.count; r = next_range(w, r))
        MUST(w, w->b->norm_forward(w->d, &norm, r, x, residual, y, true, &w->err));
    for (struct range r = first_range(c->n); r.count; r = next_range(w, r))
        MUST(w, w->b->norm_sums(w->d, &norm, r, x, residual ? y : NULL, dy, second,
                                residual ? dy : NULL, &w->err));
    MUST(w, w->b->norm_sums_end(w->d, &norm, c->n, x, &w->err));
    for (struct range r = first_range(c->n); r.count; r = next_range(w, r))
        MUST(w, w->b->norm_backward(w->d, &norm, r, x, dy, residual ? NULL : second, residual,
                                    on_top, dx, &w->err));
    keep(w, "y in evaluation", e, s);
    keep(w, "y", y, s);
    keep(w, "running mean", norm.running_mean, v);
    keep(w, "running var", norm.running_var, v);
    keep(w, "dgamma", norm.gamma_gradient, v);
    keep(w, "dbeta", norm.beta_gradient, v);
    keep(w, "dx", dx, s);
    if (residual)
        keep(w, "dresidual", dy, s);
}

static void test_norm(void **state)
{
    const enum precision *precision = *state;
    need_precision(*precision);
    for (size_t i = 0; i < sizeof norm_cases / sizeof *norm_cases; i++) {
        const struct norm_case *c = &norm_cases[i];
        char label[LABEL];
        snprintf(label, sizeof label, "norm of %zu images, %zu channels, %zu x %zu%s%s%s%s%s", c->n,
                 c->channels, c->height, c->width, c->relu ? ", ReLU" : "",
                 c->residual ? ", residual" : "", c->second ? ", two gradients" : "",
                 c->add ? ", gradient added" : "", c->in_place ? ", in place" : "");
        conform(run_norm, c, *precision, false, label);
    }
}

/* ---- crops ---- */

enum { CROP_FROM = 11, CROP_SIZE = 7, CROP_IMAGES = 3 };

static const struct crop crop_cases[] = {
    {0, 0, 0, false}, {2, 4, 0, true}, {1, 0, 4, false},
    {2, 3, 1, false}, {0, 4, 4, true}, {1, 2, 3, true},
};
enum { CROPS = sizeof crop_cases / sizeof *crop_cases };

/* Checks the values of the pass, which begins at crop `first`. They are read by way of a 1x1
 * convolution with the weight 1; bf16 holds them exactly. */
static void check_pass(struct world *w, const struct image_source *source, struct conv *conv,
                       struct tensor *weights, const struct pass *pass)
{
    const size_t plane = (size_t)CROP_SIZE * CROP_SIZE;
    struct shape shape = {CROPS, 1, CROP_SIZE, CROP_SIZE};
    struct tensor *images = tensor(w, TENSOR_IMAGE, shape, 0, 9), *y = activation(w, shape);
    float got[CROPS * CROP_SIZE * CROP_SIZE];
    bool replayed = true;
    MUST(w, w->b->pass_begin(w->d, pass, &replayed, &w->err));
    assert_false(replayed);
    MUST(w, w->b->crop(w->d, images, &w->err));
    MUST(w, w->b->conv_ready(conv, 0, pass->n, weights, false, &w->err));
    MUST(w, w->b->conv_forward(conv, all(pass->n), images, weights, NULL, y, 0, &w->err));
    MUST(w, w->b->pass_end(w->d, false, &w->err));
    MUST(w, w->b->read(w->d, y, got, pass->n, &w->err));
    for (size_t i = 0; i < pass->n * plane; i++) {
        const struct crop *c = &crop_cases[pass->first + i / plane];
        size_t row = c->top + i % plane / CROP_SIZE, x = i % CROP_SIZE;
        size_t column = c->left + (c->mirror ? CROP_SIZE - 1 - x : x);
        float want =
            source->levels[source->pixels[(c->image * CROP_FROM + row) * CROP_FROM + column]];
        if (got[i] != want) /* NOLINT(clang-diagnostic-float-equal): exact */
            fail_msg("%s: value %zu of crop %zu is %g, not %g", w->label, i % plane,
                     pass->first + i / plane, (double)got[i], (double)want);
    }
}

static void check_crops(const char *backend, enum precision precision, int threads)
{
    uint8_t pixels[CROP_IMAGES * CROP_FROM * CROP_FROM];
    float levels[256];
    struct world w;
    const struct image_source source = {pixels, CROP_IMAGES, CROP_FROM, levels};
    const struct conv_spec spec = {.in = 1,
                                   .out = 1,
                                   .kernel = 1,
                                   .stride = 1,
                                   .groups = 1,
                                   .height = CROP_SIZE,
                                   .width = CROP_SIZE,
                                   .image = true};
    struct image_set *set = NULL;
    struct conv *conv = NULL;
    start(&w, backend, backend, precision, threads, 17);
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)random_below(&w.random, 256);
    for (int level = 0; level < 256; level++)
        levels[level] = (float)(level - 100) / 16;
    struct tensor *weights = vector(&w, 1, 1, 1);
    MUST(&w, w.b->conv(w.d, &spec, &conv, &w.err));
    MUST(&w, w.b->image_set(w.d, &source, &set, &w.err));
    MUST(&w, w.b->queue(w.d, set, crop_cases, NULL, CROPS, &w.err));
    for (size_t first = 0; first < CROPS; first++) {
        struct pass pass = {.kind = PASS_EVALUATION, .first = first, .n = CROPS - first};
        check_pass(&w, &source, conv, weights, &pass);
    }
    stop(&w);
}

static void test_crops(void **state)
{
    const enum precision *precision = *state;
    need_precision(*precision);
    check_crops("ref", PRECISION_FP32, 1);
    for (const struct variant *v = variants; v < variants + VARIANTS; v++)
        if (v->precision == *precision)
            check_crops(v->backend, v->precision, v->threads);
}

/* ---- pools, linear layer, loss, addition, SGD ---- */

static const struct shape pool_cases[] = {
    {2, 16, 8, 8}, {2, 8, 5, 5}, {3, 40, 7, 6}, {2, 3, 2, 2}, {2, 17, 3, 3}, {1, 64, 2, 3},
};

static void run_pool(struct world *w, const void *item)
{
    const struct shape *s = item;
    struct shape half = {s->n, s->c, s->h / 2, s->w / 2}, flat = {s->n, s->c, 1, 1};
    struct tensor *x = activation(w, *s), *dx = activation(w, *s);
    struct tensor *y = activation(w, half), *dy = activation(w, half);
    struct tensor *mean = tensor(w, TENSOR_PLAIN, flat, 0, 1);
    struct tensor *dmean = tensor(w, TENSOR_PLAIN, flat, -2, 65), *dx2 = activation(w, *s);
    struct tensor *sum = activation(w, *s);
    MUST(w, w->b->pool_forward(w->d, POOL_MAX, all(s->n), x, y, &w->err));
    MUST(w, w->b->pool_backward(w->d, POOL_MAX, all(s->n), x, dy, dx, &w->err));
    MUST(w, w->b->pool_forward(w->d, POOL_AVERAGE, all(s->n), x, mean, &w->err));
    MUST(w, w->b->pool_backward(w->d, POOL_AVERAGE, all(s->n), x, dmean, dx2, &w->err));
    MUST(w, w->b->add(w->d, all(s->n), dx, x, sum, &w->err));
    keep(w, "max", y, half);
    keep(w, "dx of max", dx, *s);
    keep(w, "mean", mean, flat);
    keep(w, "dx of mean", dx2, *s);
    keep(w, "sum", sum, *s);
}

static void test_pools(void **state)
{
    const enum precision *precision = *state;
    need_precision(*precision);
    for (size_t i = 0; i < sizeof pool_cases / sizeof *pool_cases; i++) {
        const struct shape *s = &pool_cases[i];
        char label[LABEL];
        snprintf(label, sizeof label, "pools of %zu images, %zu channels, %zu x %zu", s->n, s->c,
                 s->h, s->w);
        conform(run_pool, s, *precision, false, label);
    }
}

struct head_case {
    size_t n, in, classes;
    double smoothing, clip;
};

static const struct head_case head_cases[] = {
    {4, 32, 7, 0, 0},
    {5, 64, 7, 0.1, 0.1},
    {1, 8, 2, 0.5, 0.01},
    {128, 512, 7, 0, 0.1},
};

/* Queues one image n times, with the first n labels. */
static void queue(struct world *w, size_t n)
{
    static const uint8_t pixel[1];
    static const float levels[256];
    static const struct crop crops[2 + 128];
    const struct image_source source = {pixel, 1, 1, levels};
    struct image_set *set = NULL;
    MUST(w, w->b->image_set(w->d, &source, &set, &w->err));
    MUST(w, w->b->queue(w->d, set, crops, w->labels, n, &w->err));
}

static void run_head(struct world *w, const void *item)
{
    const struct head_case *c = item;
    struct shape sx = {c->n, c->in, 1, 1}, sw = {c->classes, c->in, 1, 1};
    struct shape sy = {c->n, c->classes, 1, 1}, sb = {1, c->classes, 1, 1};
    for (size_t i = 0; i < 2 + c->n; i++) /* the pass begins at the third */
        w->labels[i] = (uint8_t)random_below(&w->random, c->classes);
    struct tensor *x = tensor(w, TENSOR_PLAIN, sx, -0.5, 17);
    struct tensor *weights = tensor(w, TENSOR_PLAIN, sw, -0.5, 17);
    struct tensor *bias = vector(w, c->classes, -1, 33), *y = tensor(w, TENSOR_PLAIN, sy, 0, 1);
    struct tensor *dy = tensor(w, TENSOR_PLAIN, sy, 0, 1), *dx = tensor(w, TENSOR_PLAIN, sx, 0, 1);
    struct tensor *dw = tensor(w, TENSOR_PLAIN, sw, 0, 1), *db = vector(w, c->classes, 0, 1);
    struct tensor *velocity = tensor(w, TENSOR_PLAIN, sw, -0.5, 17);
    const struct pass pass = {
        .kind = PASS_TRAINING,
        .first = 2,
        .n = c->n,
        .sgd = {.lr = 0.25, .momentum = 0.9, .weight_decay = 0.01, .clip = c->clip},
        .label_smoothing = c->smoothing};
    bool replayed = true;
    struct loss_sums sums;
    const struct parameter_update update = {weights, dw, velocity};
    queue(w, 2 + c->n);
    MUST(w, w->b->pass_begin(w->d, &pass, &replayed, &w->err));
    assert_false(replayed);
    MUST(w, w->b->linear_forward(w->d, c->n, x, weights, bias, y, &w->err));
    MUST(w, w->b->loss(w->d, y, dy, &w->err));
    MUST(w, w->b->linear_backward(w->d, c->n, x, weights, dy, dx, dw, db, &w->err));
    MUST(w, w->b->sgd(w->d, &update, 1, &w->err));
    MUST(w, w->b->pass_end(w->d, false, &w->err));
    keep(w, "logits", y, sy);
    keep(w, "dlogits", dy, sy);
    keep(w, "dx", dx, sx);
    keep(w, "dweights", dw, sw);
    keep(w, "dbias", db, sb);
    keep(w, "weights after a step", weights, sw);
    keep(w, "velocity after a step", velocity, sw);
    struct result *r = &w->result[w->results++];
    *r = (struct result){"loss, correct and finite batches", calloc(3, sizeof(float)), 3};
    MUST(w, w->b->loss_sums(w->d, &sums, NULL, &w->err));
    r->values[0] = (float)sums.loss;
    r->values[1] = (float)sums.correct;
    r->values[2] = (float)sums.finite;
}

static void test_head(void **state)
{
    const enum precision *precision = *state;
    need_precision(*precision);
    for (size_t i = 0; i < sizeof head_cases / sizeof *head_cases; i++) {
        const struct head_case *c = &head_cases[i];
        char label[LABEL];
        snprintf(
            label, sizeof label,
            "linear layer, loss and SGD of %zu images, %zu features, %zu classes, smoothing %g, "
            "clip %g",
            c->n, c->in, c->classes, c->smoothing, c->clip);
        conform(run_head, c, *precision, false, label);
    }
}

/* ---- ref against finite differences ---- */

/* An operation y(x) with its gradient, for the check below: `forward` fills y, `backward` dx. */
struct function {
    struct shape x, y;
    struct tensor *tx, *ty, *tdy, *tdx;
    struct conv *conv;
    struct tensor *weights;
    struct norm norm;
    enum { F_CONV_X, F_CONV_WEIGHTS, F_NORM, F_MAX, F_AVERAGE } kind;
};

static void evaluate(struct world *w, struct function *f)
{
    if (f->kind == F_CONV_X)
        MUST(w,
             w->b->conv_forward(f->conv, all(f->x.n), f->tx, f->weights, NULL, f->ty, 0, &w->err));
    else if (f->kind == F_CONV_WEIGHTS)
        MUST(w,
             w->b->conv_forward(f->conv, all(f->y.n), f->weights, f->tx, NULL, f->ty, 0, &w->err));
    else if (f->kind == F_NORM) {
        MUST(w, w->b->norm_ready(w->d, &f->norm, true, &w->err));
        MUST(w, w->b->norm_moments(w->d, &f->norm, all(f->x.n), f->tx, &w->err));
        MUST(w, w->b->norm_moments_end(w->d, &f->norm, f->x.n, f->tx, &w->err));
        MUST(w, w->b->norm_forward(w->d, &f->norm, all(f->x.n), f->tx, NULL, f->ty, true, &w->err));
    } else
        MUST(w, w->b->pool_forward(w->d, f->kind == F_MAX ? POOL_MAX : POOL_AVERAGE, all(f->x.n),
                                   f->tx, f->ty, &w->err));
}

static void differentiate(struct world *w, struct function *f)
{
    if (f->kind == F_CONV_X) {
        MUST(w, w->b->conv_backward(f->conv, all(f->x.n), f->tx, f->weights, f->tdy, f->tdx, 0,
                                    &w->err));
    } else if (f->kind == F_CONV_WEIGHTS) {
        MUST(w, w->b->conv_backward(f->conv, all(f->y.n), f->weights, f->tx, f->tdy, NULL,
                                    CONV_WEIGHTS, &w->err));
        MUST(w, w->b->conv_backward_end(f->conv, f->tdx, NULL, &w->err));
    } else if (f->kind == F_NORM) {
        MUST(w, w->b->norm_sums(w->d, &f->norm, all(f->x.n), f->tx, NULL, f->tdy, NULL, NULL,
                                &w->err));
        MUST(w, w->b->norm_sums_end(w->d, &f->norm, f->x.n, f->tx, &w->err));
        MUST(w, w->b->norm_backward(w->d, &f->norm, all(f->x.n), f->tx, f->tdy, NULL, false, NULL,
                                    f->tdx, &w->err));
    } else
        MUST(w, w->b->pool_backward(w->d, f->kind == F_MAX ? POOL_MAX : POOL_AVERAGE, all(f->x.n),
                                    f->tx, f->tdy, f->tdx, &w->err));
}

/* sum(y * r) of the function at x. */
static double weighted(struct world *w, struct function *f, const float *x, const float *r)
{
    float *y = calloc(count_of(f->y), sizeof *y);
    double sum = 0;
    assert_non_null(y);
    MUST(w, w->b->write(w->d, f->tx, x, f->x.n, &w->err));
    evaluate(w, f);
    MUST(w, w->b->read(w->d, f->ty, y, f->y.n, &w->err));
    for (size_t i = 0; i < count_of(f->y); i++)
        sum += (double)y[i] * (double)r[i];
    free(y);
    return sum;
}

/* d/dx of sum(y * r) by the gradient and by central differences. Values of x are all distinct, by
 * more than the step, so that no maximum changes. */
static void check_differences(struct world *w, struct function *f, const char *label)
{
    size_t nx = count_of(f->x), ny = count_of(f->y);
    float *x = draw(w, nx, 0, 1), *r = draw(w, ny, -2, 65), *dx = draw(w, nx, 0, 1);
    uint32_t *order = calloc(nx, sizeof *order);
    const float h = 1.0F / 256;
    assert_non_null(order);
    for (uint32_t i = 0; i < nx; i++)
        order[i] = i;
    random_shuffle(&w->random, order, nx);
    for (size_t i = 0; i < nx; i++)
        x[i] = ((float)order[i] - (float)nx / 2) / 32;
    MUST(w, w->b->write(w->d, f->tdy, r, f->y.n, &w->err));
    weighted(w, f, x, r);
    differentiate(w, f);
    MUST(w, w->b->read(w->d, f->tdx, dx, f->x.n, &w->err));
    double worst = 0, scale = 0;
    for (size_t i = 0; i < nx; i++) {
        float before = x[i];
        x[i] = before + h;
        double up = weighted(w, f, x, r);
        x[i] = before - h;
        double down = weighted(w, f, x, r);
        x[i] = before;
        worst = fmax(worst, fabs((up - down) / (2 * (double)h) - (double)dx[i]));
        scale = fmax(scale, fabs((double)dx[i]));
    }
    if (!(worst <= 1e-3 * scale))
        fail_msg(
            "%s of %zu x %zu x %zu x %zu -> %zu x %zu x %zu x %zu on ref: gradient is %.2e from "
            "the differences, more than %.2e",
            label, f->x.n, f->x.c, f->x.h, f->x.w, f->y.n, f->y.c, f->y.h, f->y.w, worst,
            1e-3 * scale);
    free(x);
    free(r);
    free(dx);
    free(order);
}

static void check_function(struct world *w, struct function *f, const char *label)
{
    f->tx = tensor(w, TENSOR_ACTIVATION, f->x, 0, 1);
    f->tdx = tensor(w, TENSOR_ACTIVATION, f->x, 0, 1);
    f->ty = tensor(w, TENSOR_ACTIVATION, f->y, 0, 1);
    f->tdy = tensor(w, TENSOR_ACTIVATION, f->y, 0, 1);
    check_differences(w, f, label);
}

static void test_ref_differences(void **state)
{
    struct world w;
    (void)state;
    start(&w, "differences", "ref", PRECISION_FP32, 1, 21);
    const struct conv_spec spec = {.in = 4,
                                   .out = 6,
                                   .kernel = 3,
                                   .stride = 2,
                                   .pad = 1,
                                   .groups = 2,
                                   .height = 5,
                                   .width = 4};
    const struct shape x = {2, 4, 5, 4}, y = {2, 6, 3, 2}, weights = {6, 2, 3, 3};
    const struct norm_case norm = {3, 2, 3, 2, false, false, false, false, false};
    struct function c = {.kind = F_CONV_X, .x = x, .y = y};
    MUST(&w, w.b->conv(w.d, &spec, &c.conv, &w.err));
    c.weights = tensor(&w, TENSOR_PLAIN, weights, -2, 65);
    check_function(&w, &c, "convolution (kernel 3, stride 2, groups 2) by x");
    struct function d = {.kind = F_CONV_WEIGHTS, .x = weights, .y = y, .conv = c.conv};
    d.weights = activation(&w, x); /* takes the image's place: the weights vary */
    check_function(&w, &d, "convolution (kernel 3, stride 2, groups 2) by weights");
    struct function n = {.kind = F_NORM, .x = {3, 2, 3, 2}, .y = {3, 2, 3, 2}};
    n.norm = make_norm(&w, &norm);
    check_function(&w, &n, "norm");
    struct function m = {.kind = F_MAX, .x = {2, 2, 5, 4}, .y = {2, 2, 2, 2}};
    check_function(&w, &m, "max-pool");
    struct function a = {.kind = F_AVERAGE, .x = {2, 3, 3, 2}, .y = {2, 3, 1, 1}};
    check_function(&w, &a, "average pool");
    stop(&w);
}

static struct CMUnitTest test(const char *name, void (*function)(void **state), const void *state)
{
    return (struct CMUnitTest){name, function, NULL, NULL, (void *)state};
}

static int run_kernels(void)
{
    const struct CMUnitTest kernels[] = {
        cmocka_unit_test(test_ref_differences),
        test("test_conv in fp32", test_conv, &fp32),
        test("test_conv in bf16", test_conv, &bf16),
        test("test_norm in fp32", test_norm, &fp32),
        test("test_norm in bf16", test_norm, &bf16),
        test("test_crops in fp32", test_crops, &fp32),
        test("test_crops in bf16", test_crops, &bf16),
        test("test_pools in fp32", test_pools, &fp32),
        test("test_pools in bf16", test_pools, &bf16),
        test("test_head in fp32", test_head, &fp32),
        test("test_head in bf16", test_head, &bf16),
    };
    return cmocka_run_group_tests(kernels, NULL, NULL);
}

#ifndef TEST_OF_CUDA

/* ---- backends by name; lesser CPUs ---- */

static void test_names(void **state)
{
    struct error err = {""};
    (void)state;
    const struct backend *first = backend_find("auto", &err);
    char text[256];
    assert_true(first->numerics(text, sizeof text, &err) == 0);
    for (size_t i = 0; backends[i] != first; i++)
        assert_int_equal(backends[i]->numerics(text, sizeof text, &err), -ENODEV);
    assert_string_equal(backend_find("cpu", &err)->name, "cpu");
    assert_string_equal(backend_find("ref", &err)->name, "ref");
#ifdef FERDAG_CUDA
    assert_string_equal(backends[0]->name, "cuda");
    assert_string_equal(backend_find("cuda", &err)->name, "cuda");
#else
    assert_string_equal(first->name, "cpu");
    assert_null(backend_find("cuda", &err));
    assert_non_null(strstr(err.text, "this build has no cuda backend"));
#endif
    assert_null(backend_find("gpu", &err));
    assert_non_null(strstr(err.text, "unknown backend 'gpu'"));
}

/* A limit on the instructions that this program finds, and the variable that sets it. */
struct limit {
    const char *name, *value;
};

/* Runs this program under a limit, with one argument; its output goes into a file. */
static int run_again(const struct limit *limit, const char *argument, FILE *output)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setenv(limit->name, limit->value, 1);
        dup2(fileno(output), STDOUT_FILENO);
        dup2(fileno(output), STDERR_FILENO);
        execl("/proc/self/exe", "test_kernels", argument, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    rewind(output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* All of this again under a limit; what the run says is shown, indented, if it fails: its lines
 * aren't this run's results. */
static void pass_again(const struct limit *limit)
{
    char line[512];
    FILE *output = tmpfile();
    assert_non_null(output);
    int status = run_again(limit, "limited", output);
    while (status != 0 && fgets(line, sizeof line, output))
        print_message("    %s", line);
    fclose(output);
    if (status != 0)
        fail_msg("with %s=%s: exit status %d", limit->name, limit->value, status);
}

/* Skips the test if the CPU has no more than the limit's instructions: the other tests used these.
 */
static void test_fewer_instructions(void **state)
{
    const struct limit *limit = *state;
    char isa[64] = "";
    FILE *output = tmpfile();
    assert_non_null(output);
    assert_int_equal(run_again(limit, "isa", output), 0);
    assert_non_null(fgets(isa, sizeof isa, output));
    fclose(output);
    isa[strcspn(isa, "\n")] = '\0';
    if (strcmp(isa, dnn_isa()) == 0) {
        print_message("skipped: this CPU has no more than %s, which the other tests used\n", isa);
        skip();
    }
    pass_again(limit);
}

/* OpenMP may give fewer threads than asked for. */
static void test_fewer_threads(void **state)
{
    const struct limit one = {"OMP_THREAD_LIMIT", "1"};
    (void)state;
    if (omp_get_thread_limit() == 1) {
        print_message("skipped: OpenMP gives one thread, which the other tests used\n");
        skip();
    }
    pass_again(&one);
}

static const struct limit avx2 = {"ONEDNN_MAX_CPU_ISA", "AVX2"};
static const struct limit sse41 = {"ONEDNN_MAX_CPU_ISA", "SSE41"};

/* With an argument: "isa", or "limited" for the runs that test_kernels starts. */
int main(int argc, char **argv)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(test_names),
        test("test_fewer_instructions: AVX2", test_fewer_instructions, &avx2),
        test("test_fewer_instructions: SSE4.1", test_fewer_instructions, &sse41),
        cmocka_unit_test(test_fewer_threads),
    };
    if (argc > 1 && strcmp(argv[1], "isa") == 0)
        return puts(dnn_isa()) < 0;
    int failed = run_kernels();
    return argc > 1 ? failed : failed + cmocka_run_group_tests(others, NULL, NULL);
}

#endif
