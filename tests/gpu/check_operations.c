/* check_gpu: each operation but plain convolutions against `ref`, twice, on shapes of
 * the nets and on odd ones.
 *
 * Bounds: drawn values have at most 8 significant bits, so bf16 holds them exactly, and all that a
 * kernel computes from them is in float32. In bf16 the only larger error is that of rounding a
 * result: half a unit in the last of 8 places, 2^-8 of the value at most. What float32 adds is
 * bounded by 2^-14 (sums of up to 2^18 values in parts: 2^-24 times the depth of the sum, with a
 * wide margin) of the root mean square. Inputs of ReLU stay away from 0, where rounding could
 * change the sign: see norm_draws. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/gpu/check.h"

static const struct draw wide = {-2, 65, false}, zero = {0, 1, false};

/* A case on one backend. */
typedef void operation_run(struct side *s, const void *item);

struct operation {
    operation_run *run;
    const void *item;
    enum precision precision;
    char name[CHECK_NAME];
};

static int compare_all(const struct results *a, const struct results *ref, bool bf16,
                       struct error *err)
{
    const struct bound bound = {bf16 ? 0x1p-8 : 0, bf16 ? 0x1p-13 : 0x1p-14};
    int e = a->count == ref->count ? 0 : error_set(err, EINVAL, "a result is missing");
    for (size_t i = 0; !e && i < a->count; i++)
        e = compare_result(&a->items[i], &ref->items[i], bound, err);
    return e;
}

/* Runs a case, from the same random numbers each time. */
static void run_side(struct side *s, const struct operation *o)
{
    s->random = random_start(11, 0);
    o->run(s, o->item);
}

/* Runs a case on three sides: ref, and two devices. (On one device the second pass of a case would
 * be recorded.) */
static int run_sides(struct side sides[3], const struct operation *o, struct error *err)
{
    for (int i = 0; i < 3; i++)
        run_side(&sides[i], o);
    for (int i = 0; i < 3; i++)
        if (sides[i].failed) {
            *err = sides[i].err;
            return sides[i].failed;
        }
    int e = compare_bits(&sides[1].results, &sides[2].results, err);
    return e ? e
             : compare_all(&sides[1].results, &sides[0].results, o->precision == PRECISION_BF16,
                           err);
}

static int run_operation(struct checks *checks, const void *item, struct error *err)
{
    const struct operation *o = item;
    struct side sides[3];
    (void)checks;
    side_open(&sides[0], "ref", PRECISION_FP32);
    for (int i = 1; i < 3; i++)
        side_open(&sides[i], "cuda", o->precision);
    int e = CHECK_SKIPPED;
    if (sides[1].failed || sides[1].traits.precision == o->precision)
        e = run_sides(sides, o, err);
    else
        error_set(err, 1, "the device has no bf16");
    for (int i = 0; i < 3; i++)
        side_close(&sides[i]);
    return e;
}

static struct range all(size_t n)
{
    return (struct range){0, n, n, 0};
}

/* ---- batch norm ---- */

struct norm_case {
    size_t n, channels, height, width;
    bool relu, residual, second, add, in_place;
};

static const struct norm_case odd_norms[] = {
    {4, 16, 6, 6, true, false, false, false, false},
    {4, 32, 5, 7, true, true, true, false, false},
    {4, 24, 5, 5, true, true, false, true, false},
    {3, 8, 4, 4, false, false, false, false, false},
    {3, 5, 4, 4, true, false, true, true, true},
    {4, 40, 1, 1, true, false, false, true, true},
    {4, 1, 3, 3, false, true, true, true, true},
    {2, 16, 1, 2, true, false, true, false, false},
    {7, 17, 9, 11, true, true, true, true, true},
    {37, 264, 3, 3, true, false, true, true, false},
};

static struct tensor *vector(struct side *s, size_t count, struct draw draw)
{
    return side_tensor(s, TENSOR_PLAIN, (struct shape){1, count, 1, 1}, draw);
}

