/* Runs a net on its backend: the plan of a training step, range by range, and evaluation, where
 * each convolution takes the norm, residual, addition and ReLU that follow it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "kernels/nets/net_run.h"

/* ---- workers ---- */

struct share net_share(const struct net *net, size_t n, int worker)
{
    size_t workers = (size_t)net->workers, each = (n + workers - 1) / workers;
    each += each % 2; /* the weight gradients take images two by two */
    size_t first = each * (size_t)worker < n ? each * (size_t)worker : n;
    return (struct share){first, n - first < each ? n : first + each};
}

/* Has each worker do its share of n images, and returns the failure of the first that fails. */
static int share_out(struct net *net, size_t n,
                     int (*work)(struct net *net, size_t n, int worker, int argument,
                                 struct error *err),
                     int argument, struct error *err)
{
    int failed = 0, first = net->workers;
#pragma omp parallel for schedule(static, 1) num_threads(net->workers)
    for (int w = 0; w < net->workers; w++) {
        struct error own = {0};
        int e = work(net, n, w, argument, &own);
#pragma omp critical(net_failure)
        if (e && w < first) {
            failed = e;
            first = w;
            if (err)
                *err = own;
        }
    }
    return failed;
}

enum pass { EVALUATION, FORWARD, BACKWARD };

/* Every worker gets the convolutions from its own number on, `workers` apart: packing weights is
 * work too. */
static int ready_convs(struct net *net, size_t n, int worker, int pass, struct error *err)
{
    int e = 0;
    for (int i = worker; !e && i < net->program.op_count; i += net->workers) {
        const struct op *op = &net->program.ops[i];
        const struct step *s = &net->steps[i];
        bool folded = pass == EVALUATION && s->fused_norm; /* is ready */
        bool last = pass == BACKWARD && op->in == 0;       /* needs no dx */
        if (op->kind == OP_CONV && !folded && !last)
            e = net->backend->conv_ready(s->conv, worker, n, net->params[op->param].value,
                                         pass == BACKWARD, err);
    }
    return e;
}

/* Frees what is ready of the weights for training or, folded, for evaluation: they aren't needed at
 * the same time. */
static void release(struct net *net, bool training)
{
    for (int i = 0; i < net->program.op_count; i++)
        if (net->steps[i].fused_norm)
            net->backend->conv_release(training ? net->params[net->program.ops[i].param].value
                                                : net->steps[i].weights);
}

/* Makes ready for a pass over ranges of about n images. */
static int ready(struct net *net, size_t n, enum pass pass, struct error *err)
{
    if (pass == FORWARD) {
        release(net, false);
        net->folded = false;
    }
    int e = share_out(net, n, ready_convs, (int)pass, err);
    if (pass == BACKWARD) /* the norms are ready */
        return e;
    for (int i = 0; !e && i < net->program.op_count; i++)
        if (net->program.ops[i].kind == OP_NORM &&
            (pass == FORWARD || !net->steps[i - 1].fused_norm))
            e = net->backend->norm_ready(net->device, &net->steps[i].norm, pass == FORWARD, err);
    return e;
}

/* ---- training ---- */

static struct tensor *operand(const struct net *net, const struct instruction *in, int which,
                              int worker)
{
    return in->slots[which] ? net->plan.slots[in->slots[which]].tensors[worker] : NULL;
}

static int do_conv(struct net *net, const struct instruction *in, struct range range,
                   struct error *err)
{
    const struct op *op = &net->program.ops[in->op];
    const struct net_param_state *p = &net->params[op->param];
    struct tensor *x = operand(net, in, IN_X, range.worker);
    if (in->action == DO_CONV)
        return net->backend->conv_forward(net->steps[in->op].conv, range, x, p[0].value,
                                          op->bias ? p[1].value : NULL,
                                          operand(net, in, Y, range.worker), 0, err);
    return net->backend->conv_backward(net->steps[in->op].conv, range, x, p[0].value,
                                       operand(net, in, DY, range.worker),
                                       operand(net, in, DX, range.worker),
                                       op->bias ? CONV_WEIGHTS | CONV_BIAS : CONV_WEIGHTS, err);
}

