/* The kernels of the `cuda` backend: one function for each, which launches it on a stream. Each
 * kernel reads and writes an activation once. The functions are C, the kernels CUDA C++ (*.cu).
 *
 * Activations are NHWC, float32 or bf16: a matrix of `rows` = n * h * w rows and `channels`
 * columns. All sums are accumulated in float32 or double, in an order that depends on the shape
 * only. All pointers are device memory, aligned to 16 bytes at least. NULL means "none" where a
 * comment says so. All matrices of a call have the same type. Only matrices that are inputs of the
 * forward pass have a bias: the bias of gradients and of results is ignored.
 *
 * The functions return what the launch returned, or cudaErrorInvalidValue for a shape that the
 * kernels can't process: more than 2^31 rows, or sums of more than 8192 channels. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_KERNELS_H
#define FERDAG_KERNELS_BACKENDS_CUDA_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kernels/backends/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Type of the values of an activation. */
enum value_type { VALUE_F32, VALUE_BF16 };

/* An activation, or a view of one. */
struct matrix {
    void *data;
    enum value_type type;
    size_t rows, channels;
    const float *bias; /* (channels): added to each row by the reader. NULL: none */
};

/* What a pass depends on besides addresses that never change. It lies in device memory, so that a
 * recorded pass reads new values each time. */
struct pass_state {
    const struct crop *crops;               /* of the queue */
    const uint8_t *labels;                  /* of the queue */
    const uint8_t *pixels;                  /* (images, size, size), of the image set */
    const float *levels;                    /* 256 */
    uint32_t size;                          /* height and width of the images of the set */
    uint32_t first;                         /* of the pass, in the queue */
    float lr, momentum, weight_decay, clip; /* as in struct sgd (types.h) */
    float label_smoothing;
};

/* Sums over passes: struct loss_sums (types.h) with sizes that don't depend on the host. */
struct loss_totals {
    double loss;
    uint64_t correct, finite;
};

/* Counters of finished blocks, one for each group of columns: 0 before and after each launch. */
enum { SUMS_TICKETS = 256 };
struct sums_tickets {
    uint32_t blocks[SUMS_TICKETS];
};

/* Device memory for the sums of one kernel at a time: `values` has sums_scratch_values() floats. */
struct sums_scratch {
    float *values;
    struct sums_tickets *tickets;
};

/* Number of floats that the kernels with sums need, for activations of up to so many channels. */
size_t sums_scratch_values(size_t channels);

/* *state = *values. `values` is host memory, which is read before the function returns. */
cudaError_t launch_set_pass(struct pass_state *state, const struct pass_state *values,
                            cudaStream_t stream);

/* images (n, size, size, 1) = the crops first to first + n - 1 of the queue (backend_crop). */
cudaError_t launch_crop(const struct pass_state *state, size_t n, size_t size, void *images,
                        enum value_type type, cudaStream_t stream);

/* out = in, rounded to bf16 (to nearest, ties to even). */
cudaError_t launch_to_bf16(const float *in, void *out, size_t count, cudaStream_t stream);

/* ---- batch norm; see backend.h for the formulas ---- */

/* Vectors of a norm, one value for each channel. */
struct norm_vectors {
    const float *gamma, *beta;
    float *mean, *inverse;             /* training */
    float *running_mean, *running_var; /* evaluation; updated in training */
    float *gamma_gradient, *beta_gradient;
    float epsilon, momentum;
    bool relu;
};

/* Sets mean and inverse to those of x, and updates running_mean and running_var. The variance is
 * computed from differences to the first row, because E[x^2] - E[x]^2 would lose digits. */
cudaError_t launch_moments(const struct matrix *x, const struct norm_vectors *norm,
                           struct sums_scratch scratch, cudaStream_t stream);

/* y = norm(x) + residual, with ReLU if norm->relu. residual may be NULL, and may be y. With
 * `training`: from mean and inverse, else from running_mean and running_var. */
cudaError_t launch_norm_forward(const struct matrix *x, const struct norm_vectors *norm,
                                const struct matrix *residual, struct matrix *y, bool training,
                                cudaStream_t stream);