/* Draws so that no input of the ReLU is near 0. x is 1/2 to 2 with a random sign, so that |x -
 * mean| times gamma / deviation is over 0.15, and under 3; beta is at most 1/8 of that sign's side
 * in effect, the residual, where there is one, +-4 to 5. */
static const struct draw draw_x = {0.5, 24, true}, draw_residual = {4, 16, true},
                         draw_gamma = {0.5, 17, false}, draw_beta = {-0.0625, 3, false};

static struct norm make_norm(struct side *s, const struct norm_case *c)
{
    return (struct norm){
        .gamma = vector(s, c->channels, draw_gamma),
        .beta = vector(s, c->channels, draw_beta),
        .running_mean = vector(s, c->channels, (struct draw){-0.125, 5, false}),
        .running_var = vector(s, c->channels, (struct draw){0.5, 17, false}),
        .mean = vector(s, c->channels, zero),
        .inverse = vector(s, c->channels, zero),
        .gamma_gradient = vector(s, c->channels, zero),
        .beta_gradient = vector(s, c->channels, zero),
        .epsilon = 1e-5,
        .momentum = 0.1,
        .relu = c->relu,
    };
}

struct norm_operands {
    struct tensor *x, *y, *residual, *dy, *dy2, *add, *dx, *evaluated;
};

static void call_norm(struct side *s, const struct norm *norm, const struct norm_operands *o,
                      size_t n)
{
    const struct backend *b = s->b;
    struct range r = all(n);
    bool residual = o->residual;
    TRY(s, b->norm_ready(s->d, norm, false, &s->err));
    TRY(s, b->norm_forward(s->d, norm, r, o->x, o->residual, o->evaluated, false, &s->err));
    TRY(s, b->norm_ready(s->d, norm, true, &s->err));
    TRY(s, b->norm_moments(s->d, norm, r, o->x, &s->err));
    TRY(s, b->norm_moments_end(s->d, norm, n, o->x, &s->err));
    TRY(s, b->norm_forward(s->d, norm, r, o->x, o->residual, o->y, true, &s->err));
    TRY(s, b->norm_sums(s->d, norm, r, o->x, residual ? o->y : NULL, o->dy, o->dy2,
                        residual ? o->dy : NULL, &s->err));
    TRY(s, b->norm_sums_end(s->d, norm, n, o->x, &s->err));
    TRY(s, b->norm_backward(s->d, norm, r, o->x, o->dy, residual ? NULL : o->dy2, residual, o->add,
                            o->dx, &s->err));
}

static void run_norm(struct side *s, const void *item)
{
    const struct norm_case *c = item;
    struct shape shape = {c->n, c->channels, c->height, c->width}, v = {1, c->channels, 1, 1};
    struct norm norm = make_norm(s, c);
    struct norm_operands o = {
        .x = side_tensor(s, TENSOR_ACTIVATION, shape, draw_x),
        .y = side_tensor(s, TENSOR_ACTIVATION, shape, wide),
        .dy = side_tensor(s, TENSOR_ACTIVATION, shape, wide),
        .evaluated = side_tensor(s, TENSOR_ACTIVATION, shape, wide),
    };
    if (c->residual)
        o.residual = side_tensor(s, TENSOR_ACTIVATION, shape, draw_residual);
    if (c->second)
        o.dy2 = side_tensor(s, TENSOR_ACTIVATION, shape, wide);
    if (c->add)
        o.add = side_tensor(s, TENSOR_ACTIVATION, shape, wide);
    o.dx = c->add && c->in_place ? o.add : side_tensor(s, TENSOR_ACTIVATION, shape, wide);
    call_norm(s, &norm, &o, c->n);
    side_keep(s, "y in evaluation", o.evaluated, shape);
    side_keep(s, "y", o.y, shape);
    side_keep(s, "running mean", norm.running_mean, v);
    side_keep(s, "running variance", norm.running_var, v);
    side_keep(s, "dgamma", norm.gamma_gradient, v);
    side_keep(s, "dbeta", norm.beta_gradient, v);
    side_keep(s, "dx", o.dx, shape);
    if (c->residual)
        side_keep(s, "dresidual", o.dy, shape);
}

