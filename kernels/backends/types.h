/* Types that callers of a net (kernels/nets/net.h) share with the backends. They are not in
 * backend.h, so that callers don't include tensors and operations. */
#ifndef FERDAG_KERNELS_BACKENDS_TYPES_H
#define FERDAG_KERNELS_BACKENDS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Precision of activations and of the operands of convolutions. Parameters are float32. AUTO is only
 * requested: the device chooses bf16 if it is a GPU that has it, else fp32. */
enum precision { PRECISION_FP32, PRECISION_BF16, PRECISION_AUTO };

/* A step of stochastic gradient descent, as PyTorch's SGD:
 *   g = clip(gradient) + weight_decay * w;  v = momentum * v + g;  w = w - lr * v */
struct sgd {
    double lr, momentum, weight_decay;
    double clip; /* limits each gradient element to ±clip before weight decay; 0: off */
};

/* n square grey images, and the input value of a net for each grey level. The caller owns both
 * arrays, and keeps them unchanged until the device that uses them is closed. */
struct image_source {
    const uint8_t *pixels; /* (n, size, size) */
    size_t n, size;
    const float *levels; /* 256 */
};

/* A square part of an image. Its size is the input size of the net. */
struct crop {
    uint32_t image;    /* index in the image source */
    uint8_t top, left; /* the first pixel, in rows and columns of the image */
    bool mirror;       /* exchange left and right */
};

/* Sums over training steps. They are on the device, so that a step needn't wait for its loss. */
struct loss_sums {
    double loss;    /* mean cross-entropy of a batch times its number of images */
    size_t correct; /* images whose largest logit is at their label */
    size_t finite;  /* batches after which `loss` was finite */
};

#endif
