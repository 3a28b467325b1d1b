/* What the files of the cuDNN double share: descriptors and convolutions. */
#ifndef FERDAG_TESTS_DOUBLE_CUDNN_DOUBLE_H
#define FERDAG_TESTS_DOUBLE_CUDNN_DOUBLE_H

#include <cudnn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIMS = 4 };

struct tensor_values {
    cudnnDataType_t type;
    int64_t dims[DIMS], strides[DIMS], id, alignment;
};

enum direction { FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT };
enum operand { X, WEIGHTS, Y, OPERANDS };

/* A convolution, as its descriptors say. */
struct convolution {
    enum direction direction;
    struct tensor_values tensors[OPERANDS];
    int64_t stride, pad, groups;
};

/* An engine of the double. Not all of them may be used by ferdag. */
struct engine {
    int64_t id;
    bool deterministic, tensor_cores, down_converts, compiled;
    bool refused; /* plans of it can't be made */
    int64_t workspace;
};

/* The engines for a convolution, in the order of the list. Returns their number, at most `most`. */
size_t double_engines(const struct convolution *c, bool fallback, struct engine *engines,
                      size_t most);

/* Checks the shapes of a convolution. Returns NULL or what is wrong. */
const char *double_check_convolution(struct convolution *c);

/* Bytes from the first to behind the last value of a tensor. */
size_t double_extent(const struct tensor_values *t);

/* Bytes of all values of a convolution, each counted once. */
unsigned long long double_convolution_bytes(const struct convolution *c);

/* Computes a convolution with the `ref` backend. */
void double_convolve(const struct convolution *c, void *const pointers[OPERANDS]);

#endif
