/* Device memory and tensors of the `cuda` backend. Values are converted between float32 in NCHW
 * order and the device's types in NHWC order on the host: it happens for parameters at the start
 * and for checkpoints, not in a step. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cuda/cuda.h"
#include "kernels/math/bf16.h"

enum { ALIGNMENT = 256 }; /* bytes, as cudaMalloc */

int cuda_memory(struct device *device, size_t bytes, void **memory, struct error *err)
{
    if (device->capturing)
        return error_set(err, EBUSY, "device memory is needed in a pass that is recorded");
    struct memory_block *block = calloc(1, sizeof *block);
    if (!block)
        return error_set(err, ENOMEM, "out of memory");
    int e = cuda_allocate(bytes, &block->memory, err);
    if (e) {
        free(block);
        return e;
    }
    block->next = device->blocks;
    device->blocks = block;
    *memory = block->memory;
    return 0;
}

int cuda_zeroed_memory(struct device *device, size_t bytes, void **memory, struct error *err)
{
    int e = cuda_memory(device, bytes, memory, err);
    return e ? e
             : cuda_check(cudaMemsetAsync(*memory, 0, bytes, device->stream),
                          "clearing device memory", err);
}

int cuda_grow(struct device *device, struct growing *g, size_t bytes, struct error *err)
{
    if (bytes <= g->size)
        return 0;
    void *memory;
    int e = cuda_memory(device, bytes, &memory, err);
    if (!e)
        *g = (struct growing){memory, bytes};
    return e;
}

int cuda_wait(struct device *device, struct error *err)
{
    return cuda_check(cudaStreamSynchronize(device->stream), "computing on the device", err);
}

void cuda_memory_free(struct device *device)
{
    while (device->tensors) {
        struct tensor *t = device->tensors;
        device->tensors = t->next;
        free(t);
    }
    while (device->image_sets) {
        struct image_set *set = device->image_sets;
        device->image_sets = set->next;
        free(set);
    }
    while (device->blocks) {
        struct memory_block *block = device->blocks;
        device->blocks = block->next;
        cudaFree(block->memory);
        free(block);
    }
    free(device->sgd.host);
}

size_t cuda_slice_values(const struct tensor *t)
{
    return t->shape.c * t->shape.h * t->shape.w;
}

size_t cuda_values(const struct tensor *t)
{
    return t->shape.n * cuda_slice_values(t);
}

struct matrix cuda_matrix(const struct tensor *t, size_t n)
{
    return (struct matrix){t->data, t->type, n * t->shape.h * t->shape.w, t->shape.c, t->bias};
}

struct matrix cuda_written(struct tensor *t, size_t n)
{
    t->bias = NULL;
    t->has_column_sums = false;
    return cuda_matrix(t, n);
}

int cuda_sums(struct device *device, size_t channels, struct sums_scratch *scratch,
              struct error *err)
{
    void *tickets = device->tickets;
    int e = tickets ? 0 : cuda_zeroed_memory(device, sizeof *device->tickets, &tickets, err);
    if (!e) {
        device->tickets = tickets;
        e = cuda_grow(device, &device->sums, sums_scratch_values(channels) * sizeof(float), err);
    }
    *scratch = (struct sums_scratch){device->sums.memory, device->tickets};
    return e;
}

int cuda_apply_bias(struct device *device, const struct tensor *t, struct error *err)
{
    if (!t->bias)
        return 0;
    /* The values stay the same for all readers, so the tensor may be changed. */
    struct tensor *changed = (struct tensor *)t;
    struct matrix x = cuda_matrix(t, t->shape.n), y = cuda_written(changed, t->shape.n);
    return cuda_check(launch_finish(&x, NULL, false, &y, device->stream), "adding a bias", err);
}

/* ---- tensors ---- */

