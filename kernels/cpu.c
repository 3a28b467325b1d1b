/* The `cpu` backend: convolutions by oneDNN on blocked layouts that stay from operation to
 * operation, or by Winograd's way where that is faster (cpu_winograd.h), everything else by the
 * loops of cpu_lanes.h in as few passes as can be.
 *
 * Each thread is a worker that takes its own images through many operations, and waits for the
 * others only where the batch as a whole is concerned; so each has its own primitives and memory.
 * Primitives are made when first needed, one for each (direction, n, flags), and kept. Parameters
 * are plain float32 and are packed again only after they changed. oneDNN 2 has only its slow
 * reference code for channels that don't fill whole vectors, so that it is told of whole vectors
 * (the padding is there anyway, and zero) and gets weights with zeros around them. Grouped
 * convolutions whose groups don't fill whole vectors run as ordinary ones in the same way. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/cpu.h"
#include "kernels/cpu_winograd.h"

struct plan {
    enum dnn_direction direction;
    size_t n;
    unsigned flags;
    bool bias;
    struct dnn_conv *conv;
    struct plan *next;
};

/* What a worker has of a convolution. */
struct own {
    struct plan *plans;
    struct cpu_sums *sums; /* of its gradient; NULL before the first range */
};

struct conv {
    struct device *device;
    struct conv_spec spec;
    size_t in, out, groups;                  /* as oneDNN sees them */
    bool spread;                             /* the weights get zeros around them */
    struct dnn_conv *layout[DNN_DIRECTIONS]; /* whose weights' layout all of a direction have */
    struct own *own;                         /* one a worker */
    struct conv *next;
};

static int cpu_numerics(char *text, size_t size)
{
    int n = snprintf(text, size, "%s", dnn_isa());
    return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
}

static void free_conv(struct conv *c)
{
    for (int w = 0; c->own && w < c->device->threads; w++)
        while (c->own[w].plans) {
            struct plan *p = c->own[w].plans;
            c->own[w].plans = p->next;
            dnn_conv_free(p->conv);
            free(p);
        }
    free(c->own);
    free(c);
}

static void free_worker(struct cpu_worker *w)
{
    for (int i = 0; i < SCRATCHES; i++)
        free(w->scratch[i]);
    while (w->sums) {
        struct cpu_sums *s = w->sums;
        w->sums = s->next;
        free(s->values);
        free(s);
    }
    dnn_close(w->dnn);
}

static void cpu_close(struct device *device)
{
    if (!device)
        return;
    while (device->convs) {
        struct conv *c = device->convs;
        device->convs = c->next;
        free_conv(c);
    }
    while (device->tensors) {
        struct tensor *t = device->tensors;
        device->tensors = t->next;
        for (int d = 0; d < DNN_DIRECTIONS; d++)
            free(t->packed[d]);
        free(t->work);
        if (!t->within)
            free(t->data);
        free(t);
    }
    for (int w = 0; device->workers && w < device->threads; w++)
        free_worker(&device->workers[w]);
    free(device->workers);
    dnn_close(device->dnn);
    free(device);
}

static int cpu_open(struct device **device, int threads, enum net_precision precision,
                    struct error *err)
{
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, ENOMEM, "out of memory");
    d->threads = threads;
    d->bf16 = precision == NET_BF16 && dnn_has_bf16();
    d->lanes = cpu_lanes_pick(d->bf16);
    d->workers = calloc((size_t)threads, sizeof *d->workers);
    int e = d->workers ? 0 : error_set(err, ENOMEM, "out of memory");
    if (!e)
        e = dnn_open(&d->dnn, threads, err);
    for (int w = 0; !e && w < threads; w++)
        e = dnn_open(&d->workers[w].dnn, 1, err);
    if (e) {
        cpu_close(d);
        return e;
    }
    *device = d;
    return 0;
}

static int cpu_workers(const struct device *device)
{
    return device->threads;
}

static enum net_precision cpu_precision(const struct device *device)
{
    return device->bf16 ? NET_BF16 : NET_FP32;
}

