/* Error texts of the CUDA runtime: cause and remedy. */
#ifndef FERDAG_KERNELS_CUDA_ERRORS_H
#define FERDAG_KERNELS_CUDA_ERRORS_H

#include <cuda_runtime_api.h>
#include "base/error.h"

/* Fills err with what failed, the cause and, where there is one, the remedy. Returns a negative
 * errno code: -ENOMEM (device memory is full), -ENODEV (no usable device, or it was lost), else
 * -EIO. `what` completes "... failed": "copying weights to the device". status must be an error. */
int cuda_failed(cudaError_t status, const char *what, struct error *err);

/* Returns 0 for cudaSuccess, else as cuda_failed. */
int cuda_check(cudaError_t status, const char *what, struct error *err);

/* Allocates device memory: *memory, of at least 1 byte, which the caller frees with cudaFree. If it
 * is full, the text has the sizes. */
int cuda_allocate(size_t bytes, void **memory, struct error *err);

#endif