static int do_norm(struct net *net, const struct instruction *in, struct range range,
                   struct error *err)
{
    const struct backend *b = net->backend;
    const struct norm *norm = &net->steps[in->op].norm;
    struct tensor *of[OPERANDS];
    for (int k = 0; k < OPERANDS; k++)
        of[k] = operand(net, in, k, range.worker);
    switch (in->action) {
    case DO_MOMENTS:
        return b->norm_moments(net->device, norm, range, of[IN_X], err);
    case DO_NORM:
        return b->norm_forward(net->device, norm, range, of[IN_X], of[IN_WITH], of[Y], true, err);
    case DO_NORM_SUMS:
        return b->norm_sums(net->device, norm, range, of[IN_X], of[Y], of[DY], of[DY2],
                            of[DRESIDUAL], err);
    default:
        return b->norm_backward(net->device, norm, range, of[IN_X], of[DY], of[DY2],
                                net->program.ops[in->op].with >= 0, of[DX_ADD], of[DX], err);
    }
}

static int do_one(struct net *net, const struct instruction *in, struct range range,
                  struct error *err)
{
    const struct backend *b = net->backend;
    struct tensor *x = operand(net, in, IN_X, range.worker);
    struct tensor *y = operand(net, in, Y, range.worker);
    struct tensor *dy = operand(net, in, DY, range.worker);
    struct tensor *dx = operand(net, in, DX, range.worker);
    switch (in->action) {
    case DO_CONV:
    case DO_CONV_BACKWARD:
        return do_conv(net, in, range, err);
    case DO_ADD:
        return b->add(net->device, range, x, operand(net, in, IN_WITH, range.worker), y, err);
    case DO_MAX_POOL:
        return b->pool_forward(net->device, POOL_MAX, range, x, y, err);
    case DO_AVERAGE_POOL:
        return b->pool_forward(net->device, POOL_AVERAGE, range, x, y, err);
    case DO_MAX_POOL_BACKWARD:
        return b->pool_backward(net->device, POOL_MAX, range, x, dy, dx, err);
    case DO_AVERAGE_POOL_BACKWARD:
        return b->pool_backward(net->device, POOL_AVERAGE, range, x, dy, dx, err);
    default:
        return do_norm(net, in, range, err);
    }
}

/* A worker's part of a segment. */
static int do_ranges(struct net *net, size_t n, int worker, int segment, struct error *err)
{
    const struct segment *s = &net->plan.segments[segment];
    struct share share = net_share(net, n, worker);
    int e = 0;
    for (size_t image = share.first; !e && image < share.end; image += s->range) {
        size_t left = share.end - image;
        struct range range = {image, left < s->range ? left : s->range, n, worker};
        for (int i = s->first; !e && i < s->end; i++)
            e = do_one(net, &net->plan.instructions[i], range, err);
    }
    return e;
}

/* What is left to do when all workers have done their ranges. */
static int end_one(struct net *net, const struct instruction *in, size_t n, struct error *err)
{
    const struct backend *b = net->backend;
    const struct norm *norm = in->op >= 0 ? &net->steps[in->op].norm : NULL;
    struct tensor *x = operand(net, in, IN_X, 0);
    if (in->action == DO_MOMENTS)
        return b->norm_moments_end(net->device, norm, n, x, err);
    if (in->action == DO_NORM_SUMS)
        return b->norm_sums_end(net->device, norm, n, x, err);
    if (in->action != DO_CONV_BACKWARD)
        return 0;
    const struct op *op = &net->program.ops[in->op];
    const struct net_param_state *p = &net->params[op->param];
    return b->conv_backward_end(net->steps[in->op].conv, p[0].gradient,
                                op->bias ? p[1].gradient : NULL, err);
}

