/* Runs a net on its backend: the plan of a training step, range by range, and evaluation, where
 * each convolution takes the norm, residual, addition and ReLU that follow it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "kernels/net_run.h"

/* ---- training ---- */

static struct tensor *operand(const struct net *net, const struct instruction *in, int which)
{
    return net->plan.slots[in->slots[which]].tensor; /* slot 0 has none */
}

static int do_conv(struct net *net, const struct instruction *in, struct range range,
                   struct error *err)
{
    const struct op *op = &net->program.ops[in->op];
    const struct net_param_state *p = &net->params[op->param];
    struct tensor *x = operand(net, in, IN_X);
    if (in->action == DO_CONV)
        return net->backend->conv_forward(net->steps[in->op].conv, range, x, p[0].value,
                                          op->bias ? p[1].value : NULL, operand(net, in, Y), 0,
                                          err);
    return net->backend->conv_backward(net->steps[in->op].conv, range, x, p[0].value,
                                       operand(net, in, DY), operand(net, in, DX), p[0].gradient,
                                       op->bias ? p[1].gradient : NULL, err);
}

static int do_norm(struct net *net, const struct instruction *in, struct range range,
                   struct error *err)
{
    const struct backend *b = net->backend;
    const struct norm *norm = &net->steps[in->op].norm;
    struct tensor *x = operand(net, in, IN_X), *y = operand(net, in, Y);
    struct tensor *dy = operand(net, in, DY), *dy2 = operand(net, in, DY2);
    switch (in->action) {
    case DO_MOMENTS:
        return b->norm_moments(net->device, norm, range, x, err);
    case DO_NORM:
        return b->norm_forward(net->device, norm, range, x, operand(net, in, IN_WITH), y, true,
                               err);
    case DO_NORM_SUMS:
        return b->norm_sums(net->device, norm, range, x, y, dy, dy2, operand(net, in, DRESIDUAL),
                            err);
    default:
        return b->norm_backward(net->device, norm, range, x, dy, dy2,
                                net->program.ops[in->op].with >= 0, operand(net, in, DX_ADD),
                                operand(net, in, DX), err);
    }
}

static int do_one(struct net *net, const struct instruction *in, struct range range,
                  struct error *err)
{
    const struct backend *b = net->backend;
    struct tensor *x = operand(net, in, IN_X), *y = operand(net, in, Y);
    struct tensor *dy = operand(net, in, DY), *dx = operand(net, in, DX);
    switch (in->action) {
    case DO_CONV:
    case DO_CONV_BACKWARD:
        return do_conv(net, in, range, err);
    case DO_ADD:
        return b->add(net->device, range, x, operand(net, in, IN_WITH), y, err);
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

static int do_segments(struct net *net, size_t n, int first, int end, struct error *err)
{
    int e = 0;
    for (int k = first; !e && k < end; k++) {
        const struct segment *s = &net->plan.segments[k];
        for (size_t image = 0; !e && image < n; image += s->range) {
            struct range range = {image, n - image < s->range ? n - image : s->range, n};
            for (int i = s->first; !e && i < s->end; i++)
                e = do_one(net, &net->plan.instructions[i], range, err);
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

/* Images that are evaluated at a time: activations stay in cache, weights are used often enough. */
enum { EVALUATED = 32 };

static size_t evaluated(const struct net *net)
{
    return net->spec.batch < EVALUATED ? (size_t)net->spec.batch : EVALUATED;
}

static int take(struct net *net, struct evaluation *v, int value, struct error *err)
{
    return net_take(net, &net->program.values[value], evaluated(net), &v->where[value], err);
}

static void used(struct evaluation *v, int value)
{
    if (value > 0 && --v->left[value] == 0 && v->where[value]) {
        v->where[value]->taken = false;
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
    return take(net, v, out, err);
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
    e = net->backend->conv_forward(s->conv, (struct range){0, n, n}, value_of(net, v, op->in),
                                   norm ? s->weights : p[0].value,
                                   norm       ? s->bias
                                   : op->bias ? p[1].value
                                              : NULL,
                                   v->where[out]->tensor, flags, err);
    used(v, op->in);
    return e;
}

/* Weights and bias of an op, one after the other; of an op that has none, nobody looks at them. */
static const struct net_param_state *params_of(const struct net *net, const struct op *op)
{
    return &net->params[op->param > 0 ? op->param : 0];
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
        e = take(net, v, op->out, err);
    if (e)
        return e;
    struct tensor *y = value_of(net, v, op->out);
    struct range all = {0, n, n};
    if (op->kind == OP_NORM)
        e = b->norm_forward(net->device, &net->steps[i].norm, all, x, with, y, false, err);
    else if (op->kind == OP_ADD)
        e = b->add(net->device, all, x, with, y, err);
    else if (op->kind == OP_MAX_POOL)
        e = b->pool_forward(net->device, POOL_MAX, all, x, y, err);
    else if (op->kind == OP_AVERAGE_POOL)
        e = b->pool_forward(net->device, POOL_AVERAGE, all, x, y, err);
    else
        e = b->linear_forward(net->device, n, x, p[0].value, p[1].value, y, err);
    used(v, op->in);
    used(v, op->with);
    return e;
}

static int evaluate(struct net *net, const float *images, size_t n, struct error *err)
{
    struct evaluation v = {0};
    int e = net->backend->write(net->device, net->values[0], images, n, err);
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
    for (struct buffer *b = net->buffers; b; b = b->next)
        b->taken = false;
    return e;
}

int net_predict(struct net *net, const float *images, size_t n, float *logits, float *features,
                struct error *err)
{
    const struct backend *b = net->backend;
    const struct program *p = &net->program;
    size_t image = p->values[0].height * p->values[0].width,
           classes = p->values[p->logits].channels;
    int e = check_batch(net, n, err);
    if (!e)
        e = fold(net, err);
    for (size_t first = 0; !e && first < n; first += evaluated(net)) {
        size_t left = n - first, count = left < evaluated(net) ? left : evaluated(net);
        e = evaluate(net, images + first * image, count, err);
        if (!e && logits)
            e = b->read(net->device, net->values[p->logits], logits + first * classes, count, err);
        if (!e && features)
            e = b->read(net->device, net->values[p->features], features + first * net_features(net),
                        count, err);
    }
    return e;
}
