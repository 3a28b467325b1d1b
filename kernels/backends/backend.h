/* The interface of a numeric backend: tensors, the operations of a convolutional net forward and
 * backward, and the SGD update. kernels/nets/step_plan.c calls the operations in order.
 *
 * Ownership: a device owns all tensors, image sets and convolutions that were created on it.
 * close() frees them; there is no other way to free one. Arrays passed to a function (values,
 * updates) stay the caller's, which may change them once the function has returned. The
 * exceptions are an image_source (types.h) and the queue (below).
 *
 * Layout: the caller depends on shapes only. The backend chooses how an activation is stored
 * (blocked, bf16). Plain tensors are float32 in NCHW order, without padding.
 *
 * Ranges: an operation with a `struct range` processes some images of a batch, so that several
 * operations can run on a few images while those are in a cache. The ranges of a worker arrive in
 * ascending order. An operation without a range processes the first n images.
 *
 * Threads: operations with a range may run at the same time in `workers` threads (struct
 * device_traits), each thread with its own range.worker. conv_ready may run at the same time in
 * different workers for different convolutions. One thread calls everything else, while no other
 * call runs on the device.
 *
 * Order: an operation may return before it has run, if the device runs operations in the order of
 * the calls. read and loss_sums wait for the operations before them.
 *
 * Passes: the operations of a training step, or of the evaluation of a batch, stand between
 * pass_begin and pass_end. A device may record a pass and run it again without the calls: see
 * pass_begin.
 *
 * Errors: functions that return an int return 0, or a negative errno code with err filled in.
 *
 * Results depend only on inputs, precision, number of threads and CPU features. So sums have a
 * fixed order, and there are no atomic additions. */
#ifndef FERDAG_KERNELS_BACKENDS_BACKEND_H
#define FERDAG_KERNELS_BACKENDS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "kernels/backends/types.h"

struct device;    /* settings and all memory of one net */
struct tensor;    /* an array of up to four dimensions on a device */
struct image_set; /* resident images, from which crops are taken */
struct conv;      /* a convolution of one shape, without its weights */

/* Dimensions of a tensor, outermost first. Activations: images, channels, height, width. Weights of
 * a convolution: output channels, input channels / groups, kernel height, kernel width. Weights of
 * the linear layer: outputs, inputs, 1, 1. Vectors of c values: 1, c, 1, 1. */
struct shape {
    size_t n, c, h, w;
};

enum tensor_use {
    TENSOR_IMAGE,      /* input of the first convolution; has no gradient; can't be read back */
    TENSOR_ACTIVATION, /* the backend chooses layout and precision */
    TENSOR_PLAIN,      /* float32: parameters, and the matrices of the linear layer */
    TENSOR_TRANSIENT   /* weights, float32. Only conv_ready reads them, once after each write; then
                          the backend may free the values. Can't be read back */
};

/* `count` images of a batch of `batch` images, from image `first` on, processed by one worker.
 * A tensor with at least `batch` images holds the whole batch: image `first` has index `first`.
 * A tensor with fewer images (at least `count`) holds the current range only: image `first` has
 * index 0, and no other worker uses the tensor. */
struct range {
    size_t first, count, batch;
    int worker; /* 0 to workers - 1 */
};

enum pass_kind {
    PASS_TRAINING,  /* forward, backward, sgd */
    PASS_GRADIENTS, /* the same without sgd */
    PASS_EVALUATION /* forward, with running means and variances */
};

/* A pass over a batch: the images and labels first to first + n - 1 of the queue. */
struct pass {
    enum pass_kind kind;
    size_t first, n;
    struct sgd sgd;         /* PASS_TRAINING */
    double label_smoothing; /* not in PASS_EVALUATION */
};

/* Properties of a device, by which the planner of a net decides. worker_images, range_values and
 * folds_norms may change the last digits of results; recomputes and kept_values don't. */