static int do_segments(struct net *net, size_t n, int first, int end, struct error *err)
{
    int e = 0;
    for (int k = first; !e && k < end; k++) {
        const struct segment *s = &net->plan.segments[k];
        e = share_out(net, n, do_ranges, k, err);
        for (int i = s->first; !e && i < s->end; i++)
            e = end_one(net, &net->plan.instructions[i], n, err);
    }
    return e;
}

/* Counts a training pass in each norm's num_batches_tracked. */
static int count_batch(struct net *net, struct error *err)
{
    int e = 0;
    for (int i = 0; !e && i < net->program.param_count; i++) {
        float count;
        if (net->params[i].public.dims != 0)
            continue;
        e = net_get(net, (size_t)i, &count, err);
        count += 1;
        if (!e)
            e = net_set(net, (size_t)i, &count, err);
    }
    return e;
}

static int check_batch(const struct net *net, size_t n, struct error *err)
{
    if (n < 1 || n > (size_t)net->spec.batch)
        return error_set(err, EINVAL, "a batch of %zu images: the net takes 1 to %d", n,
                         net->spec.batch);
    return 0;
}

static int gradients(struct net *net, const float *images, const uint8_t *labels, size_t n,
                     double label_smoothing, double *loss, size_t *correct, struct error *err)
{
    int e = check_batch(net, n, err);
    if (e)
        return e;
    if (!net->spec.training)
        return error_set(err, EINVAL, "the net isn't for training");
    for (size_t i = 0; i < n; i++)
        if (labels[i] >= net->spec.classes)
            return error_set(err, EINVAL, "label %d of image %zu: the net has %d classes",
                             labels[i], i, net->spec.classes);
    e = net->backend->write(net->device, net->values[0], images, n, err);
    const struct program *p = &net->program;
    const struct net_param_state *linear = &net->params[p->ops[p->op_count - 1].param];
    struct tensor *x = net->values[p->features], *y = net->values[p->logits];
    if (!e)
        e = ready(net, net_share(net, n, 0).end, FORWARD, err);
    if (!e)
        e = do_segments(net, n, 0, net->plan.forward, err);
    if (!e)
        e = count_batch(net, err);
    if (!e)
        e = net->backend->linear_forward(net->device, n, x, linear[0].value, linear[1].value, y,
                                         err);
    if (!e)
        e = net->backend->loss(net->device, n, y, labels, label_smoothing, net->logits_gradient,
                               loss, correct, err);
    if (!e)
        e = net->backend->linear_backward(net->device, n, x, linear[0].value, net->logits_gradient,
                                          net->features_gradient, linear[0].gradient,
                                          linear[1].gradient, err);
    if (!e)
        e = ready(net, net_share(net, n, 0).end, BACKWARD, err);
    if (!e)
        e = do_segments(net, n, net->plan.forward, net->plan.segment_count, err);
    return e;
}

int net_gradients(struct net *net, const float *images, const uint8_t *labels, size_t n,
                  double label_smoothing, double *loss, struct error *err)
{
    size_t correct;
    return gradients(net, images, labels, n, label_smoothing, loss, &correct, err);
}

int net_train_step(struct net *net, const float *images, const uint8_t *labels, size_t n,
                   const struct net_step *step, double *loss, size_t *correct, struct error *err)
{
    int e = gradients(net, images, labels, n, step->label_smoothing, loss, correct, err);
    for (int i = 0; !e && i < net->program.param_count; i++) {
        const struct net_param_state *p = &net->params[i];
        if (p->public.trainable)
            e = net->backend->sgd(net->device, p->value, p->gradient, p->momentum, &step->sgd, err);
    }
    return e;
}

/* ---- evaluation ---- */

/* Images that are evaluated at a time: activations stay in cache, weights are used often enough. */
enum { EVALUATED = 16 };

