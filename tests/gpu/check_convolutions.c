/* check_gpu: each distinct convolution of the nets in all directions, in batches of two sizes and
 * both precisions, twice, against `ref`.
 *
 * `ref` is slow, so it computes two images only: the first and the last of the batch. For the
 * gradient of the weights, dy is zero in all other images.
 *
 * Bounds. In bf16, values are multiples of 1/16 from -2 to 2, so products are multiples of 1/256
 * and all sums of the nets' sizes (up to 4608 terms of at most 4) are exact in float32, in any
 * order. The result is rounded once to bf16, by at most 2^-8 of it, and once more where a bias is
 * added; 2^-13 of the root mean square allows for engines that accumulate with a few bits less. In
 * fp32, values are any float32 from -2 to 2, so that an engine that rounds its inputs (TF32: 2^-11)
 * exceeds the bound of 2^-14 of the root mean square (by about 10 times). A float32 sum of K terms
 * has an error of about 2^-24 * 0.2 * sqrt(K) of it: 2^-20 for 4608 terms. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/gpu/check.h"

enum { MAX_SPECS = 512, CHECKED = 2 };

struct conv_item {
    struct conv_spec spec;
    bool bias;
    size_t batches[2];
    enum precision precision;
    char name[CHECK_NAME];
};

static struct shape input_shape(const struct conv_spec *s, size_t n)
{
    return (struct shape){n, s->in, s->height, s->width};
}

static struct shape output_shape(const struct conv_spec *s, size_t n)
{
    return (struct shape){n, s->out, (s->height + 2 * s->pad - s->kernel) / s->stride + 1,
                          (s->width + 2 * s->pad - s->kernel) / s->stride + 1};
}

static struct shape weight_shape(const struct conv_spec *s)
{
    return (struct shape){s->out, s->in / s->groups, s->kernel, s->kernel};
}

/* Which images of a batch are drawn, each from its own random numbers: the first and the last have
 * the same values in all batches, and with n = CHECKED there are only these two. */
enum fill { FILL_ALL, FILL_CHECKED };

static struct tensor *batch_tensor(struct side *s, enum tensor_use use, struct shape shape,
                                   enum fill fill, uint64_t seed, struct draw draw)
{
    size_t each = shape.c * shape.h * shape.w;
    struct tensor *t = NULL;
    float *values = calloc(shape.n * each, sizeof *values);
    if (!values)
        TRY(s, error_set(&s->err, ENOMEM, "out of memory"));
    for (size_t i = 0; values && i < shape.n; i++) {
        bool last = i + 1 == shape.n;
        struct random r = random_start(seed, last ? 1 : i == 0 ? 0 : i + 1);
        if (i == 0 || last || fill == FILL_ALL)
            draw_values(&r, draw, values + i * each, each);
    }
    TRY(s, s->b->tensor(s->d, use, shape, &t, &s->err));
    TRY(s, s->b->write(s->d, t, values, shape.n, &s->err));
    free(values);
    return t;
}

struct conv_operands {
    struct tensor *x, *weights, *bias, *y, *dy, *sparse, *dx, *dweights, *dbias;
};

static struct conv_operands make_operands(struct side *s, const struct conv_item *item, size_t n)
{
    const struct conv_spec *spec = &item->spec;
    const struct draw draw = {-2, item->precision == PRECISION_BF16 ? 65 : 0, false};
    struct shape in = input_shape(spec, n), out = output_shape(spec, n), w = weight_shape(spec);
    struct shape vector = {1, spec->out, 1, 1};
    enum tensor_use use = spec->image ? TENSOR_IMAGE : TENSOR_ACTIVATION;
    struct conv_operands o = {
        .x = batch_tensor(s, use, in, FILL_ALL, 1, draw),
        .y = batch_tensor(s, TENSOR_ACTIVATION, out, FILL_ALL, 2, draw),
        .dy = batch_tensor(s, TENSOR_ACTIVATION, out, FILL_ALL, 3, draw),
        .sparse = batch_tensor(s, TENSOR_ACTIVATION, out, FILL_CHECKED, 3, draw),
    };
    s->random = random_start(4, 0);
    o.weights = side_tensor(s, TENSOR_PLAIN, w, draw);
    o.dweights = side_tensor(s, TENSOR_PLAIN, w, draw);
    if (item->bias)
        o.bias = side_tensor(s, TENSOR_PLAIN, vector, draw);
    if (item->bias)
        o.dbias = side_tensor(s, TENSOR_PLAIN, vector, draw);
    if (!spec->image)
        o.dx = batch_tensor(s, TENSOR_ACTIVATION, in, FILL_ALL, 5, draw);
    return o;
}

