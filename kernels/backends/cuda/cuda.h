/* Internal header of the `cuda` backend: device, tensors, convolutions, passes.
 *
 * A device has one worker and range_values 0, so each range is a whole batch. All operations are
 * queued on one stream and run in the order of the calls. All device memory lives until the device
 * is closed, because recorded passes contain its addresses. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_CUDA_H
#define FERDAG_KERNELS_BACKENDS_CUDA_CUDA_H

#include "kernels/backends/backend.h"
#include "kernels/backends/cuda/conv_plan.h"
#include "kernels/backends/cuda/cudnn.h"
#include "kernels/cuda/errors.h"
#include "kernels/backends/cuda/kernels.h"

/* Stored as NHWC; parameters too, so weights of a convolution are (out, height, width, in /
 * groups). */
struct tensor {
    struct device *device;
    struct shape shape;
    enum value_type type; /* of data */
    void *data;
    /* Readers add this vector to each row: the bias of the convolution that wrote the tensor. It
     * saves one pass over memory. NULL: none. */
    const float *bias;
    /* Sums of the columns of the values, as norm_backward wrote them; the gradient of a bias. */
    float *column_sums;
    bool has_column_sums;
    /* Weights: a copy in bf16, which conv_ready makes; write and sgd keep it equal. */
    void *copy;
    /* Gradients of a convolution: the values are here and not in data. NULL: in data. */
    const void *source;
    enum value_type source_type;
    struct tensor *next;
};

/* Device memory, freed when the device is closed. */
struct memory_block {
    void *memory;
    struct memory_block *next;
};

/* Device memory that grows. What it replaces stays allocated. */
struct growing {
    void *memory;
    size_t size;
};

/* A pass of one kind and size: run directly once, then recorded as a graph. */
struct recording {
    enum pass_kind kind;
    size_t n;
    bool ran;             /* directly: plans and memory exist */
    cudaGraphExec_t exec; /* NULL: not recorded yet */
    struct recording *next;
};

/* Plans of a convolution for batches of n images. */
struct conv_plans {
    size_t n;
    struct conv_plan *plans[CONV_DIRECTIONS]; /* built when first needed */
    struct conv_plans *next;
};

struct conv {
    struct device *device;
    struct conv_spec spec;
    struct conv_plans *plans;
    void *gradient;             /* of the weights, in the type of the activations */
    float *bias_sums;           /* memory for column sums; NULL until needed */
    const float *bias_gradient; /* of the last backward pass: bias_sums or a tensor's column_sums */
    struct conv *next;
};

struct image_set {
    uint8_t *pixels; /* (n, size, size) */
    float *levels;   /* 256 */
    size_t size;
    struct image_set *next;
};

/* Arguments of launch_sgd in device memory, and a copy of the entries on the host to see whether
 * they still hold. */
struct sgd_table {
    struct sgd_entry *host, *entries;
    struct sgd_part *parts;
    size_t count, part_count;
};

struct device {
    enum value_type type; /* of activations */
    cudaStream_t stream;
    struct cudnn cudnn;
    cudnnHandle_t handle;
    struct conv_target target;
    struct engine *engines; /* listed or timed (engines.c) */
    bool times_engines;

    struct memory_block *blocks;
    struct tensor *tensors;
    struct image_set *image_sets;
    struct conv *convs;
    struct growing workspace, scratch, sums; /* of plans; of conv_forward; of kernels with sums */
    struct sums_tickets *tickets;
    struct loss_totals *totals;
    struct sgd_table sgd;

    struct growing crops, labels;   /* the queue */
    const struct image_set *queued; /* image set of the queue */
    struct pass pass;
    struct pass_state *state;
    struct recording *recordings, *recording; /* all; that of the current pass, or NULL */
    bool capturing;
};

/* ---- memory (memory.c) ---- */

/* Allocates device memory that the device owns. Returns -EBUSY during a capture. */
int cuda_memory(struct device *device, size_t bytes, void **memory, struct error *err);

/* The same; all bytes are 0 for the operations that follow. */
int cuda_zeroed_memory(struct device *device, size_t bytes, void **memory, struct error *err);

/* Makes g at least `bytes` long. The contents are lost if it grows. */
int cuda_grow(struct device *device, struct growing *g, size_t bytes, struct error *err);

/* Waits until all queued operations have run, and reports the first failure of one. */
int cuda_wait(struct device *device, struct error *err);

/* Frees all memory of the device. */
void cuda_memory_free(struct device *device);

/* Number of values of a tensor, and of one slice (one index of the outermost dimension). */
size_t cuda_slice_values(const struct tensor *t);
size_t cuda_values(const struct tensor *t);

/* The first n images of an activation as a matrix, with its bias. */
struct matrix cuda_matrix(const struct tensor *t, size_t n);

/* As cuda_matrix, for an operation that writes all n images: forgets bias and column sums. */
struct matrix cuda_written(struct tensor *t, size_t n);

/* Scratch memory for a kernel with sums over so many channels. */
int cuda_sums(struct device *device, size_t channels, struct sums_scratch *scratch,
              struct error *err);

/* Adds the bias of an activation to its values, for readers that can't add it themselves. */
int cuda_apply_bias(struct device *device, const struct tensor *t, struct error *err);

/* Builds the plan of a convolution: with the engine that the device's list has for it, else with
 * the fastest if the device times engines, else with the first. Timing overwrites the operand that
 * the direction writes. Not during a capture. */
int cuda_engine_plan(struct device *device, const struct conv_problem *problem, void *x,
                     void *weights, void *y, struct conv_plan **plan, struct error *err);

void cuda_engines_free(struct device *device);

/* Frees recordings and plans. */
void cuda_passes_free(struct device *device);
void cuda_convs_free(struct device *device);

/* The operations (backend.h). */
backend_tensor cuda_tensor;
backend_alloc_size cuda_alloc_size;
backend_view cuda_view;
backend_write cuda_write;
backend_read cuda_read;
backend_image_set cuda_image_set;
backend_queue cuda_queue;
backend_pass_begin cuda_pass_begin;
backend_pass_end cuda_pass_end;
backend_crop cuda_crop;
backend_conv cuda_conv;
backend_conv_ready cuda_conv_ready;
backend_conv_release cuda_conv_release;
backend_conv_forward cuda_conv_forward;
backend_conv_backward cuda_conv_backward;
backend_conv_backward_end cuda_conv_backward_end;
backend_norm_ready cuda_norm_ready;
backend_norm_moments cuda_norm_moments;
backend_norm_moments_end cuda_norm_moments_end;
backend_norm_forward cuda_norm_forward;
backend_norm_sums cuda_norm_sums;
backend_norm_sums_end cuda_norm_sums_end;
backend_norm_backward cuda_norm_backward;
backend_pool_forward cuda_pool_forward;
backend_pool_backward cuda_pool_backward;
backend_linear_forward cuda_linear_forward;
backend_linear_backward cuda_linear_backward;
backend_loss cuda_loss;
backend_loss_sums cuda_loss_sums;
backend_add cuda_add;
backend_sgd cuda_sgd;
backend_use_engines cuda_use_engines;
backend_engines cuda_engines;

#endif
