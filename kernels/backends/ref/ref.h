/* Shared by the files of the `ref` backend: its device and tensors. */
#ifndef FERDAG_KERNELS_BACKENDS_REF_REF_H
#define FERDAG_KERNELS_BACKENDS_REF_REF_H

#include "kernels/backends/backend.h"

struct tensor {
    struct shape shape;
    double *v;
    bool is_view; /* another tensor, whose v it is */
    struct tensor *next;
};

struct device {
    struct loss_sums sums;
    struct tensor *tensors;
    struct image_set *image_sets;
    struct conv *convs;
};

/* Where element (n, c, h, w) is. */
static inline double *at(const struct tensor *t, size_t n, size_t c, size_t h, size_t w)
{
    return &t->v[((n * t->shape.c + c) * t->shape.h + h) * t->shape.w + w];
}

static inline size_t slice(const struct tensor *t)
{
    return t->shape.c * t->shape.h * t->shape.w;
}

/* The same of the n-th image of a range. */
static inline double *of(const struct tensor *t, struct range r, size_t n, size_t c, size_t h,
                         size_t w)
{
    return at(t, t->shape.n < r.batch ? n : r.first + n, c, h, w);
}

/* The operations. */
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

void ref_convs_free(struct device *device);

#endif
