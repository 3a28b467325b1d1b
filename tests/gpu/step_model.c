/* See step_model.h. The plan is made with a backend that allocates nothing. */
#include "tests/gpu/step_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "kernels/nets/net_internal.h"

const char *const step_kernel_titles[STEP_KERNELS] = {
    [STEP_CROP] = "crop, flip, standardise",
    [STEP_CONV] = "convolution, forward",
    [STEP_MOMENTS] = "batch norm: moments",
    [STEP_NORM] = "batch norm, residual, ReLU",
    [STEP_MAX_POOL] = "max-pool",
    [STEP_AVERAGE_POOL] = "average pool",
    [STEP_ADD] = "addition",
    [STEP_LINEAR] = "linear layer",
    [STEP_LOSS] = "loss",
    [STEP_LINEAR_BACKWARD] = "linear layer, backward",
    [STEP_CONV_INPUT] = "convolution, gradient of the input",
    [STEP_CONV_WEIGHTS] = "convolution, gradient of the weights",
    [STEP_NORM_SUMS] = "batch norm, backward: sums",
    [STEP_NORM_BACKWARD] = "batch norm, backward: gradient",
    [STEP_MAX_POOL_BACKWARD] = "max-pool, backward",
    [STEP_AVERAGE_POOL_BACKWARD] = "average pool, backward",
    [STEP_SGD] = "SGD",
    [STEP_SET_PASS] = "settings of the step",
};

const char *const step_kernel_names[STEP_KERNELS] = {
    [STEP_CROP] = "crop",
    [STEP_MOMENTS] = "moments",
    [STEP_NORM] = "norm_forward",
    [STEP_MAX_POOL] = "max_pool_forward",
    [STEP_AVERAGE_POOL] = "average_pool_forward",
    [STEP_ADD] = "add",
    [STEP_LINEAR] = "linear_forward",
    [STEP_LOSS] = "loss",
    [STEP_LINEAR_BACKWARD] = "linear_backward",
    [STEP_NORM_SUMS] = "norm_sums",
    [STEP_NORM_BACKWARD] = "norm_backward",
    [STEP_MAX_POOL_BACKWARD] = "max_pool_backward",
    [STEP_AVERAGE_POOL_BACKWARD] = "average_pool_backward",
    [STEP_SGD] = "sgd",
    [STEP_SET_PASS] = "set_pass",
};

/* ---- a backend for the planner ---- */

static char no_tensor;

static int model_tensor(struct device *device, enum tensor_use use, struct shape shape,
                        struct tensor **tensor, struct error *err)
{
    (void)device, (void)use, (void)shape, (void)err;
    *tensor = (struct tensor *)&no_tensor;
    return 0;
}

static int model_view(struct device *device, struct tensor *plain, size_t first, struct shape shape,
                      struct tensor **tensor, struct error *err)
{
    (void)device, (void)plain, (void)first, (void)shape, (void)err;
    *tensor = (struct tensor *)&no_tensor;
    return 0;
}

/* As in the cuda backend with bf16: in values of float32, multiples of 256 bytes. */
static size_t model_alloc_size(const struct device *device, struct shape s)
{
    enum { VALUE = 2, ALIGNMENT = 256 };
    size_t bytes = s.n * s.c * s.h * s.w * VALUE;
    (void)device;
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * (ALIGNMENT / sizeof(float));
}

static const struct backend model_backend = {
    .name = "model", .tensor = model_tensor, .alloc_size = model_alloc_size, .view = model_view};

static void free_plan(struct net *net)
{
    if (!net)
        return;
    free(net->plan.slots[0].tensors);
    while (net->buffers) {
        struct buffer *b = net->buffers;
        net->buffers = b->next;
        free(b);
    }
    free(net);
}

