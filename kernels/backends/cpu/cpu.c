/* The `cpu` backend: it opens a device and lists the operations, each of which is in the file of
 * its subject. Convolutions are in conv.c; everything else runs by the loops of vector_loops.h in
 * as few passes as can be, all on blocked layouts that stay from operation to operation.
 *
 * Each thread is a worker that takes its own images through many operations, and waits for the
 * others only where the batch as a whole is concerned; so each has its own primitives and memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "kernels/backends/cpu/cpu.h"

static int cpu_numerics(char *text, size_t size)
{
    int n = snprintf(text, size, "%s", dnn_isa());
    return n < 0 || (size_t)n >= size ? -ENOSPC : 0;
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

/* Traits, as measured on a CPU with 1 MB of second-level cache a core:
 * - Ranges of 2 MB in bf16: ResNeXt29 at width 16 trains 15 % faster than with whole batches, and
 *   3 % faster than with a quarter of it or 4 times as much.
 * - Outputs of norms with a residual are kept up to 256 MB in bf16: to compute them again halves
 *   what ResNeXt29 keeps and costs it 4 to 7 % of its speed.
 * - 16 images evaluated at a time: activations stay in cache, weights are used often enough.
 * - The gradients of weights take images two by two. */
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
