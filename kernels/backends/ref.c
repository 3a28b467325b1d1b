/* The `ref` backend: plain loops over plain NCHW arrays of doubles, each operation as its
 * definition says. Slow and obviously right: the oracle for the others. Parameters and images
 * come in and go out as float32, nothing in between is rounded. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/backend.h"

struct tensor {
    struct shape shape;
    double *v;
    bool is_view; /* another tensor, whose v it is */
    struct tensor *next;
};

struct image_set {
    struct image_source source;
    struct image_set *next;
};

struct conv {
    struct conv_spec spec;
    double *gradient, *bias_gradient; /* gathered; NULL: none yet */
    struct conv *next;
};

struct device {
    struct loss_sums sums;
    struct tensor *tensors;
    struct image_set *image_sets;
    struct conv *convs;
};

static int ref_numerics(char *text, size_t size)
{
    if (size == 0)
        return -ENOSPC;
    text[0] = '\0';
    return 0;
}

/* It keeps everything and takes whole batches: the simplest plan. */
static int ref_open(struct device **device, struct device_traits *traits, int threads,
                    enum precision precision, struct error *err)
{
    (void)threads;
    (void)precision;
    *traits = (struct device_traits){
        .precision = PRECISION_FP32, .workers = 1, .worker_images = 1, .folds_norms = true};
    *device = calloc(1, sizeof **device);
    return *device ? 0 : error_set(err, ENOMEM, "out of memory");
}

static void ref_close(struct device *device)
{
    if (!device)
        return;
    while (device->tensors) {
        struct tensor *t = device->tensors;
        device->tensors = t->next;
        if (!t->is_view)
            free(t->v);
        free(t);
    }
    while (device->image_sets) {
        struct image_set *set = device->image_sets;
        device->image_sets = set->next;
        free(set);
    }
    while (device->convs) {
        struct conv *c = device->convs;
        device->convs = c->next;
        free(c->gradient);
        free(c);
    }
    free(device);
}

static int ref_tensor(struct device *device, enum tensor_use use, struct shape s,
                      struct tensor **tensor, struct error *err)
{
    struct tensor *t = calloc(1, sizeof *t);
    size_t slice = s.c * s.h * s.w;
    (void)use;
    if (t)
        t->v = calloc(s.n, slice * sizeof *t->v);
    if (!t || !t->v) {
        free(t);
        return error_set(err, ENOMEM, "out of memory");
    }
    t->shape = s;
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
    return 0;
}

static size_t ref_alloc_size(const struct device *device, struct shape s)
{
    (void)device;
    return s.n * s.c * s.h * s.w;
}

static int ref_view(struct device *device, struct tensor *plain, size_t first, struct shape shape,
                    struct tensor **tensor, struct error *err)
{
    struct tensor *t = calloc(1, sizeof *t);
    if (!t)
        return error_set(err, ENOMEM, "out of memory");
    *t = (struct tensor){.shape = shape, .v = plain->v + first, .is_view = true};
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
    return 0;
}

static int ref_write(struct device *device, struct tensor *t, const float *values, size_t n,
                     struct error *err)
{
    (void)device;
    (void)err;
    for (size_t i = 0; i < n * t->shape.c * t->shape.h * t->shape.w; i++)
        t->v[i] = (double)values[i];
    return 0;
}

static int ref_read(struct device *device, struct tensor *t, float *values, size_t n,
                    struct error *err)
{
    (void)device;
    (void)err;
    for (size_t i = 0; i < n * t->shape.c * t->shape.h * t->shape.w; i++)
        values[i] = (float)t->v[i];
    return 0;
}

static int ref_image_set(struct device *device, const struct image_source *source,
                         struct image_set **set, struct error *err)
{
    struct image_set *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, ENOMEM, "out of memory");
    *s = (struct image_set){*source, device->image_sets};
    device->image_sets = *set = s;
    return 0;
}