/* All three directions. */
static void run_conv(struct side *s, const struct conv_item *item, struct conv *conv,
                     const struct conv_operands *o, size_t n)
{
    const struct conv_spec *spec = &item->spec;
    const struct backend *b = s->b;
    struct range r = {0, n, n, 0};
    unsigned gradients = item->bias ? CONV_WEIGHTS | CONV_BIAS : CONV_WEIGHTS;
    TRY(s, b->conv_ready(conv, 0, n, o->weights, false, &s->err));
    TRY(s, b->conv_forward(conv, r, o->x, o->weights, o->bias, o->y, 0, &s->err));
    side_keep(s, "y", o->y, output_shape(spec, n));
    TRY(s, b->conv_ready(conv, 0, n, o->weights, true, &s->err));
    if (o->dx) {
        TRY(s, b->conv_backward(conv, r, o->x, o->weights, o->dy, o->dx, 0, &s->err));
        side_keep(s, "dx", o->dx, input_shape(spec, n));
    }
    TRY(s, b->conv_backward(conv, r, o->x, o->weights, o->sparse, NULL, gradients, &s->err));
    TRY(s, b->conv_backward_end(conv, o->dweights, o->dbias, &s->err));
    side_keep(s, "dweights", o->dweights, weight_shape(spec));
    if (o->dbias)
        side_keep(s, "dbias", o->dbias, (struct shape){1, spec->out, 1, 1});
}

/* Compares a result with that of ref, which has the first and the last image only if the result is
 * a batch. */
static int compare_ends(const struct result *a, const struct result *ref, struct bound bound,
                        struct error *err)
{
    size_t each = ref->count / CHECKED;
    const struct result first = {a->name, a->values, each},
                        last = {a->name, a->values + a->count - each, each},
                        ref_first = {a->name, ref->values, each},
                        ref_last = {a->name, ref->values + each, each};
    if (strcmp(a->name, "y") != 0 && strcmp(a->name, "dx") != 0)
        return compare_result(a, ref, bound, err);
    int e = compare_result(&first, &ref_first, bound, err);
    return e ? e : compare_result(&last, &ref_last, bound, err);
}

static int compare_conv(const struct results *a, const struct results *ref,
                        const struct conv_item *item, struct error *err)
{
    bool bf16 = item->precision == PRECISION_BF16;
    struct bound bound = {bf16 ? 0x1p-8 : 0, bf16 ? 0x1p-13 : 0x1p-14};
    if (item->bias && bf16) /* y is rounded without bias, and again with it */
        bound = (struct bound){2 * bound.relative, 0x1p-6};
    int e = a->count == ref->count ? 0 : error_set(err, EINVAL, "a result is missing");
    for (size_t i = 0; !e && i < a->count; i++)
        e = compare_ends(&a->items[i], &ref->items[i], bound, err);
    return e;
}

/* A batch on the device: two runs, compared with each other and with ref. */
static int check_batch_of(struct side *a, struct conv *conv, const struct side *ref,
                          const struct conv_item *item, size_t n, struct error *err)
{
    struct conv_operands o = make_operands(a, item, n);
    run_conv(a, item, conv, &o, n);
    struct results first = a->results;
    a->results.count = 0;
    run_conv(a, item, conv, &o, n);
    int e = a->failed;
    if (e)
        *err = a->err;
    if (!e)
        e = compare_bits(&first, &a->results, err);
    if (!e)
        e = compare_conv(&a->results, &ref->results, item, err);
    results_free(&first);
    results_free(&a->results);
    if (e)
        error_prefix(err, "%zu images", n);
    return e;
}

