/* Internal header of the `ref` backend: device and tensors. */
#ifndef FERDAG_KERNELS_BACKENDS_REF_REF_H
#define FERDAG_KERNELS_BACKENDS_REF_REF_H

#include "kernels/backends/backend.h"

struct tensor {
    struct shape shape;
    double *v;    /* NCHW */
    bool is_view; /* `v` belongs to another tensor */
    struct tensor *next;
};

struct device {
    struct loss_sums sums;
    struct {
        const struct image_set *set;
        const struct crop *crops; /* the caller's, as the labels */
        const uint8_t *labels;
    } queue;
    struct pass pass; /* the current one */
    struct tensor *tensors;
    struct image_set *image_sets;
    struct conv *convs;
};

/* Address of element (n, c, h, w). */
static inline double *element(const struct tensor *t, size_t n, size_t c, size_t h, size_t w)
{
    return &t->v[((n * t->shape.c + c) * t->shape.h + h) * t->shape.w + w];
}

/* Number of values for one index of the outermost dimension. */
static inline size_t slice_values(const struct tensor *t)
{
    return t->shape.c * t->shape.h * t->shape.w;
}

/* Address of element (c, h, w) in image n of a range; n counts from the start of the range. */
static inline double *range_element(const struct tensor *t, struct range r, size_t n, size_t c,
                                    size_t h, size_t w)
{
    return element(t, t->shape.n < r.batch ? n : r.first + n, c, h, w);
}

/* Address of the first value of a range. */
static inline double *range_values(const struct tensor *t, struct range r)
{
    return range_element(t, r, 0, 0, 0, 0);
}

/* Frees all convolutions of a device. */
void ref_convs_free(struct device *device);

/* The operations (backend.h). */
backend_conv ref_conv;
backend_conv_ready ref_conv_ready;
backend_conv_release ref_conv_release;
backend_conv_forward ref_conv_forward;
backend_conv_backward ref_conv_backward;
backend_conv_backward_end ref_conv_backward_end;
backend_norm_ready ref_norm_ready;
backend_norm_moments ref_norm_moments;
backend_norm_moments_end ref_norm_moments_end;
backend_norm_forward ref_norm_forward;
backend_norm_sums ref_norm_sums;
backend_norm_sums_end ref_norm_sums_end;
backend_norm_backward ref_norm_backward;
backend_pool_forward ref_pool_forward;
backend_pool_backward ref_pool_backward;
backend_linear_forward ref_linear_forward;
backend_linear_backward ref_linear_backward;
backend_loss ref_loss;
backend_loss_sums ref_loss_sums;
backend_add ref_add;
backend_sgd ref_sgd;

#endif
