/* Shared by the files of the `cpu` backend: its device and tensors, and the table of loops over
 * blocked planes.
 *
 * An activation (n, c, h, w) lies as [n][c/lanes][h][w][lanes], the last block of channels padded
 * with zeros, float32 or bf16. One (image, block) is a plane: pixels * lanes values in a row, so
 * that everything beside convolutions is a loop over vectors of `lanes` channels. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_CPU_H
#define FERDAG_KERNELS_BACKENDS_CPU_CPU_H

#include "kernels/backends/backend.h"
#include "kernels/backends/cpu/onednn.h"

enum { CPU_MAX_LANES = 16 };

struct vector_loops;

/* Reusable memory of a worker, which grows to the largest size that was requested. */
enum cpu_scratch {
    SCRATCH_KERNEL, /* of one call */
    SCRATCH_SPREAD, /* weights among zeros */
    SCRATCH_PACKED, /* gradient of weights in the layout of oneDNN */
    SCRATCH_PART,   /* the same, plain, of one range */
    SCRATCHES
};

/* Sums of a convolution's gradient, from its first range to the end of the batch. */
struct cpu_sums {
    float *values;
    size_t count;
    bool taken;
    struct cpu_sums *next;
};

/* Memory and primitives of one worker. */
struct cpu_worker {
    struct dnn *dnn;
    void *scratch[SCRATCHES];
    size_t scratch_size[SCRATCHES];
    struct cpu_sums *sums;
};

struct device {
    int threads; /* and workers */
    bool bf16;
    const struct vector_loops *loops; /* the loops for this CPU and precision */
    struct cpu_worker *workers;
    struct loss_sums sums;
    struct tensor *tensors; /* all of them, newest first */
    struct image_set *image_sets;
    struct conv *convs;
};

struct tensor {
    enum tensor_use use;
    struct shape shape;
    size_t blocks, pixels; /* of an activation */
    size_t slice;          /* bytes of one n */
    void *data;            /* 64-byte aligned */
    bool is_view;          /* another tensor, whose data it is */
    uint64_t version;      /* goes up whenever a parameter changes */
    void *packed;          /* weights as their convolution takes them in one direction */
    size_t packed_size;
    enum dnn_direction packed_for;
    uint64_t packed_version; /* 0: never packed */
    void *work;              /* what a norm keeps, in its tensor `mean` */
    struct tensor *next;
};

/* Loops over one plane of `pixels` vectors. Per-channel arrays (scale, ...) hold `lanes` values.
 * Optional operands are NULL. */
struct vector_loops {
    size_t lanes, item; /* channels in a vector, bytes a value */

    /* sums[0] = sum(x - shift), sums[1] = sum((x - shift)^2), each of `lanes` values. */
    void (*moments)(const void *x, size_t pixels, const float *shift, float *sums);
    /* y = x * scale + offset (+ residual), then ReLU if asked. */
    void (*normalize)(const void *x, const void *residual, void *y, size_t pixels,
                      const float *scale, const float *offset, bool relu);
    /* With g = dy (+ dy2) where the ReLU let through (y > 0, or x * scale + offset > 0 when y is
     * NULL; everywhere without relu): sums[0] = sum(g), sums[1] = sum(g * (x - mean)); keep = g
     * unless NULL. */
    void (*gradient_sums)(const void *x, const void *y, const void *dy, const void *dy2, void *keep,
                          size_t pixels, const float *scale, const float *offset, const float *mean,
                          bool relu, float *sums);
    /* dx = a * g + b * x + c (+ add); g as above, from dy (+ dy2) and x. */
    void (*gradient)(const void *x, const void *dy, const void *dy2, const void *add, void *dx,
                     size_t pixels, const float *scale, const float *offset, bool relu,
                     const float *a, const float *b, const float *c);
    void (*add)(const void *a, const void *b, void *y, size_t pixels);
    /* Height and width are those of x. */
    void (*max_forward)(const void *x, void *y, size_t height, size_t width);
    void (*max_backward)(const void *x, const void *dy, void *dx, size_t height, size_t width);
    void (*average_forward)(const void *x, float *y, size_t pixels);
    /* Weight gradient of a convolution of a one-channel image, stride 1, padded to keep its size:
     * sums[ky * kernel + kx] of `lanes` values. The image is plain, dy a plane. */
    void (*image_gradient)(const void *image, const void *dy, size_t height, size_t width,
                           size_t kernel, float *sums);
    void (*fill)(void *x, size_t pixels, const float *value);
    /* Between planes and float32 channels that lie `pixels` apart; `channels` of them exist. */
    void (*from_plain)(const float *plain, size_t channels, void *x, size_t pixels);
    void (*to_plain)(const void *x, float *plain, size_t channels, size_t pixels);
};

/* The loops that suit this CPU. */
const struct vector_loops *vector_loops_pick(bool bf16);

/* The first image of a range. */
static inline char *cpu_images(const struct tensor *t, struct range range)
{
    return (char *)t->data + (t->shape.n < range.batch ? 0 : range.first) * t->slice;
}

/* One image of an activation t, from and to plain float32 planes; the padding becomes zero. */
void cpu_image_from_plain(const struct device *device, const float *plain, const struct tensor *t,
                          char *image);
