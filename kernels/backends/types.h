/* Types that the caller of a net shares with the backends, kept apart from backend.h so that the
 * caller need not see tensors and operations. */
#ifndef FERDAG_KERNELS_BACKENDS_TYPES_H
#define FERDAG_KERNELS_BACKENDS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Precision of activations and of the operands of convolutions. Parameters are float32. */
enum precision { PRECISION_FP32, PRECISION_BF16 };

/* A step of stochastic gradient descent, as PyTorch's SGD:
 *   g = clip(gradient) + weight_decay * w;  v = momentum * v + g;  w = w - lr * v */
struct sgd {
    double lr, momentum, weight_decay;
    double clip; /* limits each gradient element to ±clip before weight decay; 0: off */
};

/* Square grey images, (n, size, size) bytes, and what a net gets for each grey level. Both stay the
 * caller's, and unchanged as long as a device uses them. */
struct image_source {
    const uint8_t *pixels;
    size_t n, size;
    const float *levels; /* 256 */
};

/* A square part of an image, of the size that a net takes. */
struct crop {
    uint32_t image;
    uint8_t top, left;
    bool mirror; /* left and right are exchanged */
};

/* What training steps add up on the device, where it is read now and then. */
struct loss_sums {
    double loss;    /* mean cross-entropy of each batch, times its images */
    size_t correct; /* images whose largest logit was at their label */
    size_t finite;  /* batches before the first after which `loss` isn't finite */
};

#endif
