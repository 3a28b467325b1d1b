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

enum { ATTRIBUTES = 16, ENGINES = 8 };

struct attribute {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t count;
    void *values;
};

/* cudnnBackendDescriptor_t points to one. */
struct descriptor {
    cudnnBackendDescriptorType_t type;
    bool finalized, executed;
    struct attribute attributes[ATTRIBUTES];
    size_t attribute_count;
    /* Set by finalize, or by GetAttribute of heuristics; copied from descriptor to descriptor. */
    struct tensor_values tensor;
    struct convolution convolution;
    struct engine engines[ENGINES];
    size_t engine_count;
    char json[512];
};

/* Keeps the text for cudnnGetLastErrorString; returns status. */
cudnnStatus_t double_failed_cudnn(cudnnStatus_t status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Counts a call; returns its failure. */
cudnnStatus_t double_begin_cudnn(const char *function);

/* The attribute of that name, or NULL. */
const struct attribute *double_find(const struct descriptor *d, cudnnBackendAttributeName_t name);

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
