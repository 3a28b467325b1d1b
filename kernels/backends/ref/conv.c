/* Convolutions of the `ref` backend. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/ref/ref.h"

struct conv {
    struct conv_spec spec;
    double *gradient, *bias_gradient; /* sums, in one block; NULL before the first range */
    struct conv *next;
};

void ref_convs_free(struct device *device)
{
    while (device->convs) {
        struct conv *c = device->convs;
        device->convs = c->next;
        free(c->gradient);
        free(c);
    }
}

int ref_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
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

/* One product x[n][in][xh][xw] * weights[out][weight_in][ky][kx], which is added to
 * y[n][out][yh][yw]. */
struct tap {
    size_t n, in, out, weight_in; /* image, channels, input channel within the group */
    size_t ky, kx, xh, xw, yh, yw;
};

/* Calls `visit` for each tap of one output value, whose indices are in t. */
static void taps_of(const struct conv_spec *s, struct tap t,
                    void (*visit)(const struct tap *tap, void *data), void *data)
{
    size_t in = s->in / s->groups, group = t.out / (s->out / s->groups);
    for (t.weight_in = 0; t.weight_in < in; t.weight_in++)
        for (t.ky = 0; t.ky < s->kernel; t.ky++)
            for (t.kx = 0; t.kx < s->kernel; t.kx++) {
                t.in = group * in + t.weight_in;
                t.xh = t.yh * s->stride + t.ky - s->pad; /* wraps above the image */
                t.xw = t.yw * s->stride + t.kx - s->pad;
                if (t.xh < s->height && t.xw < s->width)
                    visit(&t, data);
            }
}

/* Calls `visit` for each tap of n images. */
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
    *range_element(o->y, o->range, t->n, t->out, t->yh, t->yw) +=
        *range_element(o->x, o->range, t->n, t->in, t->xh, t->xw) *
        *element(o->weights, t->out, t->weight_in, t->ky, t->kx);
}

static void visit_backward(const struct tap *t, void *data)
{
    const struct operands *o = data;
    double g = *range_element(o->dy, o->range, t->n, t->out, t->yh, t->yw);
    if (o->dweights)
        o->dweights[element(o->weights, t->out, t->weight_in, t->ky, t->kx) - o->weights->v] +=
            g * *range_element(o->x, o->range, t->n, t->in, t->xh, t->xw);
    if (o->dx)
        *range_element(o->dx, o->range, t->n, t->in, t->xh, t->xw) +=
            g * *element(o->weights, t->out, t->weight_in, t->ky, t->kx);
}

int ref_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                   bool backward, struct error *err)
{
    (void)worker, (void)count, (void)weights, (void)backward, (void)err;
    free(conv->gradient); /* of a batch that failed */
    conv->gradient = NULL;
    return 0;
}

void ref_conv_release(struct tensor *weights)
{
    (void)weights;
}

int ref_conv_forward(struct conv *conv, struct range r, const struct tensor *x,
                     const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                     unsigned flags, struct error *err)
{
    size_t plane = y->shape.h * y->shape.w;
    double *v = range_values(y, r);
    struct operands o = {.range = r, .x = x, .weights = weights, .y = y};
    (void)err;
    for (size_t i = 0; i < r.count * slice_values(y); i++)
        v[i] = (flags & CONV_ADD ? v[i] : 0) + (bias ? bias->v[i / plane % y->shape.c] : 0);
    each_tap(&conv->spec, r.count, visit_forward, &o);
    for (size_t i = 0; i < r.count * slice_values(y); i++)
        if (flags & CONV_RELU && v[i] < 0)
            v[i] = 0;
    return 0;
}

int ref_conv_backward(struct conv *conv, struct range r, const struct tensor *x,
                      const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                      unsigned gradients, struct error *err)
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
        memset(range_values(dx, r), 0, r.count * slice_values(dx) * sizeof *dx->v);
    each_tap(s, r.count, visit_backward, &o);
    for (size_t i = 0; gradients && i < r.count * slice_values(dy); i++)
        conv->bias_gradient[i / plane % dy->shape.c] += range_values(dy, r)[i];
    return 0;
}

int ref_conv_backward_end(struct conv *conv, struct tensor *dweights, struct tensor *dbias,
                          struct error *err)
{
    (void)err;
    memcpy(dweights->v, conv->gradient,
           dweights->shape.n * slice_values(dweights) * sizeof *dweights->v);
    if (dbias)
        memcpy(dbias->v, conv->bias_gradient, slice_values(dbias) * sizeof *dbias->v);
    free(conv->gradient);
    conv->gradient = NULL;
    return 0;
}
