/* Batch normalisation of the `ref` backend. */
#include <math.h>
#include "kernels/backends/ref/ref.h"

/* Sets *mean and *var (biased) to the moments of channel c over n images. */
static void moments(const struct tensor *x, size_t n, size_t c, double *mean, double *var)
{
    size_t plane = x->shape.h * x->shape.w;
    double sum = 0, square = 0;
    for (size_t i = 0; i < n * plane; i++)
        sum += *element(x, i / plane, c, 0, i % plane);
    *mean = sum / (double)(n * plane);
    for (size_t i = 0; i < n * plane; i++) {
        double d = *element(x, i / plane, c, 0, i % plane) - *mean;
        square += d * d;
    }
    *var = square / (double)(n * plane);
}

int ref_norm_ready(struct device *device, const struct norm *norm, bool training, struct error *err)
{
    (void)device, (void)err;
    for (size_t c = 0; training && c < norm->mean->shape.c; c++)
        norm->beta_gradient->v[c] = norm->gamma_gradient->v[c] = 0;
    return 0;
}

int ref_norm_moments(struct device *device, const struct norm *norm, struct range r,
                     const struct tensor *x, struct error *err)
{
    (void)device, (void)norm, (void)r, (void)x, (void)err;
    return 0; /* ref_norm_moments_end computes the moments from x */
}

int ref_norm_moments_end(struct device *device, const struct norm *norm, size_t n,
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

/* The value after gamma and beta, before residual and ReLU. */
static double normal(const struct norm *norm, size_t c, double x, bool training)
{
    double mean = training ? norm->mean->v[c] : norm->running_mean->v[c];
    double inverse =
        training ? norm->inverse->v[c] : 1 / sqrt(norm->running_var->v[c] + norm->epsilon);
    return norm->gamma->v[c] * (x - mean) * inverse + norm->beta->v[c];
}

int ref_norm_forward(struct device *device, const struct norm *norm, struct range r,
                     const struct tensor *x, const struct tensor *residual, struct tensor *y,
                     bool training, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice_values(x); i++) {
        double v = normal(norm, i / plane % x->shape.c, range_values(x, r)[i], training);
        if (residual)
            v += range_values(residual, r)[i];
        range_values(y, r)[i] = norm->relu && v < 0 ? 0 : v;
    }
    return 0;
}

/* The gradient g of backend_norm_sums for value i of the range, in channel c. y is NULL without a
 * residual. */
static double gated(const struct norm *norm, struct range r, const struct tensor *x,
                    const struct tensor *y, const struct tensor *dy, const struct tensor *dy2,
                    size_t c, size_t i)
{
    double out = y ? range_values(y, r)[i] : normal(norm, c, range_values(x, r)[i], true);
    double g = range_values(dy, r)[i] + (dy2 ? range_values(dy2, r)[i] : 0);
    return norm->relu && !(out > 0) ? 0 : g;
}

int ref_norm_sums(struct device *device, const struct norm *norm, struct range r,
                  const struct tensor *x, const struct tensor *y, const struct tensor *dy,
                  const struct tensor *dy2, struct tensor *dresidual, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice_values(x); i++) {
        size_t c = i / plane % x->shape.c;
        double g = gated(norm, r, x, y, dy, dy2, c, i), v = range_values(x, r)[i];
        if (dresidual)
            range_values(dresidual, r)[i] = g;
        norm->beta_gradient->v[c] += g;
        norm->gamma_gradient->v[c] += g * (v - norm->mean->v[c]) * norm->inverse->v[c];
    }
    return 0;
}

int ref_norm_sums_end(struct device *device, const struct norm *norm, size_t n,
                      const struct tensor *x, struct error *err)
{
    (void)device, (void)norm, (void)n, (void)x, (void)err;
    return 0; /* ref_norm_sums has added to the gradients themselves */
}

int ref_norm_backward(struct device *device, const struct norm *norm, struct range r,
                      const struct tensor *x, const struct tensor *dy, const struct tensor *dy2,
                      bool residual, const struct tensor *dx_add, struct tensor *dx,
                      struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    double count = (double)(r.batch * plane);
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice_values(x); i++) {
        size_t c = i / plane % x->shape.c;
        double inverse = norm->inverse->v[c];
        double v = (range_values(x, r)[i] - norm->mean->v[c]) * inverse;
        double g = residual ? range_values(dy, r)[i] : gated(norm, r, x, NULL, dy, dy2, c, i);
        double sum = norm->beta_gradient->v[c], product = norm->gamma_gradient->v[c];
        double d = norm->gamma->v[c] * inverse * (g - sum / count - v * product / count);
        range_values(dx, r)[i] = d + (dx_add ? range_values(dx_add, r)[i] : 0);
    }
    return 0;
}
