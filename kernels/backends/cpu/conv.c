/* Convolutions of the `cpu` backend: by oneDNN, by Winograd's method where that is faster
 * (winograd_conv.c), or by im2col where oneDNN has only reference code. Gradients of weights in
 * bf16 are in weight_gradient.c.
 *
 * oneDNN's primitives are created when first needed, one for each (worker, direction, number of
 * images, flags), and kept. Parameters are plain float32 and are packed again only after a change.
 *
 * oneDNN 2 has only its slow reference code for channels that don't fill whole vectors. So it
 * computes a convolution with whole vectors of channels: activations have that padding anyway, and
 * weights are padded with zeros. Grouped convolutions whose groups don't fill whole vectors become
 * ordinary ones in the same way, with zeros between the groups. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cpu/cpu.h"
#include "kernels/backends/cpu/winograd/winograd.h"

struct primitive {
    enum dnn_direction direction;
    size_t n;
    unsigned flags;
    bool bias;
    struct dnn_conv *conv;
    struct primitive *next;
};

/* What one worker has for a convolution. */
struct worker_conv {
    struct primitive *primitives;
    struct cpu_sums *sums; /* for gradients; NULL before the first range of a batch */
};

struct conv {
    struct device *device;
    struct conv_spec spec;
    size_t in, out, groups;                  /* of the convolution that oneDNN computes */
    bool spread;                             /* weights are padded with zeros */
    struct dnn_conv *layout[DNN_DIRECTIONS]; /* gives the layout of weights for its direction */
    struct worker_conv *own;                 /* [worker] */
    struct conv *next;
};

void cpu_convs_free(struct device *device)
{
    while (device->convs) {
        struct conv *c = device->convs;
        device->convs = c->next;
        for (int w = 0; w < device->threads; w++)
            while (c->own[w].primitives) {
                struct primitive *p = c->own[w].primitives;
                c->own[w].primitives = p->next;
                dnn_conv_free(p->conv);
                free(p);
            }
        free(c->own);
        free(c);
    }
}

/* Sets *sums to zeroed sums of at least `count` values: the smallest free ones of this worker, or
 * new ones. */