static size_t evaluated(const struct net *net)
{
    return net->spec.batch < EVALUATED ? (size_t)net->spec.batch : EVALUATED;
}

/* weights * gamma / sqrt(var + epsilon), (bias - mean) * the same + beta, in double. */
static int fold_one(struct net *net, int i, struct error *err)
{
    const struct op *op = &net->program.ops[i], *next = &net->program.ops[i + 1];
    const struct net_param_state *p = &net->params[op->param];
    size_t count = p->public.count, out = p->public.shape[0], each = count / out;
    double epsilon = net->steps[i + 1].norm.epsilon;
    float *w = calloc(count + 5 * out, sizeof *w);
    if (!w)
        return error_set(err, ENOMEM, "out of memory");
    float *norm = w + count, *bias = norm + 4 * out;
    int e = net_get(net, (size_t)op->param, w, err);
    if (!e && op->bias)
        e = net_get(net, (size_t)op->param + 1, bias, err);
    for (size_t k = 0; !e && k < 4; k++)
        e = net_get(net, (size_t)next->param + k, norm + k * out, err);
    for (size_t o = 0; !e && o < out; o++) {
        double scale = (double)norm[o] / sqrt((double)norm[3 * out + o] + epsilon);
        for (size_t k = o * each; k < (o + 1) * each; k++)
            w[k] = (float)((double)w[k] * scale);
        bias[o] =
            (float)(((double)bias[o] - (double)norm[2 * out + o]) * scale + (double)norm[out + o]);
    }
    if (!e)
        e = net->backend->write(net->device, net->steps[i].weights, w, out, err);
    if (!e)
        e = net->backend->conv_ready(net->steps[i].conv, 0, evaluated(net), net->steps[i].weights,
                                     false, err);
    if (!e)
        e = net->backend->write(net->device, net->steps[i].bias, bias, 1, err);
    free(w);
    return e;
}

static int fold(struct net *net, struct error *err)
{
    int e = 0;
    if (!net->folded)
        release(net, true);
    for (int i = 0; !e && !net->folded && i < net->program.op_count; i++)
        if (net->steps[i].fused_norm)
            e = fold_one(net, i, err);
    if (!e)
        net->folded = true;
    return e;
}

/* One worker's evaluation of some images: where the values are, and how many readers each still
 * has. */
struct evaluation {
    struct range range;
    struct buffer *where[NETS_MAX_OPS + 1];
    int left[NETS_MAX_OPS + 1];
};

static int take(struct net *net, struct evaluation *v, int value, struct error *err)
{
    int e;
#pragma omp critical(net_buffers)
    e = net_take(net, v->range.worker, &net->program.values[value], evaluated(net),
                 &v->where[value], err);
    return e;
}

static void give(struct evaluation *v, int value)
{
#pragma omp critical(net_buffers)
    if (v->where[value])
        v->where[value]->taken = false;
    v->where[value] = NULL;
}

static void used(struct evaluation *v, int value)
{
    if (value > 0 && --v->left[value] == 0)
        give(v, value);
}

/* Gives value `out` a buffer: that of `with`, unless that is -1; it has no other reader left. */
static int place(struct net *net, struct evaluation *v, int out, int with, struct error *err)
{
    if (with >= 0) {
        v->where[out] = v->where[with];
        v->where[with] = NULL;
        v->left[with] = 0;
        return 0;
    }
    return take(net, v, out, err);
}

static struct tensor *value_of(const struct net *net, const struct evaluation *v, int value)
{
    return v->where[value] ? v->where[value]->tensor : net->values[value];
}

