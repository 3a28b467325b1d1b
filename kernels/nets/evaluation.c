/* Evaluation of a net, in ranges of a few images. Where the device folds norms, a convolution also
 * does the norm, residual, addition and ReLU that follow it. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "kernels/nets/net_internal.h"

/* Number of images in a range of the evaluation. */
static size_t evaluated(const struct net *net)
{
    size_t batch = (size_t)net->spec.batch, most = net->traits.evaluated_images;
    return most == 0 || most > batch ? batch : most;
}

static int read_param(struct net *net, int i, float *values, struct error *err)
{
    const struct net_param_state *p = &net->params[i];
    return net->backend->read(net->device, p->value, values, p->slices, err);
}

/* Folds norm i + 1 into convolution i, computed in double: with scale = gamma / sqrt(running_var +
 * epsilon), weights * scale and (bias - running_mean) * scale + beta. */
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
    int e = read_param(net, op->param, w, err);
    if (!e && op->bias)
        e = read_param(net, op->param + 1, bias, err);
    for (int k = 0; !e && k < 4; k++)
        e = read_param(net, next->param + k, norm + (size_t)k * out, err);
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
        net_release(net, true);
    for (int i = 0; !e && !net->folded && i < net->program.op_count; i++)
        if (net->steps[i].fused_norm)
            e = fold_one(net, i, err);
    if (!e)
        net->folded = true;
    return e;
}

/* Evaluation of one range: the buffer of each value (NULL: none), and how many operations have yet
 * to read it. */
struct evaluation {
    struct range range;
    struct buffer *where[NETS_MAX_OPS + 1];
    int left[NETS_MAX_OPS + 1];
};

static int take_buffer(struct net *net, struct evaluation *v, int value, struct error *err)
{
    int e;
#pragma omp critical(net_buffers)
    e = net_take_buffer(net, v->range.worker, &net->program.values[value], evaluated(net),
                        &v->where[value], err);
    return e;
}

static void release_buffer(struct evaluation *v, int value)
{
#pragma omp critical(net_buffers)
    if (v->where[value])
        v->where[value]->taken = false;
    v->where[value] = NULL;
}

static void count_read(struct evaluation *v, int value)
{
    if (value > 0 && --v->left[value] == 0)
        release_buffer(v, value);
}

/* Sets the buffer of value `out`: the buffer of `with`, which no other operation will read, or a
 * new one if `with` is -1. */
static int output_buffer(struct net *net, struct evaluation *v, int out, int with,
                         struct error *err)
{
    if (with >= 0) {
        v->where[out] = v->where[with];
        v->where[with] = NULL;
        v->left[with] = 0;
        return 0;
    }
    return take_buffer(net, v, out, err);
}

static struct tensor *value_of(const struct net *net, const struct evaluation *v, int value)
{
    return v->where[value] ? v->where[value]->tensor : net->values[value];
}

/* Runs convolution i, and the next operation too if it is fused. */
static int evaluate_conv(struct net *net, int i, struct evaluation *v, struct error *err)
{
    const struct op *op = &net->program.ops[i], *next = op + 1;
    const struct op_state *s = &net->steps[i];
    const struct net_param_state *p = &net->params[op->param];
    bool two = s->fused_norm || s->fused_add;
    int out = two ? next->out : op->out;
    int e = output_buffer(net, v, out, two ? next->with : -1, err);
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
    count_read(v, op->in);
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
        e = take_buffer(net, v, op->out, err);
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
    count_read(v, op->in);
    count_read(v, op->with);
    return e;
}

/* Runs all operations but the linear layer, from the images to the features. */
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
        release_buffer(&v, k);
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

/* The operations of a pass, after the crops. The linear layer runs also where nobody reads the
 * logits, because a recorded pass has to compute them for later ones. */
static int evaluate_all(struct net *net, size_t n, struct error *err)
{
    const struct program *p = &net->program;
    const struct net_param_state *linear = &net->params[p->ops[p->op_count - 1].param];
    int e = net_ready(net, evaluated(net), NET_EVALUATION, err);
    if (!e)
        e = net_share_out(net, n, evaluate_share, 0, err);
    if (!e)
        e = net->backend->linear_forward(net->device, n, net->values[p->features], linear[0].value,
                                         linear[1].value, net->values[p->logits], err);
    return e;
}

int net_predict(struct net *net, size_t first, size_t n, float *logits, float *features,
                struct error *err)
{
    const struct backend *b = net->backend;
    const struct program *p = &net->program;
    const struct pass pass = {.kind = PASS_EVALUATION, .first = first, .n = n};
    bool replayed = false;
    int e = fold(net, err); /* reads and writes, which a pass must not */
    if (!e)
        e = net_pass_begin(net, &pass, &replayed, err);
    if (e)
        return e;
    if (!replayed)
        e = evaluate_all(net, n, err);
    e = net_pass_end(net, e, err);
    if (!e && logits)
        e = b->read(net->device, net->values[p->logits], logits, n, err);
    if (!e && features)
        e = b->read(net->device, net->values[p->features], features, n, err);
    return e;
}
