/* Memory of the `cpu` backend: tensors, their layout, and scratch memory of workers. Operations are
 * in other files. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "kernels/math/bf16.h"
#include "kernels/backends/cpu/cpu.h"

/* Large blocks use huge pages if the system has them. Prefetching then continues across 4 KB
 * boundaries: ResNeXt29 at width 16 trains 5 % faster, ResNet18 4 %. */
enum { HUGE_PAGE = 2 << 20, LARGE = 16 << 20 };

void *cpu_allocate(size_t size)
{
    size_t line = size < LARGE ? 64 : HUGE_PAGE, whole = (size + line - 1) / line * line;
    void *p = whole < size ? NULL : aligned_alloc(line, whole);
    if (p && size >= LARGE)
        madvise(p, whole, MADV_HUGEPAGE); /* a failure leaves small pages */
    if (p)
        memset(p, 0, whole);
    return p;
}

int cpu_scratch(struct device *device, int worker, enum cpu_scratch which, size_t size,
                void **memory, struct error *err)
{
    struct cpu_worker *w = &device->workers[worker];
    if (size > w->scratch_size[which]) {
        free(w->scratch[which]);
        w->scratch_size[which] = 0;
        w->scratch[which] = cpu_allocate(size);
        if (!w->scratch[which])
            return error_set(err, ENOMEM, "out of memory");
        w->scratch_size[which] = size;
    }
    *memory = w->scratch[which];
    return 0;
}

static struct tensor *describe(struct device *device, enum tensor_use use, struct shape shape)
{
    struct tensor *t = calloc(1, sizeof *t);
    size_t lanes = device->loops->lanes;
    if (!t)
        return NULL;
    t->use = use;
    t->shape = shape;
    t->version = 1;
    t->pixels = shape.h * shape.w;
    t->blocks = (shape.c + lanes - 1) / lanes;
    if (use == TENSOR_PLAIN || use == TENSOR_TRANSIENT)
        t->slice = shape.c * t->pixels * sizeof(float);
    else if (use == TENSOR_IMAGE)
        t->slice = shape.c * t->pixels * device->loops->item;
    else
        t->slice = t->blocks * t->pixels * lanes * device->loops->item;
    return t;
}

static void keep(struct device *device, struct tensor *t, struct tensor **tensor)
{
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
}

int cpu_tensor(struct device *device, enum tensor_use use, struct shape shape,
               struct tensor **tensor, struct error *err)
{
    struct tensor *t = describe(device, use, shape);
    size_t size = 0;
    bool fits = t && !__builtin_mul_overflow(t->slice, shape.n, &size) && size > 0;
    if (fits && use != TENSOR_TRANSIENT)
        t->data = cpu_allocate(size);
    if (!fits || (use != TENSOR_TRANSIENT && !t->data)) {
        free(t);
        return error_set(err, ENOMEM, "out of memory for a tensor of %zu x %zu x %zu x %zu",
                         shape.n, shape.c, shape.h, shape.w);
    }
    keep(device, t, tensor);
    return 0;
}

/* Whole cache lines, so that each view is 64-byte aligned. */
size_t cpu_alloc_size(const struct device *device, struct shape shape)
{
    size_t lanes = device->loops->lanes, line = 64 / sizeof(float);
    size_t vectors = shape.n * ((shape.c + lanes - 1) / lanes) * shape.h * shape.w;
    return (vectors * lanes * device->loops->item + 63) / 64 * line;
}

int cpu_view(struct device *device, struct tensor *plain, size_t first, struct shape shape,
             struct tensor **tensor, struct error *err)
{
    struct tensor *t = describe(device, TENSOR_ACTIVATION, shape);
    if (!t)
        return error_set(err, ENOMEM, "out of memory");
    t->is_view = true;
    t->data = (float *)plain->data + first;
    keep(device, t, tensor);
    return 0;
}

/* Number of channels, without padding, in block b. */
static size_t channels_of(const struct device *device, const struct tensor *t, size_t b)
{
    size_t lanes = device->loops->lanes, left = t->shape.c - b * lanes;
    return left < lanes ? left : lanes;
}

void cpu_image_from_plain(const struct device *device, const float *plain, const struct tensor *t,
                          char *image)
{
    const struct vector_loops *l = device->loops;
    for (size_t b = 0; b < t->blocks; b++)
        l->from_plain(plain + b * l->lanes * t->pixels, channels_of(device, t, b),
                      image + b * t->pixels * l->lanes * l->item, t->pixels);
}

void cpu_image_to_plain(const struct device *device, const struct tensor *t, const char *image,
                        float *plain)
{
    const struct vector_loops *l = device->loops;
    for (size_t b = 0; b < t->blocks; b++)
        l->to_plain(image + b * t->pixels * l->lanes * l->item, plain + b * l->lanes * t->pixels,
                    channels_of(device, t, b), t->pixels);
}

int cpu_write(struct device *device, struct tensor *t, const float *values, size_t n,
              struct error *err)
{
    size_t count = n * t->shape.c * t->pixels;
    if (!t->data) /* transient: freed by conv_ready */
        t->data = cpu_allocate(t->shape.n * t->slice);
    if (!t->data)
        return error_set(err, ENOMEM, "out of memory");
    t->version++;
    if (t->use == TENSOR_IMAGE && device->bf16) {
#pragma omp parallel for simd schedule(static) num_threads(device->threads)
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)t->data)[i] = bf16_narrow(values[i]);
    } else if (t->use != TENSOR_ACTIVATION) {
        memcpy(t->data, values, count * sizeof *values);
    } else {
        for (size_t i = 0; i < n; i++)
            cpu_image_from_plain(device, values + i * t->shape.c * t->pixels, t,
                                 (char *)t->data + i * t->slice);
    }
    return 0;
}

int cpu_read(struct device *device, struct tensor *t, float *values, size_t n, struct error *err)
{
    if (t->use == TENSOR_IMAGE || t->use == TENSOR_TRANSIENT)
        return error_set(err, EINVAL, "images and transient weights can't be read back");
    if (t->use == TENSOR_PLAIN) {
        memcpy(values, t->data, n * t->slice);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        cpu_image_to_plain(device, t, (const char *)t->data + i * t->slice,
                           values + i * t->shape.c * t->pixels);
    return 0;
}

void cpu_conv_release(struct tensor *weights)
{
    free(weights->packed);
    weights->packed = NULL;
    weights->packed_size = 0;
    weights->packed_version = 0;
}

int cpu_packed_memory(struct tensor *weights, size_t size, struct error *err)
{
    if (weights->packed_size >= size)
        return 0;
    cpu_conv_release(weights);
    weights->packed = cpu_allocate(size);
    if (!weights->packed)
        return error_set(err, ENOMEM, "out of memory");
    weights->packed_size = size;
    return 0;
}

static void free_worker(struct cpu_worker *w)
{
    for (int i = 0; i < SCRATCHES; i++)
        free(w->scratch[i]);
    while (w->sums) {
        struct cpu_sums *s = w->sums;
        w->sums = s->next;
        free(s->values);
        free(s);
    }
    dnn_close(w->dnn);
}

void cpu_free_memory(struct device *device)
{
    while (device->tensors) {
        struct tensor *t = device->tensors;
        device->tensors = t->next;
        cpu_conv_release(t);
        free(t->work);
        if (!t->is_view)
            free(t->data);
        free(t);
    }
    for (int w = 0; device->workers && w < device->threads; w++)
        free_worker(&device->workers[w]);
    free(device->workers);
}