/* Zeroed, aligned memory in whole 64 bytes, so that oneDNN may read and write the padding of a
 * bias; size > 0. */
static void *allocate(size_t size)
{
    size_t whole = (size + 63) / 64 * 64;
    void *p = whole < size ? NULL : aligned_alloc(64, whole);
    if (p)
        memset(p, 0, whole);
    return p;
}

int cpu_scratch(struct device *device, int worker, enum cpu_scratch which, size_t size,
                void **memory, struct error *err)
{
    struct cpu_worker *w = &device->workers[worker];
    if (size > w->scratch_size[which]) {
        free(w->scratch[which]);
        w->scratch_size[which] = 0;
        w->scratch[which] = allocate(size);
        if (!w->scratch[which])
            return error_set(err, ENOMEM, "out of memory");
        w->scratch_size[which] = size;
    }
    *memory = w->scratch[which];
    return 0;
}

/* Zeroed sums of a worker: the smallest that are free and do, or new ones. */
static int take_sums(struct cpu_worker *w, size_t count, struct cpu_sums **sums, struct error *err)
{
    struct cpu_sums *best = NULL;
    for (struct cpu_sums *s = w->sums; s; s = s->next)
        if (!s->taken && s->count >= count && (!best || s->count < best->count))
            best = s;
    if (!best) {
        best = calloc(1, sizeof *best);
        float *values = best ? allocate(count * sizeof *values) : NULL;
        if (!values) {
            free(best);
            return error_set(err, ENOMEM, "out of memory");
        }
        *best = (struct cpu_sums){.values = values, .count = count, .next = w->sums};
        w->sums = best;
    } else {
        memset(best->values, 0, count * sizeof *best->values);
    }
    best->taken = true;
    *sums = best;
    return 0;
}

static struct tensor *describe(struct device *device, enum tensor_use use, struct shape shape)
{
    struct tensor *t = calloc(1, sizeof *t);
    size_t lanes = device->lanes->lanes;
    if (!t)
        return NULL;
    t->use = use;
    t->shape = shape;
    t->version = 1;
    t->pixels = shape.h * shape.w;
    t->blocks = (shape.c + lanes - 1) / lanes;
    if (use == TENSOR_PLAIN)
        t->slice = shape.c * t->pixels * sizeof(float);
    else if (use == TENSOR_IMAGE)
        t->slice = shape.c * t->pixels * device->lanes->item;
    else
        t->slice = t->blocks * t->pixels * lanes * device->lanes->item;
    return t;
}

static void keep(struct device *device, struct tensor *t, struct tensor **tensor)
{
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
}

static int cpu_tensor(struct device *device, enum tensor_use use, struct shape shape,
                      struct tensor **tensor, struct error *err)
{
    struct tensor *t = describe(device, use, shape);
    size_t size;
    if (t && !__builtin_mul_overflow(t->slice, shape.n, &size) && size > 0)
        t->data = allocate(size);
    if (!t || !t->data) {
        free(t);
        return error_set(err, ENOMEM, "out of memory for a tensor of %zu x %zu x %zu x %zu",
                         shape.n, shape.c, shape.h, shape.w);
    }
    keep(device, t, tensor);
    return 0;
}

/* In floats, whole cache lines of them. */
static size_t cpu_room(const struct device *device, struct shape shape)
{
    size_t lanes = device->lanes->lanes, line = 64 / sizeof(float);
    size_t vectors = shape.n * ((shape.c + lanes - 1) / lanes) * shape.h * shape.w;
    return (vectors * lanes * device->lanes->item + 63) / 64 * line;
}

static int cpu_within(struct device *device, struct tensor *plain, size_t first, struct shape shape,
                      struct tensor **tensor, struct error *err)
{
    struct tensor *t = describe(device, TENSOR_ACTIVATION, shape);
    if (!t)
        return error_set(err, ENOMEM, "out of memory");
    t->within = true;
    t->data = (float *)plain->data + first;
    keep(device, t, tensor);
    return 0;
}