static void name_norm(char *name, const struct norm_case *c)
{
    snprintf(name, CHECK_NAME, "norm of %zu images, %zu channels, %zu x %zu%s%s%s%s%s", c->n,
             c->channels, c->height, c->width, c->relu ? ", ReLU" : "",
             c->residual ? ", residual" : "", c->second ? ", two gradients" : "",
             c->add ? ", gradient added" : "", c->add && c->in_place ? " in place" : "");
}

/* ---- pools and addition ---- */

static const struct shape odd_pools[] = {
    {2, 16, 8, 8}, {2, 8, 5, 5}, {3, 40, 7, 6}, {2, 3, 2, 2}, {2, 17, 3, 3}, {1, 64, 2, 3},
};

static void run_pool(struct side *s, const void *item)
{
    const struct shape *x_shape = item;
    size_t n = x_shape->n;
    struct shape half = {n, x_shape->c, x_shape->h / 2, x_shape->w / 2};
    struct shape flat = {n, x_shape->c, 1, 1};
    const struct backend *b = s->b;
    struct tensor *x = side_tensor(s, TENSOR_ACTIVATION, *x_shape, wide);
    struct tensor *dx = side_tensor(s, TENSOR_ACTIVATION, *x_shape, wide);
    struct tensor *dx2 = side_tensor(s, TENSOR_ACTIVATION, *x_shape, wide);
    struct tensor *sum = side_tensor(s, TENSOR_ACTIVATION, *x_shape, wide);
    struct tensor *mean = side_tensor(s, TENSOR_PLAIN, flat, zero);
    struct tensor *dmean = side_tensor(s, TENSOR_PLAIN, flat, wide);
    if (half.h > 0) {
        struct tensor *y = side_tensor(s, TENSOR_ACTIVATION, half, wide);
        struct tensor *dy = side_tensor(s, TENSOR_ACTIVATION, half, wide);
        TRY(s, b->pool_forward(s->d, POOL_MAX, all(n), x, y, &s->err));
        TRY(s, b->pool_backward(s->d, POOL_MAX, all(n), x, dy, dx, &s->err));
        side_keep(s, "max", y, half);
        side_keep(s, "dx of max", dx, *x_shape);
    }
    TRY(s, b->pool_forward(s->d, POOL_AVERAGE, all(n), x, mean, &s->err));
    TRY(s, b->pool_backward(s->d, POOL_AVERAGE, all(n), x, dmean, dx2, &s->err));
    TRY(s, b->add(s->d, all(n), dx, x, sum, &s->err));
    side_keep(s, "mean", mean, flat);
    side_keep(s, "dx of mean", dx2, *x_shape);
    side_keep(s, "sum", sum, *x_shape);
}

/* ---- linear layer, loss and SGD ---- */

enum { PARAMETERS = 6, MAX_BATCH = 128 };

/* Sizes of parameters besides the linear layer's: around the ends of the parts that a block
 * updates. */
static const size_t parameter_sizes[PARAMETERS] = {1, 7, 4095, 4096, 4097, 100003};

struct head_case {
    size_t n, in;
    double smoothing, clip;
};

static const struct head_case heads[] = {
    {4, 32, 0, 0},        {5, 64, 0.1, 0.1},  {1, 8, 0.5, 0.01},
    {37, 1024, 0.1, 0.1}, {128, 512, 0, 0.1}, {128, 128, 0, 0},
};

struct head {
    struct tensor *x, *weights, *bias, *y, *dy, *dx, *dweights, *dbias;
    struct parameter_update updates[2 + PARAMETERS];
};

