/* 3x3 convolutions, stride 1, pad 1, of one group, of bf16 activations in blocked planes (cpu.h),
 * by Winograd's minimal filtering: a tile of 4x4 outputs takes 36 multiplications where the direct
 * way takes 144. Forward and gradient of the data, which is the forward of other weights. One
 * thread; the caller gives all memory. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_WINOGRAD_H
#define FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINOGRAD_LANES = 16 }; /* of a vector of channels */

struct winograd_shape {
    size_t in, out;       /* channels */
    size_t height, width; /* of x and y */
    size_t x_blocks,
        y_blocks; /* vectors of channels that an image has, of which in and out are some */
};

/* Whether this is measured to be faster than the direct way. Needs a CPU with avx512_bf16. */
bool winograd_suits(const struct winograd_shape *shape);

/* Bytes of packed weights, and of the memory that a run works in. */
size_t winograd_weights_size(const struct winograd_shape *shape);
size_t winograd_scratch_size(const struct winograd_shape *shape);

/* Packs plain float32 weights: (out, in, 3, 3), or with `transposed` (in, out, 3, 3), of which the
 * run then computes the gradient of the data: its x is dy, its y dx. */
void winograd_pack(const struct winograd_shape *shape, bool transposed, const float *weights,
                   void *packed);

/* y = convolution of n images x + bias (may be NULL; whole vectors of 16 are read) + y if `add`,
 * then ReLU if asked. Sums in float32; the transformed input and weights are rounded to bf16, so
 * that an error is up to (sum of |A| |transformed x| |transformed weight|) * 2^-7 + |y| * 2^-8, A
 * being what an output takes of a position. packed and scratch are 64-byte aligned. */
void winograd_run(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                  const void *packed, const float *bias, uint16_t *y, bool add, bool relu,
                  void *scratch);

/* The gradient of the weights: adds to sums that of n images x and the gradients dy of y. In their
 * order: [block of 16 output channels][3][3][input channels, whole vectors of 16][16]. Sums in
 * float32; both operands, transformed, are rounded to bf16, so that an error is up to (sum of |G|
 * |transformed x| |transformed dy| |G|) * 2^-7. Needs a CPU with avx512_bf16; scratch is 64-byte
 * aligned. `suits`: whether it is measured to be faster than the direct way. */
bool winograd_gradient_suits(const struct winograd_shape *shape);
size_t winograd_gradient_scratch_size(const struct winograd_shape *shape);
void winograd_gradient(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                       const uint16_t *dy, float *sums, void *scratch);

#endif
