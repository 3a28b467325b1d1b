/* Convolutions of the `cuda` backend, by plans of cuDNN (conv_plan.h). A plan is built when a pass
 * first needs it. The bias of a convolution is added by the operations that read its output, and
 * the gradient of the bias comes from norm_backward: both save a pass over memory. */
#include <errno.h>
#include <stdlib.h>
#include "kernels/backends/cuda/cuda.h"

int cuda_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
              struct error *err)
{
    struct conv *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(err, ENOMEM, "out of memory");
    *c = (struct conv){.device = device, .spec = *spec, .next = device->convs};
    device->convs = *conv = c;
    return 0;
}

void cuda_convs_free(struct device *device)
{
    while (device->convs) {
        struct conv *c = device->convs;
        device->convs = c->next;
        while (c->plans) {
            struct conv_plans *p = c->plans;
            c->plans = p->next;
            for (int d = 0; d < CONV_DIRECTIONS; d++)
                conv_plan_free(p->plans[d]);
            free(p);
        }
        free(c);
    }
}

/* The place of the plan for n images. NULL: out of memory. */
static struct conv_plan **plan_slot(struct conv *conv, enum conv_direction direction, size_t n)
{
    struct conv_plans *p = conv->plans;
    while (p && p->n != n)
        p = p->next;
    if (!p) {
        p = calloc(1, sizeof *p);
        if (!p)
            return NULL;
        *p = (struct conv_plans){.n = n, .next = conv->plans};
        conv->plans = p;
    }
    return &p->plans[direction];
}

/* Runs a convolution in one direction, and builds its plan if there is none. */
static int run(struct conv *conv, enum conv_direction direction, size_t n, void *x, void *weights,
               void *y, struct error *err)
{
    struct device *d = conv->device;
    struct conv_plan **plan = plan_slot(conv, direction, n);
    int e = plan ? 0 : error_set(err, ENOMEM, "out of memory");
    if (!e && !*plan) {
        const struct conv_problem problem = {conv->spec, n, d->type, direction};
        e = cuda_engine_plan(d, &problem, x, weights, y, plan, err);
    }
    if (!e)
        e = cuda_grow(d, &d->workspace, conv_plan_engine(*plan).workspace, err);
    return e ? e : conv_plan_run(*plan, d->handle, x, weights, y, d->workspace.memory, err);
}

int cuda_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                    bool backward, struct error *err)
{
    struct device *d = conv->device;
    void *copy;
    (void)worker, (void)count, (void)backward;
    if (d->type != VALUE_BF16 || weights->copy)
        return 0; /* write and sgd keep the copy equal */
    int e = cuda_memory(d, cuda_values(weights) * sizeof(uint16_t), &copy, err);
    if (!e)
        e = cuda_check(launch_to_bf16(weights->data, copy, cuda_values(weights), d->stream),
                       "rounding weights", err);
    if (!e)
        weights->copy = copy;
    return e;
}

void cuda_conv_release(struct tensor *weights)
{
    (void)weights; /* the copy is small, and recorded passes contain its address */
}

/* Weights in the type of the activations. */
static void *operand(const struct tensor *weights)
{
    return weights->copy ? weights->copy : weights->data;
}

/* A range of this device is a whole batch (cuda.h). */
static int check_range(struct range range, struct error *err)
{
    if (range.first == 0 && range.count == range.batch)
        return 0;
    return error_set(err, EINVAL, "the cuda backend takes whole batches, not a part of one");
}

int cuda_conv_forward(struct conv *conv, struct range range, const struct tensor *x,
                      const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                      unsigned flags, struct error *err)
{
    struct device *d = conv->device;
    const float *added = bias ? bias->data : NULL;
    struct matrix result = cuda_matrix(y, range.count), addend = result;
    int e = check_range(range, err);
    if (!e)
        e = cuda_apply_bias(d, x, err);
    if (!e && flags & CONV_ADD) { /* y is needed until the sum */
        e = cuda_grow(d, &d->scratch, cuda_values(y) * sizeof(float), err);
        result.data = d->scratch.memory;
    }
    if (!e)
        e = run(conv, CONV_FORWARD, range.count, x->data, operand(weights), result.data, err);
    if (e)
        return e;
    struct matrix out = cuda_written(y, range.count);
    if (flags == 0) {
        y->bias = added;
        return 0;
    }
    result.bias = added;
    return cuda_check(launch_finish(&result, flags & CONV_ADD ? &addend : NULL, flags & CONV_RELU,
                                    &out, d->stream),
                      "adding to a convolution", err);
}

/* Finds the gradient of the bias: the sums of the columns of dy. */
static int sum_bias(struct conv *conv, const struct tensor *dy, size_t n, struct error *err)
{
    struct device *d = conv->device;
    struct sums_scratch scratch;
    void *memory = conv->bias_sums;
    int e = 0;
    if (dy->has_column_sums) {
        conv->bias_gradient = dy->column_sums;
        return 0;
    }
    if (!memory)
        e = cuda_memory(d, conv->spec.out * sizeof(float), &memory, err);
    if (e)
        return e;
    conv->bias_gradient = conv->bias_sums = memory;
    struct matrix columns = cuda_matrix(dy, n);
    e = cuda_sums(d, columns.channels, &scratch, err);
    return e ? e
             : cuda_check(launch_column_sums(&columns, conv->bias_sums, scratch, d->stream),
                          "summing the gradient of a bias", err);
}

int cuda_conv_backward(struct conv *conv, struct range range, const struct tensor *x,
                       const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                       unsigned gradients, struct error *err)
{
    struct device *d = conv->device;
    size_t value = d->type == VALUE_BF16 ? sizeof(uint16_t) : sizeof(float);
    int e = check_range(range, err);
    if (!e)
        e = cuda_apply_bias(d, dy, err);
    if (!e && gradients)
        e = cuda_apply_bias(d, x, err);
    if (!e && dx) {
        cuda_written(dx, range.count);
        e = run(conv, CONV_INPUT_GRADIENT, range.count, dx->data, operand(weights), dy->data, err);
    }
    if (!e && gradients && !conv->gradient)
        e = cuda_memory(d, cuda_values(weights) * value, &conv->gradient, err);
    if (!e && gradients)
        e = run(conv, CONV_WEIGHT_GRADIENT, range.count, x->data, conv->gradient, dy->data, err);
    if (!e && gradients & CONV_BIAS)
        e = sum_bias(conv, dy, range.count, err);
    return e;
}

/* The gradients stay where they are: sgd and read find them by `source`. */
int cuda_conv_backward_end(struct conv *conv, struct tensor *dweights, struct tensor *dbias,
                           struct error *err)
{
    (void)err;
    dweights->source = conv->gradient;
    dweights->source_type = conv->device->type;
    if (dbias) {
        dbias->source = conv->bias_gradient;
        dbias->source_type = VALUE_F32;
    }
    return 0;
}