static struct head make_head(struct side *s, const struct head_case *c)
{
    struct shape w = {CLASSES, c->in, 1, 1}, y = {c->n, CLASSES, 1, 1}, x = {c->n, c->in, 1, 1};
    const struct draw small = {-0.5, 17, false};
    struct head h = {
        .x = side_tensor(s, TENSOR_PLAIN, x, small),
        .weights = side_tensor(s, TENSOR_PLAIN, w, small),
        .bias = vector(s, CLASSES, small),
        .y = side_tensor(s, TENSOR_PLAIN, y, zero),
        .dy = side_tensor(s, TENSOR_PLAIN, y, zero),
        .dx = side_tensor(s, TENSOR_PLAIN, x, zero),
        .dweights = side_tensor(s, TENSOR_PLAIN, w, zero),
        .dbias = vector(s, CLASSES, zero),
    };
    h.updates[0] =
        (struct parameter_update){h.weights, h.dweights, side_tensor(s, TENSOR_PLAIN, w, small)};
    h.updates[1] = (struct parameter_update){h.bias, h.dbias, vector(s, CLASSES, small)};
    for (int i = 0; i < PARAMETERS; i++)
        h.updates[2 + i] = (struct parameter_update){vector(s, parameter_sizes[i], wide),
                                                     vector(s, parameter_sizes[i], wide),
                                                     vector(s, parameter_sizes[i], wide)};
    return h;
}

/* A queue of one image, n times, with these labels. */
static void queue_labels(struct side *s, const uint8_t *labels, size_t n)
{
    static const uint8_t pixel[1];
    static const float levels[256];
    static const struct crop crops[2 + MAX_BATCH];
    const struct image_source source = {pixel, 1, 1, levels};
    struct image_set *set = NULL;
    TRY(s, s->b->image_set(s->d, &source, &set, &s->err));
    TRY(s, s->b->queue(s->d, set, crops, labels, n, &s->err));
}

static void keep_head(struct side *s, const struct head *h, const struct head_case *c)
{
    struct shape w = {CLASSES, c->in, 1, 1}, y = {c->n, CLASSES, 1, 1}, x = {c->n, c->in, 1, 1};
    struct loss_sums sums = {0}, none = {0};
    side_keep(s, "logits", h->y, y);
    side_keep(s, "dlogits", h->dy, y);
    side_keep(s, "dx", h->dx, x);
    side_keep(s, "dweights", h->dweights, w);
    side_keep(s, "dbias", h->dbias, (struct shape){1, CLASSES, 1, 1});
    for (int i = 0; i < PARAMETERS; i += 1)
        side_keep(s, "a parameter after a step", h->updates[2 + i].value,
                  (struct shape){1, parameter_sizes[i], 1, 1});
    TRY(s, s->b->loss_sums(s->d, &sums, &none, &s->err));
    float *values = calloc(3, sizeof *values);
    if (!values || s->failed) {
        free(values);
        return;
    }
    values[0] = (float)sums.loss;
    values[1] = (float)sums.correct;
    values[2] = (float)sums.finite;
    s->results.items[s->results.count++] =
        (struct result){"loss, correct and finite batches", values, 3};
}

/* Ends a pass, also after a failure. */
static void end_pass(struct side *s)
{
    struct error ignored = {""};
    if (s->failed)
        s->b->pass_end(s->d, true, &ignored);
    else
        s->failed = s->b->pass_end(s->d, false, &s->err);
}

static void run_head(struct side *s, const void *item)
{
    const struct head_case *c = item;
    const struct backend *b = s->b;
    uint8_t labels[2 + MAX_BATCH]; /* the pass begins at the third */
    const struct pass pass = {
        .kind = PASS_TRAINING,
        .first = 2,
        .n = c->n,
        .sgd = {.lr = 0.25, .momentum = 0.9, .weight_decay = 0.01, .clip = c->clip},
        .label_smoothing = c->smoothing};
    bool replayed = false;
    struct head h = make_head(s, c);
    for (size_t i = 0; i < 2 + c->n; i++)
        labels[i] = (uint8_t)random_below(&s->random, CLASSES);
    queue_labels(s, labels, 2 + c->n);
    TRY(s, b->pass_begin(s->d, &pass, &replayed, &s->err));
    bool begun = !s->failed;
    TRY(s, b->linear_forward(s->d, c->n, h.x, h.weights, h.bias, h.y, &s->err));
    TRY(s, b->loss(s->d, h.y, h.dy, &s->err));
    TRY(s,
        b->linear_backward(s->d, c->n, h.x, h.weights, h.dy, h.dx, h.dweights, h.dbias, &s->err));
    TRY(s, b->sgd(s->d, h.updates, 2 + PARAMETERS, &s->err));
    if (begun)
        end_pass(s);
    keep_head(s, &h, c);
}

