/* What a training step of a net does on a GPU, by its plan: the kernels launched, and the bytes of
 * device memory that they read and write if each operand is read once. An estimate of the time
 * follows from these. Vectors of channels, and
 * what the linear layer reads besides the features, are left out: they stay in the caches. */
#ifndef FERDAG_TESTS_GPU_STEP_MODEL_H
#define FERDAG_TESTS_GPU_STEP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include "kernels/nets/net.h"

enum step_kernel {
    STEP_CROP,
    STEP_CONV,
    STEP_MOMENTS,
    STEP_NORM,
    STEP_MAX_POOL,
    STEP_AVERAGE_POOL,
    STEP_ADD,
    STEP_LINEAR,
    STEP_LOSS,
    STEP_LINEAR_BACKWARD,
    STEP_CONV_INPUT,
    STEP_CONV_WEIGHTS,
    STEP_NORM_SUMS,
    STEP_NORM_BACKWARD,
    STEP_MAX_POOL_BACKWARD,
    STEP_AVERAGE_POOL_BACKWARD,
    STEP_SGD,
    STEP_SET_PASS,
    STEP_KERNELS
};

struct kernel_work {
    size_t launches;
    double read, written, flops; /* bytes; multiplications and additions of convolutions */
};

/* A kind of GPU. */
struct gpu_speed {
    const char *name;
    double bandwidth, peak; /* bytes and bf16 operations in a second */
};

struct step_work {
    struct kernel_work kernels[STEP_KERNELS];
    size_t memory; /* bytes of the values that live over several segments of the plan */
    double seconds;
};

/* What a step of a full batch does on a device with bf16 (spec.precision: or fp32), and the seconds
 * that it takes by the roofline of `gpu` (may be NULL): of each kernel the larger of bytes over
 * STEP_BANDWIDTH of the bandwidth and operations over STEP_EFFICIENCY of the peak, plus STEP_GAP.
 */
int step_model(const struct net_spec *spec, const struct gpu_speed *gpu, struct step_work *work,
               struct error *err);

#define STEP_EFFICIENCY 0.55   /* of the peak, which convolutions reach */
#define STEP_BANDWIDTH  0.9    /* of the datasheet's, which a large copy reaches */
#define STEP_GAP        1.5e-6 /* seconds from kernel to kernel */

/* Names of the kernels for people, and those of kernels/backends/cuda/ (NULL: cuDNN's). */
extern const char *const step_kernel_titles[STEP_KERNELS];
extern const char *const step_kernel_names[STEP_KERNELS];

double step_bytes(const struct step_work *work);
size_t step_launches(const struct step_work *work);

#endif
