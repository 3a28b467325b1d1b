/* Batch norm of the `cpu` backend, with residual and ReLU in the same passes: two passes over a
 * range forward (moments; scale and offset) and two backward (sums of the gradient; gradient). Sums
 * within a plane are float32 vectors; sums over planes are double, in a fixed order. Moments are
 * taken about the running mean, which avoids cancellation where |mean| is much larger than the
 * deviation. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cpu/cpu.h"

/* Vectors with one float for each channel, padded with zeros to whole blocks. SCALE and OFFSET: y =
 * x * SCALE + OFFSET. MEAN: about which moments and sums are taken. A, B, C: dx = A * g + B * x +
 * C. */
enum vector { SCALE, OFFSET, MEAN, A, B, C, VECTORS };

/* A norm and a range. */
struct norm_run {
    const struct vector_loops *loops;
    struct range range;
    size_t blocks, pixels, channels;
    float *vectors[VECTORS];
    double *sums; /* [worker][2][padded channels] */
};

static size_t padded(const struct device *device, size_t channels)
{
    size_t lanes = device->loops->lanes;
    return (channels + lanes - 1) / lanes * lanes;
}

/* Vectors and sums are in the `work` memory of the norm's tensor `mean`. x may be NULL. */
static struct norm_run run_of(const struct device *device, const struct norm *norm,
                              struct range range, const struct tensor *x)
{
    size_t channels = norm->mean->shape.c, whole = padded(device, channels);
    struct norm_run p = {.loops = device->loops,
                         .range = range,
                         .blocks = whole / device->loops->lanes,
                         .pixels = x ? x->pixels : 0,
                         .channels = channels,
                         .sums = norm->mean->work};
    float *vectors = (float *)(p.sums + 2 * whole * (size_t)device->threads);
    for (int v = 0; v < VECTORS; v++)
        p.vectors[v] = vectors + v * whole;
    return p;
}

/* Part of a vector for the channels of a plane; `plane` counts planes from the start of the range.
 */
static const float *at(const struct norm_run *p, enum vector v, size_t plane)
{
    return p->vectors[v] + plane % p->blocks * p->loops->lanes;
}

static void *plane_of(const struct tensor *t, const struct norm_run *p, size_t plane)
{
    return t ? cpu_images(t, p->range) + plane * p->pixels * p->loops->lanes * p->loops->item
             : NULL;
}

/* Adds the sums of a plane to the sums of the range's worker. */
static void add_sums(const struct norm_run *p, size_t plane, const float *sums)
{
    size_t lanes = p->loops->lanes, whole = p->blocks * lanes;
    double *to = p->sums + (size_t)p->range.worker * 2 * whole + plane % p->blocks * lanes;
    for (size_t i = 0; i < lanes; i++) {
        to[i] += (double)sums[i];
        to[whole + i] += (double)sums[lanes + i];
    }
}

/* Sets *first and *second to the totals of one channel over all workers, and clears those sums. */
static void channel_sums(const struct device *device, const struct norm_run *p, size_t channel,
                         double *first, double *second)
{
    size_t whole = p->blocks * p->loops->lanes;
    *first = *second = 0;
    for (size_t w = 0; w < (size_t)device->threads; w++) {
        double *from = p->sums + w * 2 * whole + channel;
        *first += from[0];
        *second += from[whole];
        from[0] = from[whole] = 0;
    }
}

/* Sets SCALE and OFFSET, with `training` from the batch's moments, else from the running ones. */
static void scale_and_offset(struct norm_run *p, const struct norm *norm, bool training)
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

int cpu_norm_ready(struct device *device, const struct norm *norm, bool training, struct error *err)
{
    struct tensor *keeper = norm->mean;
    size_t whole = padded(device, keeper->shape.c);
    size_t sums = 2 * whole * (size_t)device->threads * sizeof(double);
    if (!keeper->work)
        keeper->work = calloc(1, sums + VECTORS * whole * sizeof(float));
    if (!keeper->work)
        return error_set(err, ENOMEM, "out of memory");
    struct norm_run p = run_of(device, norm, (struct range){0}, NULL);
    memset(p.sums, 0, sums);
    if (training)
        memcpy(p.vectors[MEAN], norm->running_mean->data, p.channels * sizeof(float));
    else
        scale_and_offset(&p, norm, false);
    return 0;
}

