/* Transforms for the gradient of weights, of pairs of images. Their results are the operands of the
 * matrix products in gradient.c, which calls them. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_GRADIENT_H
#define FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_GRADIENT_H

#include "kernels/backends/cpu/winograd/steps.h"

#if defined(__x86_64__)
/* A transformed activation: values is [position][block][tile][LINE]. A line has 16 channels, and
 * for each the values of both images of a pair. */
struct transformed {
    const struct winograd_shape *shape;
    const struct tiles *tiles; /* of pairs of images; tile.image is the first image */
    const uint16_t *planes;    /* first plane of the group in the first image */
    size_t image;              /* stride between images, in values */
    size_t images, blocks;
    uint16_t *values;
    size_t position; /* stride between positions, in values */
};

/* Set to->values to B^T d B (inputs) or A d A^T (gradients of outputs) for one block of channels of
 * `count` adjacent tiles, from tile t on. */
void winograd_pair_inputs(const struct transformed *to, size_t block, size_t t, size_t count);
void winograd_pair_outputs(const struct transformed *to, size_t block, size_t t, size_t count);
#endif
#endif