static int ref_crop(struct device *device, const struct image_set *set, const struct crop *crops,
                    size_t n, struct tensor *images, struct error *err)
{
    const struct image_source *from = &set->source;
    size_t size = images->shape.w;
    double *v = images->v;
    (void)device, (void)err;
    for (const struct crop *c = crops; c < crops + n; c++)
        for (size_t y = 0; y < size; y++)
            for (size_t x = 0; x < size; x++) {
                size_t line = (c->image * from->size + c->top + y) * from->size;
                size_t column = c->left + (c->mirror ? size - 1 - x : x);
                *v++ = (double)from->levels[from->pixels[line + column]];
            }
    return 0;
}

/* Where element (n, c, h, w) is. */
static double *at(const struct tensor *t, size_t n, size_t c, size_t h, size_t w)
{
    return &t->v[((n * t->shape.c + c) * t->shape.h + h) * t->shape.w + w];
}

static int ref_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
                    struct error *err)
{
    struct conv *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(err, ENOMEM, "out of memory");
    c->spec = *spec;
    c->next = device->convs;
    device->convs = c;
    *conv = c;
    return 0;
}

static size_t slice(const struct tensor *t)
{
    return t->shape.c * t->shape.h * t->shape.w;
}

/* The same of the n-th image of a range. */
static double *of(const struct tensor *t, struct range r, size_t n, size_t c, size_t h, size_t w)
{
    return at(t, t->shape.n < r.batch ? n : r.first + n, c, h, w);
}

/* Every product x[xi] * weights[wi] that a convolution adds into y[yi] is one of these. */
struct tap {
    size_t n, in, out, weight_in; /* image, channels, channel within the group */
    size_t ky, kx, xh, xw, yh, yw;
};

/* Calls `visit` for each tap of one output value, whose place `t` holds. */
static void taps_of(const struct conv_spec *s, struct tap t,
                    void (*visit)(const struct tap *tap, void *data), void *data)
{
    size_t in = s->in / s->groups, group = t.out / (s->out / s->groups);
    for (t.weight_in = 0; t.weight_in < in; t.weight_in++)
        for (t.ky = 0; t.ky < s->kernel; t.ky++)
            for (t.kx = 0; t.kx < s->kernel; t.kx++) {
                t.in = group * in + t.weight_in;
                t.xh = t.yh * s->stride + t.ky - s->pad; /* wraps when above the image */
                t.xw = t.yw * s->stride + t.kx - s->pad;
                if (t.xh < s->height && t.xw < s->width)
                    visit(&t, data);
            }
}

/* Calls `visit` for each tap of a range's images. */
static void each_tap(const struct conv_spec *s, size_t n,
                     void (*visit)(const struct tap *tap, void *data), void *data)
{
    size_t height = (s->height + 2 * s->pad - s->kernel) / s->stride + 1;
    size_t width = (s->width + 2 * s->pad - s->kernel) / s->stride + 1;
    struct tap t = {0};
    for (t.n = 0; t.n < n; t.n++)
        for (t.out = 0; t.out < s->out; t.out++)
            for (t.yh = 0; t.yh < height; t.yh++)
                for (t.yw = 0; t.yw < width; t.yw++)
                    taps_of(s, t, visit, data);
}

struct operands {
    struct range range;
    const struct tensor *x, *weights, *dy;
    struct tensor *y, *dx;
    double *dweights; /* in the order of the weights */
};

static void visit_forward(const struct tap *t, void *data)
{
    const struct operands *o = data;
    *of(o->y, o->range, t->n, t->out, t->yh, t->yw) +=
        *of(o->x, o->range, t->n, t->in, t->xh, t->xw) *
        *at(o->weights, t->out, t->weight_in, t->ky, t->kx);
}

static void visit_backward(const struct tap *t, void *data)
{
    const struct operands *o = data;
    double g = *of(o->dy, o->range, t->n, t->out, t->yh, t->yw);
    if (o->dweights)
        o->dweights[at(o->weights, t->out, t->weight_in, t->ky, t->kx) - o->weights->v] +=
            g * *of(o->x, o->range, t->n, t->in, t->xh, t->xw);
    if (o->dx)
        *of(o->dx, o->range, t->n, t->in, t->xh, t->xw) +=
            g * *at(o->weights, t->out, t->weight_in, t->ky, t->kx);
}

