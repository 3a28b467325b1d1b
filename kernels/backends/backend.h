/* One small interface that every numeric backend implements: tensors, the operations of a
 * convolutional net forward and backward, and an SGD step. kernels/nets/step_plan.c strings them
 * together.
 *
 * A device owns all tensors, image sets and convolutions made on it, and frees them when it is
 * closed. The interface speaks of shapes only: how an activation lies in memory (blocked, bf16) is
 * the backend's business. Operations on activations take a range of the batch's images, so that
 * several operations in a row can be done on a few images while those are in cache; the ranges of a
 * batch come in order. The others take the number of images n. All return 0, or a negative code
 * with err filled. An operation may only be queued: read and loss_sums wait for what was queued
 * before them. Results depend on inputs, precision, threads and CPU features only: no atomics,
 * fixed orders of summation. */
#ifndef FERDAG_KERNELS_BACKENDS_BACKEND_H
#define FERDAG_KERNELS_BACKENDS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "kernels/backends/types.h"

struct device; /* threads, precision, and all memory of one net */
struct tensor;
struct image_set; /* images that stay on a device, for crops to be taken from */
struct conv;      /* a convolution of one shape, without its weights */

/* Sizes of a tensor, outermost first: images, channels, height, width of an activation; O, I,
 * height, width of convolution weights; 1s where there are fewer. */
struct shape {
    size_t n, c, h, w;
};

enum tensor_use {
    TENSOR_IMAGE,      /* what the first convolution reads; has no gradient */
    TENSOR_ACTIVATION, /* the backend chooses layout and precision */
    TENSOR_PLAIN,      /* float32: parameters, and the matrices around the linear layer */
    TENSOR_TRANSIENT   /* weights that only conv_ready reads, once after each write */
};

/* Images first to first + count - 1 of a batch of `batch`, for one worker. A tensor of at least
 * `batch` images holds the whole batch; a smaller one (of at least `count`) holds the current range
 * only, and is used by this worker only. */
struct range {
    size_t first, count, batch;
    int worker;
};

/* What is good for a device: the planner of a net goes by it. A net's results may differ in the
 * last digits with worker_images, range_values and folds_norms, and not with recomputes and
 * kept_values.
 */
struct device_traits {
    enum precision precision; /* that it computes in: fp32 where it lacks bf16 */
    int workers;              /* threads that may run operations on ranges at the same time */
    size_t worker_images;     /* a worker's part of a batch is a multiple of this; 1 or more */
    size_t range_values;      /* activation values that a range of images should not exceed, so that
                                 they stay in a cache; 0: whole batches are best */
    size_t evaluated_images;  /* images that are evaluated at a time; 0: whole batches */
    bool recomputes;          /* the backward pass computes outputs of norms and max-pools again,
                                 which are cheap, rather than to keep them */
    size_t kept_values;       /* but outputs of norms with a residual only if they are more than
                                 this many values of a batch */
    bool folds_norms;         /* in evaluation a convolution does the norm, addition and ReLU that
                                 follow it, with the norm folded into its weights */
};

struct conv_spec {
    size_t in, out;        /* channels */
    size_t kernel, stride; /* square */
    size_t pad;            /* zeros on each side */
    size_t groups;         /* divides in and out; weights are (out, in/groups, kernel, kernel) */
    size_t height, width;  /* of the input */
    bool image;            /* the input is a TENSOR_IMAGE */
};

/* How conv_forward writes its result. */
enum conv_flags {
    CONV_ADD = 1, /* y += convolution, instead of y = */
    CONV_RELU = 2 /* then max(y, 0) */
};

/* Which gradients conv_backward adds up. */
enum conv_gradients { CONV_WEIGHTS = 1, CONV_BIAS = 2 /* with CONV_WEIGHTS only */ };

/* Batch normalisation over n, h, w for each channel, then an optional residual, then ReLU:
 *   y = relu(gamma * (x - mean) / sqrt(var + epsilon) + beta + residual)
 * with mean and (biased) var of the batch in training, or the running ones, which training
 * moves by momentum (var unbiased, as PyTorch's BatchNorm2d). All tensors plain, c values. */
struct norm {
    struct tensor *gamma, *beta, *running_mean, *running_var;
    struct tensor *mean, *inverse; /* of the last training batch; inverse = 1/sqrt(var + epsilon) */
    struct tensor *gamma_gradient, *beta_gradient;
    double epsilon, momentum;
    bool relu;
};

enum pool {
    POOL_MAX,    /* 2x2, stride 2, odd last row and column dropped; the first of equals wins */
    POOL_AVERAGE /* over the whole plane; its y is a plain (n, c) tensor */
};