static uint16_t to_bf16(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

static int cpu_write(struct device *device, struct tensor *t, const float *values, size_t n,
                     struct error *err)
{
    const struct cpu_lanes *l = device->lanes;
    size_t count = n * t->shape.c * t->pixels;
    (void)err;
    t->version++;
    if (t->use == TENSOR_IMAGE && device->bf16) {
#pragma omp parallel for simd schedule(static) num_threads(device->threads)
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)t->data)[i] = to_bf16(values[i]);
    } else if (t->use != TENSOR_ACTIVATION) {
        memcpy(t->data, values, count * sizeof *values);
    } else {
        for (size_t i = 0; i < n * t->blocks; i++) {
            size_t image = i / t->blocks, first = i % t->blocks * l->lanes;
            size_t channels = t->shape.c - first < l->lanes ? t->shape.c - first : l->lanes;
            l->from_plain(values + (image * t->shape.c + first) * t->pixels, channels,
                          (char *)t->data + i * t->pixels * l->lanes * l->item, t->pixels);
        }
    }
    return 0;
}

static int cpu_read(struct device *device, struct tensor *t, float *values, size_t n,
                    struct error *err)
{
    const struct cpu_lanes *l = device->lanes;
    if (t->use == TENSOR_IMAGE)
        return error_set(err, EINVAL, "images can't be read back");
    if (t->use == TENSOR_PLAIN) {
        memcpy(values, t->data, n * t->slice);
        return 0;
    }
    for (size_t i = 0; i < n * t->blocks; i++) {
        size_t image = i / t->blocks, first = i % t->blocks * l->lanes;
        size_t channels = t->shape.c - first < l->lanes ? t->shape.c - first : l->lanes;
        l->to_plain((const char *)t->data + i * t->pixels * l->lanes * l->item,
                    values + (image * t->shape.c + first) * t->pixels, channels, t->pixels);
    }
    return 0;
}

/* Decides how oneDNN will see the convolution. */
static int cpu_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
                    struct error *err)
{
    size_t lanes = device->lanes->lanes;
    struct conv *c = calloc(1, sizeof *c);
    struct own *own = calloc((size_t)device->threads, sizeof *own);
    if (!c || !own) {
        free(c);
        free(own);
        return error_set(err, ENOMEM, "out of memory");
    }
    bool odd =
        spec->groups != 1 && (spec->in / spec->groups % lanes || spec->out / spec->groups % lanes);
    *c = (struct conv){.device = device, .spec = *spec, .own = own, .next = device->convs};
    c->groups = odd ? 1 : spec->groups;
    c->out = (spec->out + lanes - 1) / lanes * lanes;
    c->in = spec->image ? spec->in : (spec->in + lanes - 1) / lanes * lanes;
    c->spread = odd || c->in != spec->in || c->out != spec->out;
    device->convs = c;
    *conv = c;
    return 0;
}

/* The worker's primitive for this case, made if need be. */
static int find_plan(struct conv *c, int worker, enum dnn_direction direction, size_t n,
                     unsigned flags, bool bias, struct dnn_conv **found, struct error *err)
{
    const struct conv_spec *s = &c->spec;
    struct own *own = &c->own[worker];
    for (struct plan *p = own->plans; p; p = p->next)
        if (p->direction == direction && p->n == n && p->flags == flags && p->bias == bias) {
            *found = p->conv;
            return 0;
        }
    struct plan *p = calloc(1, sizeof *p);
    if (!p)
        return error_set(err, ENOMEM, "out of memory");
    struct dnn_shape shape = {
        .n = n,
        .in = c->in,
        .out = c->out,
        .height = s->height,
        .width = s->width,
        .kernel = s->kernel,
        .stride = s->stride,
        .pad = s->pad,
        .groups = c->groups,
        .image = s->image,
        .bf16 = c->device->bf16,
        .bias = bias,
        .add = flags & CONV_ADD,
        .relu = flags & CONV_RELU,
    };
    int e = dnn_conv_create(c->device->workers[worker].dnn, direction, &shape, c->layout[direction],
                            &p->conv, err);
    if (e) {
        free(p);
        return e;
    }
    p->direction = direction;
    p->n = n;
    p->flags = flags;
    p->bias = bias;
    p->next = own->plans;
    own->plans = p;
    *found = p->conv;
    return 0;
}

