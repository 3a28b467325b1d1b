/* Convolutions 3x3 with stride 1, pad 1 and one group, by Winograd's minimal filtering: a tile of
 * 4x4 outputs takes 36 multiplications instead of the 144 of direct convolution. Activations are
 * bf16 in the blocked layout of cpu.h. The gradient of the data is the forward pass with other
 * weights. All functions use one thread and the caller's memory. Those that pack or run need a CPU
 * with avx512_bf16; on architectures other than x86-64 those that return bool return false. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_WINOGRAD_H
#define FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_WINOGRAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINOGRAD_LANES = 16 }; /* channels per vector */

struct winograd_shape {
    size_t in, out;       /* channels */
    size_t height, width; /* of x and y */
    /* Vectors of channels of an image in x and y: those of all groups. `in` and `out` are the
     * channels of one group. */
    size_t x_blocks, y_blocks;
};

/* Returns whether winograd_run is faster than direct convolution, by measurement. */
bool winograd_suits(const struct winograd_shape *shape);

/* Sizes in bytes of the packed weights and of the scratch memory of winograd_run. */
size_t winograd_weights_size(const struct winograd_shape *shape);
size_t winograd_scratch_size(const struct winograd_shape *shape);

/* Transforms and packs plain float32 weights, of shape (out, in, 3, 3). With `transposed` their
 * shape is (in, out, 3, 3), and winograd_run computes the gradient of the data: its x is dy, its y
 * is dx. packed is 64-byte aligned. */
void winograd_pack(const struct winograd_shape *shape, bool transposed, const float *weights,
                   void *packed);

/* y = convolution of n images x + bias, + y if `add`, then ReLU if `relu`. bias may be NULL; whole
 * vectors of 16 values are read from it. packed and scratch are 64-byte aligned. Sums are float32;
 * transformed inputs and weights are rounded to bf16. So the error of an output is at most
 *   (sum of |A| |transformed x| |transformed weight|) * 2^-7 + |y| * 2^-8
 * where A is the coefficient of each position in that output (winograd.c). */
void winograd_run(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                  const void *packed, const float *bias, uint16_t *y, bool add, bool relu,
                  void *scratch);

/* Returns whether winograd_gradient is faster than the direct method, by measurement. */
bool winograd_gradient_suits(const struct winograd_shape *shape);

/* Size in bytes of the scratch memory of winograd_gradient. */
size_t winograd_gradient_scratch_size(const struct winograd_shape *shape);

/* Adds to sums the gradient of the weights, from n images x and the gradients dy of y. sums is
 * [block of 16 output channels][3][3][input channels, in whole vectors of 16][16]. scratch is
 * 64-byte aligned. Sums are float32; both transformed operands are rounded to bf16. So the error is
 * at most (sum of |G| |transformed x| |transformed dy| |G|) * 2^-7. */
void winograd_gradient(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                       const uint16_t *dy, float *sums, void *scratch);

#endif