/* ---- crops; read through a 1x1 convolution with weights 1, since images can't be read ---- */

struct crop_case {
    size_t n, resident, size, crop;
};

static const struct crop_case crop_cases[] = {
    {5, 3, 48, 40},
    {128, 200, 48, 40},
    {37, 20, 40, 40},
    {3, 2, 64, 48},
};

static void run_crop(struct side *s, const void *item)
{
    enum { OUT = 16, LEVELS = 256 };
    const struct crop_case *c = item;
    const struct backend *b = s->b;
    size_t bytes = c->resident * c->size * c->size;
    uint8_t *pixels = calloc(bytes, 1);
    struct crop crops[1 + MAX_BATCH] = {{0}};
    float levels[LEVELS];
    const struct image_source source = {pixels, c->resident, c->size, levels};
    const struct pass pass = {.kind = PASS_EVALUATION, .first = 1, .n = c->n};
    const struct conv_spec spec = {1, OUT, 1, 1, 0, 1, c->crop, c->crop, true};
    struct image_set *set = NULL;
    struct conv *conv = NULL;
    bool replayed = false;
    if (!pixels)
        TRY(s, error_set(&s->err, ENOMEM, "out of memory"));
    for (size_t i = 0; pixels && i < bytes; i++)
        pixels[i] = (uint8_t)random_below(&s->random, LEVELS);
    for (int i = 0; i < LEVELS; i++)
        levels[i] = (float)(i - 100) / 16;
    for (size_t i = 0; i < 1 + c->n; i++)
        crops[i] = (struct crop){(uint32_t)random_below(&s->random, c->resident),
                                 (uint8_t)random_below(&s->random, c->size - c->crop + 1),
                                 (uint8_t)random_below(&s->random, c->size - c->crop + 1),
                                 random_below(&s->random, 2) == 1};
    struct shape shape = {c->n, OUT, c->crop, c->crop};
    struct tensor *images =
        side_tensor(s, TENSOR_IMAGE, (struct shape){c->n, 1, c->crop, c->crop}, wide);
    struct tensor *weights =
        side_tensor(s, TENSOR_PLAIN, (struct shape){OUT, 1, 1, 1}, (struct draw){1, 1, false});
    struct tensor *y = side_tensor(s, TENSOR_ACTIVATION, shape, wide);
    TRY(s, b->image_set(s->d, &source, &set, &s->err));
    TRY(s, b->conv(s->d, &spec, &conv, &s->err));
    TRY(s, b->queue(s->d, set, crops, NULL, 1 + c->n, &s->err));
    TRY(s, b->pass_begin(s->d, &pass, &replayed, &s->err));
    bool begun = !s->failed;
    TRY(s, b->crop(s->d, images, &s->err));
    TRY(s, b->conv_ready(conv, 0, c->n, weights, false, &s->err));
    TRY(s, b->conv_forward(conv, all(c->n), images, weights, NULL, y, 0, &s->err));
    if (begun)
        end_pass(s);
    side_keep(s, "crops", y, shape);
    free(pixels);
}

/* ---- the cases ---- */

enum { MAX_CASES = 256 };

struct cases {
    struct operation operations[2 * MAX_CASES];
    struct norm_case norms[MAX_CASES];
    struct shape pools[MAX_CASES];
    int count, norm_count, pool_count;
};

/* Adds a case in both precisions. */
static void add_case(struct cases *all_cases, operation_run *run, const void *item,
                     const char *name)
{
    const enum precision precisions[] = {PRECISION_BF16, PRECISION_FP32};
    for (int p = 0; p < 2; p++) {
        struct operation *o = &all_cases->operations[all_cases->count++];
        *o = (struct operation){.run = run, .item = item, .precision = precisions[p]};
        snprintf(o->name, sizeof o->name, "%.*s, %s", CHECK_NAME - 10, name,
                 precision_name(precisions[p]));
    }
}