/* backend_norm_sums: sets gamma_gradient and beta_gradient. y, dy2, dresidual may be NULL;
 * dresidual may be dy. */
cudaError_t launch_norm_sums(const struct matrix *x, const struct norm_vectors *norm,
                             const struct matrix *y, const struct matrix *dy,
                             const struct matrix *dy2, struct matrix *dresidual,
                             struct sums_scratch scratch, cudaStream_t stream);

/* backend_norm_backward. dy2 and dx_add may be NULL; dx_add may be dx. With `residual`, dy is g.
 * column_sums (channels) is set to the sums of the columns of dx, as stored: the gradient of a bias
 * that was added to x; NULL: not computed. */
cudaError_t launch_norm_backward(const struct matrix *x, const struct norm_vectors *norm,
                                 const struct matrix *dy, const struct matrix *dy2, bool residual,
                                 const struct matrix *dx_add, struct matrix *dx, float *column_sums,
                                 struct sums_scratch scratch, cudaStream_t stream);

/* ---- element by element ---- */

/* y = a + b; y may be a or b. */
cudaError_t launch_add(const struct matrix *a, const struct matrix *b, struct matrix *y,
                       cudaStream_t stream);

/* y = x + addend, then with `relu` max(y, 0). addend may be NULL, and x and addend may be y. x has
 * its bias added, as always. */
cudaError_t launch_finish(const struct matrix *x, const struct matrix *addend, bool relu,
                          struct matrix *y, cudaStream_t stream);

/* sums (channels) = the sums of the columns of x. */
cudaError_t launch_column_sums(const struct matrix *x, float *sums, struct sums_scratch scratch,
                               cudaStream_t stream);

/* ---- pools; x is (n, height, width, channels) ---- */

cudaError_t launch_max_pool_forward(const struct matrix *x, size_t n, size_t height, size_t width,
                                    struct matrix *y, cudaStream_t stream);
cudaError_t launch_max_pool_backward(const struct matrix *x, size_t n, size_t height, size_t width,
                                     const struct matrix *dy, struct matrix *dx,
                                     cudaStream_t stream);
/* y (n, channels) is float32. */
cudaError_t launch_average_pool_forward(const struct matrix *x, size_t n, size_t plane, float *y,
                                        cudaStream_t stream);
cudaError_t launch_average_pool_backward(const float *dy, size_t n, size_t plane, struct matrix *dx,
                                         cudaStream_t stream);

/* ---- linear layer, loss, update; all float32 ---- */

/* y (n, out) = x (n, in) * weights (out, in)^T + bias */
cudaError_t launch_linear_forward(const float *x, const float *weights, const float *bias, size_t n,
                                  size_t in, size_t out, float *y, cudaStream_t stream);

/* dx = dy * weights, dweights = dy^T * x, dbias = the sums of the columns of dy. */
cudaError_t launch_linear_backward(const float *x, const float *weights, const float *dy, size_t n,
                                   size_t in, size_t out, float *dx, float *dweights, float *dbias,
                                   cudaStream_t stream);

/* backend_loss: sets dlogits and adds to *totals. */
cudaError_t launch_loss(const struct pass_state *state, const float *logits, size_t n,
                        size_t classes, float *dlogits, struct loss_totals *totals,
                        cudaStream_t stream);

/* A parameter for launch_sgd. The gradient is float32 or bf16. */
struct sgd_entry {
    float *value, *momentum;
    const void *gradient;
    enum value_type gradient_type;
    void *copy; /* the value in bf16, written too; NULL: none */
    size_t count;
};

/* A part of a parameter that one block updates: `count` values from `first` on. */
struct sgd_part {
    uint32_t entry, first;
};
enum { SGD_PART_VALUES = 4096 };

/* Updates all parameters in one launch, with the settings of *state. entries and parts lie in
 * device memory; the parts cover all entries in steps of SGD_PART_VALUES. */
cudaError_t launch_sgd(const struct pass_state *state, const struct sgd_entry *entries,
                       const struct sgd_part *parts, size_t part_count, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
