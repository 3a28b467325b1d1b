/* Batch norm, pools, linear layer, loss, addition and SGD of the `cuda` backend: each launches one
 * kernel (kernels.h); the backward pass of the linear layer may launch several. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cuda/cuda.h"

/* ---- batch norm ---- */

static float *values(const struct tensor *t)
{
    return t ? t->data : NULL;
}

static struct norm_vectors vectors(const struct norm *n)
{
    return (struct norm_vectors){
        .gamma = values(n->gamma),
        .beta = values(n->beta),
        .mean = values(n->mean),
        .inverse = values(n->inverse),
        .running_mean = values(n->running_mean),
        .running_var = values(n->running_var),
        .gamma_gradient = values(n->gamma_gradient),
        .beta_gradient = values(n->beta_gradient),
        .epsilon = (float)n->epsilon,
        .momentum = (float)n->momentum,
        .relu = n->relu,
    };
}

/* The matrix of an operand that may be NULL: *matrix, or NULL. */
static const struct matrix *optional(const struct tensor *t, size_t n, struct matrix *matrix)
{
    if (!t)
        return NULL;
    *matrix = cuda_matrix(t, n);
    return matrix;
}

int cuda_norm_ready(struct device *device, const struct norm *norm, bool training,
                    struct error *err)
{
    (void)device, (void)norm, (void)training, (void)err;
    return 0; /* nothing is kept from an earlier batch */
}

int cuda_norm_moments(struct device *device, const struct norm *norm, struct range range,
                      const struct tensor *x, struct error *err)
{
    struct matrix in = cuda_matrix(x, range.count);
    struct norm_vectors v = vectors(norm);
    struct sums_scratch scratch;
    int e = cuda_sums(device, in.channels, &scratch, err);
    return e ? e
             : cuda_check(launch_moments(&in, &v, scratch, device->stream),
                          "computing mean and variance", err);
}

int cuda_norm_moments_end(struct device *device, const struct norm *norm, size_t n,
                          const struct tensor *x, struct error *err)
{
    (void)device, (void)norm, (void)n, (void)x, (void)err;
    return 0; /* norm_moments has done all */
}

int cuda_norm_forward(struct device *device, const struct norm *norm, struct range range,
                      const struct tensor *x, const struct tensor *residual, struct tensor *y,
                      bool training, struct error *err)
{
    struct matrix in = cuda_matrix(x, range.count), added, out;
    const struct matrix *with = optional(residual, range.count, &added);
    struct norm_vectors v = vectors(norm);
    out = cuda_written(y, range.count);
    return cuda_check(launch_norm_forward(&in, &v, with, &out, training, device->stream),
                      "normalising", err);
}

int cuda_norm_sums(struct device *device, const struct norm *norm, struct range range,
                   const struct tensor *x, const struct tensor *y, const struct tensor *dy,
                   const struct tensor *dy2, struct tensor *dresidual, struct error *err)
{
    struct matrix in = cuda_matrix(x, range.count), gradient = cuda_matrix(dy, range.count);
    struct matrix output, second, residual;
    const struct matrix *has_output = optional(y, range.count, &output);
    const struct matrix *has_second = optional(dy2, range.count, &second);
    struct norm_vectors v = vectors(norm);
    struct sums_scratch scratch;
    int e = cuda_sums(device, in.channels, &scratch, err);
    if (dresidual)
        residual = cuda_written(dresidual, range.count);
    return e ? e
             : cuda_check(launch_norm_sums(&in, &v, has_output, &gradient, has_second,
                                           dresidual ? &residual : NULL, scratch, device->stream),
                          "summing gradients of a norm", err);
}

int cuda_norm_sums_end(struct device *device, const struct norm *norm, size_t n,
                       const struct tensor *x, struct error *err)
{
    (void)device, (void)norm, (void)n, (void)x, (void)err;
    return 0; /* norm_sums has done all */
}