static bool is_reference(const struct dnn_conv *conv)
{
    return strncmp(dnn_conv_name(conv), "ref", 3) == 0;
}

const char *cpu_reference_code(const struct device *device)
{
    for (const struct conv *c = device->convs; c; c = c->next)
        for (int w = 0; w < device->threads; w++)
            for (const struct plan *p = c->own[w].plans; p; p = p->next)
                if (is_reference(p->conv))
                    return dnn_conv_name(p->conv);
    return NULL;
}

static size_t weights_count(const struct conv *c)
{
    const struct conv_spec *s = &c->spec;
    return s->out * (s->in / s->groups) * s->kernel * s->kernel;
}

/* Memory for the weights with zeros around them. */
static int spread_memory(struct conv *c, int worker, float **memory, struct error *err)
{
    void *m = NULL;
    size_t size = c->out * (c->in / c->groups) * c->spec.kernel * c->spec.kernel * sizeof **memory;
    int e = cpu_scratch(c->device, worker, SCRATCH_SPREAD, size, &m, err);
    if (!e)
        memset(m, 0, size);
    *memory = m;
    return e;
}

/* Copies weights to their places among the zeros, or back. */
static void spread(const struct conv *c, float *weights, float *among, bool back)
{
    const struct conv_spec *s = &c->spec;
    size_t in = s->in / s->groups, out = s->out / s->groups, k = s->kernel * s->kernel;
    size_t row = c->in / c->groups;
    for (size_t o = 0; o < s->out; o++) {
        size_t first = c->groups == s->groups ? 0 : o / out * in;
        float *a = weights + o * in * k, *b = among + (o * row + first) * k;
        if (back)
            memcpy(a, b, in * k * sizeof *a);
        else
            memcpy(b, a, in * k * sizeof *a);
    }
}

/* Whether a direction is Winograd's, and as what convolution. */
static bool is_winograd(const struct conv *c, enum dnn_direction direction,
                        struct winograd_shape *shape)
{
    const struct conv_spec *s = &c->spec;
    bool forward = direction == DNN_FORWARD;
    *shape = (struct winograd_shape){forward ? s->in : s->out, forward ? s->out : s->in, s->height,
                                     s->width};
    return c->device->bf16 && !s->image && s->kernel == 3 && s->stride == 1 && s->pad == 1 &&
           s->groups == 1 && winograd_suits(shape);
}

static int pack_winograd(const struct winograd_shape *shape, enum dnn_direction direction,
                         struct tensor *weights, struct error *err)
{
    if (!weights->packed[direction])
        weights->packed[direction] = allocate(winograd_weights_size(shape));
    if (!weights->packed[direction])
        return error_set(err, ENOMEM, "out of memory");
    winograd_pack(shape, direction == DNN_BACKWARD_DATA, weights->data, weights->packed[direction]);
    weights->packed_version[direction] = weights->version;
    return 0;
}

/* Packs the weights for a direction unless that was done since they last changed. */
static int pack(struct conv *c, int worker, enum dnn_direction direction, size_t count,
                struct tensor *weights, struct error *err)
{
    struct winograd_shape shape;
    int e = 0;
    if (weights->packed_version[direction] == weights->version)
        return 0;
    if (is_winograd(c, direction, &shape))
        return pack_winograd(&shape, direction, weights, err);
    if (!c->layout[direction])
        e = find_plan(c, worker, direction, count, 0, false, &c->layout[direction], err);
    if (e)
        return e;
    struct dnn_conv *layout = c->layout[direction];
    if (!weights->packed[direction]) {
        weights->packed[direction] = allocate(dnn_conv_weights_size(layout));
        if (!weights->packed[direction])
            return error_set(err, ENOMEM, "out of memory");
    }
    float *plain = weights->data;
    if (c->spread) {
        e = spread_memory(c, worker, &plain, err);
        if (!e)
            spread(c, weights->data, plain, false);
    }
    if (!e)
        e = dnn_conv_pack(c->device->workers[worker].dnn, layout, plain, weights->packed[direction],
                          err);
    if (!e)
        weights->packed_version[direction] = weights->version;
    return e;
}

