/* See errors.h. A table of the errors that a user can do something about; all others have the
 * runtime's own text. An error that the device reports stays until the process ends, so a stage
 * that met one ends, and the next run resumes from its checkpoint. */
#include "kernels/cuda/errors.h"

#include <errno.h>
#include <stdio.h>

#define RESUMES "; run again to resume from the last checkpoint"

static const struct {
    cudaError_t status;
    int code;
    const char *text;
} known[] = {
    {cudaErrorMemoryAllocation, -ENOMEM,
     "the device's memory is full; use a smaller batch_size or another device (--gpus)"},
    {cudaErrorNoDevice, -ENODEV, "there is no CUDA device, or CUDA_VISIBLE_DEVICES hides it"},
    {cudaErrorInsufficientDriver, -ENODEV,
     "there is no NVIDIA driver, or it is older than this program's CUDA version; install a newer "
     "driver"},
    {cudaErrorStubLibrary, -ENODEV,
     "libcuda.so is the toolkit's stub, not a driver; remove the stubs folder from the loader's "
     "path"},
    {cudaErrorSystemDriverMismatch, -ENODEV,
     "the driver's kernel module and libraries have different versions; restart the machine after "
     "a driver update"},
    {cudaErrorSystemNotReady, -ENODEV,
     "the NVIDIA driver isn't ready; start its services (nvidia-fabricmanager, "
     "nvidia-persistenced)"},
    {cudaErrorDevicesUnavailable, -ENODEV,
     "the device is in use by another process in exclusive mode; choose another one (--gpus)"},
    {cudaErrorNoKernelImageForDevice, -ENODEV,
     "this program has no code for the device's compute capability; build it with a CUDA toolkit "
     "that supports the device"},
    {cudaErrorECCUncorrectable, -EIO,
     "the device's memory has an uncorrectable (ECC) error; reset or replace the device" RESUMES},
    {cudaErrorNvlinkUncorrectable, -EIO,
     "the device's NVLink has an uncorrectable error; reset or replace the device" RESUMES},
    {cudaErrorLaunchTimeout, -EIO,
     "a kernel ran longer than the display's watchdog allows; use a device without a "
     "display" RESUMES},
    {cudaErrorLaunchFailure, -EIO,
     "a kernel failed on the device; see the kernel log for a line with Xid" RESUMES},
    {cudaErrorIllegalAddress, -EIO,
     "a kernel read or wrote outside its memory, which is a bug of this program or of cuDNN; "
     "please report it"},
    {cudaErrorUnknown, -EIO, "the device was lost; see the kernel log for a line with Xid" RESUMES},
};

int cuda_failed(cudaError_t status, const char *what, struct error *err)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].status == status)
            return error_set(err, -known[i].code, "%s failed: %s (%s)", what, known[i].text,
                             cudaGetErrorName(status));
    return error_set(err, EIO, "%s failed: %s (%s)", what, cudaGetErrorString(status),
                     cudaGetErrorName(status));
}

int cuda_check(cudaError_t status, const char *what, struct error *err)
{
    return status == cudaSuccess ? 0 : cuda_failed(status, what, err);
}

int cuda_allocate(size_t bytes, void **memory, struct error *err)
{
    size_t available = 0, total = 0;
    cudaError_t status = cudaMalloc(memory, bytes ? bytes : 1);
    if (status != cudaErrorMemoryAllocation)
        return cuda_check(status, "allocating device memory", err);
    (void)cudaGetLastError(); /* the error isn't sticky; clear it */
    if (cudaMemGetInfo(&available, &total) != cudaSuccess)
        return cuda_failed(status, "allocating device memory", err);
    const double mb = 1e6;
    return error_set(err, ENOMEM,
                     "the device's memory is full: %.1f MB are needed, %.1f of %.1f MB are free; "
                     "use a smaller batch_size or another device (--gpus)",
                     (double)bytes / mb, (double)available / mb, (double)total / mb);
}