struct device_traits {
    enum precision precision; /* of activations; fp32 if the device lacks bf16 */
    int workers;              /* threads that may run operations on ranges at the same time */
    size_t worker_images;     /* a worker's part of a batch is a multiple of this; at least 1 */
    size_t range_values;      /* a range has at most this many activation values, so that they fit
                                 in a cache; more where weights have more. 0: whole batches */
    size_t evaluated_images;  /* images per range in evaluation; 0: whole batches */
    bool recomputes;          /* the backward pass computes outputs of norms and max-pools again
                                 instead of keeping them */
    size_t kept_values;       /* with `recomputes`: outputs of norms with a residual are kept all
                                 the same if they have at most this many values in a batch */
    bool folds_norms;         /* in evaluation, the weights of a convolution include the norm that
                                 follows, and the convolution does the addition and the ReLU */
};

struct conv_spec {
    size_t in, out;        /* channels */
    size_t kernel, stride; /* the same for height and width */
    size_t pad;            /* rows and columns of zeros on each side */
    size_t groups;         /* divides in and out; weights: (out, in / groups, kernel, kernel) */
    size_t height, width;  /* of the input */
    bool image;            /* the input is a TENSOR_IMAGE */
};

/* How conv_forward writes its result. */
enum conv_flags {
    CONV_ADD = 1, /* y += convolution, instead of y = */
    CONV_RELU = 2 /* then y = max(y, 0) */
};

/* The gradients that conv_backward sums. */
enum conv_gradients { CONV_WEIGHTS = 1, CONV_BIAS = 2 /* with CONV_WEIGHTS only */ };

/* Batch normalisation of each channel over n, h and w, then an optional residual, then ReLU:
 *   y = relu(gamma * (x - mean) / sqrt(var + epsilon) + beta + residual)
 * Training uses mean and biased variance of the batch, evaluation the running ones. Training also
 * updates those, as PyTorch's BatchNorm2d does, with the unbiased variance of the batch:
 *   running = (1 - momentum) * running + momentum * batch
 * All tensors are TENSOR_PLAIN with one value for each channel. */
struct norm {
    struct tensor *gamma, *beta, *running_mean, *running_var;
    struct tensor *mean, *inverse; /* of the last training batch; inverse = 1/sqrt(var + epsilon) */
    struct tensor *gamma_gradient, *beta_gradient; /* NULL in a net for evaluation only */
    double epsilon, momentum;
    bool relu;
};

enum pool {
    POOL_MAX,    /* 2x2, stride 2; an odd last row or column is ignored */
    POOL_AVERAGE /* over height and width; y is a TENSOR_PLAIN of shape (n, c, 1, 1) */
};

/* A parameter, its gradient and its SGD momentum: TENSOR_PLAIN, all of one shape. */
struct parameter_update {
    struct tensor *value;
    const struct tensor *gradient;
    struct tensor *momentum;
};

/* ---- device and tensors ---- */

/* Writes the properties of this machine on which results depend, such as "avx512_core_bf16", or "",
 * to text[size]. They are part of the key of a result. Returns 0, -ENOSPC, or -ENODEV if the
 * backend can't be used on this machine; err then contains the reason and the remedy. */
typedef int backend_numerics(char *text, size_t size, struct error *err);

/* Opens a device and fills in its traits. `threads` (1 or more) is the number of CPU threads that
 * the device may use. `precision` is the one requested; traits->precision is the one in use. The
 * caller closes the device. After an error *device is undefined. */
typedef int backend_open(struct device **device, struct device_traits *traits, int threads,
                         enum precision precision, struct error *err);

/* Frees a device and all that it owns. NULL is allowed. */
typedef void backend_close(struct device *device);

/* Creates a tensor whose values are 0. */
typedef int backend_tensor(struct device *device, enum tensor_use use, struct shape shape,
                           struct tensor **tensor, struct error *err);

/* Returns the size of an activation of this shape, in values of a TENSOR_PLAIN, padding and
 * alignment included. The size must suit view: see there. */
typedef size_t backend_alloc_size(const struct device *device, struct shape shape);

/* Creates a TENSOR_ACTIVATION in the memory of the TENSOR_PLAIN `plain`, from its value `first` on.
 * `first` is a sum of results of alloc_size, so each of these must be a multiple of the alignment
 * that activations need. Views may overlap: the planner uses the same memory for activations that
 * aren't needed at the same time. So an operation must write all of its output, padding included;
 * the values before are undefined. */
