/* The cuDNN double: execution of plans, handles, and texts of errors. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "tests/double/cudart.h"
#include "tests/double/cudnn_double.h"

enum { SLOWER = 30000 }; /* microseconds */
enum { VERSION = 91900, FAILED = CUDNN_STATUS_EXECUTION_FAILED_CUDART };

struct cudnnContext {
    cudaStream_t stream;
};

static _Thread_local char last_error[256];

cudnnStatus_t double_failed_cudnn(cudnnStatus_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}

cudnnStatus_t double_begin_cudnn(const char *function)
{
    int error = double_call(function, FAILED);
    return error
               ? double_failed_cudnn((cudnnStatus_t)error, "%s: a failure of the double", function)
               : CUDNN_STATUS_SUCCESS;
}

struct execution {
    struct convolution convolution;
    void *pointers[OPERANDS], *workspace;
    size_t workspace_size;
    bool slow;
};

static void run_execution(void *data)
{
    const struct execution *e = data;
    if (e->slow)
        usleep(SLOWER);
    if (e->workspace_size)
        memset(e->workspace, 0xFF, e->workspace_size);
    double_convolve(&e->convolution, e->pointers);
}

/* Sets the pointers of the operands. Returns NULL or what is wrong. */
static const char *read_pack(const struct descriptor *plan, const struct descriptor *pack,
                             struct execution *e)
{
    const int64_t *ids = double_find(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS)->values;
    void *const *pointers = double_find(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)->values;
    e->convolution = plan->convolution;
    e->workspace = *(void **)double_find(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE)->values;
    e->workspace_size = (size_t)plan->engines[0].workspace;
    const char *slow = getenv("FERDAG_DOUBLE_SLOW_ENGINE");
    e->slow = slow && strtol(slow, NULL, 10) == plan->engines[0].id;
    for (int i = 0; i < OPERANDS; i++) {
        const struct tensor_values *t = &plan->convolution.tensors[i];
        for (int k = 0; k < OPERANDS; k++)
            if (ids[k] == t->id)
                e->pointers[i] = pointers[k];
        if (!e->pointers[i])
            return "a tensor has no pointer";
        if ((uintptr_t)e->pointers[i] % (uintptr_t)t->alignment)
            return "a pointer isn't aligned";
        if (!double_is_device(e->pointers[i], double_extent(t)))
            return "a tensor isn't in one block of device memory";
    }
    if (e->workspace_size && !double_is_device(e->workspace, e->workspace_size))
        return "the workspace is smaller than the plan's";
    return NULL;
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_descriptor,
                                  cudnnBackendDescriptor_t pack)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    struct descriptor *plan = plan_descriptor;
    if (status)
        return status;
    if (!handle || !plan || !plan->finalized || !pack || !((struct descriptor *)pack)->finalized)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "handle, plan or pack");
    const struct engine *engine = &plan->engines[0];
    bool wide = plan->convolution.tensors[X].type == CUDNN_DATA_FLOAT;
    if (!engine->deterministic || (wide && (engine->tensor_cores || engine->down_converts)))
        return double_failed_cudnn(CUDNN_STATUS_EXECUTION_FAILED, "engine %d must not be used",
                                   (int)engine->id);
    struct execution *e = calloc(1, sizeof *e);
    if (!e)
        return double_failed_cudnn(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
                                   "out of memory");
    const char *wrong = read_pack(plan, pack, e);
    if (wrong) {
        free(e);
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "%s", wrong);
    }
    struct double_counts *counts = double_count();
    counts->cold += !plan->executed && double_capturing();
    plan->executed = true;
    counts->convolutions++;
    counts->convolution_bytes += double_convolution_bytes(&e->convolution);
    return double_enqueue(handle->stream, run_execution, free, e) == cudaSuccess
               ? CUDNN_STATUS_SUCCESS
               : double_failed_cudnn(CUDNN_STATUS_EXECUTION_FAILED_CUDART, "a launch failed");
}

/* ---- handles and texts ---- */

cudnnStatus_t cudnnCreate(cudnnHandle_t *handle)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    int device;
    if (status)
        return status;
    if (cudaGetDevice(&device) != cudaSuccess || double_capturing())
        return double_failed_cudnn(CUDNN_STATUS_NOT_INITIALIZED,
                                   "no device, or a stream is captured");
    *handle = calloc(1, sizeof **handle);
    if (!*handle)
        return double_failed_cudnn(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
                                   "out of memory");
    double_count()->handles++;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    if (!handle)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no handle");
    free(handle);
    double_count()->handles--;
    return status;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    if (!status)
        handle->stream = stream;
    return status;
}

size_t cudnnGetVersion(void)
{
    return VERSION;
}

size_t cudnnGetCudartVersion(void)
{
    return CUDART_VERSION;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    static _Thread_local char text[40];
    snprintf(text, sizeof text, "CUDNN_STATUS_%d", (int)status);
    return text;
}

void cudnnGetLastErrorString(char *message, size_t size)
{
    snprintf(message, size, "%s", last_error);
    *last_error = '\0';
}