/* A net with a plan and nothing else. */
static int make_plan(const struct net_spec *spec, struct net **net, struct error *err)
{
    struct net *n = calloc(1, sizeof *n);
    if (!n)
        return error_set(err, ENOMEM, "out of memory");
    n->spec = *spec;
    n->backend = &model_backend;
    n->traits = (struct device_traits){.workers = 1, .worker_images = 1}; /* of the cuda backend */
    program_build(&n->program, spec->model, (size_t)spec->width, (size_t)spec->classes,
                  (size_t)spec->image_size);
    n->values[0] = n->values[n->program.features] = (struct tensor *)&no_tensor;
    n->features_gradient = (struct tensor *)&no_tensor;
    int e = net_make_plan(n, err);
    if (e)
        free_plan(n);
    else
        *net = n;
    return e;
}

/* ---- counting ---- */

struct counter {
    const struct net *net;
    const struct gpu_speed *gpu;
    struct step_work *work;
    double n, value; /* images; bytes of a value of an activation */
};

static void add_work(struct counter *c, enum step_kernel kernel, double read, double written,
                     double flops)
{
    struct kernel_work *k = &c->work->kernels[kernel];
    k->launches++;
    k->read += read;
    k->written += written;
    k->flops += flops;
    if (c->gpu)
        c->work->seconds += fmax((read + written) / (STEP_BANDWIDTH * c->gpu->bandwidth),
                                 flops / (STEP_EFFICIENCY * c->gpu->peak)) +
                            STEP_GAP;
}

/* Bytes of an operand; 0 if the instruction has none. */
static double operand_bytes(const struct counter *c, const struct instruction *in, int which)
{
    const struct slot *s = &c->net->plan.slots[in->slots[which]];
    if (in->slots[which] == 0)
        return 0;
    return c->n * (double)(s->extent.channels * s->extent.height * s->extent.width) * c->value;
}

static double parameter_values(const struct counter *c, int i)
{
    const struct parameter *p = &c->net->program.params[i];
    double count = 1;
    for (size_t d = 0; d < p->dims; d++)
        count *= (double)p->shape[d];
    return count;
}

static void count_conv(struct counter *c, const struct instruction *in)
{
    const struct op *op = &c->net->program.ops[in->op];
    const struct value_shape *out = &c->net->program.values[op->out];
    double weights = parameter_values(c, op->param) * c->value;
    double x = operand_bytes(c, in, IN_X), y = operand_bytes(c, in, Y);
    double dy = operand_bytes(c, in, DY), dx = operand_bytes(c, in, DX);
    double flops = 2 * c->n * parameter_values(c, op->param) * (double)(out->height * out->width);
    if (in->action == DO_CONV) {
        add_work(c, STEP_CONV, x + weights, y, flops);
        return;
    }
    if (dx > 0)
        add_work(c, STEP_CONV_INPUT, dy + weights, dx, flops);
    add_work(c, STEP_CONV_WEIGHTS, x + dy, weights, flops);
}

/* The kernel of an action, and the operands that it reads and writes; 0: none. */
static const struct pass_over_memory {
    enum step_kernel kernel;
    bool reads[OPERANDS], writes[OPERANDS];
} passes[] = {
    [DO_MOMENTS] = {STEP_MOMENTS, {[IN_X] = true}, {0}},
    [DO_NORM] = {STEP_NORM, {[IN_X] = true, [IN_WITH] = true}, {[Y] = true}},
    [DO_ADD] = {STEP_ADD, {[IN_X] = true, [IN_WITH] = true}, {[Y] = true}},
    [DO_NORM_SUMS] = {STEP_NORM_SUMS,
                      {[IN_X] = true, [Y] = true, [DY] = true, [DY2] = true},
                      {[DRESIDUAL] = true}},
    [DO_NORM_BACKWARD] = {STEP_NORM_BACKWARD,
                          {[IN_X] = true, [DY] = true, [DY2] = true, [DX_ADD] = true},
                          {[DX] = true}},
};

