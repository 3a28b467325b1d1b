/* Functions for both training and evaluation: the workers and their shares of a batch, and the
 * queue of images, the begin and end of a pass, and the preparation of weights and norms in it. */
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

int net_queue(struct net *net, const struct net_images *from, const struct crop *crops,
              const uint8_t *labels, size_t n, struct error *err)
{
    size_t size = (size_t)net->spec.image_size;
    net->queued = 0;
    if (n < 1)
        return error_set(err, EINVAL, "a queue without images");
    for (size_t i = 0; i < n; i++) {
        const struct crop *c = &crops[i];
        if (c->image >= from->n || c->top + size > from->size || c->left + size > from->size)
            return error_set(err, EINVAL,
                             "crop %zu: image %u, top %d, left %d: there are %zu images of size "
                             "%zu, and the net takes %zu",
                             i, c->image, c->top, c->left, from->n, from->size, size);
        if (labels && labels[i] >= net->spec.classes)
            return error_set(err, EINVAL, "label %d of image %zu: the net has %d classes",
                             labels[i], i, net->spec.classes);
    }
    int e = net->backend->queue(net->device, from->set, crops, labels, n, err);
    if (e)
        return e;
    net->queued = n;
    net->labelled = labels;
    return 0;
}

static int check_pass(const struct net *net, const struct pass *pass, struct error *err)
{
    if (pass->n < 1 || pass->n > (size_t)net->spec.batch)
        return error_set(err, EINVAL, "a batch of %zu images: the net takes 1 to %d", pass->n,
                         net->spec.batch);
    if (pass->first > net->queued || pass->n > net->queued - pass->first)
        return error_set(err, EINVAL, "a batch of %zu images from image %zu on: the queue has %zu",
                         pass->n, pass->first, net->queued);
    if (pass->kind != PASS_EVALUATION && !net->labelled)
        return error_set(err, EINVAL, "the images of the queue have no labels");
    return 0;
}

int net_pass_begin(struct net *net, const struct pass *pass, bool *replayed, struct error *err)
{
    int e = check_pass(net, pass, err);
    if (!e)
        e = net->backend->pass_begin(net->device, pass, replayed, err);
    if (e || *replayed)
        return e;
    e = net->backend->crop(net->device, net->values[0], err);
    return e ? net_pass_end(net, e, err) : 0;
}

int net_pass_end(struct net *net, int failed, struct error *err)
{
    struct error ignored = {""};
    int e = net->backend->pass_end(net->device, failed != 0, failed ? &ignored : err);
    return failed ? failed : e;
}
