/* Internal header of the `cpu` backend: device, tensors, and the table of loops over planes.
 *
 * Layout of an activation (n, c, h, w): [n][c / lanes][h][w][lanes], float32 or bf16. The last
 * block of channels is padded with zeros. A plane is one block of one image: pixels * lanes
 * consecutive values. So all operations but convolutions are loops over vectors of `lanes`
 * channels. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_CPU_H
#define FERDAG_KERNELS_BACKENDS_CPU_CPU_H

#include "kernels/backends/backend.h"
#include "kernels/backends/cpu/onednn.h"

enum { CPU_MAX_LANES = 16 };

struct vector_loops;

/* Scratch memory of a worker. Each kind grows to the largest size requested. */
enum cpu_scratch {
    SCRATCH_KERNEL, /* within one call of Winograd, weight or image gradient */
    SCRATCH_SPREAD, /* weights padded with zeros to whole vectors of channels */
    SCRATCH_PACKED, /* gradient of weights, in oneDNN's layout */
    SCRATCH_PART,   /* gradient of weights and bias of one range, plain */
    SCRATCHES
};

/* Sums for the gradient of one convolution's weights, in use from its first range of a batch until
 * conv_backward_end. */
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
    int threads; /* = number of workers */
    bool bf16;
    const struct vector_loops *loops; /* for this CPU and precision */
    struct cpu_worker *workers;
    struct loss_sums sums;
    struct {
        const struct image_set *set;
        const struct crop *crops; /* the caller's, as the labels */
        const uint8_t *labels;
    } queue;
    struct pass pass;       /* the current one */
    struct tensor *tensors; /* newest first */
    struct image_set *image_sets;
    struct conv *convs;
};

struct tensor {
    enum tensor_use use;
    struct shape shape;
    size_t blocks, pixels; /* blocks of channels; height * width */
    size_t slice;          /* bytes for one index of the outermost dimension */
    void *data;            /* 64-byte aligned */
    bool is_view;          /* `data` belongs to another tensor */
    uint64_t version;      /* increases with each change of the values; 1 or more */
    void *packed;          /* weights, packed for packed_for; NULL: none */
    size_t packed_size;
    enum dnn_direction packed_for;
    uint64_t packed_version; /* version of the packed values; 0: not packed */
    void *work;              /* only in the tensor `mean` of a norm: memory of norm.c */
    struct tensor *next;
};

/* Loops over one plane of `pixels` vectors. Arrays of float without `plain` in their name have
 * `lanes` values, one for each channel. x, y, dy and dx are planes, unless stated otherwise. */
struct vector_loops {
    size_t lanes, item; /* channels per vector, bytes per value */

    /* sums[0] = sum(x - shift), sums[1] = sum((x - shift)^2); sums is [2][lanes]. */
    void (*moments)(const void *x, size_t pixels, const float *shift, float *sums);
    /* y = x * scale + offset + residual (may be NULL), then ReLU if `relu`. */
    void (*normalize)(const void *x, const void *residual, void *y, size_t pixels,
                      const float *scale, const float *offset, bool relu);
    /* g = dy + dy2; with `relu`, g = 0 except where y > 0 or, if y is NULL, x * scale + offset > 0.
     * sums[0] = sum(g), sums[1] = sum(g * (x - mean)); sums is [2][lanes]. keep = g. y, dy2 and
     * keep may be NULL. */
    void (*gradient_sums)(const void *x, const void *y, const void *dy, const void *dy2, void *keep,
                          size_t pixels, const float *scale, const float *offset, const float *mean,
                          bool relu, float *sums);
    /* dx = a * g + b * x + c + add, with g as above for y = NULL. dy2 and add may be NULL. */
    void (*gradient)(const void *x, const void *dy, const void *dy2, const void *add, void *dx,
                     size_t pixels, const float *scale, const float *offset, bool relu,
                     const float *a, const float *b, const float *c);
    void (*add)(const void *a, const void *b, void *y, size_t pixels);
    /* 2x2 max-pooling of x, which has `height` x `width` pixels. */
    void (*max_forward)(const void *x, void *y, size_t height, size_t width);
    void (*max_backward)(const void *x, const void *dy, void *dx, size_t height, size_t width);
    /* y[lanes] = mean of the plane. */
    void (*average_forward)(const void *x, float *y, size_t pixels);
    /* Gradient of the weights of a convolution of a one-channel image with stride 1 and pad
     * kernel / 2. The image is plain; sums is [ky * kernel + kx][lanes]. */
    void (*image_gradient)(const void *image, const void *dy, size_t height, size_t width,
                           size_t kernel, float *sums);
    /* Sets each vector of x to `value`. */
    void (*fill)(void *x, size_t pixels, const float *value);
    /* Conversion between a plane and plain float32, (channels, pixels), with `channels` <= lanes.
     * from_plain sets the other channels of the plane to 0. */
    void (*from_plain)(const float *plain, size_t channels, void *x, size_t pixels);
    void (*to_plain)(const void *x, float *plain, size_t channels, size_t pixels);
};

/* Returns the loops for this CPU: the widest vectors it has, and bf16 if `bf16` and the CPU has it.
 */
const struct vector_loops *vector_loops_pick(bool bf16);

