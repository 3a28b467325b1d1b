/* Runs a net's program on its backend: forward and backward for training, and evaluation, where
 * each convolution takes the norm, residual, addition and ReLU that follow it. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "kernels/net_run.h"

/* The gradients of a value that its readers have delivered so far. */
struct pending {
    struct buffer *gradients[2];
    int count;
};

/* ---- scratch activations ---- */

static int take(struct net *net, int value, struct buffer **buffer, struct error *err)
{
    const struct extent *want = &net->program.values[value];
    for (struct buffer *b = net->buffers; b; b = b->next)
        if (b->holders == 0 && b->extent.channels == want->channels &&
            b->extent.height == want->height && b->extent.width == want->width) {
            b->holders = 1;
            *buffer = b;
            return 0;
        }
    struct buffer *b = calloc(1, sizeof *b);
    if (!b)
        return error_set(err, ENOMEM, "out of memory");
    b->extent = *want;
    struct shape shape = {(size_t)net->spec.batch, want->channels, want->height, want->width};
    int e = net->backend->tensor(net->device, TENSOR_ACTIVATION, shape, &b->tensor, err);
    if (e) {
        free(b);
        return e;
    }
    b->holders = 1;
    b->next = net->buffers;
    net->buffers = b;
    *buffer = b;
    return 0;
}

static void release(struct buffer *buffer)
{
    if (buffer)
        buffer->holders--;
}

static void release_all(struct net *net)
{
    for (struct buffer *b = net->buffers; b; b = b->next)
        b->holders = 0;
}

/* Weights and bias of an op, one after the other; of an op that has none, nobody looks at them. */
static const struct net_param_state *params_of(const struct net *net, const struct op *op)
{
    return &net->params[op->param > 0 ? op->param : 0];
}

/* ---- training, forward ---- */

