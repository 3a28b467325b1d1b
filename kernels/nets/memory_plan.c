/* Memory of the values in a step plan. A value that is used in one segment only has a small tensor
 * for each worker, of the size of a range. A value that several segments use holds the whole batch;
 * these values share one large tensor. They are placed in order of size, the largest first, each at
 * the lowest offset that is free during its lifetime. For the four nets the tensor is at most 1 %
 * larger than the values that exist at the same time. Lifetimes are whole segments, because workers
 * are at different instructions of a segment. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/nets/net_internal.h"

int net_take_buffer(struct net *net, int worker, const struct value_shape *want, size_t batch,
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
    size_t size = net->backend->alloc_size(net->device, shape);
    bool fits = net->batches && size <= net->batches_size - net->batches_used;
    int e = fits ? net->backend->view(net->device, net->batches, net->batches_used, shape,
                                      &b->tensor, err)
                 : net->backend->tensor(net->device, TENSOR_ACTIVATION, shape, &b->tensor, err);
    net->batches_used += fits && !e ? size : 0;
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

/* Takes a buffer for each worker: held[worker]. */
static int hold(struct net *net, struct slot *s, struct buffer **held, struct error *err)
{
    int e = 0;
    for (int w = 0; !e && w < net->traits.workers; w++) {
        e = net_take_buffer(net, w, &s->extent, net->plan.segments[s->segment].range, &held[w],
                            err);
        if (!e)
            s->tensors[w] = held[w]->tensor;
    }
    return e;
}

/* Allocates the slots that one segment uses. Slots of equal size share a buffer if their lifetimes
 * don't overlap. */
static int allocate_ranges(struct net *net, struct error *err)
{
    struct step_plan *plan = &net->plan;
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

/* A slot that segments `first` to `last` use; its size and its offset, in values. */
struct allocation {
    int slot, first, last;
    size_t size, start;
};

static int segment_of(const struct step_plan *plan, int instruction)
{
    int k = 0;
    while (plan->segments[k].end <= instruction)
        k++;
    return k;
}

static int larger_first(const void *a, const void *b)
{
    const struct allocation *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size) : x->slot - y->slot;
}

/* The lowest free offset for t: 0, or the end of an allocation that is already placed. */
static size_t find_offset(const struct allocation *placed, int count, const struct allocation *t)
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

/* Allocates the slots that hold the whole batch, in one tensor: *memory, of *size values. */
static int allocate_batches(struct net *net, struct tensor **memory, size_t *size,
                            struct error *err)
{
    struct step_plan *plan = &net->plan;
    struct allocation allocations[PLAN_MAX_SLOTS];
    size_t total = 0;
    int count = 0;
    for (int k = 1; k < plan->slot_count; k++) {
        const struct slot *s = &plan->slots[k];
        if (s->whole && !s->tensors[0])
            allocations[count++] =
                (struct allocation){k, segment_of(plan, s->first), segment_of(plan, s->last),
                                    net->backend->alloc_size(net->device, shape_of(net, s)), 0};
    }
    qsort(allocations, (size_t)count, sizeof *allocations, larger_first);
    for (int i = 0; i < count; i++) {
        allocations[i].start = find_offset(allocations, i, &allocations[i]);
        if (total < allocations[i].start + allocations[i].size)
            total = allocations[i].start + allocations[i].size;
    }
    int e = net->backend->tensor(net->device, TENSOR_PLAIN, (struct shape){1, total, 1, 1}, memory,
                                 err);
    for (int i = 0; !e && i < count; i++) {
        struct slot *s = &plan->slots[allocations[i].slot];
        struct tensor *tensor = NULL;
        e = net->backend->view(net->device, *memory, allocations[i].start, shape_of(net, s),
                               &tensor, err);
        if (!e)
            fix(net, allocations[i].slot, tensor);
    }
    *size = total;
    return e;
}

/* Allocates the `tensors` arrays of all slots in one block, which slot 0 owns. */
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

int net_allocate_plan(struct net *net, const struct fixed *fixed, size_t count, struct error *err)
{
    int e = make_tensors(net, err);
    if (e)
        return e;
    for (size_t i = 0; i < count; i++)
        fix(net, fixed[i].slot, fixed[i].tensor);
    struct tensor *batches = NULL;
    size_t size = 0;
    e = allocate_batches(net, &batches, &size, err);
    if (!e)
        e = allocate_ranges(net, err);
    if (!e) { /* from now on net_take_buffer may use this memory */
        net->batches = batches;
        net->batches_size = size;
    }
    return e;
}
