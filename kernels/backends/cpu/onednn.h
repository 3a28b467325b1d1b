/* oneDNN behind a face that is the same for its versions 2 and 3: convolutions on blocked
 * layouts, and GEMM. No other file includes its headers.
 *
 * Activations are nChw16c (AVX-512) or nChw8c, float32 or bf16; images may be plain nchw. Weights
 * are packed into whatever layout a primitive prefers. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_ONEDNN_H
#define FERDAG_KERNELS_BACKENDS_CPU_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct dnn;      /* engine, stream, and a scratchpad that all its primitives share */
struct dnn_conv; /* one primitive: a direction of a convolution for one batch size */

enum dnn_direction { DNN_FORWARD, DNN_BACKWARD_DATA, DNN_BACKWARD_WEIGHTS, DNN_DIRECTIONS };

struct dnn_shape {
    size_t n, in, out, height, width; /* of the input */
    size_t kernel, stride, pad, groups;
    bool image; /* the input is plain nchw */
    bool bf16; /* activations and packed weights; sums, bias and gradients of weights are float32 */
    bool bias; /* forward: add it; backward weights: compute its gradient */
    bool add, relu; /* forward: y += ..., then ReLU */
};

/* "avx512_core_bf16", "avx2", ...: what oneDNN makes of this CPU (and ONEDNN_MAX_CPU_ISA). */
const char *dnn_isa(void);
bool dnn_has_avx512(void);
bool dnn_has_avx2(void);
bool dnn_has_bf16(void);

/* What it runs takes one thread. With several, oneDNN's products leave parts undone where OpenMP
 * gives fewer than asked for (OMP_THREAD_LIMIT, OMP_DYNAMIC). */
int dnn_open(struct dnn **dnn, struct error *err);
void dnn_close(struct dnn *dnn); /* NULL is fine; after its convolutions are freed */

/* Makes a primitive. like: NULL, or one of the same direction whose packed weights it shares. */
int dnn_conv_create(struct dnn *dnn, enum dnn_direction direction, const struct dnn_shape *shape,
                    const struct dnn_conv *like, struct dnn_conv **conv, struct error *err);
void dnn_conv_free(struct dnn_conv *conv); /* NULL is fine */

/* Bytes of its weights as packed (backward weights: of their gradient). */
size_t dnn_conv_weights_size(const struct dnn_conv *conv);
/* Float32 (groups, out/groups, in/groups, kernel, kernel) to packed, and back, by any dnn: it may
 * be another than the convolution's, which somebody else may be using. */
int dnn_conv_pack(struct dnn *dnn, const struct dnn_conv *conv, const float *plain, void *packed,
                  struct error *err);
int dnn_conv_unpack(struct dnn *dnn, const struct dnn_conv *conv, const void *packed, float *plain,
                    struct error *err);

/* Runs it: forward (x, weights, bias) -> y; backward data (y = dy, weights) -> x = dx; backward
 * weights (x, y = dy) -> weights, bias. Unused ones are NULL. */
int dnn_conv_run(struct dnn_conv *conv, void *x, void *weights, void *bias, void *y,
                 struct error *err);

/* oneDNN's name of the implementation it chose: "jit:avx512_core", "ref:any". */
const char *dnn_conv_name(const struct dnn_conv *conv);

/* c = op(a) * op(b) + beta * c, row-major float32: op(a) (m, k), op(b) (k, n). */
int dnn_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
             size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc,
             struct error *err);

#endif