/* Address of the first image of a range, in a tensor of the batch or of the range. */
static inline char *cpu_images(const struct tensor *t, struct range range)
{
    return (char *)t->data + (t->shape.n < range.batch ? 0 : range.first) * t->slice;
}

/* Conversion of one image of an activation from and to plain float32, (c, h, w). `t` gives shape
 * and layout, `image` the address. Padding becomes 0. */
void cpu_image_from_plain(const struct device *device, const float *plain, const struct tensor *t,
                          char *image);
void cpu_image_to_plain(const struct device *device, const struct tensor *t, const char *image,
                        float *plain);

/* Allocates zeroed memory, 64-byte aligned, for free(). The size, which must be positive, is
 * rounded up to a multiple of 64 bytes, because oneDNN reads and writes the padding of a bias.
 * Returns NULL if there is no memory. */
void *cpu_allocate(size_t size);

/* Sets *memory to scratch memory of the worker, at least `size` bytes, 64-byte aligned, with
 * undefined contents. It is valid until the next request of the same kind. Returns 0 or -ENOMEM. */
int cpu_scratch(struct device *device, int worker, enum cpu_scratch which, size_t size,
                void **memory, struct error *err);

/* Sets dweights, and dbias unless NULL, to the gradients of one range, for a convolution of a
 * one-channel image (x) with stride 1 and pad kernel / 2. Replaces oneDNN's slow reference code,
 * which is all that 2.6 has for this on AVX2. Returns 0 or -ENOMEM. */
int cpu_image_gradient(struct device *device, size_t kernel, struct range range,
                       const struct tensor *x, const struct tensor *dy, float *dweights,
                       float *dbias, struct error *err);

/* Convolutions by im2col and GEMM in fp32, in place of oneDNN's reference code (im2col.c). Weights
 * are plain. gradient: as cpu_image_gradient, but x is an activation. forward: as conv_forward in
 * backend.h. data: sets dx, of the range. Each returns 0 or a negative code. */
int cpu_im2col_gradient(struct device *device, const struct conv_spec *spec, struct range range,
                        const struct tensor *x, const struct tensor *dy, float *dweights,
                        float *dbias, struct error *err);
int cpu_im2col_forward(struct device *device, const struct conv_spec *spec, struct range range,
                       const struct tensor *x, const float *weights, const float *bias,
                       const struct tensor *y, unsigned flags, struct error *err);
int cpu_im2col_data(struct device *device, const struct conv_spec *spec, struct range range,
                    const float *weights, const struct tensor *dy, const struct tensor *dx,
                    struct error *err);

/* Gradient of weights in bf16, for a convolution of an activation (weight_gradient.c). Adds one
 * range to `sums`, an array of cpu_weight_sums(spec) floats in internal order; with `bias`, also
 * the gradient of the bias. Needs device->bf16. Returns 0, -ENOMEM, or -ENOTSUP. */
int cpu_weight_gradient(struct device *device, const struct conv_spec *spec, struct range range,
                        const struct tensor *x, const struct tensor *dy, bool bias, float *sums,
                        struct error *err);
size_t cpu_weight_sums(const struct conv_spec *spec);
/* Sets dweights, in the order of plain weights, and dbias (may be NULL) to the total of the
 * workers' sums, added in the order of the workers. sums[worker] is NULL if that worker had no
 * range. */
void cpu_weight_deliver(const struct device *device, const struct conv_spec *spec,
                        float *const *sums, float *dweights, float *dbias);

/* Convolutions by Winograd's minimal filtering, in bf16: winograd/winograd.h for all groups.
 * `backward` selects the gradient of the data, in which x is dy and y is dx. */
struct winograd_shape;

/* Sets *shape to the shape of one group. Returns whether Winograd's method applies. */
bool cpu_winograd_shape(const struct conv_spec *spec, bool backward, struct winograd_shape *shape);

/* Sets *shape likewise. Returns whether this device computes the convolution by Winograd's method.
 */
bool cpu_winograd_suits(const struct device *device, const struct conv_spec *spec, bool backward,
                        struct winograd_shape *shape);

/* Packs weights->data into weights->packed. Returns 0 or -ENOMEM. */
int cpu_winograd_pack(const struct conv_spec *spec, const struct winograd_shape *shape,
                      bool backward, struct tensor *weights, struct error *err);

/* y = convolution of x with packed weights, of one range; bias (may be NULL) and flags as in
 * conv_forward. Returns 0 or -ENOMEM. */
int cpu_winograd_run(struct device *device, const struct conv_spec *spec,
                     const struct winograd_shape *shape, struct range range, const struct tensor *x,
                     const char *packed, const float *bias, const struct tensor *y, unsigned flags,
                     struct error *err);

/* For tests: the name of oneDNN's reference code ("ref:any", 100 times slower), if a convolution so
 * far uses it; else NULL. */
const char *cpu_reference_code(const struct device *device);

/* Makes weights->packed at least `size` bytes long; its contents are undefined. Returns 0 or
 * -ENOMEM. */
int cpu_packed_memory(struct tensor *weights, size_t size, struct error *err);

/* Free parts of a device: all tensors and the workers; all convolutions; all image sets. */
void cpu_free_memory(struct device *device);
void cpu_convs_free(struct device *device);
void cpu_image_sets_free(struct device *device);

/* The functions of the backend (backend.h). */
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

#endif