/* The results of ref for two images. */
static int run_ref(struct side *ref, const struct conv_item *item, struct error *err)
{
    struct conv *conv = NULL;
    struct conv_operands o = make_operands(ref, item, CHECKED);
    TRY(ref, ref->b->conv(ref->d, &item->spec, &conv, &ref->err));
    run_conv(ref, item, conv, &o, CHECKED);
    if (ref->failed)
        *err = ref->err;
    return ref->failed;
}

static int run_item(struct checks *checks, const void *argument, struct error *err)
{
    const struct conv_item *item = argument;
    struct side ref, a;
    struct conv *conv = NULL;
    (void)checks;
    side_open(&ref, "ref", PRECISION_FP32);
    side_open(&a, "cuda", item->precision);
    TRY(&a, a.b->conv(a.d, &item->spec, &conv, &a.err));
    int e = a.failed;
    if (e)
        *err = a.err;
    else if (a.traits.precision != item->precision) {
        e = CHECK_SKIPPED;
        error_set(err, 1, "the device has no bf16");
    }
    if (!e)
        e = run_ref(&ref, item, err);
    for (int i = 0; !e && i < 2; i++)
        e = check_batch_of(&a, conv, &ref, item, item->batches[i], err);
    side_close(&a);
    side_close(&ref);
    return e;
}

/* ---- the items ---- */

struct items {
    struct conv_item items[MAX_SPECS];
    int count;
};

static bool same_spec(const struct conv_spec *a, const struct conv_spec *b)
{
    return a->in == b->in && a->out == b->out && a->kernel == b->kernel && a->stride == b->stride &&
           a->pad == b->pad && a->groups == b->groups && a->height == b->height &&
           a->width == b->width && a->image == b->image;
}

static void add_spec(const struct checks *checks, struct items *items, struct conv_spec spec,
                     bool bias)
{
    const enum precision precisions[] = {PRECISION_BF16, PRECISION_FP32};
    for (int i = 0; i < items->count; i++)
        if (same_spec(&items->items[i].spec, &spec) && items->items[i].bias == bias)
            return;
    for (int p = 0; p < 2 && items->count < MAX_SPECS; p++) {
        struct conv_item *item = &items->items[items->count++];
        *item = (struct conv_item){.spec = spec,
                                   .bias = bias,
                                   .batches = {check_batch(checks), check_last(checks)},
                                   .precision = precisions[p]};
        snprintf(item->name, sizeof item->name,
                 "convolution %zu -> %zu, %zu x %zu, kernel %zu, stride %zu%s%s, %s", spec.in,
                 spec.out, spec.height, spec.width, spec.kernel, spec.stride,
                 spec.groups > 1 ? ", 2 groups" : "", bias ? ", bias" : "",
                 precision_name(precisions[p]));
    }
}

static void add_net(const struct checks *checks, struct items *items, struct program *p)
{
    for (int i = 0; i < p->op_count; i++) {
        const struct op *op = &p->ops[i];
        const struct value_shape *in = &p->values[op->in], *out = &p->values[op->out];
        if (op->kind == OP_CONV)
            add_spec(checks, items,
                     (struct conv_spec){in->channels, out->channels, op->kernel, op->stride,
                                        op->pad, op->groups, in->height, in->width, op->in == 0},
                     op->bias);
    }
}

void check_convolutions(struct checks *checks)
{
    struct items *items = calloc(1, sizeof *items);
    struct program *program = calloc(1, sizeof *program);
    struct widths widths = check_widths(checks);
    for (int w = 0; items && program && w < widths.count; w++)
        for (int m = 0; m < NET_MODELS; m++) {
            program_build(program, (enum net_model)m, (size_t)widths.values[w], CLASSES,
                          IMAGE_SIZE);
            add_net(checks, items, program);
        }
    free(program);
    int count = items ? items->count : 0;
#pragma omp parallel for schedule(dynamic) num_threads(checks->threads)
    for (int i = 0; i < count; i++)
        check_run(checks, run_item, &items->items[i], items->items[i].name);
    free(items);
}