/* A parameter, its gradient and its SGD momentum: plain tensors of one shape. */
struct parameter_update {
    struct tensor *value;
    const struct tensor *gradient;
    struct tensor *momentum;
};

/* ---- the functions ---- */

/* Writes the properties of this machine on which results depend, such as "avx512_core_bf16", or "".
 * Returns 0, or -ENOSPC. */
typedef int backend_numerics(char *text, size_t size);

/* Opens a device for `threads` threads and fills in its traits. The caller closes it. */
typedef int backend_open(struct device **device, struct device_traits *traits, int threads,
                         enum precision precision, struct error *err);
typedef void backend_close(struct device *device);

/* Makes a zeroed tensor. write and read copy its first n images (plain: its first n outermost
 * slices) from and to plain NCHW float32. */
typedef int backend_tensor(struct device *device, enum tensor_use use, struct shape shape,
                           struct tensor **tensor, struct error *err);
/* alloc_size: how many values of a plain tensor an activation of this shape takes. view: makes such
 * an activation in a plain tensor, from value `first` on, which is a sum of alloc_sizes; its
 * contents are undefined. */
typedef size_t backend_alloc_size(const struct device *device, struct shape shape);
typedef int backend_view(struct device *device, struct tensor *plain, size_t first,
                         struct shape shape, struct tensor **tensor, struct error *err);
typedef int backend_write(struct device *device, struct tensor *tensor, const float *values,
                          size_t n, struct error *err);
typedef int backend_read(struct device *device, struct tensor *tensor, float *values, size_t n,
                         struct error *err);

/* Makes images resident. A device without memory of its own reads the caller's. */
typedef int backend_image_set(struct device *device, const struct image_source *source,
                              struct image_set **set, struct error *err);
/* Fills the first n images of a TENSOR_IMAGE with crops: levels[pixel] for each pixel. The crops
 * lie within their images. */
typedef int backend_crop(struct device *device, const struct image_set *set,
                         const struct crop *crops, size_t n, struct tensor *images,
                         struct error *err);

typedef int backend_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
                         struct error *err);
/* Packs weights before a batch, and again whenever they have changed: for conv_forward or
 * (`backward`) for the dx of conv_backward. Weights are packed for one of the two at a time.
 * Different workers may call it at the same time for different convolutions. `count`: images of the
 * ranges that follow, about. */
typedef int backend_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                               bool backward, struct error *err);
/* Frees the packed weights; conv_ready makes them again. */
typedef void backend_conv_release(struct tensor *weights);
/* y = x * weights + bias; bias may be NULL; flags of enum conv_flags. */
typedef int backend_conv_forward(struct conv *conv, struct range range, const struct tensor *x,
                                 const struct tensor *weights, const struct tensor *bias,
                                 struct tensor *y, unsigned flags, struct error *err);
/* From dy, the gradient of y: dx, the gradient of x (may be NULL; must not be dy), and the sums of
 * this range for the gradients in `gradients` (enum conv_gradients), for conv_backward_end. */
typedef int backend_conv_backward(struct conv *conv, struct range range, const struct tensor *x,
                                  const struct tensor *weights, const struct tensor *dy,
                                  struct tensor *dx, unsigned gradients, struct error *err);
/* After all ranges: the gradients of weights and, unless NULL, of the bias. */
typedef int backend_conv_backward_end(struct conv *conv, struct tensor *dweights,
                                      struct tensor *dbias, struct error *err);

/* Call before a batch: resets the sums of norm_moments (`training`), or prepares norm_forward in
 * evaluation. */
typedef int backend_norm_ready(struct device *device, const struct norm *norm, bool training,
                               struct error *err);
/* Adds a range of x, which holds the whole batch, to the sums for mean and variance. The end, after
 * all ranges of the n images, sets mean and inverse and updates the running ones. */
typedef int backend_norm_moments(struct device *device, const struct norm *norm, struct range range,
                                 const struct tensor *x, struct error *err);
typedef int backend_norm_moments_end(struct device *device, const struct norm *norm, size_t n,
                                     const struct tensor *x, struct error *err);
/* residual may be NULL. training: with the moments of norm_moments, else the running ones. y
 * may be residual; in evaluation it may be x. */
typedef int backend_norm_forward(struct device *device, const struct norm *norm, struct range range,
                                 const struct tensor *x, const struct tensor *residual,
                                 struct tensor *y, bool training, struct error *err);
