/* Wrapper of oneDNN 2 and 3: convolutions on blocked layouts, and GEMM. Only onednn.c includes
 * oneDNN's headers.
 *
 * Activations are nChw16c (AVX-512) or nChw8c, float32 or bf16; images are plain nchw. Weights are
 * packed into the layout that a primitive prefers. Functions that return an int return 0 or a
 * negative code, with err filled in: -ENOMEM, -ENOTSUP (not implemented by oneDNN), -EIO. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_ONEDNN_H
#define FERDAG_KERNELS_BACKENDS_CPU_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct dnn;      /* engine, stream, and a scratchpad shared by its primitives; for one thread */
struct dnn_conv; /* one primitive: a convolution in one direction, for one number of images */

enum dnn_direction { DNN_FORWARD, DNN_BACKWARD_DATA, DNN_BACKWARD_WEIGHTS, DNN_DIRECTIONS };

struct dnn_shape {
    size_t n, in, out, height, width; /* images, channels, size of the input */
    size_t kernel, stride, pad, groups;
    bool image;     /* the input is plain nchw */
    bool bf16;      /* precision of activations and packed weights; all else is float32 */
    bool bias;      /* forward: add it; backward weights: compute its gradient */
    bool add, relu; /* forward: y += convolution instead of y =; then ReLU */
};

/* The instruction set that oneDNN uses on this CPU: "avx512_core_bf16", "avx2", ... The environment
 * variable ONEDNN_MAX_CPU_ISA limits it. The other functions tell whether it includes a set. */
const char *dnn_isa(void);
bool dnn_has_avx512(void);
bool dnn_has_avx2(void);
bool dnn_has_bf16(void);

/* Opens oneDNN for one thread. (With several threads, oneDNN leaves parts of a product undone if
 * OpenMP starts fewer than requested, as with OMP_THREAD_LIMIT or OMP_DYNAMIC.) */
int dnn_open(struct dnn **dnn, struct error *err);
/* Free its convolutions first. NULL is allowed. */
void dnn_close(struct dnn *dnn);

/* Creates a primitive, which the caller frees. `like` is NULL or a primitive of the same direction;
 * then the new one uses the same layout of packed weights. */
int dnn_conv_create(struct dnn *dnn, enum dnn_direction direction, const struct dnn_shape *shape,
                    const struct dnn_conv *like, struct dnn_conv **conv, struct error *err);
void dnn_conv_free(struct dnn_conv *conv); /* NULL is allowed */

/* Size of the packed weights in bytes; backward weights: of their packed gradient. */
size_t dnn_conv_weights_size(const struct dnn_conv *conv);
/* Packs float32 weights (groups, out / groups, in / groups, kernel, kernel), and unpacks them.
 * `dnn` is the calling thread's, which may be another one than the convolution's. */
int dnn_conv_pack(struct dnn *dnn, const struct dnn_conv *conv, const float *plain, void *packed,
                  struct error *err);
int dnn_conv_unpack(struct dnn *dnn, const struct dnn_conv *conv, const void *packed, float *plain,
                    struct error *err);

/* Runs a primitive and waits for it. Weights are packed; unused arguments are NULL.
 *   forward:           y from x, weights, bias
 *   backward data:     x, which is dx, from y, which is dy, and weights
 *   backward weights:  weights and bias, which are gradients, from x and y, which is dy */
int dnn_conv_run(struct dnn_conv *conv, void *x, void *weights, void *bias, void *y,
                 struct error *err);

/* oneDNN's name of the implementation: "jit:avx512_core", "ref:any". */
const char *dnn_conv_name(const struct dnn_conv *conv);

/* c = op(a) * op(b) + beta * c, row-major float32, with op(a) (m, k), op(b) (k, n), c (m, n). op
 * transposes if `transpose_a`, `transpose_b`. lda, ldb and ldc are the row lengths as stored. */
int dnn_gemm(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const float *a,
             size_t lda, const float *b, size_t ldb, float beta, float *c, size_t ldc,
             struct error *err);

#endif