int cuda_norm_backward(struct device *device, const struct norm *norm, struct range range,
                       const struct tensor *x, const struct tensor *dy, const struct tensor *dy2,
                       bool residual, const struct tensor *dx_add, struct tensor *dx,
                       struct error *err)
{
    struct matrix in = cuda_matrix(x, range.count), gradient = cuda_matrix(dy, range.count);
    struct matrix second, added, out;
    const struct matrix *has_second = optional(dy2, range.count, &second);
    const struct matrix *has_added = optional(dx_add, range.count, &added);
    struct norm_vectors v = vectors(norm);
    struct sums_scratch scratch;
    int e = cuda_sums(device, in.channels, &scratch, err);
    out = cuda_written(dx, range.count);
    if (!e && in.bias && !dx->column_sums) { /* a convolution will need the gradient of its bias */
        void *memory;
        e = cuda_memory(device, in.channels * sizeof(float), &memory, err);
        if (!e)
            dx->column_sums = memory;
    }
    if (!e)
        e = cuda_check(launch_norm_backward(&in, &v, &gradient, has_second, residual, has_added,
                                            &out, in.bias ? dx->column_sums : NULL, scratch,
                                            device->stream),
                       "computing the gradient of a norm", err);
    dx->has_column_sums = !e && in.bias;
    return e;
}

/* ---- pools and addition ---- */

int cuda_pool_forward(struct device *device, enum pool pool, struct range range,
                      const struct tensor *x, struct tensor *y, struct error *err)
{
    struct matrix in = cuda_matrix(x, range.count), out = cuda_written(y, range.count);
    const struct shape *s = &x->shape;
    if (pool == POOL_AVERAGE)
        return cuda_check(
            launch_average_pool_forward(&in, range.count, s->h * s->w, y->data, device->stream),
            "pooling", err);
    return cuda_check(launch_max_pool_forward(&in, range.count, s->h, s->w, &out, device->stream),
                      "pooling", err);
}

int cuda_pool_backward(struct device *device, enum pool pool, struct range range,
                       const struct tensor *x, const struct tensor *dy, struct tensor *dx,
                       struct error *err)
{
    struct matrix in = cuda_matrix(x, range.count), gradient = cuda_matrix(dy, range.count);
    struct matrix out = cuda_written(dx, range.count);
    const struct shape *s = &x->shape;
    if (pool == POOL_AVERAGE)
        return cuda_check(
            launch_average_pool_backward(dy->data, range.count, s->h * s->w, &out, device->stream),
            "computing the gradient of a pool", err);
    return cuda_check(
        launch_max_pool_backward(&in, range.count, s->h, s->w, &gradient, &out, device->stream),
        "computing the gradient of a pool", err);
}

int cuda_add(struct device *device, struct range range, const struct tensor *a,
             const struct tensor *b, struct tensor *y, struct error *err)
{
    struct matrix left = cuda_matrix(a, range.count), right = cuda_matrix(b, range.count);
    struct matrix sum = cuda_written(y, range.count);
    return cuda_check(launch_add(&left, &right, &sum, device->stream), "adding", err);
}

/* ---- linear layer and loss ---- */

int cuda_linear_forward(struct device *device, size_t n, const struct tensor *x,
                        const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                        struct error *err)
{
    return cuda_check(launch_linear_forward(x->data, weights->data, bias->data, n, weights->shape.c,
                                            weights->shape.n, y->data, device->stream),
                      "computing the linear layer", err);
}

int cuda_linear_backward(struct device *device, size_t n, const struct tensor *x,
                         const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                         struct tensor *dweights, struct tensor *dbias, struct error *err)
{
    dx->source = dweights->source = dbias->source = NULL;
    return cuda_check(launch_linear_backward(x->data, weights->data, dy->data, n, weights->shape.c,
                                             weights->shape.n, dx->data, dweights->data,
                                             dbias->data, device->stream),
                      "computing the gradient of the linear layer", err);
}

/* Makes the device's sums, which are 0 at first. */
static int make_totals(struct device *device, struct error *err)
{
    void *memory;
    if (device->totals)
        return 0;
    int e = cuda_zeroed_memory(device, sizeof *device->totals, &memory, err);
    if (!e)
        device->totals = memory;
    return e;
}

int cuda_loss(struct device *device, const struct tensor *logits, struct tensor *dlogits,
              struct error *err)
{
    int e = make_totals(device, err);
    return e ? e
             : cuda_check(launch_loss(device->state, logits->data, device->pass.n, logits->shape.c,
                                      dlogits->data, device->totals, device->stream),
                          "computing the loss", err);
}

