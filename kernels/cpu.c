/* The `cpu` backend: convolutions by oneDNN on blocked layouts that stay from operation to
 * operation, everything else by the loops of cpu_lanes.h in as few passes as can be.
 *
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

struct plan {
    enum dnn_direction direction;
    size_t n;
    unsigned flags;
    bool bias;
    struct dnn_conv *conv;
    struct plan *next;
};

struct conv {
    struct device *device;
    struct conv_spec spec;
    bool image;             /* x is a TENSOR_IMAGE; known from the first call on */
    size_t in, out, groups; /* as oneDNN sees them */
    float *spread;          /* zeros around the weights; NULL where the weights do as they are */
    void *gradient;         /* packed gradient of the weights, or its sums in bf16 */
    size_t gradient_size;
    float *part; /* plain gradient of the weights and bias of one range */
    struct plan *plans;
    struct conv *next;
};

static int cpu_numerics(char *text, size_t size)
{
    int n = snprintf(text, size, "%s", dnn_isa());
    return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
}

static void cpu_close(struct device *device)
{
    if (!device)
        return;
    while (device->convs) {
        struct conv *c = device->convs;
        device->convs = c->next;
        while (c->plans) {
            struct plan *p = c->plans;
            c->plans = p->next;
            dnn_conv_free(p->conv);
            free(p);
        }
        free(c->spread);
        free(c->gradient);
        free(c->part);
        free(c);
    }
    while (device->tensors) {
        struct tensor *t = device->tensors;
        device->tensors = t->next;
        for (int d = 0; d < DNN_DIRECTIONS; d++)
            free(t->packed[d]);
        free(t->work);
        free(t->data);
        free(t);
    }
    dnn_close(device->dnn);
    free(device->partial);
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
    int e = dnn_open(&d->dnn, threads, err);
    if (e) {
        cpu_close(d);
        return e;
    }
    *device = d;
    return 0;
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

int cpu_partial(struct device *device, size_t count, struct error *err)
{
    if (count <= device->partial_count)
        return 0;
    free(device->partial);
    device->partial_count = 0;
    device->partial = allocate(count * sizeof *device->partial);
    if (!device->partial)
        return error_set(err, ENOMEM, "out of memory");
    device->partial_count = count;
    return 0;
}

static int cpu_tensor(struct device *device, enum tensor_use use, struct shape shape,
                      struct tensor **tensor, struct error *err)
{
    struct tensor *t = calloc(1, sizeof *t);
    if (!t)
        return error_set(err, ENOMEM, "out of memory");
    size_t lanes = device->lanes->lanes;
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
    size_t size;
    if (!__builtin_mul_overflow(t->slice, shape.n, &size) && size > 0)
        t->data = allocate(size);
    if (!t->data) {
        free(t);
        return error_set(err, ENOMEM, "out of memory for a tensor of %zu x %zu x %zu x %zu",
                         shape.n, shape.c, shape.h, shape.w);
    }
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
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

static int cpu_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
                    struct error *err)
{
    struct conv *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(err, ENOMEM, "out of memory");
    c->device = device;
    c->spec = *spec;
    c->next = device->convs;
    device->convs = c;
    *conv = c;
    return 0;
}

static size_t spread_size(const struct conv *c)
{
    return c->out * c->in * c->spec.kernel * c->spec.kernel * sizeof(float);
}

/* Decides how oneDNN will see the convolution, once it is known what x is. */
static int settle(struct conv *c, const struct tensor *x, struct error *err)
{
    const struct conv_spec *s = &c->spec;
    size_t lanes = c->device->lanes->lanes;
    if (c->out)
        return 0;
    bool odd = s->groups != 1 && (s->in / s->groups % lanes || s->out / s->groups % lanes);
    c->image = x->use == TENSOR_IMAGE;
    c->groups = odd ? 1 : s->groups;
    c->out = (s->out + lanes - 1) / lanes * lanes;
    c->in = c->image ? s->in : (s->in + lanes - 1) / lanes * lanes;
    if (odd || c->in != s->in || c->out != s->out) {
        c->spread = allocate(spread_size(c));
        if (!c->spread) {
            c->out = 0;
            return error_set(err, ENOMEM, "out of memory");
        }
    }
    return 0;
}

/* The primitive for this case, made if need be. */
static int find_plan(struct conv *c, enum dnn_direction direction, size_t n, unsigned flags,
                     bool bias, struct dnn_conv **found, struct error *err)
{
    const struct conv_spec *s = &c->spec;
    const struct dnn_conv *like = NULL;
    for (struct plan *p = c->plans; p; p = p->next) {
        if (p->direction != direction)
            continue;
        like = p->conv;
        if (p->n == n && p->flags == flags && p->bias == bias) {
            *found = p->conv;
            return 0;
        }
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
        .image = c->image,
        .bf16 = c->device->bf16,
        .bias = bias,
        .add = flags & CONV_ADD,
        .relu = flags & CONV_RELU,
    };
    int e = dnn_conv_create(c->device->dnn, direction, &shape, like, &p->conv, err);
    if (e) {
        free(p);
        return e;
    }
    p->direction = direction;
    p->n = n;
    p->flags = flags;
    p->bias = bias;
    p->next = c->plans;
    c->plans = p;
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
        for (const struct plan *p = c->plans; p; p = p->next)
            if (is_reference(p->conv))
                return dnn_conv_name(p->conv);
    return NULL;
}

/* Copies weights to their places among the zeros, or back. */
static void spread(struct conv *c, float *weights, bool back)
{
    const struct conv_spec *s = &c->spec;
    size_t in = s->in / s->groups, out = s->out / s->groups, k = s->kernel * s->kernel;
    size_t row = c->in / c->groups;
    for (size_t o = 0; o < s->out; o++) {
        size_t first = c->groups == s->groups ? 0 : o / out * in;
        float *a = weights + o * in * k, *b = c->spread + (o * row + first) * k;
        if (back)
            memcpy(a, b, in * k * sizeof *a);
        else
            memcpy(b, a, in * k * sizeof *a);
    }
}

/* Packs the weights for a primitive unless that was done since they last changed. */
static int pack(struct conv *c, enum dnn_direction direction, struct dnn_conv *primitive,
                struct tensor *weights, struct error *err)
{
    if (weights->packed_version[direction] == weights->version)
        return 0;
    if (!weights->packed[direction]) {
        weights->packed[direction] = allocate(dnn_conv_weights_size(primitive));
        if (!weights->packed[direction])
            return error_set(err, ENOMEM, "out of memory");
    }
    const float *plain = weights->data;
    if (c->spread) {
        spread(c, weights->data, false);
        plain = c->spread;
    }
    int e = dnn_conv_pack(primitive, plain, weights->packed[direction], err);
    if (!e)
        weights->packed_version[direction] = weights->version;
    return e;
}

static int cpu_conv_forward(struct conv *conv, struct range range, const struct tensor *x,
                            struct tensor *weights, const struct tensor *bias, struct tensor *y,
                            unsigned flags, struct error *err)
{
    struct dnn_conv *primitive = NULL;
    int e = settle(conv, x, err);
    if (!e)
        e = find_plan(conv, DNN_FORWARD, range.count, flags, bias, &primitive, err);
    if (!e)
        e = pack(conv, DNN_FORWARD, primitive, weights, err);
    if (!e)
        e = dnn_conv_run(primitive, cpu_images(x, range), weights->packed[DNN_FORWARD],
                         bias ? bias->data : NULL, cpu_images(y, range), err);
    return e;
}

/* Makes c->gradient hold `size` bytes. */
static int need_gradient(struct conv *c, size_t size, struct error *err)
{
    if (size <= c->gradient_size)
        return 0;
    free(c->gradient);
    c->gradient_size = 0;
    c->gradient = allocate(size);
    if (!c->gradient)
        return error_set(err, ENOMEM, "out of memory");
    c->gradient_size = size;
    return 0;
}

/* Plain gradient of the weights (and bias, unless NULL) of one range, by oneDNN or what stands in
 * for its reference code. */
static int range_gradient(struct conv *c, struct range range, const struct tensor *x,
                          const struct tensor *dy, float *dweights, float *dbias, struct error *err)
{
    const struct conv_spec *s = &c->spec;
    struct dnn_conv *primitive = NULL;
    int e = find_plan(c, DNN_BACKWARD_WEIGHTS, range.count, 0, dbias, &primitive, err);
    if (e)
        return e;
    if (c->image && s->in == 1 && s->stride == 1 && s->pad == s->kernel / 2 &&
        is_reference(primitive))
        return cpu_image_gradient(c->device, s->kernel, range, x, dy, dweights, dbias, err);
    if (!c->image && s->groups == 1 && is_reference(primitive))
        return cpu_patch_gradient(c->device, s, range, x, dy, dweights, dbias, err);
    e = need_gradient(c, dnn_conv_weights_size(primitive), err);
    if (!e)
        e = dnn_conv_run(primitive, cpu_images(x, range), c->gradient, dbias, cpu_images(dy, range),
                         err);
    if (!e)
        e = dnn_conv_unpack(primitive, c->gradient, c->spread ? c->spread : dweights, err);
    if (!e && c->spread) {
        spread(c, dweights, true);
        memset(c->spread, 0, spread_size(c));
    }
    return e;
}

static void add_to(float *sum, const float *part, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += part[i];
}

static int backward_weights(struct conv *c, struct range range, const struct tensor *x,
                            const struct tensor *dy, float *dweights, float *dbias,
                            struct error *err)
{
    const struct conv_spec *s = &c->spec;
    size_t count = s->out * (s->in / s->groups) * s->kernel * s->kernel;
    if (c->device->bf16 && !c->image) {
        int e = need_gradient(c, cpu_weight_sums(s) * sizeof(float), err);
        return e ? e
                 : cpu_weight_gradient(c->device, s, range, x, dy, c->gradient, dweights, dbias,
                                       err);
    }
    if (range.first == 0)
        return range_gradient(c, range, x, dy, dweights, dbias, err);
    if (!c->part)
        c->part = allocate((count + c->out) * sizeof *c->part); /* oneDNN pads the bias */
    if (!c->part)
        return error_set(err, ENOMEM, "out of memory");
    int e = range_gradient(c, range, x, dy, c->part, dbias ? c->part + count : NULL, err);
    if (!e)
        add_to(dweights, c->part, count);
    if (!e && dbias)
        add_to(dbias, c->part + count, s->out);
    return e;
}

static int cpu_conv_backward(struct conv *conv, struct range range, const struct tensor *x,
                             struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                             struct tensor *dweights, struct tensor *dbias, struct error *err)
{
    struct dnn_conv *primitive = NULL;
    int e = settle(conv, x, err);
    if (!e && dweights)
        e = backward_weights(conv, range, x, dy, dweights->data, dbias ? dbias->data : NULL, err);
    if (e || !dx)
        return e;
    e = find_plan(conv, DNN_BACKWARD_DATA, range.count, 0, false, &primitive, err);
    if (!e)
        e = pack(conv, DNN_BACKWARD_DATA, primitive, weights, err);
    if (!e)
        e = dnn_conv_run(primitive, cpu_images(dx, range), weights->packed[DNN_BACKWARD_DATA], NULL,
                         cpu_images(dy, range), err);
    return e;
}

const struct backend backend_cpu = {
    .name = "cpu",
    .numerics = cpu_numerics,
    .open = cpu_open,
    .close = cpu_close,
    .precision = cpu_precision,
    .tensor = cpu_tensor,
    .write = cpu_write,
    .read = cpu_read,
    .conv = cpu_conv,
    .conv_forward = cpu_conv_forward,
    .conv_backward = cpu_conv_backward,
    .norm_moments = cpu_norm_moments,
    .norm_forward = cpu_norm_forward,
    .norm_sums = cpu_norm_sums,
    .norm_backward = cpu_norm_backward,
    .pool_forward = cpu_pool_forward,
    .pool_backward = cpu_pool_backward,
    .linear_forward = cpu_linear_forward,
    .linear_backward = cpu_linear_backward,
    .loss = cpu_loss,
    .add = cpu_add,
    .sgd = cpu_sgd,
};