typedef int backend_view(struct device *device, struct tensor *plain, size_t first,
                         struct shape shape, struct tensor **tensor, struct error *err);

/* Copies `values`, float32 in NCHW order, to the first n slices of a tensor. A slice is what
 * belongs to one index of the outermost dimension: c * h * w values. */
typedef int backend_write(struct device *device, struct tensor *tensor, const float *values,
                          size_t n, struct error *err);

/* Waits for the operations before, then copies the first n slices of a TENSOR_PLAIN or
 * TENSOR_ACTIVATION to `values`, as float32 in NCHW order. */
typedef int backend_read(struct device *device, struct tensor *tensor, float *values, size_t n,
                         struct error *err);

/* ---- images ---- */

/* Makes images resident on the device. A device without memory of its own reads the caller's; the
 * source (types.h) stays valid and unchanged until the device is closed. */
typedef int backend_image_set(struct device *device, const struct image_source *source,
                              struct image_set **set, struct error *err);

/* Sets the queue: n crops of images of `set`, and their labels (NULL: for evaluation only), which
 * passes refer to by position. Replaces the queue before. The caller keeps both arrays unchanged
 * until the next queue or until the device is closed. It has checked that each crop is inside its
 * image, and that labels are less than the number of classes. */
typedef int backend_queue(struct device *device, const struct image_set *set,
                          const struct crop *crops, const uint8_t *labels, size_t n,
                          struct error *err);

/* Begins a pass. A device may record the operations of a pass and run them again, which is faster
 * than the calls: then *replayed is true, the operations of the pass have been queued, and the
 * caller makes none of the calls. So the caller must make the same calls with the same arguments in
 * all passes of one kind and one n. Otherwise *replayed is false. Functions that wait (read,
 * loss_sums), that copy from the host (write, queue, image_set) or that create something aren't
 * allowed in a pass, except in the first one of its kind and n: that one isn't recorded. */
typedef int backend_pass_begin(struct device *device, const struct pass *pass, bool *replayed,
                               struct error *err);

/* Ends a pass. To be called also if an operation in it has failed (`failed`), unless pass_begin
 * itself failed. */
typedef int backend_pass_end(struct device *device, bool failed, struct error *err);

/* Fills the first images of the TENSOR_IMAGE `images`, of shape (at least n, 1, size, size), with
 * the n crops of the pass, which have size x size pixels: the value is levels[pixel]. With
 * `mirror`, column x of the result is column size - 1 - x of the crop. */
typedef int backend_crop(struct device *device, struct tensor *images, struct error *err);

/* ---- convolution ---- */

/* Creates a convolution (cross-correlation, as PyTorch's Conv2d). */
typedef int backend_conv(struct device *device, const struct conv_spec *spec, struct conv **conv,
                         struct error *err);

/* Prepares weights, of shape (out, in / groups, kernel, kernel), for conv_forward or, with
 * `backward`, for the dx of conv_backward: for example it packs them into another layout. The
 * caller calls it before the forward pass of each batch and before each backward pass that needs
 * dx. It does nothing if the weights haven't changed since it last prepared them for the same
 * direction. Weights are prepared for one direction at a time. It also discards the sums that a
 * failed batch has left in the convolution. `count` is the approximate number of images in the
 * ranges that follow. */
typedef int backend_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                               bool backward, struct error *err);

/* Frees what conv_ready has made for these weights. The next conv_ready makes it again; weights of
 * use TENSOR_TRANSIENT must be written before that. */
typedef void backend_conv_release(struct tensor *weights);

/* y = conv(x, weights) + bias, modified by `flags` (enum conv_flags). bias, of shape (1, out, 1,
 * 1), may be NULL. conv_ready has prepared the weights for the forward direction. */
typedef int backend_conv_forward(struct conv *conv, struct range range, const struct tensor *x,
                                 const struct tensor *weights, const struct tensor *bias,
                                 struct tensor *y, unsigned flags, struct error *err);