int cuda_loss_sums(struct device *device, struct loss_sums *sums, const struct loss_sums *next,
                   struct error *err)
{
    struct loss_totals totals = {0};
    int e = make_totals(device, err);
    if (!e && sums)
        e = cuda_check(cudaMemcpyAsync(&totals, device->totals, sizeof totals,
                                       cudaMemcpyDeviceToHost, device->stream),
                       "copying the loss from the device", err);
    if (!e)
        e = cuda_wait(device, err);
    if (!e && sums)
        *sums = (struct loss_sums){totals.loss, totals.correct, totals.finite};
    if (!e && next) {
        totals = (struct loss_totals){next->loss, next->correct, next->finite};
        e = cuda_check(cudaMemcpyAsync(device->totals, &totals, sizeof totals,
                                       cudaMemcpyHostToDevice, device->stream),
                       "copying the loss to the device", err);
    }
    return e;
}

/* ---- SGD ---- */

static struct sgd_entry entry_of(const struct parameter_update *u)
{
    return (struct sgd_entry){
        .value = u->value->data,
        .momentum = u->momentum->data,
        .gradient = u->gradient->source ? u->gradient->source : u->gradient->data,
        .gradient_type = u->gradient->source ? u->gradient->source_type : u->gradient->type,
        .copy = u->value->copy,
        .count = cuda_values(u->value),
    };
}

static bool same_entry(const struct sgd_entry *a, const struct sgd_entry *b)
{
    return a->value == b->value && a->momentum == b->momentum && a->gradient == b->gradient &&
           a->gradient_type == b->gradient_type && a->copy == b->copy && a->count == b->count;
}

static bool is_current(const struct sgd_table *table, const struct parameter_update *updates,
                       size_t count)
{
    bool same = table->entries && table->count == count;
    for (size_t i = 0; same && i < count; i++) {
        struct sgd_entry entry = entry_of(&updates[i]);
        same = same_entry(&table->host[i], &entry);
    }
    return same;
}

static size_t parts_of(const struct sgd_entry *entry)
{
    return (entry->count + SGD_PART_VALUES - 1) / SGD_PART_VALUES;
}

static int upload(struct device *device, const void *from, size_t bytes, void **memory,
                  struct error *err)
{
    int e = cuda_memory(device, bytes, memory, err);
    return e ? e
             : cuda_check(
                   cudaMemcpyAsync(*memory, from, bytes, cudaMemcpyHostToDevice, device->stream),
                   "copying a table to the device", err);
}

/* Makes the table of an update: entries and, for each, its parts. */
static int make_table(struct device *device, const struct parameter_update *updates, size_t count,
                      struct error *err)
{
    struct sgd_table *t = &device->sgd;
    struct sgd_entry *host = calloc(count ? count : 1, sizeof *host);
    size_t total = 0, next = 0;
    void *entries, *parts;
    if (!host)
        return error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        host[i] = entry_of(&updates[i]);
        total += parts_of(&host[i]);
    }
    struct sgd_part *list = calloc(total ? total : 1, sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        for (size_t k = 0; k < parts_of(&host[i]); k++)
            list[next++] = (struct sgd_part){(uint32_t)i, (uint32_t)(k * SGD_PART_VALUES)};
    int e = list ? 0 : error_set(err, ENOMEM, "out of memory");
    if (!e)
        e = upload(device, host, count * sizeof *host, &entries, err);
    if (!e)
        e = upload(device, list, total * sizeof *list, &parts, err);
    free(list);
    if (e) {
        free(host);
        return e;
    }
    free(t->host);
    *t = (struct sgd_table){host, entries, parts, count, total};
    return 0;
}

int cuda_sgd(struct device *device, const struct parameter_update *updates, size_t count,
             struct error *err)
{
    const struct sgd_table *t = &device->sgd;
    int e = is_current(t, updates, count) ? 0 : make_table(device, updates, count, err);
    return e ? e
             : cuda_check(
                   launch_sgd(device->state, t->entries, t->parts, t->part_count, device->stream),
                   "updating parameters", err);
}