int cpu_norm_moments(struct device *device, const struct norm *norm, struct range range,
                     const struct tensor *x, struct error *err)
{
    struct norm_run p = run_of(device, norm, range, x);
    (void)err;
    for (size_t i = 0; i < range.count * p.blocks; i++) {
        float sums[2 * CPU_MAX_LANES];
        p.loops->moments(plane_of(x, &p, i), p.pixels, at(&p, MEAN, i), sums);
        add_sums(&p, i, sums);
    }
    return 0;
}

int cpu_norm_moments_end(struct device *device, const struct norm *norm, size_t n,
                         const struct tensor *x, struct error *err)
{
    struct norm_run p = run_of(device, norm, (struct range){0}, x);
    float *running_mean = norm->running_mean->data, *running_var = norm->running_var->data;
    float *mean = norm->mean->data, *inverse = norm->inverse->data;
    double count = (double)n * (double)p.pixels;
    (void)err;
    for (size_t c = 0; c < p.channels; c++) {
        double sum, square;
        channel_sums(device, &p, c, &sum, &square);
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
    memcpy(p.vectors[MEAN], mean, p.channels * sizeof *mean);
    scale_and_offset(&p, norm, true);
    return 0;
}

int cpu_norm_forward(struct device *device, const struct norm *norm, struct range range,
                     const struct tensor *x, const struct tensor *residual, struct tensor *y,
                     bool training, struct error *err)
{
    struct norm_run p = run_of(device, norm, range, x);
    (void)training, (void)err;
    for (size_t i = 0; i < range.count * p.blocks; i++)
        p.loops->normalize(plane_of(x, &p, i), plane_of(residual, &p, i), plane_of(y, &p, i),
                           p.pixels, at(&p, SCALE, i), at(&p, OFFSET, i), norm->relu);
    return 0;
}

int cpu_norm_sums(struct device *device, const struct norm *norm, struct range range,
                  const struct tensor *x, const struct tensor *y, const struct tensor *dy,
                  const struct tensor *dy2, struct tensor *dresidual, struct error *err)
{
    struct norm_run p = run_of(device, norm, range, x);
    (void)err;
    for (size_t i = 0; i < range.count * p.blocks; i++) {
        float sums[2 * CPU_MAX_LANES];
        p.loops->gradient_sums(plane_of(x, &p, i), plane_of(y, &p, i), plane_of(dy, &p, i),
                               plane_of(dy2, &p, i), plane_of(dresidual, &p, i), p.pixels,
                               at(&p, SCALE, i), at(&p, OFFSET, i), at(&p, MEAN, i), norm->relu,
                               sums);
        add_sums(&p, i, sums);
    }
    return 0;
}

/* Gradients of gamma and beta, and dx = A * g + B * x + C:
 * dx = gamma * inverse * (g - sum(g)/N - (x - mean) * inverse^2 * sum(g * (x - mean))/N). */
int cpu_norm_sums_end(struct device *device, const struct norm *norm, size_t n,
                      const struct tensor *x, struct error *err)
{
    struct norm_run p = run_of(device, norm, (struct range){0}, x);
    const float *gamma = norm->gamma->data, *inverse = norm->inverse->data;
    float *dgamma = norm->gamma_gradient->data, *dbeta = norm->beta_gradient->data;
    double count = (double)n * (double)p.pixels;
    (void)err;
    for (size_t c = 0; c < p.channels; c++) {
        double sum, product, inv = (double)inverse[c];
        channel_sums(device, &p, c, &sum, &product);
        double a = (double)gamma[c] * inv, b = -a * inv * inv * product / count;
        dgamma[c] = (float)(product * inv);
        dbeta[c] = (float)sum;
        p.vectors[A][c] = (float)a;
        p.vectors[B][c] = (float)b;
        p.vectors[C][c] = (float)(-a * sum / count - b * (double)p.vectors[MEAN][c]);
    }
    return 0;
}

int cpu_norm_backward(struct device *device, const struct norm *norm, struct range range,
                      const struct tensor *x, const struct tensor *dy, const struct tensor *dy2,
                      bool residual, const struct tensor *dx_add, struct tensor *dx,
                      struct error *err)
{
    struct norm_run p = run_of(device, norm, range, x);
    bool relu = norm->relu && !residual;
    (void)err;
    for (size_t i = 0; i < range.count * p.blocks; i++)
        p.loops->gradient(plane_of(x, &p, i), plane_of(dy, &p, i), plane_of(dy2, &p, i),
                          plane_of(dx_add, &p, i), plane_of(dx, &p, i), p.pixels, at(&p, SCALE, i),
                          at(&p, OFFSET, i), relu, at(&p, A, i), at(&p, B, i), at(&p, C, i));
    return 0;
}