static int take_sums(struct cpu_worker *w, size_t count, struct cpu_sums **sums, struct error *err)
{
    struct cpu_sums *best = NULL;
    for (struct cpu_sums *s = w->sums; s; s = s->next)
        if (!s->taken && s->count >= count && (!best || s->count < best->count))
            best = s;
    if (!best) {
        best = calloc(1, sizeof *best);
        float *values = best ? cpu_allocate(count * sizeof *values) : NULL;
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

int cpu_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
             struct error *err)
{
    size_t lanes = device->loops->lanes;
    struct conv *c = calloc(1, sizeof *c);
    struct worker_conv *own = calloc((size_t)device->threads, sizeof *own);
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

/* Sets *found to the worker's primitive for this case; creates it if there is none. */
static int find_primitive(struct conv *c, int worker, enum dnn_direction direction, size_t n,
                          unsigned flags, bool bias, struct dnn_conv **found, struct error *err)
{
    const struct conv_spec *s = &c->spec;
    struct worker_conv *own = &c->own[worker];
    for (struct primitive *p = own->primitives; p; p = p->next)
        if (p->direction == direction && p->n == n && p->flags == flags && p->bias == bias) {
            *found = p->conv;
            return 0;
        }
    struct primitive *p = calloc(1, sizeof *p);
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
    p->next = own->primitives;
    own->primitives = p;
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
            for (const struct primitive *p = c->own[w].primitives; p; p = p->next)
                if (is_reference(p->conv))
                    return dnn_conv_name(p->conv);
    return NULL;
}

static size_t weights_count(const struct conv *c)
{
    const struct conv_spec *s = &c->spec;
    return s->out * (s->in / s->groups) * s->kernel * s->kernel;
}

/* Sets *memory to zeroed scratch memory for padded weights. */
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

/* Copies plain weights into padded ones, or with `back` from padded into plain ones. */
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

/* Whether im2col.c computes this direction, because oneDNN has only reference code. */
static bool by_im2col(const struct conv *c, enum dnn_direction direction)
{
    return !c->device->bf16 && c->layout[direction] && is_reference(c->layout[direction]);
}

/* Packs weights in oneDNN's layout, or copies them for im2col. */
static int pack_blocked(struct conv *c, int worker, enum dnn_direction direction, size_t count,
                        struct tensor *weights, struct error *err)
{
    float *plain = weights->data;
    int e = 0;
    if (!c->layout[direction])
        e = find_primitive(c, worker, direction, count, 0, false, &c->layout[direction], err);
    if (e)
        return e;
    if (by_im2col(c, direction)) {
        size_t size = weights_count(c) * sizeof *plain;
        e = cpu_packed_memory(weights, size, err);
        if (!e)
            memcpy(weights->packed, plain, size);
        return e;
    }
    e = cpu_packed_memory(weights, dnn_conv_weights_size(c->layout[direction]), err);
    if (!e && c->spread)
        e = spread_memory(c, worker, &plain, err);
    if (!e && c->spread)
        spread(c, weights->data, plain, false);
    return e ? e
             : dnn_conv_pack(c->device->workers[worker].dnn, c->layout[direction], plain,
                             weights->packed, err);
}

/* Makes the sums of a worker free for other convolutions. */
static void drop_sums(struct worker_conv *own)
{
    if (own->sums)
        own->sums->taken = false;
    own->sums = NULL;
}

int cpu_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                   bool backward, struct error *err)
{
    enum dnn_direction direction = backward ? DNN_BACKWARD_DATA : DNN_FORWARD;
    struct winograd_shape shape;
    for (int w = 0; w < conv->device->threads; w++)
        drop_sums(&conv->own[w]);
    if (weights->packed_version == weights->version && weights->packed_for == direction)
        return 0;
    weights->packed_version = 0;
    int e = cpu_winograd_suits(conv->device, &conv->spec, backward, &shape)
                ? cpu_winograd_pack(&conv->spec, &shape, backward, weights, err)
                : pack_blocked(conv, worker, direction, count, weights, err);
    if (e)
        return e;
    weights->packed_for = direction;
    weights->packed_version = weights->version;
    if (weights->use == TENSOR_TRANSIENT) {
        free(weights->data);
        weights->data = NULL;
    }
    return 0;
}

/* DNN_FORWARD: y = convolution of x. DNN_BACKWARD_DATA: sets x, which is dx, from y, which is dy.
 */
static int convolve(struct conv *c, enum dnn_direction direction, struct range range,
                    const struct tensor *x, const struct tensor *weights, const float *bias,
                    const struct tensor *y, unsigned flags, struct error *err)
{
    struct dnn_conv *primitive = NULL;
    struct winograd_shape shape;
    void *packed = weights->packed;
    bool forward = direction == DNN_FORWARD;
    if (cpu_winograd_suits(c->device, &c->spec, !forward, &shape))
        return cpu_winograd_run(c->device, &c->spec, &shape, range, forward ? x : y, packed, bias,
                                forward ? y : x, flags, err);
    if (by_im2col(c, direction))
        return forward
                   ? cpu_im2col_forward(c->device, &c->spec, range, x, packed, bias, y, flags, err)
                   : cpu_im2col_data(c->device, &c->spec, range, packed, y, x, err);
    int e = find_primitive(c, range.worker, direction, range.count, flags, bias, &primitive, err);
    return e ? e
             : dnn_conv_run(primitive, cpu_images(x, range), packed, (void *)bias,
                            cpu_images(y, range), err);
}

int cpu_conv_forward(struct conv *conv, struct range range, const struct tensor *x,
                     const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                     unsigned flags, struct error *err)
{
    return convolve(conv, DNN_FORWARD, range, x, weights, bias ? bias->data : NULL, y, flags, err);
}

/* Sets plain gradients of weights and bias (unless NULL) for one range, by oneDNN, or by our own
 * code where oneDNN has only reference code. */
static int range_gradient(struct conv *c, struct range range, const struct tensor *x,
                          const struct tensor *dy, float *dweights, float *dbias, struct error *err)
{
    const struct conv_spec *s = &c->spec;
    struct dnn *dnn = c->device->workers[range.worker].dnn;
    struct dnn_conv *primitive = NULL;
    void *packed = NULL;
    float *plain = dweights;
    int e = find_primitive(c, range.worker, DNN_BACKWARD_WEIGHTS, range.count, 0, dbias, &primitive,
                           err);
    if (e)
        return e;
    if (s->image && s->in == 1 && s->stride == 1 && s->pad == s->kernel / 2 &&
        is_reference(primitive))
        return cpu_image_gradient(c->device, s->kernel, range, x, dy, dweights, dbias, err);
    if (!s->image && is_reference(primitive))
        return cpu_im2col_gradient(c->device, s, range, x, dy, dweights, dbias, err);
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

/* Whether cpu_weight_gradient computes the gradient of the weights. */
static bool own_gradient(const struct conv *c)
{
    return c->device->bf16 && !c->spec.image;
}

/* Number of values in a worker's sums: weights, then bias, which oneDNN pads to whole vectors. */
static size_t sums_count(const struct conv *c)
{
    return own_gradient(c) ? cpu_weight_sums(&c->spec) : weights_count(c) + c->out;
}

static int backward_weights(struct conv *c, struct range range, const struct tensor *x,
                            const struct tensor *dy, bool bias, struct error *err)
{
    struct worker_conv *own = &c->own[range.worker];
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

int cpu_conv_backward(struct conv *conv, struct range range, const struct tensor *x,
                      const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                      unsigned gradients, struct error *err)
{
    int e = 0;
    if (gradients & CONV_WEIGHTS)
        e = backward_weights(conv, range, x, dy, gradients & CONV_BIAS, err);
    return e || !dx ? e : convolve(conv, DNN_BACKWARD_DATA, range, dx, weights, NULL, dy, 0, err);
}

int cpu_conv_backward_end(struct conv *c, struct tensor *dweights, struct tensor *dbias,
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
    for (size_t k = 0; k < workers; k++)
        drop_sums(&c->own[k]);
    free(sums);
    return 0;
}