static int ref_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                          bool backward, struct error *err)
{
    (void)conv, (void)worker, (void)count, (void)weights, (void)backward, (void)err;
    return 0;
}

static void ref_conv_release(struct tensor *weights)
{
    (void)weights;
}

static int ref_conv_forward(struct conv *conv, struct range r, const struct tensor *x,
                            const struct tensor *weights, const struct tensor *bias,
                            struct tensor *y, unsigned flags, struct error *err)
{
    size_t plane = y->shape.h * y->shape.w;
    double *v = of(y, r, 0, 0, 0, 0);
    struct operands o = {.range = r, .x = x, .weights = weights, .y = y};
    (void)err;
    for (size_t i = 0; i < r.count * slice(y); i++)
        v[i] = (flags & CONV_ADD ? v[i] : 0) + (bias ? bias->v[i / plane % y->shape.c] : 0);
    each_tap(&conv->spec, r.count, visit_forward, &o);
    for (size_t i = 0; i < r.count * slice(y); i++)
        if (flags & CONV_RELU && v[i] < 0)
            v[i] = 0;
    return 0;
}

static int ref_conv_backward(struct conv *conv, struct range r, const struct tensor *x,
                             const struct tensor *weights, const struct tensor *dy,
                             struct tensor *dx, unsigned gradients, struct error *err)
{
    const struct conv_spec *s = &conv->spec;
    size_t plane = dy->shape.h * dy->shape.w;
    size_t count = s->out * (s->in / s->groups) * s->kernel * s->kernel;
    if (gradients && !conv->gradient) {
        conv->gradient = calloc(count + s->out, sizeof *conv->gradient);
        if (!conv->gradient)
            return error_set(err, ENOMEM, "out of memory");
        conv->bias_gradient = conv->gradient + count;
    }
    struct operands o = {r, .x = x, .weights = weights, .dy = dy, .dx = dx};
    o.dweights = gradients ? conv->gradient : NULL;
    if (dx)
        memset(of(dx, r, 0, 0, 0, 0), 0, r.count * slice(dx) * sizeof *dx->v);
    each_tap(s, r.count, visit_backward, &o);
    for (size_t i = 0; gradients && i < r.count * slice(dy); i++)
        conv->bias_gradient[i / plane % dy->shape.c] += of(dy, r, 0, 0, 0, 0)[i];
    return 0;
}

static int ref_conv_backward_end(struct conv *conv, struct tensor *dweights, struct tensor *dbias,
                                 struct error *err)
{
    (void)err;
    memcpy(dweights->v, conv->gradient, dweights->shape.n * slice(dweights) * sizeof *dweights->v);
    if (dbias)
        memcpy(dbias->v, conv->bias_gradient, slice(dbias) * sizeof *dbias->v);
    free(conv->gradient);
    conv->gradient = NULL;
    return 0;
}

/* Mean, biased variance of channel c. */
static void moments(const struct tensor *x, size_t n, size_t c, double *mean, double *var)
{
    size_t plane = x->shape.h * x->shape.w;
    double sum = 0, square = 0;
    for (size_t i = 0; i < n * plane; i++)
        sum += *at(x, i / plane, c, 0, i % plane);
    *mean = sum / (double)(n * plane);
    for (size_t i = 0; i < n * plane; i++) {
        double d = *at(x, i / plane, c, 0, i % plane) - *mean;
        square += d * d;
    }
    *var = square / (double)(n * plane);
}

static int ref_norm_ready(struct device *device, const struct norm *norm, bool training,
                          struct error *err)
{
    (void)device, (void)err;
    for (size_t c = 0; training && c < norm->mean->shape.c; c++)
        norm->beta_gradient->v[c] = norm->gamma_gradient->v[c] = 0;
    return 0;
}