void cpu_image_to_plain(const struct device *device, const struct tensor *t, const char *image,
                        float *plain);

/* Zeroed, aligned memory in whole 64 bytes, so that oneDNN may read and write the padding of a
 * bias; size > 0. For free(); NULL: out of memory. */
void *cpu_allocate(size_t size);

/* A worker's memory of at least `size` bytes, 64-byte aligned; its contents are undefined. */
int cpu_scratch(struct device *device, int worker, enum cpu_scratch which, size_t size,
                void **memory, struct error *err);

/* Weight gradient of the first convolution, where oneDNN has only reference code for it (2.6 on
 * AVX2): x a one-channel image, stride 1, pad kernel / 2; dbias may be NULL. Of the range alone. */
int cpu_image_gradient(struct device *device, size_t kernel, struct range range,
                       const struct tensor *x, const struct tensor *dy, float *dweights,
                       float *dbias, struct error *err);

/* The same for other convolutions: x an activation. */
int cpu_im2col_gradient(struct device *device, const struct conv_spec *spec, struct range range,
                        const struct tensor *x, const struct tensor *dy, float *dweights,
                        float *dbias, struct error *err);
/* Forward, as backend.h's conv_forward, and the gradient of the data, where oneDNN has only
 * reference code for it: in fp32; weights: plain. */
int cpu_im2col_forward(struct device *device, const struct conv_spec *spec, struct range range,
                       const struct tensor *x, const float *weights, const float *bias,
                       const struct tensor *y, unsigned flags, struct error *err);
int cpu_im2col_data(struct device *device, const struct conv_spec *spec, struct range range,
                    const float *weights, const struct tensor *dy, const struct tensor *dx,
                    struct error *err);

/* The same for any convolution of an activation, where device->bf16: adds to sums, of
 * cpu_weight_sums floats in an order of its own; `bias`: also what dbias needs. */
int cpu_weight_gradient(struct device *device, const struct conv_spec *spec, struct range range,
                        const struct tensor *x, const struct tensor *dy, bool bias, float *sums,
                        struct error *err);
size_t cpu_weight_sums(const struct conv_spec *spec);
/* The gradients, from the sums of all workers (NULL: none) in their order; dbias may be NULL. */
void cpu_weight_deliver(const struct device *device, const struct conv_spec *spec,
                        float *const *sums, float *dweights, float *dbias);

/* Convolutions by Winograd's minimal filtering (winograd.h), in bf16. shape: whether such a
 * convolution can be computed so at all; *shape becomes that of one group, forward or (backward)
 * of the gradient of the data. suits: whether the device computes it so. pack: weights for `run`.
 * run: y = convolution of x, or for the gradient of the data dx of dy. */
struct winograd_shape;
bool cpu_winograd_shape(const struct conv_spec *spec, bool backward, struct winograd_shape *shape);
bool cpu_winograd_suits(const struct device *device, const struct conv_spec *spec, bool backward,
                        struct winograd_shape *shape);
int cpu_winograd_pack(const struct conv_spec *spec, const struct winograd_shape *shape,
                      bool backward, struct tensor *weights, struct error *err);
int cpu_winograd_run(struct device *device, const struct conv_spec *spec,
                     const struct winograd_shape *shape, struct range range, const struct tensor *x,
                     const char *packed, const float *bias, const struct tensor *y, unsigned flags,
                     struct error *err);

/* The name of the first convolution so far for which oneDNN had nothing better than its reference
 * code ("ref:any", 100 times slower), or NULL. For tests. */
const char *cpu_reference_code(const struct device *device);

/* Memory for packed weights of at least `size` bytes; what it holds is undefined. */
int cpu_packed_memory(struct tensor *weights, size_t size, struct error *err);

/* Frees all tensors and the workers' memory. */
void cpu_free_memory(struct device *device);

/* The operations. */
backend_tensor cpu_tensor;
backend_alloc_size cpu_alloc_size;
backend_view cpu_view;
backend_write cpu_write;
backend_read cpu_read;
backend_image_set cpu_image_set;
backend_crop cpu_crop;
backend_conv cpu_conv;
backend_conv_ready cpu_conv_ready;
backend_conv_release cpu_conv_release;
backend_conv_forward cpu_conv_forward;
backend_conv_backward cpu_conv_backward;
backend_conv_backward_end cpu_conv_backward_end;
backend_norm_ready cpu_norm_ready;
backend_norm_moments_end cpu_norm_moments_end;
backend_norm_sums_end cpu_norm_sums_end;
backend_norm_moments cpu_norm_moments;
backend_norm_forward cpu_norm_forward;
backend_norm_sums cpu_norm_sums;
backend_norm_backward cpu_norm_backward;
backend_pool_forward cpu_pool_forward;
backend_pool_backward cpu_pool_backward;
backend_linear_forward cpu_linear_forward;
backend_linear_backward cpu_linear_backward;
backend_loss cpu_loss;
backend_loss_sums cpu_loss_sums;
backend_add cpu_add;
backend_sgd cpu_sgd;

void cpu_convs_free(struct device *device);
void cpu_image_sets_free(struct device *device);

#endif
