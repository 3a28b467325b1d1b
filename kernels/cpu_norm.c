/* Batch normalisation of the `cpu` backend, with ReLU and residual in the same passes: two passes
 * over a range forward (moments; scale and offset) and two backward (sums of the gradient;
 * gradient). Sums of one plane are float32 vectors, those over planes double, in a fixed order.
 * Moments are taken about the running mean, which keeps their digits when |mean| >> deviation. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/cpu.h"

/* Per-channel vectors, padded to whole blocks with zeros. */
enum vector { SCALE, OFFSET, MEAN, A, B, C, VECTORS };

/* What a norm keeps from range to range, in its tensor `mean`. */
struct pass {
    const struct cpu_lanes *lanes;
    struct range range;
    size_t blocks, pixels, channels;
    float *vectors[VECTORS];
    float *sums; /* [batch][blocks][2][lanes] */
};

static int pass_start(struct pass *p, struct device *device, const struct norm *norm,
                      struct range range, const struct tensor *x, struct error *err)
{
    const struct cpu_lanes *l = device->lanes;
    struct tensor *keeper = norm->mean;
    size_t padded = x->blocks * l->lanes;
    size_t count = VECTORS * padded + range.batch * x->blocks * 2 * l->lanes;
    *p = (struct pass){.lanes = l,
                       .range = range,
                       .blocks = x->blocks,
                       .pixels = x->pixels,
                       .channels = x->shape.c};
    if (count > keeper->work_count) {
        float *work = calloc(count, sizeof *work);
        if (!work)
            return error_set(err, ENOMEM, "out of memory");
        free(keeper->work);
        keeper->work = work;
        keeper->work_count = count;
    }
    for (int v = 0; v < VECTORS; v++)
        p->vectors[v] = keeper->work + v * padded;
    p->sums = keeper->work + VECTORS * padded;
    return 0;
}

/* Planes are counted within the range. */
static const float *at(const struct pass *p, enum vector v, size_t plane)
{
    return p->vectors[v] + plane % p->blocks * p->lanes->lanes;
}

static void *plane_of(const struct tensor *t, const struct pass *p, size_t plane)
{
    return t ? cpu_images(t, p->range) + plane * p->pixels * p->lanes->lanes * p->lanes->item
             : NULL;
}

static float *sums_of(const struct pass *p, size_t plane)
{
    return p->sums + (p->range.first * p->blocks + plane) * 2 * p->lanes->lanes;
}

static bool last(const struct pass *p)
{
    return p->range.first + p->range.count == p->range.batch;
}

/* Adds up the sums of one channel over the planes that hold it. */
static void channel_sums(const struct pass *p, size_t channel, double *first, double *second)
{
    size_t lanes = p->lanes->lanes, block = channel / lanes, lane = channel % lanes;
    double a = 0, b = 0;
    for (size_t i = block; i < p->range.batch * p->blocks; i += p->blocks) {
        a += (double)p->sums[i * 2 * lanes + lane];
        b += (double)p->sums[(i * 2 + 1) * lanes + lane];
    }
    *first = a;
    *second = b;
}

/* y = x * scale + offset, from the batch's or the running moments. */
static void scale_and_offset(struct pass *p, const struct norm *norm, bool training)
{
    const float *gamma = norm->gamma->data, *beta = norm->beta->data;
    for (size_t c = 0; c < p->channels; c++) {
        double mean, inverse;
        if (training) {
            mean = (double)((const float *)norm->mean->data)[c];
            inverse = (double)((const float *)norm->inverse->data)[c];
        } else {
            mean = (double)((const float *)norm->running_mean->data)[c];
            inverse = 1 / sqrt((double)((const float *)norm->running_var->data)[c] + norm->epsilon);
        }
        double scale = (double)gamma[c] * inverse;
        p->vectors[SCALE][c] = (float)scale;
        p->vectors[OFFSET][c] = (float)((double)beta[c] - mean * scale);
    }
}

/* Mean and variance of the batch from the sums about the running mean. */
static void batch_moments(struct pass *p, const struct norm *norm)
{
    float *running_mean = norm->running_mean->data, *running_var = norm->running_var->data;
    float *mean = norm->mean->data, *inverse = norm->inverse->data;
    double count = (double)p->range.batch * (double)p->pixels;
    for (size_t c = 0; c < p->channels; c++) {
        double sum, square;
        channel_sums(p, c, &sum, &square);
        double shifted = sum / count, var = square / count - shifted * shifted;
        if (var < 0)
            var = 0;
        double m = shifted + (double)running_mean[c];
        double unbiased = count > 1 ? var * count / (count - 1) : var;
        mean[c] = (float)m;
        inverse[c] = (float)(1 / sqrt(var + norm->epsilon));
        running_mean[c] =
            (float)((1 - norm->momentum) * (double)running_mean[c] + norm->momentum * m);
        running_var[c] =
            (float)((1 - norm->momentum) * (double)running_var[c] + norm->momentum * unbiased);
    }
    memcpy(p->vectors[MEAN], mean, p->channels * sizeof *mean);
    scale_and_offset(p, norm, true);
}