static int ref_norm_moments(struct device *device, const struct norm *norm, struct range r,
                            const struct tensor *x, struct error *err)
{
    (void)device, (void)norm, (void)r, (void)x, (void)err;
    return 0; /* the end does it, from x */
}

static int ref_norm_moments_end(struct device *device, const struct norm *norm, size_t n,
                                const struct tensor *x, struct error *err)
{
    double count = (double)(n * x->shape.h * x->shape.w), rate = norm->momentum;
    (void)device, (void)err;
    for (size_t c = 0; c < x->shape.c; c++) {
        double mean, var;
        moments(x, n, c, &mean, &var);
        double unbiased = count > 1 ? var * count / (count - 1) : var;
        norm->mean->v[c] = mean;
        norm->inverse->v[c] = 1 / sqrt(var + norm->epsilon);
        norm->running_mean->v[c] = (1 - rate) * norm->running_mean->v[c] + rate * mean;
        norm->running_var->v[c] = (1 - rate) * norm->running_var->v[c] + rate * unbiased;
    }
    return 0;
}

/* The normalised value, before residual and ReLU. */
static double normal(const struct norm *norm, size_t c, double x, bool training)
{
    double mean = training ? norm->mean->v[c] : norm->running_mean->v[c];
    double inverse =
        training ? norm->inverse->v[c] : 1 / sqrt(norm->running_var->v[c] + norm->epsilon);
    return norm->gamma->v[c] * (x - mean) * inverse + norm->beta->v[c];
}

static int ref_norm_forward(struct device *device, const struct norm *norm, struct range r,
                            const struct tensor *x, const struct tensor *residual, struct tensor *y,
                            bool training, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice(x); i++) {
        double v = normal(norm, i / plane % x->shape.c, of(x, r, 0, 0, 0, 0)[i], training);
        if (residual)
            v += of(residual, r, 0, 0, 0, 0)[i];
        of(y, r, 0, 0, 0, 0)[i] = norm->relu && v < 0 ? 0 : v;
    }
    return 0;
}

/* What comes through the ReLU at place i of the range, of channel c; y is NULL without a residual.
 */
static double gated(const struct norm *norm, struct range r, const struct tensor *x,
                    const struct tensor *y, const struct tensor *dy, const struct tensor *dy2,
                    size_t c, size_t i)
{
    double out = y ? of(y, r, 0, 0, 0, 0)[i] : normal(norm, c, of(x, r, 0, 0, 0, 0)[i], true);
    double g = of(dy, r, 0, 0, 0, 0)[i] + (dy2 ? of(dy2, r, 0, 0, 0, 0)[i] : 0);
    return norm->relu && !(out > 0) ? 0 : g;
}

static int ref_norm_sums(struct device *device, const struct norm *norm, struct range r,
                         const struct tensor *x, const struct tensor *y, const struct tensor *dy,
                         const struct tensor *dy2, struct tensor *dresidual, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice(x); i++) {
        size_t c = i / plane % x->shape.c;
        double g = gated(norm, r, x, y, dy, dy2, c, i), v = of(x, r, 0, 0, 0, 0)[i];
        if (dresidual)
            of(dresidual, r, 0, 0, 0, 0)[i] = g;
        norm->beta_gradient->v[c] += g;
        norm->gamma_gradient->v[c] += g * (v - norm->mean->v[c]) * norm->inverse->v[c];
    }
    return 0;
}

static int ref_norm_sums_end(struct device *device, const struct norm *norm, size_t n,
                             const struct tensor *x, struct error *err)
{
    (void)device, (void)norm, (void)n, (void)x, (void)err;
    return 0; /* the sums went where they belong */
}

