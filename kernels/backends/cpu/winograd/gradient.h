/* What the steps of the weights' gradient share: transforms of pairs of images, whose results are
 * the operands of the products. gradient.c drives them. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_GRADIENT_H
#define FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_GRADIENT_H

#include "kernels/backends/cpu/winograd/steps.h"

#if defined(__x86_64__)
/* An activation of some pairs of images, transformed: [position][block][tile][LINE], where a line
 * has 16 channels, and of each the values of both images. */
struct transformed {
    const struct winograd_shape *shape;
    const struct tiles *tiles; /* of pairs; their image is the first one's number */
    const uint16_t *planes;    /* of the group's first channel */
    size_t image;              /* values from an image to the next */
    size_t images, blocks;
    uint16_t *values;
    size_t position; /* values from a position to the next */
};

/* B^T d B, and A d A^T, of one block of channels for `count` tiles in a row, the first of them t.
 */
void winograd_pair_inputs(const struct transformed *to, size_t block, size_t t, size_t count);
void winograd_pair_outputs(const struct transformed *to, size_t block, size_t t, size_t count);
#endif
#endif
