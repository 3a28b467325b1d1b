/* The four nets as data: each is a short table of blocks, expanded into a straight program of
 * operations on numbered values. Value 0 is the image; each operation writes one new value. */
#ifndef FERDAG_KERNELS_NETS_MODELS_H
#define FERDAG_KERNELS_NETS_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include "kernels/nets/net.h"

enum op_kind {
    OP_CONV, /* parameters: weight, then bias if `bias` */
    OP_NORM, /* weight, bias, running_mean, running_var, num_batches_tracked; `with` is its
                residual */
    OP_ADD,  /* in + with */
    OP_MAX_POOL,
    OP_AVERAGE_POOL, /* out: a (features) vector an image */
    OP_LINEAR        /* weight, bias */
};

struct op {
    enum op_kind kind;
    int in, with, out; /* values; with is -1 if there is none */
    int param;         /* index of its first parameter, or -1 */
    size_t kernel, stride, pad, groups;
    bool bias, relu;
};

/* Sizes of a value for one image. */
struct value_shape {
    size_t channels, height, width;
};

enum { NETS_MAX_OPS = 128, NETS_MAX_PARAMS = 256, NETS_NAME = 48 };

struct parameter {
    char name[NETS_NAME];
    size_t dims, shape[4];
    bool trainable;
};

struct program {
    struct op ops[NETS_MAX_OPS];
    struct value_shape values[NETS_MAX_OPS + 1];
    struct parameter params[NETS_MAX_PARAMS]; /* in PyTorch's order */
    int op_count, value_count, param_count;
    int features, logits; /* values */
};

/* Expands a net's table. The sizes were checked by net_create. */
void program_build(struct program *program, enum net_model model, size_t width, size_t classes,
                   size_t image_size);

/* Multiply-adds of one image forward, times 2, in convolutions and linear layer. */
double program_flops(const struct program *program);

#endif
