/* Functions for both training and evaluation: the workers and their shares of a batch, and the
 * preparation of weights, norms and input images before a pass. */
#include <errno.h>
#include "kernels/nets/net_internal.h"

struct share net_share(const struct net *net, size_t n, int worker)
{
    size_t workers = (size_t)net->traits.workers, each = (n + workers - 1) / workers;
    size_t multiple = net->traits.worker_images;
    each = (each + multiple - 1) / multiple * multiple;
    size_t first = each * (size_t)worker < n ? each * (size_t)worker : n;
    return (struct share){first, n - first < each ? n : first + each};
}

int net_share_out(struct net *net, size_t n,
                  int (*work)(struct net *net, size_t n, int worker, int argument,
                              struct error *err),
                  int argument, struct error *err)
{
    int failed = 0, first = net->traits.workers;
#pragma omp parallel for schedule(static, 1) num_threads(net->traits.workers)
    for (int w = 0; w < net->traits.workers; w++) {
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

/* Prepares weights in parallel: worker w has the operations w, w + workers, ... */
static int ready_convs(struct net *net, size_t n, int worker, int pass, struct error *err)
{
    int e = 0;
    for (int i = worker; !e && i < net->program.op_count; i += net->traits.workers) {
        const struct op *op = &net->program.ops[i];
        const struct op_state *s = &net->steps[i];
        bool folded = pass == NET_EVALUATION && s->fused_norm; /* fold_one() has prepared it */
        bool last = pass == NET_BACKWARD && op->in == 0;       /* doesn't compute dx */
        if (op->kind == OP_CONV && !folded && !last)
            e = net->backend->conv_ready(s->conv, worker, n, net->params[op->param].value,
                                         pass == NET_BACKWARD, err);
    }
    return e;
}

void net_release(struct net *net, bool training)
{
    for (int i = 0; i < net->program.op_count; i++)
        if (net->steps[i].fused_norm)
            net->backend->conv_release(training ? net->params[net->program.ops[i].param].value
                                                : net->steps[i].weights);
}

int net_ready(struct net *net, size_t n, enum net_pass pass, struct error *err)
{
    if (pass == NET_FORWARD) {
        net_release(net, false);
        net->folded = false;
    }
    int e = net_share_out(net, n, ready_convs, (int)pass, err);
    if (pass == NET_BACKWARD) /* NET_FORWARD has prepared the norms */
        return e;
    for (int i = 0; !e && i < net->program.op_count; i++)
        if (net->program.ops[i].kind == OP_NORM &&
            (pass == NET_FORWARD || !net->steps[i - 1].fused_norm))
            e = net->backend->norm_ready(net->device, &net->steps[i].norm, pass == NET_FORWARD,
                                         err);
    return e;
}

int net_load(struct net *net, struct net_input input, size_t n, struct error *err)
{
    const struct net_images *from = input.from;
    size_t size = (size_t)net->spec.image_size;
    if (n < 1 || n > (size_t)net->spec.batch)
        return error_set(err, EINVAL, "a batch of %zu images: the net takes 1 to %d", n,
                         net->spec.batch);
    if (!from)
        return net->backend->write(net->device, net->values[0], input.plain, n, err);
    for (size_t i = 0; i < n; i++) {
        const struct crop *c = &input.crops[i];
        if (c->image >= from->n || c->top + size > from->size || c->left + size > from->size)
            return error_set(err, EINVAL,
                             "crop %zu: image %u, top %d, left %d: there are %zu images of size "
                             "%zu, and the net takes %zu",
                             i, c->image, c->top, c->left, from->n, from->size, size);
    }
    return net->backend->crop(net->device, from->set, input.crops, n, net->values[0], err);
}