static int ref_norm_backward(struct device *device, const struct norm *norm, struct range r,
                             const struct tensor *x, const struct tensor *dy,
                             const struct tensor *dy2, bool residual, const struct tensor *dx_add,
                             struct tensor *dx, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    double count = (double)(r.batch * plane);
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice(x); i++) {
        size_t c = i / plane % x->shape.c;
        double inverse = norm->inverse->v[c];
        double v = (of(x, r, 0, 0, 0, 0)[i] - norm->mean->v[c]) * inverse;
        double g = residual ? of(dy, r, 0, 0, 0, 0)[i] : gated(norm, r, x, NULL, dy, dy2, c, i);
        double sum = norm->beta_gradient->v[c], product = norm->gamma_gradient->v[c];
        double d = norm->gamma->v[c] * inverse * (g - sum / count - v * product / count);
        of(dx, r, 0, 0, 0, 0)[i] = d + (dx_add ? of(dx_add, r, 0, 0, 0, 0)[i] : 0);
    }
    return 0;
}

/* The place in x of the largest of the 2x2 window of (h, w) of y, the first of equals. */
static double *largest(const struct tensor *x, struct range r, size_t n, size_t c, size_t h,
                       size_t w)
{
    double *best = of(x, r, n, c, 2 * h, 2 * w);
    for (size_t k = 1; k < 4; k++) {
        double *v = of(x, r, n, c, 2 * h + k / 2, 2 * w + k % 2);
        if (*v > *best)
            best = v;
    }
    return best;
}

static int ref_pool_forward(struct device *device, enum pool pool, struct range r,
                            const struct tensor *x, struct tensor *y, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * x->shape.c; i++) {
        size_t image = i / x->shape.c, c = i % x->shape.c;
        if (pool == POOL_AVERAGE) {
            double sum = 0;
            for (size_t k = 0; k < plane; k++)
                sum += *of(x, r, image, c, 0, k);
            *of(y, r, image, c, 0, 0) = sum / (double)plane;
            continue;
        }
        for (size_t h = 0; h < x->shape.h / 2; h++)
            for (size_t w = 0; w < x->shape.w / 2; w++)
                *of(y, r, image, c, h, w) = *largest(x, r, image, c, h, w);
    }
    return 0;
}

static int ref_pool_backward(struct device *device, enum pool pool, struct range r,
                             const struct tensor *x, const struct tensor *dy, struct tensor *dx,
                             struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    memset(of(dx, r, 0, 0, 0, 0), 0, r.count * slice(dx) * sizeof *dx->v);
    for (size_t i = 0; i < r.count * x->shape.c; i++) {
        size_t image = i / x->shape.c, c = i % x->shape.c;
        if (pool == POOL_AVERAGE) {
            for (size_t k = 0; k < plane; k++)
                *of(dx, r, image, c, 0, k) = *of(dy, r, image, c, 0, 0) / (double)plane;
            continue;
        }
        for (size_t h = 0; h < x->shape.h / 2; h++)
            for (size_t w = 0; w < x->shape.w / 2; w++)
                of(dx, r, 0, 0, 0, 0)[largest(x, r, image, c, h, w) - of(x, r, 0, 0, 0, 0)] =
                    *of(dy, r, image, c, h, w);
    }
    return 0;
}

static int ref_linear_forward(struct device *device, size_t n, const struct tensor *x,
                              const struct tensor *weights, const struct tensor *bias,
                              struct tensor *y, struct error *err)
{
    size_t in = weights->shape.c, out = weights->shape.n;
    (void)device;
    (void)err;
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < out; o++) {
            double sum = bias->v[o];
            for (size_t k = 0; k < in; k++)
                sum += x->v[i * in + k] * weights->v[o * in + k];
            y->v[i * out + o] = sum;
        }
    return 0;
}

static int ref_linear_backward(struct device *device, size_t n, const struct tensor *x,
                               const struct tensor *weights, const struct tensor *dy,
                               struct tensor *dx, struct tensor *dweights, struct tensor *dbias,
                               struct error *err)
{
    size_t in = weights->shape.c, out = weights->shape.n;
    (void)device;
    (void)err;
    memset(dx->v, 0, n * in * sizeof *dx->v);
    memset(dweights->v, 0, out * in * sizeof *dweights->v);
    memset(dbias->v, 0, out * sizeof *dbias->v);
    for (size_t i = 0; i < n; i++)
        for (size_t o = 0; o < out; o++) {
            double g = dy->v[i * out + o];
            dbias->v[o] += g;
            for (size_t k = 0; k < in; k++) {
                dweights->v[o * in + k] += g * x->v[i * in + k];
                dx->v[i * in + k] += g * weights->v[o * in + k];
            }
        }
    return 0;
}