static size_t size_of(enum value_type type)
{
    return type == VALUE_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static struct tensor *new_tensor(struct device *device, struct shape shape, enum value_type type,
                                 struct error *err)
{
    struct tensor *t = calloc(1, sizeof *t);
    if (!t) {
        error_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    *t = (struct tensor){.device = device, .shape = shape, .type = type};
    return t;
}

static void add_tensor(struct device *device, struct tensor *t, struct tensor **tensor)
{
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
}

int cuda_tensor(struct device *device, enum tensor_use use, struct shape shape,
                struct tensor **tensor, struct error *err)
{
    bool plain = use == TENSOR_PLAIN || use == TENSOR_TRANSIENT;
    struct tensor *t = new_tensor(device, shape, plain ? VALUE_F32 : device->type, err);
    if (!t)
        return -ENOMEM;
    int e = cuda_zeroed_memory(device, cuda_values(t) * size_of(t->type), &t->data, err);
    if (e) {
        free(t);
        return e;
    }
    add_tensor(device, t, tensor);
    return 0;
}

size_t cuda_alloc_size(const struct device *device, struct shape shape)
{
    size_t bytes = shape.n * shape.c * shape.h * shape.w * size_of(device->type);
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * (ALIGNMENT / sizeof(float));
}

int cuda_view(struct device *device, struct tensor *plain, size_t first, struct shape shape,
              struct tensor **tensor, struct error *err)
{
    struct tensor *t = new_tensor(device, shape, device->type, err);
    if (!t)
        return -ENOMEM;
    t->data = (float *)plain->data + first;
    add_tensor(device, t, tensor);
    return 0;
}

/* ---- conversion ---- */

/* Position in NHWC order of value i in NCHW order. */
static size_t stored_at(const struct shape *s, size_t i)
{
    size_t plane = s->h * s->w, slice = s->c * plane;
    size_t n = i / slice, c = i % slice / plane, pixel = i % plane;
    return n * slice + pixel * s->c + c;
}

static void *to_stored(const struct tensor *t, const float *values, size_t count)
{
    void *stored = malloc(count ? count * size_of(t->type) : 1);
    for (size_t i = 0; stored && i < count; i++) {
        size_t at = stored_at(&t->shape, i);
        if (t->type == VALUE_BF16)
            ((uint16_t *)stored)[at] = bf16_narrow(values[i]);
        else
            ((float *)stored)[at] = values[i];
    }
    return stored;
}

static void from_stored(const struct shape *shape, enum value_type type, const void *stored,
                        float *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = stored_at(shape, i);
        values[i] = type == VALUE_BF16 ? (float)bf16_widen(((const uint16_t *)stored)[at])
                                       : ((const float *)stored)[at];
    }
}

int cuda_write(struct device *device, struct tensor *t, const float *values, size_t n,
               struct error *err)
{
    size_t count = n * cuda_slice_values(t);
    void *stored = to_stored(t, values, count);
    if (!stored)
        return error_set(err, ENOMEM, "out of memory");
    t->source = NULL;
    t->bias = NULL;
    t->has_column_sums = false;
    /* Copies from pageable memory return once the source has been read. */
    int e = cuda_check(cudaMemcpyAsync(t->data, stored, count * size_of(t->type),
                                       cudaMemcpyHostToDevice, device->stream),
                       "copying to the device", err);
    if (!e && t->copy)
        e = cuda_check(launch_to_bf16(t->data, t->copy, cuda_values(t), device->stream),
                       "rounding weights", err);
    free(stored);
    return e;
}

int cuda_read(struct device *device, struct tensor *t, float *values, size_t n, struct error *err)
{
    size_t count = n * cuda_slice_values(t);
    int e = cuda_apply_bias(device, t, err);
    const void *from = t->source ? t->source : t->data;
    enum value_type type = t->source ? t->source_type : t->type;
    void *stored = e ? NULL : malloc(count ? count * size_of(type) : 1);
    if (!e && !stored)
        e = error_set(err, ENOMEM, "out of memory");
    if (!e)
        e = cuda_check(cudaMemcpyAsync(stored, from, count * size_of(type), cudaMemcpyDeviceToHost,
                                       device->stream),
                       "copying from the device", err);
    if (!e)
        e = cuda_wait(device, err);
    if (!e)
        from_stored(&t->shape, type, stored, values, count);
    free(stored);
    return e;
}

/* ---- images ---- */

int cuda_image_set(struct device *device, const struct image_source *source, struct image_set **set,
                   struct error *err)
{
    enum { LEVELS = 256 };
    size_t bytes = source->n * source->size * source->size;
    struct image_set *s = calloc(1, sizeof *s);
    void *pixels = NULL, *levels = NULL;
    int e = s ? 0 : error_set(err, ENOMEM, "out of memory");
    if (!e)
        e = cuda_memory(device, bytes, &pixels, err);
    if (!e)
        e = cuda_memory(device, LEVELS * sizeof(float), &levels, err);
    if (!e)
        e = cuda_check(
            cudaMemcpyAsync(pixels, source->pixels, bytes, cudaMemcpyHostToDevice, device->stream),
            "copying images to the device", err);
    if (!e)
        e = cuda_check(cudaMemcpyAsync(levels, source->levels, LEVELS * sizeof(float),
                                       cudaMemcpyHostToDevice, device->stream),
                       "copying grey levels to the device", err);
    if (e) {
        free(s);
        return e;
    }
    *s = (struct image_set){pixels, levels, source->size, device->image_sets};
    device->image_sets = *set = s;
    return 0;
}
