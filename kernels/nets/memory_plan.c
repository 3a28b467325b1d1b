/* Memory of the values of a plan. Those that live within a segment have one small tensor for each
 * worker's ranges. Those that live over several hold the batch, and lie in one large tensor: each
 * gets the lowest place that is free all its life, the largest first, which in the four nets comes
 * within a hundredth of what is alive at the fullest moment. A life counts in whole segments,
 * because within one the workers, and the ranges of one, are at different instructions at a time.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/nets/net_internal.h"

int net_take(struct net *net, int worker, const struct extent *want, size_t batch,
             struct buffer **buffer, struct error *err)
{
    for (struct buffer *b = net->buffers; b; b = b->next)
        if (!b->taken && b->worker == worker && b->batch == batch &&
            memcmp(&b->extent, want, sizeof *want) == 0) {
            b->taken = true;
            *buffer = b;
            return 0;
        }
    struct buffer *b = calloc(1, sizeof *b);
    if (!b)
        return error_set(err, ENOMEM, "out of memory");
    *b = (struct buffer){.worker = worker, .extent = *want, .batch = batch, .taken = true};
    struct shape shape = {batch, want->channels, want->height, want->width};
    size_t room = net->backend->room(net->device, shape);
    bool lend = net->batches && room <= net->room - net->lent;
    int e = lend
                ? net->backend->within(net->device, net->batches, net->lent, shape, &b->tensor, err)
                : net->backend->tensor(net->device, TENSOR_ACTIVATION, shape, &b->tensor, err);
    net->lent += lend && !e ? room : 0;
    if (e) {
        free(b);
        return e;
    }
    b->next = net->buffers;
    net->buffers = b;
    *buffer = b;
    return 0;
}

static void fix(struct net *net, int slot, struct tensor *tensor)
{
    for (int w = 0; w < net->traits.workers; w++)
        net->plan.slots[slot].tensors[w] = tensor;
}

/* A buffer for each worker's ranges. */
static int hold(struct net *net, struct slot *s, struct buffer **held, struct error *err)
{
    int e = 0;
    for (int w = 0; !e && w < net->traits.workers; w++) {
        e = net_take(net, w, &s->extent, net->plan.segments[s->segment].range, &held[w], err);
        if (!e)
            s->tensors[w] = held[w]->tensor;
    }
    return e;
}

/* Gives the slots of one segment their tensors, which others of their size may have before and
 * after them. */
static int place_ranges(struct net *net, struct error *err)
{
    struct plan *plan = &net->plan;
    size_t workers = (size_t)net->traits.workers;
    struct buffer **held = calloc((size_t)plan->slot_count * workers, sizeof(struct buffer *));
    int e = held ? 0 : error_set(err, ENOMEM, "out of memory");
    for (int i = 0; !e && i < plan->instruction_count; i++) {
        const struct instruction *in = &plan->instructions[i];
        for (int k = 0; !e && k < OPERANDS; k++) {
            struct slot *s = &plan->slots[in->slots[k]];
            if (in->slots[k] > 0 && !s->whole && !s->tensors[0])
                e = hold(net, s, held + (size_t)in->slots[k] * workers, err);
        }
        for (int k = 0; !e && k < OPERANDS; k++)
            for (size_t w = 0; w < workers; w++) {
                struct buffer *b = held[(size_t)in->slots[k] * workers + w];
                if (b && plan->slots[in->slots[k]].last == i)
                    b->taken = false;
            }
    }
    free(held);
    return e;
}

/* A slot that lives over segments `first` to `last`, and its place. */
struct tenant {
    int slot, first, last;
    size_t size, start;
};

static int segment_of(const struct plan *plan, int instruction)
{
    int k = 0;
    while (plan->segments[k].end <= instruction)
        k++;
    return k;
}

static int larger_first(const void *a, const void *b)
{
    const struct tenant *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size) : x->slot - y->slot;
}

/* The lowest place for t among those that have theirs: after one of them, or at the start. */
static size_t find_place(const struct tenant *placed, int count, const struct tenant *t)
{
    size_t best = SIZE_MAX;
    for (int i = -1; i < count; i++) {
        size_t start = i < 0 ? 0 : placed[i].start + placed[i].size;
        bool clear = start < best;
        for (int j = 0; clear && j < count; j++)
            clear = placed[j].last < t->first || t->last < placed[j].first ||
                    placed[j].start + placed[j].size <= start || start + t->size <= placed[j].start;
        best = clear ? start : best;
    }
    return best;
}

static struct shape shape_of(const struct net *net, const struct slot *s)
{
    return (struct shape){(size_t)net->spec.batch, s->extent.channels, s->extent.height,
                          s->extent.width};
}

/* Places the slots that hold the batch in one tensor, the largest first. */
static int place_batches(struct net *net, struct tensor **memory, size_t *room, struct error *err)
{
    struct plan *plan = &net->plan;
    struct tenant tenants[PLAN_MAX_SLOTS];
    size_t total = 0;
    int count = 0;
    for (int k = 1; k < plan->slot_count; k++) {
        const struct slot *s = &plan->slots[k];
        if (s->whole && !s->tensors[0])
            tenants[count++] =
                (struct tenant){k, segment_of(plan, s->first), segment_of(plan, s->last),
                                net->backend->room(net->device, shape_of(net, s)), 0};
    }
    qsort(tenants, (size_t)count, sizeof *tenants, larger_first);
    for (int i = 0; i < count; i++) {
        tenants[i].start = find_place(tenants, i, &tenants[i]);
        if (total < tenants[i].start + tenants[i].size)
            total = tenants[i].start + tenants[i].size;
    }
    int e = net->backend->tensor(net->device, TENSOR_PLAIN, (struct shape){1, total, 1, 1}, memory,
                                 err);
    for (int i = 0; !e && i < count; i++) {
        struct slot *s = &plan->slots[tenants[i].slot];
        struct tensor *tensor = NULL;
        e = net->backend->within(net->device, *memory, tenants[i].start, shape_of(net, s), &tensor,
                                 err);
        if (!e)
            fix(net, tenants[i].slot, tensor);
    }
    *room = total;
    return e;
}

/* Room for each slot's tensors, in one array that slot 0, which has none, keeps. */
static int make_tensors(struct net *net, struct error *err)
{
    size_t workers = (size_t)net->traits.workers;
    struct tensor **all = calloc((size_t)net->plan.slot_count * workers, sizeof(struct tensor *));
    if (!all)
        return error_set(err, ENOMEM, "out of memory");
    net->plan.slots[0].tensors = all;
    for (int k = 1; k < net->plan.slot_count; k++)
        net->plan.slots[k].tensors = all + (size_t)k * workers;
    return 0;
}

int net_place(struct net *net, const struct fixed *fixed, size_t count, struct error *err)
{
    int e = make_tensors(net, err);
    if (e)
        return e;
    for (size_t i = 0; i < count; i++)
        fix(net, fixed[i].slot, fixed[i].tensor);
    struct tensor *batches = NULL;
    size_t room = 0;
    e = place_batches(net, &batches, &room, err);
    if (!e)
        e = place_ranges(net, err);
    if (!e) { /* from now on buffers may lie in it */
        net->batches = batches;
        net->room = room;
    }
    return e;
}
