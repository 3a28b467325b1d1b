/* The `cpu` backend: opens and closes a device, and has the table of functions. Convolutions
 * (conv.c) use oneDNN, Winograd's method or im2col. All other operations on activations use the
 * loops of vector_loops.h, with several steps in one pass over memory. Activations keep their
 * blocked layout from operation to operation.
 *
 * Each thread is a worker with primitives and memory of its own. It runs many operations on its
 * images before it waits for the other workers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "kernels/backends/cpu/cpu.h"

static int cpu_numerics(char *text, size_t size, struct error *err)
{
    int n = snprintf(text, size, "%s", dnn_isa());
    return n < 0 || (size_t)n >= size ? error_set(err, ENOSPC, "the CPU's features don't fit") : 0;
}

static void cpu_close(struct device *device)
{
    if (!device)
        return;
    cpu_convs_free(device);
    cpu_image_sets_free(device);
    cpu_free_memory(device);
    free(device);
}

/* Measured on a CPU with 1 MB of second-level cache per core:
 * - range_values, 2 MB in bf16: ResNeXt29 at width 16 trains 15 % faster than with whole batches,
 * and 3 % faster than with a quarter of the value or 4 times the value.
 * - kept_values, 256 MB in bf16: computing outputs with a residual again halves the memory that
 *   ResNeXt29 keeps, and makes it 4 to 7 % slower.
 * - evaluated_images: the activations of 16 images stay in cache, and loading weights takes little
 *   of the time.
 * - worker_images: the gradients of weights process images in pairs. */
static const struct device_traits cpu_traits = {
    .worker_images = 2,
    .range_values = 1 << 20,
    .evaluated_images = 16,
    .recomputes = true,
    .kept_values = 1 << 27,
    .folds_norms = true,
};

static int cpu_open(struct device **device, struct device_traits *traits, int threads,
                    enum precision precision, struct error *err)
{
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, ENOMEM, "out of memory");
    d->threads = threads;
    d->bf16 = precision == PRECISION_BF16 && dnn_has_bf16();
    d->loops = vector_loops_pick(d->bf16);
    d->workers = calloc((size_t)threads, sizeof *d->workers);
    int e = d->workers ? 0 : error_set(err, ENOMEM, "out of memory");
    for (int w = 0; !e && w < threads; w++)
        e = dnn_open(&d->workers[w].dnn, err);
    if (e) {
        cpu_close(d);
        return e;
    }
    *traits = cpu_traits;
    traits->precision = d->bf16 ? PRECISION_BF16 : PRECISION_FP32;
    traits->workers = threads;
    *device = d;
    return 0;
}

static int cpu_queue(struct device *device, const struct image_set *set, const struct crop *crops,
                     const uint8_t *labels, size_t n, struct error *err)
{
    (void)n, (void)err;
    device->queue.set = set;
    device->queue.crops = crops;
    device->queue.labels = labels;
    return 0;
}

static int cpu_pass_begin(struct device *device, const struct pass *pass, bool *replayed,
                          struct error *err)
{
    (void)err;
    device->pass = *pass;
    *replayed = false;
    return 0;
}

static int cpu_pass_end(struct device *device, bool failed, struct error *err)
{
    (void)device, (void)failed, (void)err;
    return 0;
}

const struct backend backend_cpu = {
    .name = "cpu",
    .numerics = cpu_numerics,
    .open = cpu_open,
    .close = cpu_close,
    .tensor = cpu_tensor,
    .alloc_size = cpu_alloc_size,
    .view = cpu_view,
    .write = cpu_write,
    .read = cpu_read,
    .image_set = cpu_image_set,
    .queue = cpu_queue,
    .pass_begin = cpu_pass_begin,
    .pass_end = cpu_pass_end,
    .crop = cpu_crop,
    .conv = cpu_conv,
    .conv_ready = cpu_conv_ready,
    .conv_release = cpu_conv_release,
    .conv_forward = cpu_conv_forward,
    .conv_backward = cpu_conv_backward,
    .conv_backward_end = cpu_conv_backward_end,
    .norm_ready = cpu_norm_ready,
    .norm_moments = cpu_norm_moments,
    .norm_moments_end = cpu_norm_moments_end,
    .norm_forward = cpu_norm_forward,
    .norm_sums = cpu_norm_sums,
    .norm_sums_end = cpu_norm_sums_end,
    .norm_backward = cpu_norm_backward,
    .pool_forward = cpu_pool_forward,
    .pool_backward = cpu_pool_backward,
    .linear_forward = cpu_linear_forward,
    .linear_backward = cpu_linear_backward,
    .loss = cpu_loss,
    .loss_sums = cpu_loss_sums,
    .add = cpu_add,
    .sgd = cpu_sgd,
};
