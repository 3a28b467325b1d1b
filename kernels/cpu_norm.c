/* Batch normalisation of the `cpu` backend, with ReLU and residual in the same passes: two passes
 * over memory forward (moments; scale and offset) and two backward (sums of the gradient;
 * gradient). Sums of one plane are float32 vectors, those over planes double, in a fixed order.
 * Moments are taken about the running mean, which keeps their digits when |mean| >> deviation. */
#include <math.h>
#include <string.h>
#include "kernels/cpu.h"

/* Per-channel vectors, padded to whole blocks with zeros. */
enum vector { SCALE, OFFSET, MEAN, A, B, C, VECTORS };

struct pass {
    const struct cpu_lanes *lanes;
    size_t planes, blocks, pixels, channels;
    size_t bytes; /* of one plane */
    float *vectors[VECTORS];
    float *sums; /* [planes][2][lanes] */
};

static int pass_start(struct pass *p, struct device *device, size_t n, const struct tensor *x,
                      struct error *err)
{
    const struct cpu_lanes *l = device->lanes;
    size_t padded = x->blocks * l->lanes;
    *p = (struct pass){.lanes = l,
                       .planes = n * x->blocks,
                       .blocks = x->blocks,
                       .pixels = x->pixels,
                       .channels = x->shape.c,
                       .bytes = x->pixels * l->lanes * l->item};
    int e = cpu_partial(device, VECTORS * padded + p->planes * 2 * l->lanes, err);
    if (e)
        return e;
    for (int v = 0; v < VECTORS; v++)
        p->vectors[v] = device->partial + v * padded;
    p->sums = device->partial + VECTORS * padded;
    memset(device->partial, 0, VECTORS * padded * sizeof *device->partial);
    return 0;
}

static const float *at(const struct pass *p, enum vector v, size_t plane)
{
    return p->vectors[v] + plane % p->blocks * p->lanes->lanes;
}

static void *plane_of(const struct tensor *t, const struct pass *p, size_t plane)
{
    return t ? (char *)t->data + plane * p->bytes : NULL;
}

/* Adds up the sums of one channel over the planes that hold it. */
static void channel_sums(const struct pass *p, size_t channel, double *first, double *second)
{
    size_t lanes = p->lanes->lanes, block = channel / lanes, lane = channel % lanes;
    double a = 0, b = 0;
    for (size_t i = block; i < p->planes; i += p->blocks) {
        a += p->sums[i * 2 * lanes + lane];
        b += p->sums[(i * 2 + 1) * lanes + lane];
    }
    *first = a;
    *second = b;
}

static void batch_moments(struct device *device, struct pass *p, const struct norm *norm, size_t n,
                          const struct tensor *x)
{
    float *running_mean = norm->running_mean->data, *running_var = norm->running_var->data;
    float *mean = norm->mean->data, *inverse = norm->inverse->data;
    double count = (double)n * (double)p->pixels;
    memcpy(p->vectors[MEAN], running_mean, p->channels * sizeof *mean);
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < p->planes; i++)
        p->lanes->moments(plane_of(x, p, i), p->pixels, at(p, MEAN, i),
                          p->sums + i * 2 * p->lanes->lanes);
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

int cpu_norm_forward(struct device *device, const struct norm *norm, size_t n,
                     const struct tensor *x, const struct tensor *residual, struct tensor *y,
                     bool training, struct error *err)
{
    struct pass p;
    int e = pass_start(&p, device, n, x, err);
    if (e)
        return e;
    if (training)
        batch_moments(device, &p, norm, n, x);
    scale_and_offset(&p, norm, training);
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < p.planes; i++)
        p.lanes->normalize(plane_of(x, &p, i), plane_of(residual, &p, i), plane_of(y, &p, i),
                           p.pixels, at(&p, SCALE, i), at(&p, OFFSET, i), norm->relu);
    return 0;
}

/* Gradients of gamma and beta, and dx = A * g + B * x + C:
 * dx = gamma * inverse * (g - sum(g)/N - (x - mean) * inverse^2 * sum(g * (x - mean))/N). */
static void parameter_gradients(struct pass *p, const struct norm *norm, size_t n)
{
    const float *gamma = norm->gamma->data, *inverse = norm->inverse->data;
    float *dgamma = norm->gamma_gradient->data, *dbeta = norm->beta_gradient->data;
    double count = (double)n * (double)p->pixels;
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

int cpu_norm_backward(struct device *device, const struct norm *norm, size_t n,
                      const struct tensor *x, const struct tensor *y, struct tensor *dy,
                      const struct tensor *dy2, struct tensor *dresidual,
                      const struct tensor *dx_add, struct tensor *dx, struct error *err)
{
    struct pass p;
    int e = pass_start(&p, device, n, x, err);
    if (e)
        return e;
    scale_and_offset(&p, norm, true);
    memcpy(p.vectors[MEAN], norm->mean->data, p.channels * sizeof(float));
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < p.planes; i++)
        p.lanes->gradient_sums(
            plane_of(x, &p, i), plane_of(dresidual ? y : NULL, &p, i), plane_of(dy, &p, i),
            plane_of(dy2, &p, i), plane_of(dresidual, &p, i), p.pixels, at(&p, SCALE, i),
            at(&p, OFFSET, i), at(&p, MEAN, i), norm->relu, p.sums + i * 2 * p.lanes->lanes);
    parameter_gradients(&p, norm, n);
    const struct tensor *g = dresidual ? dresidual : dy, *g2 = dresidual ? NULL : dy2;
    bool relu = norm->relu && !dresidual;
#pragma omp parallel for schedule(static) num_threads(device->threads)
    for (size_t i = 0; i < p.planes; i++)
        p.lanes->gradient(plane_of(x, &p, i), plane_of(g, &p, i), plane_of(g2, &p, i),
                          plane_of(dx_add, &p, i), plane_of(dx, &p, i), p.pixels, at(&p, SCALE, i),
                          at(&p, OFFSET, i), relu, at(&p, A, i), at(&p, B, i), at(&p, C, i));
    return 0;
}
