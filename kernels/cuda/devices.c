/* See devices.h. */
#include "kernels/cuda/devices.h"

#include <cuda_runtime_api.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- versions ---- */

/* CUDA writes 13.0 as 13000, and 12.4 as 12040. */
static void version_text(int version, char *text, size_t size)
{
    if (version > 0)
        snprintf(text, size, "%d.%d", version / 1000, version % 1000 / 10);
    else
        snprintf(text, size, "none");
}

void cuda_driver_version(char *text, size_t size)
{
    int version = 0;
    if (cudaDriverGetVersion(&version) != cudaSuccess)
        version = 0;
    version_text(version, text, size);
}

void cuda_runtime_version(char *text, size_t size)
{
    int version = 0;
    if (cudaRuntimeGetVersion(&version) != cudaSuccess)
        version = 0;
    version_text(version, text, size);
}

/* ---- why no device can be used ---- */

/* The runtime reports a driver that is missing and one that is too old by the same code. */
static int insufficient_driver(struct error *err)
{
    char driver[32], runtime[32];
    cuda_driver_version(driver, sizeof driver);
    cuda_runtime_version(runtime, sizeof runtime);
    if (strcmp(driver, "none") == 0)
        return error_set(err, ENODEV,
                         "there is no NVIDIA driver; install one that supports CUDA %s", runtime);
    return error_set(err, ENODEV,
                     "the NVIDIA driver supports CUDA %s, and this program needs %s; install a "
                     "newer driver, or build the program with CUDA %s",
                     driver, runtime, driver);
}

static int no_device(struct error *err)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    if (!visible)
        return error_set(err, ENODEV, "the NVIDIA driver finds no GPU; `nvidia-smi -L` lists them");
    return error_set(err, ENODEV,
                     "CUDA_VISIBLE_DEVICES, which --gpus sets too, is '%.200s' and names no GPU of "
                     "this machine; `nvidia-smi -L` lists them",
                     visible);
}

static int device_error(cudaError_t status, struct error *err)
{
    static const struct {
        cudaError_t status;
        const char *text;
    } causes[] = {
        {cudaErrorStubLibrary,
         "the libcuda.so.1 that was found is a stub of the CUDA toolkit; remove the toolkit's "
         "folder `stubs` from LD_LIBRARY_PATH"},
        {cudaErrorSystemNotReady,
         "the GPUs aren't ready; start the service nvidia-fabricmanager, and look at `nvidia-smi`"},
        {cudaErrorSystemDriverMismatch,
         "the NVIDIA driver in the kernel and its library differ in version; restart the machine"},
        {cudaErrorCompatNotSupportedOnDevice,
         "the CUDA compatibility package doesn't support this GPU; install a newer driver instead"},
    };
    if (status == cudaErrorInsufficientDriver)
        return insufficient_driver(err);
    if (status == cudaErrorNoDevice)
        return no_device(err);
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++)
        if (causes[i].status == status)
            return error_set(err, ENODEV, "%s", causes[i].text);
    return error_set(err, ENODEV, "CUDA can't be used: %s (error %d); look at `nvidia-smi`",
                     cudaGetErrorString(status), (int)status);
}

/* ---- devices ---- */

int cuda_device_count(int *count, struct error *err)
{
    *count = 0;
    cudaError_t status = cudaGetDeviceCount(count);
    if (status == cudaSuccess && *count > 0)
        return 0;
    *count = 0;
    return device_error(status == cudaSuccess ? cudaErrorNoDevice : status, err);
}

int cuda_device_get(int index, struct cuda_device *device, struct error *err)
{
    struct cudaDeviceProp properties;
    int count;
    *device = (struct cuda_device){0};
    int rc = cuda_device_count(&count, err);
    if (rc < 0)
        return rc;
    cudaError_t status = cudaGetDeviceProperties(&properties, index);
    if (status != cudaSuccess) {
        rc = device_error(status, err);
        error_prefix(err, "GPU %d", index);
        return rc;
    }
    *device = (struct cuda_device){
        .major = properties.major,
        .minor = properties.minor,
        .multiprocessors = properties.multiProcessorCount,
        .memory = properties.totalGlobalMem,
    };
    snprintf(device->name, sizeof device->name, "%s", properties.name);
    return 0;
}

/* ---- numerics ---- */

static int describe(int index, char *text, size_t size, struct error *err)
{
    struct cuda_device d;
    int rc = cuda_device_get(index, &d, err);
    if (rc < 0)
        return rc;
    int n = snprintf(text, size, "%s sm_%d%d %d", d.name, d.major, d.minor, d.multiprocessors);
    return n < 0 || (size_t)n >= size
               ? error_set(err, ENOSPC, "the name of the GPU is too long: %s", d.name)
               : 0;
}

int cuda_devices_describe(char *text, size_t size, struct error *err)
{
    char other[400];
    int count;
    int rc = cuda_device_count(&count, err);
    if (rc == 0)
        rc = describe(0, text, size, err);
    for (int i = 1; rc == 0 && i < count; i++) {
        rc = describe(i, other, sizeof other, err);
        if (rc == 0 && strcmp(text, other) != 0)
            rc = error_set(err, ENODEV,
                           "the GPUs differ: 0 is '%s', %d is '%s'; choose GPUs that are alike "
                           "with --gpus, such as --gpus 0",
                           text, i, other);
    }
    return rc;
}