/* Backward pass of a range. dy is the gradient of y = conv(x, weights) + bias.
 * - dx: set to the gradient of x. NULL: not computed. Must not be dy. conv_ready has prepared the
 *   weights for the backward direction.
 * - gradients (enum conv_gradients, or 0): this range's part of the gradients of weights and bias
 *   is added to sums in the convolution, one for each worker; conv_backward_end reads them. x is
 *   used for these only. */
typedef int backend_conv_backward(struct conv *conv, struct range range, const struct tensor *x,
                                  const struct tensor *weights, const struct tensor *dy,
                                  struct tensor *dx, unsigned gradients, struct error *err);

/* After conv_backward of all ranges of a batch: sets dweights and, unless NULL, dbias to the
 * gradients, the sums of all workers in the order of the workers. Then clears the sums. */
typedef int backend_conv_backward_end(struct conv *conv, struct tensor *dweights,
                                      struct tensor *dbias, struct error *err);

/* ---- batch norm (struct norm). x is a TENSOR_ACTIVATION ---- */

/* Call before the forward pass of each batch. With `training`: clears the sums of norm_moments and
 * norm_sums. Otherwise: prepares norm_forward with the running mean and variance. */
typedef int backend_norm_ready(struct device *device, const struct norm *norm, bool training,
                               struct error *err);

/* Training. Adds a range of x to the sums for mean and variance. x holds the whole batch. */
typedef int backend_norm_moments(struct device *device, const struct norm *norm, struct range range,
                                 const struct tensor *x, struct error *err);

/* After norm_moments of all ranges of a batch of n images: sets norm->mean and norm->inverse and
 * updates norm->running_mean and norm->running_var. */
typedef int backend_norm_moments_end(struct device *device, const struct norm *norm, size_t n,
                                     const struct tensor *x, struct error *err);

/* Computes y of struct norm. With `training`: from mean and inverse, after norm_moments_end.
 * Otherwise: from the running mean and variance, after norm_ready. residual, of the shape of x, may
 * be NULL. y may be residual and, in evaluation, also x. */
typedef int backend_norm_forward(struct device *device, const struct norm *norm, struct range range,
                                 const struct tensor *x, const struct tensor *residual,
                                 struct tensor *y, bool training, struct error *err);

/* First half of the backward pass: adds a range to the sums for the gradients of gamma and beta.
 * The gradient of y is dy + dy2; dy2 may be NULL. Let g be that gradient where y > 0 and 0
 * elsewhere; without ReLU, g is that gradient everywhere. Each channel has two sums, of g
 * and of g * (x - mean).
 * - Norm with a residual: y is the output of norm_forward; dresidual is set to g, the gradient of
 *   the residual, and may be dy.
 * - Norm without: y and dresidual are NULL, and the sign of y is computed again from x.
 * x, dy and dy2 hold the whole batch. */
typedef int backend_norm_sums(struct device *device, const struct norm *norm, struct range range,
                              const struct tensor *x, const struct tensor *y,
                              const struct tensor *dy, const struct tensor *dy2,
                              struct tensor *dresidual, struct error *err);

/* After norm_sums of all ranges of a batch of n images: sets norm->gamma_gradient and
 * norm->beta_gradient. */
typedef int backend_norm_sums_end(struct device *device, const struct norm *norm, size_t n,
                                  const struct tensor *x, struct error *err);

/* Second half, after norm_sums_end: with N = n * h * w,
 *   dx = gamma * inverse * (g - sum(g)/N - (x - mean) * inverse^2 * sum(g * (x - mean))/N) + dx_add
 * where dx_add may be NULL or dx. Without `residual`: dy and dy2 are the same as in norm_sums, and
 * g is computed again. With `residual` (the norm has one): dy is the dresidual of norm_sums, which
 * is g, and dy2 is NULL. */
typedef int backend_norm_backward(struct device *device, const struct norm *norm,
                                  struct range range, const struct tensor *x,
                                  const struct tensor *dy, const struct tensor *dy2, bool residual,
                                  const struct tensor *dx_add, struct tensor *dx,
                                  struct error *err);

/* ---- other operations ---- */

/* x is an activation (n, c, h, w). y of POOL_MAX is an activation (n, c, h / 2, w / 2), rounded
 * down; y of POOL_AVERAGE is a TENSOR_PLAIN that holds the whole batch. */
