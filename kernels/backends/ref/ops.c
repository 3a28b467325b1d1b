/* The small operations of the `ref` backend: pools, the linear layer, loss, addition, SGD. */
#include <math.h>
#include <string.h>
#include "kernels/backends/ref/ref.h"

/* Address of the largest value in the 2x2 window of x for element (h, w) of y, the first of equal
 * ones. */
static double *largest(const struct tensor *x, struct range r, size_t n, size_t c, size_t h,
                       size_t w)
{
    double *best = range_element(x, r, n, c, 2 * h, 2 * w);
    for (size_t k = 1; k < 4; k++) {
        double *v = range_element(x, r, n, c, 2 * h + k / 2, 2 * w + k % 2);
        if (*v > *best)
            best = v;
    }
    return best;
}

int ref_pool_forward(struct device *device, enum pool pool, struct range r, const struct tensor *x,
                     struct tensor *y, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * x->shape.c; i++) {
        size_t image = i / x->shape.c, c = i % x->shape.c;
        if (pool == POOL_AVERAGE) {
            double sum = 0;
            for (size_t k = 0; k < plane; k++)
                sum += *range_element(x, r, image, c, 0, k);
            *range_element(y, r, image, c, 0, 0) = sum / (double)plane;
            continue;
        }
        for (size_t h = 0; h < x->shape.h / 2; h++)
            for (size_t w = 0; w < x->shape.w / 2; w++)
                *range_element(y, r, image, c, h, w) = *largest(x, r, image, c, h, w);
    }
    return 0;
}

int ref_pool_backward(struct device *device, enum pool pool, struct range r, const struct tensor *x,
                      const struct tensor *dy, struct tensor *dx, struct error *err)
{
    size_t plane = x->shape.h * x->shape.w;
    (void)device;
    (void)err;
    memset(range_values(dx, r), 0, r.count * slice_values(dx) * sizeof *dx->v);
    for (size_t i = 0; i < r.count * x->shape.c; i++) {
        size_t image = i / x->shape.c, c = i % x->shape.c;
        if (pool == POOL_AVERAGE) {
            for (size_t k = 0; k < plane; k++)
                *range_element(dx, r, image, c, 0, k) =
                    *range_element(dy, r, image, c, 0, 0) / (double)plane;
            continue;
        }
        for (size_t h = 0; h < x->shape.h / 2; h++)
            for (size_t w = 0; w < x->shape.w / 2; w++)
                range_values(dx, r)[largest(x, r, image, c, h, w) - range_values(x, r)] =
                    *range_element(dy, r, image, c, h, w);
    }
    return 0;
}

int ref_linear_forward(struct device *device, size_t n, const struct tensor *x,
                       const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                       struct error *err)
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

int ref_linear_backward(struct device *device, size_t n, const struct tensor *x,
                        const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                        struct tensor *dweights, struct tensor *dbias, struct error *err)
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

int ref_loss(struct device *device, const struct tensor *logits, struct tensor *dlogits,
             struct error *err)
{
    struct loss_sums *sums = &device->sums;
    const uint8_t *labels = device->queue.labels + device->pass.first;
    size_t n = device->pass.n, classes = logits->shape.c;
    double smoothing = device->pass.label_smoothing;
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

int ref_loss_sums(struct device *device, struct loss_sums *sums, const struct loss_sums *next,
                  struct error *err)
{
    (void)err;
    if (sums)
        *sums = device->sums;
    if (next)
        device->sums = *next;
    return 0;
}

int ref_add(struct device *device, struct range r, const struct tensor *a, const struct tensor *b,
            struct tensor *y, struct error *err)
{
    (void)device;
    (void)err;
    for (size_t i = 0; i < r.count * slice_values(y); i++)
        range_values(y, r)[i] = range_values(a, r)[i] + range_values(b, r)[i];
    return 0;
}

static void update(const struct parameter_update *u, const struct sgd *s)
{
    for (size_t i = 0; i < u->value->shape.n * slice_values(u->value); i++) {
        double g = u->gradient->v[i], *v = &u->momentum->v[i], *w = &u->value->v[i];
        if (s->clip > 0)
            g = fmax(-s->clip, fmin(s->clip, g));
        g += s->weight_decay * *w;
        *v = s->momentum * *v + g;
        *w -= s->lr * *v;
    }
}

int ref_sgd(struct device *device, const struct parameter_update *updates, size_t count,
            struct error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++)
        update(&updates[i], &device->pass.sgd);
    return 0;
}