/* A convolution and what it does of the next operation. */
static int evaluate_conv(struct net *net, int i, struct evaluation *v, struct error *err)
{
    const struct op *op = &net->program.ops[i], *next = op + 1;
    const struct step *s = &net->steps[i];
    const struct net_param_state *p = &net->params[op->param];
    bool two = s->fused_norm || s->fused_add;
    int out = two ? next->out : op->out;
    int e = place(net, v, out, two ? next->with : -1, err);
    if (e)
        return e;
    unsigned flags =
        (two && next->with >= 0 ? CONV_ADD : 0U) | (s->fused_norm && next->relu ? CONV_RELU : 0U);
    e = net->backend->conv_forward(s->conv, v->range, value_of(net, v, op->in),
                                   s->fused_norm ? s->weights : p[0].value,
                                   s->fused_norm ? s->bias
                                   : op->bias    ? p[1].value
                                                 : NULL,
                                   v->where[out]->tensor, flags, err);
    used(v, op->in);
    return e;
}

static int evaluate_op(struct net *net, int i, struct evaluation *v, struct error *err)
{
    const struct backend *b = net->backend;
    const struct op *op = &net->program.ops[i];
    struct tensor *x = value_of(net, v, op->in);
    struct tensor *with = op->with >= 0 ? value_of(net, v, op->with) : NULL;
    int e = 0;
    if (op->kind != OP_AVERAGE_POOL)
        e = take(net, v, op->out, err);
    if (e)
        return e;
    struct tensor *y = value_of(net, v, op->out);
    if (op->kind == OP_NORM)
        e = b->norm_forward(net->device, &net->steps[i].norm, v->range, x, with, y, false, err);
    else if (op->kind == OP_ADD)
        e = b->add(net->device, v->range, x, with, y, err);
    else if (op->kind == OP_MAX_POOL)
        e = b->pool_forward(net->device, POOL_MAX, v->range, x, y, err);
    else
        e = b->pool_forward(net->device, POOL_AVERAGE, v->range, x, y, err);
    used(v, op->in);
    used(v, op->with);
    return e;
}

/* From the images to the features, all operations but the linear layer. */
static int evaluate(struct net *net, struct range range, struct error *err)
{
    struct evaluation v = {.range = range};
    int e = 0;
    for (int k = 0; k < net->program.value_count; k++)
        v.left[k] = net->uses[k];
    for (int i = 0; !e && i + 1 < net->program.op_count; i++) {
        if (net->program.ops[i].kind == OP_CONV)
            e = evaluate_conv(net, i, &v, err);
        else
            e = evaluate_op(net, i, &v, err);
        i += net->steps[i].fused_norm || net->steps[i].fused_add;
    }
    for (int k = 0; k < net->program.value_count; k++)
        give(&v, k);
    return e;
}

static int evaluate_share(struct net *net, size_t n, int worker, int unused, struct error *err)
{
    struct share share = net_share(net, n, worker);
    size_t each = evaluated(net);
    int e = 0;
    (void)unused;
    for (size_t image = share.first; !e && image < share.end; image += each) {
        size_t left = share.end - image;
        e = evaluate(net, (struct range){image, left < each ? left : each, n, worker}, err);
    }
    return e;
}

int net_predict(struct net *net, const float *images, size_t n, float *logits, float *features,
                struct error *err)
{
    const struct backend *b = net->backend;
    const struct program *p = &net->program;
    const struct net_param_state *linear = &net->params[p->ops[p->op_count - 1].param];
    struct tensor *x = net->values[p->features], *y = net->values[p->logits];
    int e = check_batch(net, n, err);
    if (!e)
        e = fold(net, err);
    if (!e)
        e = b->write(net->device, net->values[0], images, n, err);
    if (!e)
        e = ready(net, evaluated(net), EVALUATION, err);
    if (!e)
        e = share_out(net, n, evaluate_share, 0, err);
    if (!e && logits)
        e = b->linear_forward(net->device, n, x, linear[0].value, linear[1].value, y, err);
    if (!e && logits)
        e = b->read(net->device, y, logits, n, err);
    if (!e && features)
        e = b->read(net->device, x, features, n, err);
    return e;
}
