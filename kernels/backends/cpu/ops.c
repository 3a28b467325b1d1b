/* The small operations of the `cpu` backend: pools, the linear layer, loss, addition, SGD. */
#include <math.h>
#include <string.h>
#include "kernels/backends/cpu/cpu.h"

/* Address of a plane; `plane` counts planes from the start of the range. */
static void *plane_of(const struct device *device, const struct tensor *t, struct range range,
                      size_t plane)
{
    return cpu_images(t, range) + plane * t->pixels * device->loops->lanes * device->loops->item;
}

/* Number of channels, without padding, in the block that starts with channel `first`. */
static size_t channels_from(const struct device *device, const struct tensor *t, size_t first)
{
    size_t left = t->shape.c - first, lanes = device->loops->lanes;
    return left < lanes ? left : lanes;
}

int cpu_pool_forward(struct device *device, enum pool pool, struct range r, const struct tensor *x,
                     struct tensor *y, struct error *err)
{
    const struct vector_loops *l = device->loops;
    (void)err;
    for (size_t i = 0; i < r.count * x->blocks; i++) {
        if (pool == POOL_MAX) {
            l->max_forward(plane_of(device, x, r, i), plane_of(device, y, r, i), x->shape.h,
                           x->shape.w);
        } else {
            float mean[CPU_MAX_LANES];
            size_t first = i % x->blocks * l->lanes;
            l->average_forward(plane_of(device, x, r, i), mean, x->pixels);
            memcpy((float *)cpu_images(y, r) + i / x->blocks * x->shape.c + first, mean,
                   channels_from(device, x, first) * sizeof *mean);
        }
    }
    return 0;
}

int cpu_pool_backward(struct device *device, enum pool pool, struct range r, const struct tensor *x,
                      const struct tensor *dy, struct tensor *dx, struct error *err)
{
    const struct vector_loops *l = device->loops;
    (void)err;
    for (size_t i = 0; i < r.count * x->blocks; i++) {
        if (pool == POOL_MAX) {
            l->max_backward(plane_of(device, x, r, i), plane_of(device, dy, r, i),
                            plane_of(device, dx, r, i), x->shape.h, x->shape.w);
        } else {
            float share[CPU_MAX_LANES] = {0};
            size_t first = i % x->blocks * l->lanes, count = channels_from(device, x, first);
            const float *g = (const float *)cpu_images(dy, r) + i / x->blocks * x->shape.c + first;
            for (size_t c = 0; c < count; c++)
                share[c] = g[c] / (float)x->pixels;
            l->fill(plane_of(device, dx, r, i), x->pixels, share);
        }
    }
    return 0;
}

int cpu_image_gradient(struct device *device, size_t kernel, struct range r, const struct tensor *x,
                       const struct tensor *dy, float *dweights, float *dbias, struct error *err)
{
    static const float zeros[CPU_MAX_LANES];
    const struct vector_loops *l = device->loops;
    size_t taps = kernel * kernel, planes = r.count * dy->blocks;
    size_t stride = (taps + 2) * l->lanes; /* sums of each tap, then of dy and of dy^2 */
    void *memory = NULL;
    int e = cpu_scratch(device, r.worker, SCRATCH_KERNEL, planes * stride * sizeof(float), &memory,
                        err);
    if (e)
        return e;
    float *partial = memory;
    for (size_t i = 0; i < planes; i++) {
        float *sums = partial + i * stride;
        l->image_gradient(cpu_images(x, r) + i / dy->blocks * x->slice, plane_of(device, dy, r, i),
                          x->shape.h, x->shape.w, kernel, sums);
        l->moments(plane_of(device, dy, r, i), dy->pixels, zeros, sums + taps * l->lanes);
    }
    for (size_t o = 0; o < dy->shape.c; o++)
        for (size_t t = 0; t < taps + (dbias ? 1 : 0); t++) {
            double sum = 0;
            for (size_t i = o / l->lanes; i < planes; i += dy->blocks)
                sum += (double)partial[i * stride + t * l->lanes + o % l->lanes];
            *(t < taps ? &dweights[o * taps + t] : &dbias[o]) = (float)sum;
        }
    return 0;
}