int cpu_norm_moments(struct device *device, const struct norm *norm, struct range range,
                     const struct tensor *x, struct error *err)
{
    struct pass p;
    int e = pass_start(&p, device, norm, range, x, err);
    if (e)
        return e;
    if (range.first == 0)
        memcpy(p.vectors[MEAN], norm->running_mean->data, p.channels * sizeof(float));
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < range.count * p.blocks; i++)
        p.lanes->moments(plane_of(x, &p, i), p.pixels, at(&p, MEAN, i), sums_of(&p, i));
    if (last(&p))
        batch_moments(&p, norm);
    return 0;
}

int cpu_norm_forward(struct device *device, const struct norm *norm, struct range range,
                     const struct tensor *x, const struct tensor *residual, struct tensor *y,
                     bool training, struct error *err)
{
    struct pass p;
    int e = pass_start(&p, device, norm, range, x, err);
    if (e)
        return e;
    if (!training)
        scale_and_offset(&p, norm, false);
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < range.count * p.blocks; i++)
        p.lanes->normalize(plane_of(x, &p, i), plane_of(residual, &p, i), plane_of(y, &p, i),
                           p.pixels, at(&p, SCALE, i), at(&p, OFFSET, i), norm->relu);
    return 0;
}

/* Gradients of gamma and beta, and dx = A * g + B * x + C:
 * dx = gamma * inverse * (g - sum(g)/N - (x - mean) * inverse^2 * sum(g * (x - mean))/N). */
static void parameter_gradients(struct pass *p, const struct norm *norm)
{
    const float *gamma = norm->gamma->data, *inverse = norm->inverse->data;
    float *dgamma = norm->gamma_gradient->data, *dbeta = norm->beta_gradient->data;
    double count = (double)p->range.batch * (double)p->pixels;
    for (size_t c = 0; c < p->channels; c++) {
        double sum, product, inv = (double)inverse[c];
        channel_sums(p, c, &sum, &product);
        double a = (double)gamma[c] * inv, b = -a * inv * inv * product / count;
        dgamma[c] = (float)(product * inv);
        dbeta[c] = (float)sum;
        p->vectors[A][c] = (float)a;
        p->vectors[B][c] = (float)b;
        p->vectors[C][c] = (float)(-a * sum / count - b * (double)p->vectors[MEAN][c]);
    }
}

int cpu_norm_sums(struct device *device, const struct norm *norm, struct range range,
                  const struct tensor *x, const struct tensor *y, const struct tensor *dy,
                  const struct tensor *dy2, struct tensor *dresidual, struct error *err)
{
    struct pass p;
    int e = pass_start(&p, device, norm, range, x, err);
    if (e)
        return e;
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < range.count * p.blocks; i++)
        p.lanes->gradient_sums(plane_of(x, &p, i), plane_of(y, &p, i), plane_of(dy, &p, i),
                               plane_of(dy2, &p, i), plane_of(dresidual, &p, i), p.pixels,
                               at(&p, SCALE, i), at(&p, OFFSET, i), at(&p, MEAN, i), norm->relu,
                               sums_of(&p, i));
    if (last(&p))
        parameter_gradients(&p, norm);
    return 0;
}

int cpu_norm_backward(struct device *device, const struct norm *norm, struct range range,
                      const struct tensor *x, const struct tensor *dy, const struct tensor *dy2,
                      bool residual, const struct tensor *dx_add, struct tensor *dx,
                      struct error *err)
{
    struct pass p;
    int e = pass_start(&p, device, norm, range, x, err);
    if (e)
        return e;
    bool relu = norm->relu && !residual;
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < range.count * p.blocks; i++)
        p.lanes->gradient(plane_of(x, &p, i), plane_of(dy, &p, i), plane_of(dy2, &p, i),
                          plane_of(dx_add, &p, i), plane_of(dx, &p, i), p.pixels, at(&p, SCALE, i),
                          at(&p, OFFSET, i), relu, at(&p, A, i), at(&p, B, i), at(&p, C, i));
    return 0;
}
