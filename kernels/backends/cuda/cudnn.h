/* cuDNN, opened at run time, so that the program starts without it. Only the graph API is used
 * ("backend" functions): nothing that cuDNN 9 has deprecated. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_CUDNN_H
#define FERDAG_KERNELS_BACKENDS_CUDA_CUDNN_H

#include <cuda_runtime_api.h>
#include <cudnn.h>
#include "base/error.h"

/* The functions that the backend calls, with cuDNN's names without "cudnn". */
struct cudnn {
    void *library;
    char path[4096]; /* of the file that was opened */
    size_t version;  /* as cudnnGetVersion: 91900 is 9.19.0 */
    __typeof__(cudnnGetVersion) *GetVersion;
    __typeof__(cudnnGetCudartVersion) *GetCudartVersion;
    __typeof__(cudnnGetErrorString) *GetErrorString;
    __typeof__(cudnnGetLastErrorString) *GetLastErrorString;
    __typeof__(cudnnCreate) *Create;
    __typeof__(cudnnDestroy) *Destroy;
    __typeof__(cudnnSetStream) *SetStream;
    __typeof__(cudnnBackendCreateDescriptor) *BackendCreateDescriptor;
    __typeof__(cudnnBackendDestroyDescriptor) *BackendDestroyDescriptor;
    __typeof__(cudnnBackendSetAttribute) *BackendSetAttribute;
    __typeof__(cudnnBackendGetAttribute) *BackendGetAttribute;
    __typeof__(cudnnBackendFinalize) *BackendFinalize;
    __typeof__(cudnnBackendExecute) *BackendExecute;
};

/* Opens libcudnn_graph.so.9: the file or the folder that FERDAG_CUDNN names, else where the loader
 * finds it, else in the lib64 folder of CUDA_HOME, else of /usr/local/cuda. Returns 0, or -ENODEV
 * with err filled in (cause and remedy): not found, a function is missing, older than 9.8, or
 * another major version. The caller closes it. */
int cudnn_open(struct cudnn *cudnn, struct error *err);
void cudnn_close(struct cudnn *cudnn); /* a zeroed one is allowed */

/* Fills err with what failed, cuDNN's own text, and a remedy where there is one. Returns a negative
 * errno code: -ENOMEM where cuDNN ran out of memory, -ENOTSUP where no engine supports a graph,
 * else -EIO. `what` names the operation, "convolution 64 -> 64, 3x3, stride 1 ...". */
int cudnn_failed(const struct cudnn *cudnn, cudnnStatus_t status, const char *what,
                 struct error *err);

#endif
