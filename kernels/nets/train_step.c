/* A training step: runs the plan, segment by segment and range by range, then updates the
 * parameters. */
#include <errno.h>
#include "kernels/nets/net_internal.h"

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

/* Runs a worker's part of a segment. */
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

/* Completes an instruction after all workers have run their ranges. */
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
        e = net_share_out(net, n, do_ranges, k, err);
        for (int i = s->first; !e && i < s->end; i++)
            e = end_one(net, &net->plan.instructions[i], n, err);
    }
    return e;
}

/* Increments num_batches_tracked of each norm. */
static void count_batch(struct net *net)
{
    for (int i = 0; i < net->program.param_count; i++)
        if (net->params[i].public.dims == 0)
            net->params[i].batches += 1;
}

/* The operations of a pass, after the crops. */
static int train(struct net *net, const struct pass *pass, struct error *err)
{
    const struct program *p = &net->program;
    const struct net_param_state *linear = &net->params[p->ops[p->op_count - 1].param];
    struct tensor *x = net->values[p->features], *y = net->values[p->logits];
    size_t n = pass->n, share = net_share(net, n, 0).end;
    int e = net_ready(net, share, NET_FORWARD, err);
    if (!e)
        e = do_segments(net, n, 0, net->plan.forward, err);
    if (!e)
        e = net->backend->linear_forward(net->device, n, x, linear[0].value, linear[1].value, y,
                                         err);
    if (!e)
        e = net->backend->loss(net->device, y, net->logits_gradient, err);
    if (!e)
        e = net->backend->linear_backward(net->device, n, x, linear[0].value, net->logits_gradient,
                                          net->features_gradient, linear[0].gradient,
                                          linear[1].gradient, err);
    if (!e)
        e = net_ready(net, share, NET_BACKWARD, err);
    if (!e)
        e = do_segments(net, n, net->plan.forward, net->plan.segment_count, err);
    if (!e && pass->kind == PASS_TRAINING)
        e = net->backend->sgd(net->device, net->updates, net->update_count, err);
    return e;
}

static int training_pass(struct net *net, const struct pass *pass, struct error *err)
{
    bool replayed = false;
    if (!net->spec.training)
        return error_set(err, EINVAL, "the net isn't for training");
    net_release(net, false);
    net->folded = false;
    int e = net_pass_begin(net, pass, &replayed, err);
    if (e)
        return e;
    if (!replayed)
        e = train(net, pass, err);
    if (!e)
        count_batch(net);
    return net_pass_end(net, e, err);
}

int net_gradients(struct net *net, size_t first, size_t n, double label_smoothing, double *loss,
                  struct error *err)
{
    const struct pass pass = {
        .kind = PASS_GRADIENTS, .first = first, .n = n, .label_smoothing = label_smoothing};
    const struct loss_sums none = {0};
    struct loss_sums before, sums = {0};
    int e = net->backend->loss_sums(net->device, &before, &none, err);
    if (e)
        return e;
    int failed = training_pass(net, &pass, err);
    struct error ignored = {""};
    e = net->backend->loss_sums(net->device, &sums, &before, failed ? &ignored : err);
    *loss = sums.loss / (double)n;
    return failed ? failed : e;
}

int net_train_step(struct net *net, size_t first, size_t n, const struct net_step *step,
                   struct error *err)
{
    const struct pass pass = {.kind = PASS_TRAINING,
                              .first = first,
                              .n = n,
                              .sgd = step->sgd,
                              .label_smoothing = step->label_smoothing};
    return training_pass(net, &pass, err);
}

int net_loss_sums(struct net *net, struct loss_sums *sums, const struct loss_sums *next,
                  struct error *err)
{
    return net->backend->loss_sums(net->device, sums, next, err);
}