typedef int backend_pool_forward(struct device *device, enum pool pool, struct range range,
                                 const struct tensor *x, struct tensor *y, struct error *err);

/* Sets dx to the gradient of x, from x and the gradient dy of y. In POOL_MAX the largest value of a
 * window receives the gradient, in row order the first of equal ones; all others are 0. */
typedef int backend_pool_backward(struct device *device, enum pool pool, struct range range,
                                  const struct tensor *x, const struct tensor *dy,
                                  struct tensor *dx, struct error *err);

/* Linear layer: y = x * weights^T + bias, with x (n, in), weights (out, in), bias (out), y (n,
 * out), all TENSOR_PLAIN. */
typedef int backend_linear_forward(struct device *device, size_t n, const struct tensor *x,
                                   const struct tensor *weights, const struct tensor *bias,
                                   struct tensor *y, struct error *err);

/* Sets dx = dy * weights, dweights = dy^T * x and dbias = the sum of the rows of dy. */
typedef int backend_linear_backward(struct device *device, size_t n, const struct tensor *x,
                                    const struct tensor *weights, const struct tensor *dy,
                                    struct tensor *dx, struct tensor *dweights,
                                    struct tensor *dbias, struct error *err);

/* Softmax cross-entropy of the n images of the pass, with their labels and its label smoothing.
 * logits and dlogits are TENSOR_PLAIN (at least n, classes). The target of an image is smoothing /
 * classes for each class, plus 1 - smoothing for its label, as in PyTorch's CrossEntropyLoss. Sets
 * dlogits to the gradient of the mean loss, and adds loss and number of correct images to the
 * device's loss_sums (types.h). Of equal logits the first counts as the largest. */
typedef int backend_loss(struct device *device, const struct tensor *logits, struct tensor *dlogits,
                         struct error *err);

/* Waits for the operations before, copies the device's loss sums to *sums, then sets them to *next.
 * Either pointer may be NULL. The sums of a new device are 0. */
typedef int backend_loss_sums(struct device *device, struct loss_sums *sums,
                              const struct loss_sums *next, struct error *err);

/* y = a + b, activations of one shape. y may be a or b. */
typedef int backend_add(struct device *device, struct range range, const struct tensor *a,
                        const struct tensor *b, struct tensor *y, struct error *err);

/* One SGD step of `count` parameters, with the settings of the pass (struct sgd in types.h).
 * Changes values and momenta. The gradients stay as they are. */
typedef int backend_sgd(struct device *device, const struct parameter_update *updates, size_t count,
                        struct error *err);

/* ---- engines: what computes a convolution, where there is a choice that decides its speed and the
 * last digits of results. NULL in backends without one (both functions or none) ---- */

/* Sets the engines of a new device, before its first pass. `listed` are those that `engines` of an
 * equal device returned; the device makes its usual choice for other convolutions. NULL: the device
 * times the engines of each convolution when a pass first needs it, and takes the fastest, which
 * may be another one the next time. -EINVAL if a text isn't one that `engines` returns. */
typedef int backend_use_engines(struct device *device, const struct engine_choices *listed,
                                struct error *err);

/* Returns the engines that the device was given or has timed. The caller frees *choices; the texts
 * are the device's. */
typedef int backend_engines(struct device *device, struct engine_choice **choices, size_t *count,
                            struct error *err);

/* A backend: its name and its functions, all of which are required but those for engines. To add a
 * backend, write it in a folder beside cpu/ and add it to the table in backend.c. */
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
    backend_queue *queue;
    backend_pass_begin *pass_begin;
    backend_pass_end *pass_end;
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
    backend_use_engines *use_engines;
    backend_engines *engines;
};

extern const struct backend backend_cpu, backend_ref;
#ifdef FERDAG_CUDA
extern const struct backend backend_cuda;
#endif

/* All backends of this build, the fastest first; NULL ends the list. */
extern const struct backend *const backends[];

/* Returns the backend of that name; "auto" is the first in the list that this machine can use.
 * Returns NULL with err filled in if this build has none of that name. */
const struct backend *backend_find(const char *name, struct error *err);

#endif