/* The gradient of y is dy + dy2 (dy2 may be NULL); g is that where y > 0 (everywhere, without
 * ReLU). y and dresidual are for a norm that had a residual, else NULL: dresidual = g, and may
 * be dy. x, dy and dy2 hold the whole batch of n images. The end sets the gradients of gamma
 * and beta. */
typedef int backend_norm_sums(struct device *device, const struct norm *norm, struct range range,
                              const struct tensor *x, const struct tensor *y,
                              const struct tensor *dy, const struct tensor *dy2,
                              struct tensor *dresidual, struct error *err);
typedef int backend_norm_sums_end(struct device *device, const struct norm *norm, size_t n,
                                  const struct tensor *x, struct error *err);
/* After norm_sums_end: dx = the gradient of x through the norm, + dx_add (may be NULL, may
 * be dx). dy and dy2 are what norm_sums had; with `residual` dy is its dresidual, and dy2 NULL.
 */
typedef int backend_norm_backward(struct device *device, const struct norm *norm,
                                  struct range range, const struct tensor *x,
                                  const struct tensor *dy, const struct tensor *dy2, bool residual,
                                  const struct tensor *dx_add, struct tensor *dx,
                                  struct error *err);

typedef int backend_pool_forward(struct device *device, enum pool pool, struct range range,
                                 const struct tensor *x, struct tensor *y, struct error *err);
typedef int backend_pool_backward(struct device *device, enum pool pool, struct range range,
                                  const struct tensor *x, const struct tensor *dy,
                                  struct tensor *dx, struct error *err);

/* y = x * weights^T + bias: x (n, in), weights (out, in), y (n, out), all plain. */
typedef int backend_linear_forward(struct device *device, size_t n, const struct tensor *x,
                                   const struct tensor *weights, const struct tensor *bias,
                                   struct tensor *y, struct error *err);
typedef int backend_linear_backward(struct device *device, size_t n, const struct tensor *x,
                                    const struct tensor *weights, const struct tensor *dy,
                                    struct tensor *dx, struct tensor *dweights,
                                    struct tensor *dbias, struct error *err);

/* Mean softmax cross-entropy of logits (n, classes) against labels smoothed as PyTorch does
 * (smoothing/classes everywhere, the rest on the label), which is added to the device's loss_sums;
 * dlogits is its gradient. Of equal logits the first is the largest. */
typedef int backend_loss(struct device *device, size_t n, const struct tensor *logits,
                         const uint8_t *labels, double smoothing, struct tensor *dlogits,
                         struct error *err);
/* Waits for the operations before, copies the sums to *sums, then sets them to *next; either may be
 * NULL. They are 0 in a new device. */
typedef int backend_loss_sums(struct device *device, struct loss_sums *sums,
                              const struct loss_sums *next, struct error *err);

/* y = a + b, activations; y may be either. */
typedef int backend_add(struct device *device, struct range range, const struct tensor *a,
                        const struct tensor *b, struct tensor *y, struct error *err);

/* Updates parameters, each by the same settings (types.h). The gradients stay as they are. */
typedef int backend_sgd(struct device *device, const struct parameter_update *updates, size_t count,
                        const struct sgd *settings, struct error *err);

/* A backend: its name and its functions. To add one: a folder beside cpu/, and a line in backend.c.
 */
struct backend {
    const char *name;

    backend_numerics *numerics;
    backend_open *open;
    backend_close *close;
    backend_tensor *tensor;
    backend_alloc_size *alloc_size;
    backend_view *view;
    backend_write *write;
    backend_read *read;
    backend_image_set *image_set;
    backend_crop *crop;
    backend_conv *conv;
    backend_conv_ready *conv_ready;
    backend_conv_release *conv_release;
    backend_conv_forward *conv_forward;
    backend_conv_backward *conv_backward;
    backend_conv_backward_end *conv_backward_end;
    backend_norm_ready *norm_ready;
    backend_norm_moments *norm_moments;
    backend_norm_moments_end *norm_moments_end;
    backend_norm_forward *norm_forward;
    backend_norm_sums *norm_sums;
    backend_norm_sums_end *norm_sums_end;
    backend_norm_backward *norm_backward;
    backend_pool_forward *pool_forward;
    backend_pool_backward *pool_backward;
    backend_linear_forward *linear_forward;
    backend_linear_backward *linear_backward;
    backend_loss *loss;
    backend_loss_sums *loss_sums;
    backend_add *add;
    backend_sgd *sgd;
};

extern const struct backend backend_cpu, backend_ref;

/* All backends of this build, the best first; ends with NULL. */
extern const struct backend *const backends[];

/* The backend of that name; "auto" is the best one. NULL with err filled if there is none. */
const struct backend *backend_find(const char *name, struct error *err);

#endif
