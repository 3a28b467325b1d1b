/* The `cuda` backend: opens and closes a device, and has the table of functions. Convolutions use
 * cuDNN (conv.c), all other operations kernels of our own (ops.c). Memory and tensors are in
 * memory.c; passes.c records passes as CUDA graphs. */
#include "kernels/backends/cuda/cuda.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/cuda/devices.h"

/* Whole batches, nothing computed again: memory is large, and each kernel costs a launch. Norms
 * aren't folded into weights for evaluation: the pass over memory that it saves is cheaper than
 * folding on the host after each epoch. */
static const struct device_traits traits_of_cuda = {.workers = 1, .worker_images = 1};

/* The GPU and cuDNN's version: "NVIDIA H200 sm_90 132 cudnn 9.19.0". */
static int numerics(char *text, size_t size, struct error *err)
{
    struct cudnn cudnn = {0};
    int rc = cuda_devices_describe(text, size, err);
    if (rc == 0)
        rc = cudnn_open(&cudnn, err);
    if (rc < 0)
        return rc;
    size_t used = strlen(text), version = cudnn.version;
    cudnn_close(&cudnn);
    int n = snprintf(text + used, size - used, " cudnn %zu.%zu.%zu", version / 10000,
                     version / 100 % 100, version % 100);
    return n < 0 || (size_t)n >= size - used
               ? error_set(err, ENOSPC, "the text of the GPU and cuDNN is too long")
               : 0;
}

static void cuda_close(struct device *device)
{
    if (!device)
        return;
    if (device->stream)
        cudaStreamSynchronize(device->stream); /* a failure was reported where it mattered */
    cuda_passes_free(device);
    cuda_convs_free(device);
    cuda_engines_free(device);
    cuda_memory_free(device);
    conv_target_free(&device->cudnn, &device->target);
    if (device->handle)
        device->cudnn.Destroy(device->handle);
    cudnn_close(&device->cudnn);
    if (device->stream)
        cudaStreamDestroy(device->stream);
    free(device);
}

static int open_cudnn(struct device *d, struct error *err)
{
    int e = cudnn_open(&d->cudnn, err);
    if (e)
        return e;
    cudnnStatus_t status = d->cudnn.Create(&d->handle);
    if (status == CUDNN_STATUS_SUCCESS)
        status = d->cudnn.SetStream(d->handle, d->stream);
    if (status != CUDNN_STATUS_SUCCESS)
        return cudnn_failed(&d->cudnn, status, "starting cuDNN", err);
    return conv_target_current(&d->cudnn, &d->target, err);
}

static int cuda_open(struct device **device, struct device_traits *traits, int threads,
                     enum precision precision, struct error *err)
{
    enum { FIRST_WITH_BF16 = 8 }; /* major compute capability */
    struct cuda_device properties;
    (void)threads;
    int e = cuda_device_get(0, &properties, err);
    if (e)
        return e;
    struct device *d = calloc(1, sizeof *d);
    if (!d)
        return error_set(err, ENOMEM, "out of memory");
    bool bf16 = precision != PRECISION_FP32 && properties.major >= FIRST_WITH_BF16;
    d->type = bf16 ? VALUE_BF16 : VALUE_F32;
    e = cuda_check(cudaSetDevice(0), "using the device", err);
    if (!e)
        e = cuda_check(cudaStreamCreateWithFlags(&d->stream, cudaStreamNonBlocking),
                       "using the device", err);
    if (!e)
        e = open_cudnn(d, err);
    if (e) {
        cuda_close(d);
        return e;
    }
    *traits = traits_of_cuda;
    traits->precision = bf16 ? PRECISION_BF16 : PRECISION_FP32;
    *device = d;
    return 0;
}

const struct backend backend_cuda = {
    .name = "cuda",
    .numerics = numerics,
    .open = cuda_open,
    .close = cuda_close,
    .tensor = cuda_tensor,
    .alloc_size = cuda_alloc_size,
    .view = cuda_view,
    .write = cuda_write,
    .read = cuda_read,
    .image_set = cuda_image_set,
    .queue = cuda_queue,
    .pass_begin = cuda_pass_begin,
    .pass_end = cuda_pass_end,
    .crop = cuda_crop,
    .conv = cuda_conv,
    .conv_ready = cuda_conv_ready,
    .conv_release = cuda_conv_release,
    .conv_forward = cuda_conv_forward,
    .conv_backward = cuda_conv_backward,
    .conv_backward_end = cuda_conv_backward_end,
    .norm_ready = cuda_norm_ready,
    .norm_moments = cuda_norm_moments,
    .norm_moments_end = cuda_norm_moments_end,
    .norm_forward = cuda_norm_forward,
    .norm_sums = cuda_norm_sums,
    .norm_sums_end = cuda_norm_sums_end,
    .norm_backward = cuda_norm_backward,
    .pool_forward = cuda_pool_forward,
    .pool_backward = cuda_pool_backward,
    .linear_forward = cuda_linear_forward,
    .linear_backward = cuda_linear_backward,
    .loss = cuda_loss,
    .loss_sums = cuda_loss_sums,
    .add = cuda_add,
    .sgd = cuda_sgd,
    .use_engines = cuda_use_engines,
    .engines = cuda_engines,
};
