/* Types that callers of a net (kernels/nets/net.h) share with the backends. They are not in
 * backend.h, so that callers don't include tensors and operations. */
#ifndef FERDAG_KERNELS_BACKENDS_TYPES_H
#define FERDAG_KERNELS_BACKENDS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Precision of activations and of the operands of convolutions. Parameters are float32. AUTO is
 * only requested: the device chooses bf16 if it is a GPU that has it, else fp32. */
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

/* The engine of a convolution, in the words of the backend: see use_engines in backend.h. */
struct engine_choice {
    const char *convolution; /* shape, direction, number of images, precision */
    const char *engine;
    const char *first; /* what the device would have chosen without timing. "" if it didn't time */
    double seconds, first_seconds; /* of the two, 0 if it didn't time */
};

struct engine_choices {
    const struct engine_choice *items;
    size_t count;
};

/* Sums over training steps. They are on the device, so that a step needn't wait for its loss. */
struct loss_sums {
    double loss;    /* mean cross-entropy of a batch times its number of images */
    size_t correct; /* images whose largest logit is at their label */
    size_t finite;  /* batches after which `loss` was finite */
};

#endif