static bool has_norm(const struct cases *c, const struct norm_case *norm)
{
    for (int i = 0; i < c->norm_count; i++)
        if (c->norms[i].n == norm->n && c->norms[i].channels == norm->channels &&
            c->norms[i].height == norm->height && c->norms[i].relu == norm->relu &&
            c->norms[i].residual == norm->residual)
            return true;
    return false;
}

static void add_norm(struct cases *c, struct norm_case norm)
{
    if (has_norm(c, &norm) || c->norm_count == MAX_CASES)
        return;
    char name[CHECK_NAME];
    c->norms[c->norm_count] = norm;
    name_norm(name, &norm);
    add_case(c, run_norm, &c->norms[c->norm_count++], name);
}

static void add_pool(struct cases *c, struct shape shape)
{
    char name[CHECK_NAME];
    for (int i = 0; i < c->pool_count; i++)
        if (memcmp(&c->pools[i], &shape, sizeof shape) == 0)
            return;
    if (c->pool_count == MAX_CASES)
        return;
    c->pools[c->pool_count] = shape;
    snprintf(name, sizeof name, "pools and addition of %zu images, %zu channels, %zu x %zu",
             shape.n, shape.c, shape.h, shape.w);
    add_case(c, run_pool, &c->pools[c->pool_count++], name);
}

/* Adds the norms and pools of a net. Norms have the two gradients or the addition in turn. */
static void add_net(struct cases *c, enum net_model model, int width, size_t n)
{
    struct program *p = calloc(1, sizeof *p);
    if (!p)
        return;
    program_build(p, model, (size_t)width, CLASSES, IMAGE_SIZE);
    for (int i = 0; i < p->op_count; i++) {
        const struct op *op = &p->ops[i];
        const struct value_shape *in = &p->values[op->in];
        int turn = c->norm_count;
        if (op->kind == OP_NORM)
            add_norm(c, (struct norm_case){n, in->channels, in->height, in->width, op->relu,
                                           op->with >= 0, turn % 2 == 1, turn % 3 == 1,
                                           turn % 4 == 1});
        if (op->kind == OP_MAX_POOL || op->kind == OP_AVERAGE_POOL)
            add_pool(c, (struct shape){n, in->channels, in->height, in->width});
    }
    free(p);
}

static void add_cases(const struct checks *checks, struct cases *c)
{
    struct widths widths = check_widths(checks);
    char name[CHECK_NAME];
    for (size_t i = 0; i < sizeof odd_norms / sizeof *odd_norms; i++)
        add_norm(c, odd_norms[i]);
    for (size_t i = 0; i < sizeof odd_pools / sizeof *odd_pools; i++)
        add_pool(c, odd_pools[i]);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        snprintf(name, sizeof name,
                 "linear layer, loss and SGD of %zu images, %zu features, smoothing %g, clip %g",
                 heads[i].n, heads[i].in, heads[i].smoothing, heads[i].clip);
        add_case(c, run_head, &heads[i], name);
    }
    for (size_t i = 0; i < sizeof crop_cases / sizeof *crop_cases; i++) {
        snprintf(name, sizeof name, "crops of %zu images, %zu of %zu", crop_cases[i].n,
                 crop_cases[i].crop, crop_cases[i].size);
        add_case(c, run_crop, &crop_cases[i], name);
    }
    if (!checks->brief)
        add_norm(c, (struct norm_case){check_batch(checks), 64, IMAGE_SIZE, IMAGE_SIZE, true, true,
                                       true, true, true});
    for (int m = 0; m < NET_MODELS; m++)
        for (int w = 0; w < widths.count; w++)
            add_net(c, (enum net_model)m, widths.values[w],
                    w == 0 ? check_last(checks) : check_batch(checks));
}

void check_operations(struct checks *checks)
{
    struct cases *c = calloc(1, sizeof *c);
    if (!c)
        return;
    add_cases(checks, c);
#pragma omp parallel for schedule(dynamic) num_threads(checks->threads)
    for (int i = 0; i < c->count; i++)
        check_run(checks, run_operation, &c->operations[i], c->operations[i].name);
    free(c);
}