static int cpu_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                          bool backward, struct error *err)
{
    int e = pack(conv, worker, DNN_FORWARD, count, weights, err);
    return e || !backward ? e : pack(conv, worker, DNN_BACKWARD_DATA, count, weights, err);
}

/* y = convolution of x in the forward direction; from y the gradient x in the other. */
static int convolve(struct conv *c, enum dnn_direction direction, struct range range,
                    const struct tensor *x, const struct tensor *weights, const float *bias,
                    const struct tensor *y, unsigned flags, struct error *err)
{
    struct dnn_conv *primitive = NULL;
    struct winograd_shape shape;
    void *memory = NULL, *packed = weights->packed[direction];
    if (is_winograd(c, direction, &shape)) {
        const struct tensor *from = direction == DNN_FORWARD ? x : y, *to = from == x ? y : x;
        int e = cpu_scratch(c->device, range.worker, SCRATCH_KERNEL, winograd_scratch_size(&shape),
                            &memory, err);
        if (!e)
            winograd_run(&shape, range.count, (const void *)cpu_images(from, range), packed, bias,
                         (void *)cpu_images(to, range), flags & CONV_ADD, flags & CONV_RELU,
                         memory);
        return e;
    }
    int e = find_plan(c, range.worker, direction, range.count, flags, bias, &primitive, err);
    return e ? e
             : dnn_conv_run(primitive, cpu_images(x, range), packed, (void *)bias,
                            cpu_images(y, range), err);
}

static int cpu_conv_forward(struct conv *conv, struct range range, const struct tensor *x,
                            const struct tensor *weights, const struct tensor *bias,
                            struct tensor *y, unsigned flags, struct error *err)
{
    return convolve(conv, DNN_FORWARD, range, x, weights, bias ? bias->data : NULL, y, flags, err);
}

/* Plain gradient of the weights (and bias, unless NULL) of one range, by oneDNN or what stands in
 * for its reference code. */
static int range_gradient(struct conv *c, struct range range, const struct tensor *x,
                          const struct tensor *dy, float *dweights, float *dbias, struct error *err)
{
    const struct conv_spec *s = &c->spec;
    struct dnn *dnn = c->device->workers[range.worker].dnn;
    struct dnn_conv *primitive = NULL;
    void *packed = NULL;
    float *plain = dweights;
    int e =
        find_plan(c, range.worker, DNN_BACKWARD_WEIGHTS, range.count, 0, dbias, &primitive, err);
    if (e)
        return e;
    if (s->image && s->in == 1 && s->stride == 1 && s->pad == s->kernel / 2 &&
        is_reference(primitive))
        return cpu_image_gradient(c->device, s->kernel, range, x, dy, dweights, dbias, err);
    if (!s->image && s->groups == 1 && is_reference(primitive))
        return cpu_patch_gradient(c->device, s, range, x, dy, dweights, dbias, err);
    e = cpu_scratch(c->device, range.worker, SCRATCH_PACKED, dnn_conv_weights_size(primitive),
                    &packed, err);
    if (!e)
        e = dnn_conv_run(primitive, cpu_images(x, range), packed, dbias, cpu_images(dy, range),
                         err);
    if (!e && c->spread)
        e = spread_memory(c, range.worker, &plain, err);
    if (!e)
        e = dnn_conv_unpack(dnn, primitive, packed, plain, err);
    if (!e && c->spread)
        spread(c, dweights, plain, true);
    return e;
}

static void add_to(float *sum, const float *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += part[i];
}

/* Whether the gradient of the weights is cpu_weight_gradient's. */
static bool own_gradient(const struct conv *c)
{
    return c->device->bf16 && !c->spec.image;
}

/* Values of sums or parts of the gradient: of weights, then of the bias, which oneDNN pads. */
static size_t sums_count(const struct conv *c)
{
    return own_gradient(c) ? cpu_weight_sums(&c->spec) : weights_count(c) + c->out;
}