static int forward(struct net *net, size_t n, struct error *err)
{
    const struct backend *b = net->backend;
    int e = 0;
    for (int i = 0; !e && i < net->program.op_count; i++) {
        const struct op *op = &net->program.ops[i];
        const struct net_param_state *p = params_of(net, op);
        struct tensor *x = net->values[op->in], *y = net->values[op->out];
        struct tensor *with = op->with >= 0 ? net->values[op->with] : NULL;
        switch (op->kind) {
        case OP_CONV:
            e = b->conv_forward(net->steps[i].conv, n, x, p[0].value, op->bias ? p[1].value : NULL,
                                y, 0, err);
            break;
        case OP_NORM:
            e = b->norm_forward(net->device, &net->steps[i].norm, n, x, with, y, true, err);
            break;
        case OP_ADD:
            e = b->add(net->device, n, x, with, y, err);
            break;
        case OP_MAX_POOL:
        case OP_AVERAGE_POOL:
            e = b->pool_forward(net->device, op->kind == OP_MAX_POOL ? POOL_MAX : POOL_AVERAGE, n,
                                x, y, err);
            break;
        case OP_LINEAR:
            e = b->linear_forward(net->device, n, x, p[0].value, p[1].value, y, err);
            break;
        }
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
    net->folded = false;
    return e;
}

/* ---- training, backward ---- */

/* Makes the two gradients of a value one. */
static int merge(struct net *net, size_t n, int value, struct pending *p, struct error *err)
{
    if (p->count < 2)
        return 0;
    struct buffer *sum = p->gradients[0], *other = p->gradients[1];
    if (sum->holders > 1) {
        int e = take(net, value, &sum, err);
        if (e)
            return e;
    }
    int e =
        net->backend->add(net->device, n, p->gradients[0]->tensor, other->tensor, sum->tensor, err);
    if (sum != p->gradients[0])
        release(p->gradients[0]);
    release(other);
    *p = (struct pending){{sum, NULL}, 1};
    return e;
}

static int deliver(struct net *net, size_t n, int value, struct pending *p, struct buffer *gradient,
                   struct error *err)
{
    int e = merge(net, n, value, p, err);
    if (!e)
        p->gradients[p->count++] = gradient;
    return e;
}

/* Takes a value's gradient out of its pending ones, merged. */
static int collect(struct net *net, size_t n, int value, struct pending *p,
                   struct buffer **gradient, struct error *err)
{
    assert(p->count > 0 && p->gradients[0]);
    int e = merge(net, n, value, p, err);
    *gradient = p->gradients[0];
    *p = (struct pending){0};
    return e;
}

static int conv_backward(struct net *net, size_t n, int i, struct pending *pending,
                         struct error *err)
{
    const struct op *op = &net->program.ops[i];
    const struct net_param_state *p = &net->params[op->param];
    struct buffer *dy, *dx = NULL;
    int e = collect(net, n, op->out, &pending[op->out], &dy, err);
    if (!e && op->in > 0)
        e = take(net, op->in, &dx, err);
    if (!e)
        e = net->backend->conv_backward(net->steps[i].conv, n, net->values[op->in], p[0].value,
                                        dy->tensor, dx ? dx->tensor : NULL, p[0].gradient,
                                        op->bias ? p[1].gradient : NULL, err);
    if (e)
        return e;
    release(dy);
    return dx ? deliver(net, n, op->in, &pending[op->in], dx, err) : 0;
}

/* Both gradients of y go in unmerged, and a gradient that x already has is added on the way, so
 * that no pass over memory is spent on sums. */
static int norm_backward(struct net *net, size_t n, int i, struct pending *pending,
                         struct error *err)
{
    const struct op *op = &net->program.ops[i];
    struct pending *out = &pending[op->out], *in = &pending[op->in];
    struct buffer *dy = out->gradients[0], *dy2 = out->gradients[1], *dx = NULL, *residual = NULL;
    assert(dy);
    int e = merge(net, n, op->in, in, err);
    struct buffer *add = in->count ? in->gradients[0] : NULL;
    *out = *in = (struct pending){0};
    if (!e && op->with >= 0) {
        residual = dy;
        if (dy->holders > 1)
            e = take(net, op->out, &residual, err);
    }
    if (!e && (op->with >= 0 || dy->holders > 1))
        e = take(net, op->in, &dx, err);
    else
        dx = dy;
    if (!e)
        e = net->backend->norm_backward(net->device, &net->steps[i].norm, n, net->values[op->in],
                                        net->values[op->out], dy->tensor, dy2 ? dy2->tensor : NULL,
                                        residual ? residual->tensor : NULL,
                                        add ? add->tensor : NULL, dx->tensor, err);
    if (e)
        return e;
    release(dy2);
    release(add);
    if (dy != dx && dy != residual)
        release(dy);
    e = deliver(net, n, op->in, in, dx, err);
    return e || !residual ? e : deliver(net, n, op->with, &pending[op->with], residual, err);
}

static int add_backward(struct net *net, size_t n, int i, struct pending *pending,
                        struct error *err)
{
    const struct op *op = &net->program.ops[i];
    struct buffer *dy;
    int e = collect(net, n, op->out, &pending[op->out], &dy, err);
    if (e)
        return e;
    dy->holders++;
    e = deliver(net, n, op->in, &pending[op->in], dy, err);
    return e ? e : deliver(net, n, op->with, &pending[op->with], dy, err);
}

static int max_pool_backward(struct net *net, size_t n, int i, struct pending *pending,
                             struct error *err)
{
    const struct op *op = &net->program.ops[i];
    struct buffer *dy, *dx;
    int e = collect(net, n, op->out, &pending[op->out], &dy, err);
    if (!e)
        e = take(net, op->in, &dx, err);
    if (!e)
        e = net->backend->pool_backward(net->device, POOL_MAX, n, net->values[op->in], dy->tensor,
                                        dx->tensor, err);
    if (e)
        return e;
    release(dy);
    return deliver(net, n, op->in, &pending[op->in], dx, err);
}

static int average_pool_backward(struct net *net, size_t n, int i, struct pending *pending,
                                 struct error *err)
{
    const struct op *op = &net->program.ops[i];
    struct buffer *dx;
    int e = take(net, op->in, &dx, err);
    if (!e)
        e = net->backend->pool_backward(net->device, POOL_AVERAGE, n, net->values[op->in],
                                        net->features_gradient, dx->tensor, err);
    return e ? e : deliver(net, n, op->in, &pending[op->in], dx, err);
}

static int backward(struct net *net, size_t n, struct error *err)
{
    struct pending pending[NETS_MAX_OPS + 1] = {0};
    int e = 0;
    for (int i = net->program.op_count - 1; !e && i >= 0; i--) {
        const struct op *op = &net->program.ops[i];
        const struct net_param_state *p = params_of(net, op);
        switch (op->kind) {
        case OP_CONV:
            e = conv_backward(net, n, i, pending, err);
            break;
        case OP_NORM:
            e = norm_backward(net, n, i, pending, err);
            break;
        case OP_ADD:
            e = add_backward(net, n, i, pending, err);
            break;
        case OP_MAX_POOL:
            e = max_pool_backward(net, n, i, pending, err);
            break;
        case OP_AVERAGE_POOL:
            e = average_pool_backward(net, n, i, pending, err);
            break;
        case OP_LINEAR:
            e = net->backend->linear_backward(net->device, n, net->values[op->in], p[0].value,
                                              net->logits_gradient, net->features_gradient,
                                              p[0].gradient, p[1].gradient, err);
            break;
        }
    }
    release_all(net);
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
    if (!e)
        e = forward(net, n, err);
    if (!e)
        e = count_batch(net, err);
    if (!e)
        e = net->backend->loss(net->device, n, net->values[net->program.logits], labels,
                               label_smoothing, net->logits_gradient, loss, correct, err);
    if (!e)
        e = backward(net, n, err);
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
            e = net->backend->sgd(net->device, p->value, p->gradient, p->momentum, step, err);
    }
    return e;
}