/* An odd last row or column isn't read, and has no gradient. */
static void count_max_pool(struct counter *c, const struct instruction *in)
{
    const struct value_shape *x = &c->net->plan.slots[in->slots[IN_X]].extent;
    size_t windows = (x->height / 2) * (x->width / 2);
    double y = c->n * (double)(x->channels * windows) * c->value;
    if (in->action == DO_MAX_POOL)
        add_work(c, STEP_MAX_POOL, 4 * y, y, 0);
    else
        add_work(c, STEP_MAX_POOL_BACKWARD, 5 * y, operand_bytes(c, in, DX), 0);
}

static void count_instruction(struct counter *c, const struct instruction *in)
{
    double features = c->n * (double)c->net->program.values[c->net->program.features].channels *
                      (double)sizeof(float);
    if (in->action == DO_CONV || in->action == DO_CONV_BACKWARD) {
        count_conv(c, in);
    } else if (in->action == DO_AVERAGE_POOL) {
        add_work(c, STEP_AVERAGE_POOL, operand_bytes(c, in, IN_X), features, 0);
    } else if (in->action == DO_AVERAGE_POOL_BACKWARD) {
        add_work(c, STEP_AVERAGE_POOL_BACKWARD, 0, operand_bytes(c, in, DX), 0);
    } else if (in->action == DO_MAX_POOL || in->action == DO_MAX_POOL_BACKWARD) {
        count_max_pool(c, in);
    } else {
        const struct pass_over_memory *p = &passes[in->action];
        double read = 0, written = 0;
        for (int k = 0; k < OPERANDS; k++) {
            read += p->reads[k] ? operand_bytes(c, in, k) : 0;
            written += p->writes[k] ? operand_bytes(c, in, k) : 0;
        }
        add_work(c, p->kernel, read, written, 0);
    }
}

/* The linear layer, the loss and what begins and ends a step. */
static void count_rest(struct counter *c)
{
    const struct program *p = &c->net->program;
    const struct value_shape *image = &p->values[0];
    const double word = sizeof(float), classes = (double)p->values[p->logits].channels;
    double features = c->n * (double)p->values[p->features].channels * word;
    double logits = c->n * classes * word;
    double weights = classes * (double)p->values[p->features].channels * word;
    double read = 0, written = 0, pixels = c->n * (double)(image->height * image->width);
    for (int i = 0; i < p->param_count; i++) {
        bool copied = p->params[i].dims == 4 && c->value < word; /* weights of a convolution */
        if (!p->params[i].trainable)
            continue;
        read += parameter_values(c, i) * (2 * word + (copied ? c->value : word));
        written += parameter_values(c, i) * (2 * word + (copied ? c->value : 0));
    }
    add_work(c, STEP_SET_PASS, 0, 0, 0);
    add_work(c, STEP_CROP, pixels, pixels * c->value, 0);
    add_work(c, STEP_LINEAR, features, logits, 0);
    add_work(c, STEP_LOSS, logits, logits, 0);
    add_work(c, STEP_LINEAR_BACKWARD, features, features + weights, 0);
    add_work(c, STEP_SGD, read, written, 0);
}

int step_model(const struct net_spec *spec, const struct gpu_speed *gpu, struct step_work *work,
               struct error *err)
{
    struct net *net = NULL;
    int e = make_plan(spec, &net, err);
    if (e)
        return e;
    *work = (struct step_work){.memory = net->batches_size * sizeof(float)};
    struct counter c = {.net = net,
                        .gpu = gpu,
                        .work = work,
                        .n = spec->batch,
                        .value = spec->precision == PRECISION_BF16 ? 2 : sizeof(float)};
    for (int i = 0; i < net->plan.instruction_count; i++)
        count_instruction(&c, &net->plan.instructions[i]);
    count_rest(&c);
    free_plan(net);
    return 0;
}

double step_bytes(const struct step_work *work)
{
    double bytes = 0;
    for (int k = 0; k < STEP_KERNELS; k++)
        bytes += work->kernels[k].read + work->kernels[k].written;
    return bytes;
}

size_t step_launches(const struct step_work *work)
{
    size_t launches = 0;
    for (int k = 0; k < STEP_KERNELS; k++)
        launches += work->kernels[k].launches;
    return launches;
}
