/* Runs plans of convolutions. See conv_plan.h. A plan is built from properties of a device, without
 * a handle; cudnnBackendExecute compares the architecture of the plan with that of the handle. */
#include "kernels/backends/cuda/conv_plan_internal.h"

#include <errno.h>

static int failed_run(const struct conv_plan *plan, cudnnStatus_t status, struct error *err)
{
    char name[CONV_NAME_SIZE];
    conv_problem_name(&plan->problem, name, sizeof name);
    return cudnn_failed(plan->cudnn, status, name, err);
}

static cudnnStatus_t run_part(const struct conv_plan *plan, cudnnHandle_t handle, void **pointers,
                              void *workspace, cudnnBackendDescriptor_t pack)
{
    const struct cudnn *cudnn = plan->cudnn;
    cudnnStatus_t status = cudnn->BackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                                      CUDNN_TYPE_INT64, TENSORS, tensor_ids);
    if (!status)
        status = cudnn->BackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                            CUDNN_TYPE_VOID_PTR, TENSORS, pointers);
    if (!status)
        status = cudnn->BackendSetAttribute(pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                            CUDNN_TYPE_VOID_PTR, 1, &workspace);
    if (!status)
        status = cudnn->BackendFinalize(pack);
    if (!status)
        status = cudnn->BackendExecute(handle, plan->plan, pack);
    return status;
}

int conv_plan_run(const struct conv_plan *plan, cudnnHandle_t handle, void *x, void *weights,
                  void *y, void *workspace, struct error *err)
{
    char *const starts[TENSORS] = {x, weights, y};
    for (int i = 0; i < TENSORS; i++)
        if (!starts[i] || (uintptr_t)starts[i] % ALIGNMENT)
            return error_set(err, EINVAL, "a tensor of a convolution isn't aligned to %d bytes",
                             ALIGNMENT);
    if ((uintptr_t)workspace % ALIGNMENT || (!workspace && plan->engine.workspace))
        return error_set(err, EINVAL, "a convolution has no aligned workspace");
    for (size_t part = 0; part < plan->engine.parts; part++) {
        void *pointers[TENSORS];
        for (int i = 0; i < TENSORS; i++)
            pointers[i] = starts[i] + part * plan->steps[i];
        cudnnBackendDescriptor_t pack = NULL;
        cudnnStatus_t status =
            plan->cudnn->BackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &pack);
        if (!status)
            status = run_part(plan, handle, pointers, workspace, pack);
        int code = status ? failed_run(plan, status, err) : 0; /* before another call of cuDNN */
        if (pack)
            plan->cudnn->BackendDestroyDescriptor(pack);
        if (code)
            return code;
    }
    return 0;
}
