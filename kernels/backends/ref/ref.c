/* The `ref` backend: its table, device, tensors and images. Each operation is a direct loop over
 * NCHW arrays of double, as in its definition. It is slow, and the oracle in tests of other
 * backends. write, read and crop convert from and to float32; nothing else is rounded to float32.
 */
#include <errno.h>
#include <stdlib.h>
#include "kernels/backends/ref/ref.h"

struct image_set {
    struct image_source source;
    struct image_set *next;
};

static int ref_numerics(char *text, size_t size, struct error *err)
{
    if (size == 0)
        return error_set(err, ENOSPC, "no memory for the numerics of ref");
    text[0] = '\0';
    return 0;
}

/* The traits give the simplest plan: one worker, whole batches, no output computed again. */
static int ref_open(struct device **device, struct device_traits *traits, int threads,
                    enum precision precision, struct error *err)
{
    (void)threads;
    (void)precision;
    *traits = (struct device_traits){
        .precision = PRECISION_FP32, .workers = 1, .worker_images = 1, .folds_norms = true};
    *device = calloc(1, sizeof **device);
    return *device ? 0 : error_set(err, ENOMEM, "out of memory");
}

static void ref_close(struct device *device)
{
    if (!device)
        return;
    while (device->tensors) {
        struct tensor *t = device->tensors;
        device->tensors = t->next;
        if (!t->is_view)
            free(t->v);
        free(t);
    }
    while (device->image_sets) {
        struct image_set *set = device->image_sets;
        device->image_sets = set->next;
        free(set);
    }
    ref_convs_free(device);
    free(device);
}

static int ref_tensor(struct device *device, enum tensor_use use, struct shape s,
                      struct tensor **tensor, struct error *err)
{
    struct tensor *t = calloc(1, sizeof *t);
    size_t slice = s.c * s.h * s.w;
    (void)use;
    if (t)
        t->v = calloc(s.n, slice * sizeof *t->v);
    if (!t || !t->v) {
        free(t);
        return error_set(err, ENOMEM, "out of memory");
    }
    t->shape = s;
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
    return 0;
}

static size_t ref_alloc_size(const struct device *device, struct shape s)
{
    (void)device;
    return s.n * s.c * s.h * s.w;
}

static int ref_view(struct device *device, struct tensor *plain, size_t first, struct shape shape,
                    struct tensor **tensor, struct error *err)
{
    struct tensor *t = calloc(1, sizeof *t);
    if (!t)
        return error_set(err, ENOMEM, "out of memory");
    *t = (struct tensor){.shape = shape, .v = plain->v + first, .is_view = true};
    t->next = device->tensors;
    device->tensors = t;
    *tensor = t;
    return 0;
}

static int ref_write(struct device *device, struct tensor *t, const float *values, size_t n,
                     struct error *err)
{
    (void)device;
    (void)err;
    for (size_t i = 0; i < n * t->shape.c * t->shape.h * t->shape.w; i++)
        t->v[i] = (double)values[i];
    return 0;
}

static int ref_read(struct device *device, struct tensor *t, float *values, size_t n,
                    struct error *err)
{
    (void)device;
    (void)err;
    for (size_t i = 0; i < n * t->shape.c * t->shape.h * t->shape.w; i++)
        values[i] = (float)t->v[i];
    return 0;
}

static int ref_image_set(struct device *device, const struct image_source *source,
                         struct image_set **set, struct error *err)
{
    struct image_set *s = calloc(1, sizeof *s);
    if (!s)
        return error_set(err, ENOMEM, "out of memory");
    *s = (struct image_set){*source, device->image_sets};
    device->image_sets = *set = s;
    return 0;
}

static int ref_queue(struct device *device, const struct image_set *set, const struct crop *crops,
                     const uint8_t *labels, size_t n, struct error *err)
{
    (void)n, (void)err;
    device->queue.set = set;
    device->queue.crops = crops;
    device->queue.labels = labels;
    return 0;
}

static int ref_pass_begin(struct device *device, const struct pass *pass, bool *replayed,
                          struct error *err)
{
    (void)err;
    device->pass = *pass;
    *replayed = false;
    return 0;
}

static int ref_pass_end(struct device *device, bool failed, struct error *err)
{
    (void)device, (void)failed, (void)err;
    return 0;
}

static int ref_crop(struct device *device, struct tensor *images, struct error *err)
{
    const struct image_source *from = &device->queue.set->source;
    const struct crop *crops = device->queue.crops + device->pass.first;
    size_t size = images->shape.w;
    double *v = images->v;
    (void)err;
    for (const struct crop *c = crops; c < crops + device->pass.n; c++)
        for (size_t y = 0; y < size; y++)
            for (size_t x = 0; x < size; x++) {
                size_t line = (c->image * from->size + c->top + y) * from->size;
                size_t column = c->left + (c->mirror ? size - 1 - x : x);
                *v++ = (double)from->levels[from->pixels[line + column]];
            }
    return 0;
}

const struct backend backend_ref = {
    .name = "ref",
    .numerics = ref_numerics,
    .open = ref_open,
    .close = ref_close,
    .tensor = ref_tensor,
    .alloc_size = ref_alloc_size,
    .view = ref_view,
    .write = ref_write,
    .read = ref_read,
    .image_set = ref_image_set,
    .queue = ref_queue,
    .pass_begin = ref_pass_begin,
    .pass_end = ref_pass_end,
    .crop = ref_crop,
    .conv = ref_conv,
    .conv_ready = ref_conv_ready,
    .conv_release = ref_conv_release,
    .conv_forward = ref_conv_forward,
    .conv_backward = ref_conv_backward,
    .conv_backward_end = ref_conv_backward_end,
    .norm_ready = ref_norm_ready,
    .norm_moments = ref_norm_moments,
    .norm_moments_end = ref_norm_moments_end,
    .norm_forward = ref_norm_forward,
    .norm_sums = ref_norm_sums,
    .norm_sums_end = ref_norm_sums_end,
    .norm_backward = ref_norm_backward,
    .pool_forward = ref_pool_forward,
    .pool_backward = ref_pool_backward,
    .linear_forward = ref_linear_forward,
    .linear_backward = ref_linear_backward,
    .loss = ref_loss,
    .loss_sums = ref_loss_sums,
    .add = ref_add,
    .sgd = ref_sgd,
};