static int ref_loss(struct device *device, size_t n, const struct tensor *logits,
                    const uint8_t *labels, double smoothing, struct tensor *dlogits,
                    struct error *err)
{
    struct loss_sums *sums = &device->sums;
    size_t classes = logits->shape.c;
    double loss = 0;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        const double *z = logits->v + i * classes;
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if (z[c] > z[best])
                best = c;
        double sum = 0;
        for (size_t c = 0; c < classes; c++)
            sum += exp(z[c] - z[best]);
        for (size_t c = 0; c < classes; c++) {
            double target = smoothing / (double)classes + (c == labels[i] ? 1 - smoothing : 0);
            double log_p = z[c] - z[best] - log(sum);
            loss -= target * log_p / (double)n;
            dlogits->v[i * classes + c] = (exp(log_p) - target) / (double)n;
        }
        sums->correct += best == labels[i];
    }
    sums->loss += loss * (double)n;
    sums->finite += isfinite(sums->loss) ? 1 : 0;
    return 0;
}

static int ref_loss_sums(struct device *device, struct loss_sums *sums,
                         const struct loss_sums *next, struct error *err)
{
    (void)err;
    if (sums)
        *sums = device->sums;
    if (next)
        device->sums = *next;
    return 0;
}

static int ref_add(struct device *device, struct range r, const struct tensor *a,
                   const struct tensor *b, struct tensor *y, struct error *err)
{
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice(y); i++)
        of(y, r, 0, 0, 0, 0)[i] = of(a, r, 0, 0, 0, 0)[i] + of(b, r, 0, 0, 0, 0)[i];
    return 0;
}

static void update(const struct parameter_update *u, const struct sgd *s)
{
    for (size_t i = 0; i < u->value->shape.n * slice(u->value); i++) {
        double g = u->gradient->v[i], *v = &u->momentum->v[i], *w = &u->value->v[i];
        if (s->clip > 0)
            g = fmax(-s->clip, fmin(s->clip, g));
        g += s->weight_decay * *w;
        *v = s->momentum * *v + g;
        *w -= s->lr * *v;
    }
}

static int ref_sgd(struct device *device, const struct parameter_update *updates, size_t count,
                   const struct sgd *settings, struct error *err)
{
    (void)device;
    (void)err;
    for (size_t i = 0; i < count; i++)
        update(&updates[i], settings);
    return 0;
}

const struct backend backend_ref = {
    .name = "ref",
    .numerics = ref_numerics,
    .open = ref_open,
    .close = ref_close,
    .tensor = ref_tensor,
    .alloc_size = ref_alloc_size,
    .view = ref_view,
    .write = ref_write,
    .read = ref_read,
    .image_set = ref_image_set,
    .crop = ref_crop,
    .conv = ref_conv,
    .conv_ready = ref_conv_ready,
    .conv_release = ref_conv_release,
    .conv_forward = ref_conv_forward,
    .conv_backward = ref_conv_backward,
    .conv_backward_end = ref_conv_backward_end,
    .norm_ready = ref_norm_ready,
    .norm_moments = ref_norm_moments,
    .norm_moments_end = ref_norm_moments_end,
    .norm_forward = ref_norm_forward,
    .norm_sums = ref_norm_sums,
    .norm_sums_end = ref_norm_sums_end,
    .norm_backward = ref_norm_backward,
    .pool_forward = ref_pool_forward,
    .pool_backward = ref_pool_backward,
    .linear_forward = ref_linear_forward,
    .linear_backward = ref_linear_backward,
    .loss = ref_loss,
    .loss_sums = ref_loss_sums,
    .add = ref_add,
    .sgd = ref_sgd,
};