static int backward_weights(struct conv *c, struct range range, const struct tensor *x,
                            const struct tensor *dy, bool bias, struct error *err)
{
    struct own *own = &c->own[range.worker];
    bool first = !own->sums;
    void *memory = NULL;
    int e = 0;
    if (first)
        e = take_sums(&c->device->workers[range.worker], sums_count(c), &own->sums, err);
    if (e)
        return e;
    float *sums = own->sums->values;
    if (own_gradient(c))
        return cpu_weight_gradient(c->device, &c->spec, range, x, dy, bias, sums, err);
    if (!first)
        e = cpu_scratch(c->device, range.worker, SCRATCH_PART, sums_count(c) * sizeof *sums,
                        &memory, err);
    float *part = first ? sums : memory;
    if (!e)
        e = range_gradient(c, range, x, dy, part, bias ? part + weights_count(c) : NULL, err);
    if (!e && !first)
        add_to(sums, part, weights_count(c) + (bias ? c->spec.out : 0));
    return e;
}

static int cpu_conv_backward(struct conv *conv, struct range range, const struct tensor *x,
                             const struct tensor *weights, const struct tensor *dy,
                             struct tensor *dx, unsigned gradients, struct error *err)
{
    int e = 0;
    if (gradients & CONV_WEIGHTS)
        e = backward_weights(conv, range, x, dy, gradients & CONV_BIAS, err);
    return e || !dx ? e : convolve(conv, DNN_BACKWARD_DATA, range, dx, weights, NULL, dy, 0, err);
}

static int cpu_conv_backward_end(struct conv *c, struct tensor *dweights, struct tensor *dbias,
                                 struct error *err)
{
    size_t count = weights_count(c), workers = (size_t)c->device->threads;
    float *w = dweights->data, *b = dbias ? dbias->data : NULL, **sums;
    sums = calloc(workers, sizeof *sums);
    if (!sums)
        return error_set(err, ENOMEM, "out of memory");
    for (size_t k = 0; k < workers; k++)
        sums[k] = c->own[k].sums ? c->own[k].sums->values : NULL;
    if (own_gradient(c)) {
        cpu_weight_deliver(c->device, &c->spec, sums, w, b);
    } else {
        memset(w, 0, count * sizeof *w);
        if (b)
            memset(b, 0, c->spec.out * sizeof *b);
        for (size_t k = 0; k < workers; k++) {
            if (!sums[k])
                continue;
            add_to(w, sums[k], count);
            if (b)
                add_to(b, sums[k] + count, c->spec.out);
        }
    }
    for (size_t k = 0; k < workers; k++) {
        if (c->own[k].sums)
            c->own[k].sums->taken = false;
        c->own[k].sums = NULL;
    }
    free(sums);
    return 0;
}

const struct backend backend_cpu = {
    .name = "cpu",
    .numerics = cpu_numerics,
    .open = cpu_open,
    .close = cpu_close,
    .precision = cpu_precision,
    .workers = cpu_workers,
    .tensor = cpu_tensor,
    .room = cpu_room,
    .within = cpu_within,
    .write = cpu_write,
    .read = cpu_read,
    .conv = cpu_conv,
    .conv_ready = cpu_conv_ready,
    .conv_forward = cpu_conv_forward,
    .conv_backward = cpu_conv_backward,
    .conv_backward_end = cpu_conv_backward_end,
    .norm_ready = cpu_norm_ready,
    .norm_moments = cpu_norm_moments,
    .norm_moments_end = cpu_norm_moments_end,
    .norm_forward = cpu_norm_forward,
    .norm_sums = cpu_norm_sums,
    .norm_sums_end = cpu_norm_sums_end,
    .norm_backward = cpu_norm_backward,
    .pool_forward = cpu_pool_forward,
    .pool_backward = cpu_pool_backward,
    .linear_forward = cpu_linear_forward,
    .linear_backward = cpu_linear_backward,
    .loss = cpu_loss,
    .add = cpu_add,
    .sgd = cpu_sgd,
};
