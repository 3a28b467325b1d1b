/* What the files of plans share: conv_plan.c makes them, conv_run.c runs them. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_CONV_PLAN_INTERNAL_H
#define FERDAG_KERNELS_BACKENDS_CUDA_CONV_PLAN_INTERNAL_H

#include "kernels/backends/cuda/conv_plan.h"

enum {
    X,
    WEIGHTS,
    Y,
    TENSORS,
    MOST_DESCRIPTORS =
        12,        /* of a plan: three tensors, convolution, operation, graph, engine, plan */
    ALIGNMENT = 16 /* bytes, of the tensors and of the workspace */
};

/* cuDNN's identifiers of the tensors in a graph. */
static const int64_t tensor_ids[TENSORS] = {1, 2, 3};

struct conv_plan {
    const struct cudnn *cudnn;
    struct conv_problem problem;
    struct conv_engine engine;
    size_t steps[TENSORS]; /* bytes between parts, in each tensor */
    cudnnBackendDescriptor_t plan;
    /* All that the plan may refer to, in order of creation. */
    cudnnBackendDescriptor_t kept[MOST_DESCRIPTORS];
    size_t kept_count;
};

#endif