int cpu_linear_forward(struct device *device, size_t n, const struct tensor *x,
                       const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                       struct error *err)
{
    size_t in = weights->shape.c, out = weights->shape.n;
    (void)device;
    for (size_t i = 0; i < n; i++)
        memcpy((float *)y->data + i * out, bias->data, out * sizeof(float));
    return dnn_gemm(false, true, n, out, in, x->data, in, weights->data, in, 1, y->data, out, err);
}

int cpu_linear_backward(struct device *device, size_t n, const struct tensor *x,
                        const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                        struct tensor *dweights, struct tensor *dbias, struct error *err)
{
    size_t in = weights->shape.c, out = weights->shape.n;
    const float *g = dy->data;
    float *bias = dbias->data;
    (void)device;
    for (size_t o = 0; o < out; o++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += (double)g[i * out + o];
        bias[o] = (float)sum;
    }
    int e = dnn_gemm(true, false, out, in, n, g, out, x->data, in, 0, dweights->data, in, err);
    if (!e)
        e = dnn_gemm(false, false, n, in, out, g, out, weights->data, in, 0, dx->data, in, err);
    return e;
}

int cpu_loss(struct device *device, const struct tensor *logits, struct tensor *dlogits,
             struct error *err)
{
    const uint8_t *labels = device->queue.labels + device->pass.first;
    size_t n = device->pass.n, classes = logits->shape.c;
    double total = 0, smoothing = device->pass.label_smoothing;
    (void)err;
    for (size_t i = 0; i < n; i++) {
        const float *z = (const float *)logits->data + i * classes;
        float *g = (float *)dlogits->data + i * classes;
        size_t best = 0;
        double sum = 0;
        for (size_t c = 1; c < classes; c++)
            if (z[c] > z[best])
                best = c;
        double top = (double)z[best];
        for (size_t c = 0; c < classes; c++)
            sum += exp((double)z[c] - top);
        for (size_t c = 0; c < classes; c++) {
            double log_p = (double)z[c] - top - log(sum);
            double target = smoothing / (double)classes + (c == labels[i] ? 1 - smoothing : 0);
            total -= target > 0 ? target * log_p : 0;
            g[c] = (float)((exp(log_p) - target) / (double)n);
        }
        device->sums.correct += best == labels[i];
    }
    device->sums.loss += total / (double)n * (double)n;
    device->sums.finite += isfinite(device->sums.loss) ? 1 : 0;
    return 0;
}

int cpu_loss_sums(struct device *device, struct loss_sums *sums, const struct loss_sums *next,
                  struct error *err)
{
    (void)err;
    if (sums)
        *sums = device->sums;
    if (next)
        device->sums = *next;
    return 0;
}

int cpu_add(struct device *device, struct range r, const struct tensor *a, const struct tensor *b,
            struct tensor *y, struct error *err)
{
    (void)err;
    for (size_t i = 0; i < r.count * a->blocks; i++)
        device->loops->add(plane_of(device, a, r, i), plane_of(device, b, r, i),
                           plane_of(device, y, r, i), a->pixels);
    return 0;
}

static void update(const struct device *device, const struct parameter_update *u,
                   const struct sgd *s)
{
    size_t count = u->value->shape.n * u->value->shape.c * u->value->pixels;
    float *w = u->value->data, *v = u->momentum->data;
    const float *g = u->gradient->data;
    float lr = (float)s->lr, momentum = (float)s->momentum, decay = (float)s->weight_decay;
    float clip = s->clip > 0 ? (float)s->clip : INFINITY;
#pragma omp parallel for simd schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < count; i++) {
        float d = g[i];
        d = d > clip ? clip : d;
        d = d < -clip ? -clip : d;
        v[i] = momentum * v[i] + (d + decay * w[i]);
        w[i] -= lr * v[i];
    }
    u->value->version++;
}

int cpu_sgd(struct device *device, const struct parameter_update *updates, size_t count,
            struct error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++)
        update(device, &updates[i], &device->pass.sgd);
    return 0;
}