/* ---- evaluation ---- */

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
        e = net->backend->write(net->device, net->steps[i].bias, bias, 1, err);
    free(w);
    return e;
}

static int fold(struct net *net, struct error *err)
{
    int e = 0;
    for (int i = 0; !e && !net->folded && i < net->program.op_count; i++)
        if (net->steps[i].fused_norm)
            e = fold_one(net, i, err);
    if (!e)
        net->folded = true;
    return e;
}

/* Where the values of an evaluation are, and how many readers each still has. */
struct evaluation {
    struct buffer *where[NETS_MAX_OPS + 1];
    int left[NETS_MAX_OPS + 1];
};

static void used(struct evaluation *v, int value)
{
    if (value > 0 && --v->left[value] == 0) {
        release(v->where[value]);
        v->where[value] = NULL;
    }
}

/* Gives value `out` a buffer: that of `with` if this was its last reader, which then is gone. */
static int place(struct net *net, struct evaluation *v, int out, int with, struct error *err)
{
    if (with > 0 && v->left[with] == 1) {
        v->where[out] = v->where[with];
        v->where[with] = NULL;
        v->left[with] = 0;
        return 0;
    }
    return take(net, out, &v->where[out], err);
}

static struct tensor *value_of(const struct net *net, const struct evaluation *v, int value)
{
    return v->where[value] ? v->where[value]->tensor : net->values[value];
}

/* A convolution and what it can do of the next operation; *taken says whether it did. */
static int evaluate_conv(struct net *net, size_t n, int i, struct evaluation *v, bool *taken,
                         struct error *err)
{
    const struct op *op = &net->program.ops[i], *next = op + 1;
    const struct step *s = &net->steps[i];
    const struct net_param_state *p = &net->params[op->param];
    bool norm = s->fused_norm, add = s->fused_add;
    bool in_place = (norm || add) && next->with > 0 && v->left[next->with] == 1;
    if ((norm || add) && next->with >= 0 && !in_place)
        norm = add = false;
    *taken = norm || add;
    int out = *taken ? next->out : op->out;
    int e = place(net, v, out, *taken ? next->with : -1, err);
    if (e)
        return e;
    unsigned flags =
        (*taken && next->with >= 0 ? CONV_ADD : 0U) | (norm && next->relu ? CONV_RELU : 0U);
    e = net->backend->conv_forward(s->conv, n, value_of(net, v, op->in),
                                   norm ? s->weights : p[0].value,
                                   norm       ? s->bias
                                   : op->bias ? p[1].value
                                              : NULL,
                                   v->where[out]->tensor, flags, err);
    used(v, op->in);
    return e;
}

static int evaluate_op(struct net *net, size_t n, int i, struct evaluation *v, struct error *err)
{
    const struct backend *b = net->backend;
    const struct op *op = &net->program.ops[i];
    const struct net_param_state *p = params_of(net, op);
    struct tensor *x = value_of(net, v, op->in);
    struct tensor *with = op->with >= 0 ? value_of(net, v, op->with) : NULL;
    int e = 0;
    if (op->kind == OP_NORM || op->kind == OP_ADD || op->kind == OP_MAX_POOL)
        e = take(net, op->out, &v->where[op->out], err);
    if (e)
        return e;
    struct tensor *y = value_of(net, v, op->out);
    if (op->kind == OP_NORM)
        e = b->norm_forward(net->device, &net->steps[i].norm, n, x, with, y, false, err);
    else if (op->kind == OP_ADD)
        e = b->add(net->device, n, x, with, y, err);
    else if (op->kind == OP_MAX_POOL)
        e = b->pool_forward(net->device, POOL_MAX, n, x, y, err);
    else if (op->kind == OP_AVERAGE_POOL)
        e = b->pool_forward(net->device, POOL_AVERAGE, n, x, y, err);
    else
        e = b->linear_forward(net->device, n, x, p[0].value, p[1].value, y, err);
    used(v, op->in);
    used(v, op->with);
    return e;
}

int net_predict(struct net *net, const float *images, size_t n, float *logits, float *features,
                struct error *err)
{
    struct evaluation v = {0};
    int e = check_batch(net, n, err);
    if (!e)
        e = fold(net, err);
    if (!e)
        e = net->backend->write(net->device, net->values[0], images, n, err);
    for (int k = 0; k < net->program.value_count; k++)
        v.left[k] = net->uses[k];
    for (int i = 0; !e && i < net->program.op_count; i++) {
        bool taken = false;
        if (net->program.ops[i].kind == OP_CONV)
            e = evaluate_conv(net, n, i, &v, &taken, err);
        else
            e = evaluate_op(net, n, i, &v, err);
        i += taken;
    }
    release_all(net);
    if (!e && logits)
        e = net->backend->read(net->device, net->values[net->program.logits], logits, n, err);
    if (!e && features)
        e = net->backend->read(net->device, net->values[net->program.features], features, n, err);
    return e;
}
