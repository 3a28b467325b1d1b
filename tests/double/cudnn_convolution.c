/* Convolutions of the cuDNN double: checks, engines, and the computation by the `ref` backend. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/backend.h"
#include "kernels/math/bf16.h"
#include "tests/double/cudnn_double.h"

enum { N, C, H, W }; /* dimensions; of weights: out, in / groups, height, width */

static size_t value_size(const struct tensor_values *t)
{
    return t->type == CUDNN_DATA_BFLOAT16 ? 2 : 4;
}

size_t double_extent(const struct tensor_values *t)
{
    size_t last = 0;
    for (int i = 0; i < DIMS; i++)
        last += (size_t)((t->dims[i] - 1) * t->strides[i]);
    return (last + 1) * value_size(t);
}

static size_t count(const struct tensor_values *t)
{
    return (size_t)(t->dims[N] * t->dims[C] * t->dims[H] * t->dims[W]);
}

unsigned long long double_convolution_bytes(const struct convolution *c)
{
    unsigned long long bytes = 0;
    for (int i = 0; i < OPERANDS; i++)
        bytes += count(&c->tensors[i]) * value_size(&c->tensors[i]);
    return bytes;
}

const char *double_check_convolution(struct convolution *c)
{
    const struct tensor_values *x = &c->tensors[X], *w = &c->tensors[WEIGHTS], *y = &c->tensors[Y];
    if (x->type != w->type || x->type != y->type)
        return "tensors of different types: no engine for that";
    if (x->dims[N] != y->dims[N])
        return "x and y have different numbers of images";
    if (w->dims[C] == 0 || x->dims[C] % w->dims[C])
        return "the channels of x aren't a multiple of those of the weights";
    c->groups = x->dims[C] / w->dims[C];
    if (y->dims[C] != w->dims[N] || y->dims[C] % c->groups)
        return "the channels of y aren't those of the weights";
    if (w->dims[H] != w->dims[W])
        return "the kernel isn't a square; the double has no such convolution";
    for (int i = H; i <= W; i++) {
        int64_t room = x->dims[i] + 2 * c->pad - w->dims[i];
        if (room < 0 || y->dims[i] != room / c->stride + 1)
            return "height or width of y doesn't follow from x, kernel, stride and padding";
    }
    if (x->id == w->id || x->id == y->id || w->id == y->id)
        return "two tensors have the same identifier";
    return NULL;
}

/* Lists that make a wrong choice visible: engines that must not be used come first. */
size_t double_engines(const struct convolution *c, bool fallback, struct engine *engines,
                      size_t most)
{
    enum { MB = 1 << 20 };
    static const struct engine bf16[] = {
        {.id = 101, .tensor_cores = true, .workspace = MB},
        {.id = 102, .deterministic = true, .tensor_cores = true, .workspace = (int64_t)2048 * MB},
        {.id = 103, .deterministic = true, .tensor_cores = true, .refused = true},
        {.id = 104, .deterministic = true, .tensor_cores = true, .compiled = true},
        {.id = 105, .deterministic = true, .workspace = 4096},
        {.id = 106, .deterministic = true, .tensor_cores = true, .workspace = 40000},
        {.id = 107, .deterministic = true, .tensor_cores = true, .workspace = 0},
    };
    static const struct engine fp32[] = {
        {.id = 201, .deterministic = true, .tensor_cores = true, .down_converts = true},
        {.id = 202, .workspace = MB},
        {.id = 203, .deterministic = true, .down_converts = true},
        {.id = 204, .deterministic = true, .refused = true},
        {.id = 205, .deterministic = true, .workspace = 30000},
        {.id = 206, .deterministic = true},
    };
    static const struct engine fallbacks[] = {
        {.id = 301, .workspace = 0},
        {.id = 302, .deterministic = true, .workspace = 10000},
    };
    bool narrow = c->tensors[X].type == CUDNN_DATA_BFLOAT16, aligned = true;
    for (int i = 0; i < OPERANDS; i++)
        aligned &= c->tensors[i].alignment >= 16;
    /* As the real one: no tensor cores for wide grouped convolutions. */
    bool cores = aligned && !(c->groups > 1 && c->tensors[X].dims[C] >= 32);
    const struct engine *list = fallback ? fallbacks : narrow ? bf16 : fp32;
    size_t n = fallback ? sizeof fallbacks / sizeof *fallbacks
               : narrow ? sizeof bf16 / sizeof *bf16
                        : sizeof fp32 / sizeof *fp32;
    size_t found = 0;
    for (size_t i = 0; i < n && found < most; i++)
        if (cores || !narrow || !list[i].tensor_cores)
            engines[found++] = list[i];
    return found;
}

/* ---- computation ---- */

/* Index in device memory of value i of a dense tensor in NCHW order. */
static size_t place(const struct tensor_values *t, size_t i)
{
    size_t at = 0;
    for (int k = DIMS - 1; k >= 0; k--) {
        at += i % (size_t)t->dims[k] * (size_t)t->strides[k];
        i /= (size_t)t->dims[k];
    }
    return at;
}

static float *dense(const struct tensor_values *t, const void *memory)
{
    float *values = malloc(count(t) * sizeof *values);
    for (size_t i = 0; values && i < count(t); i++)
        values[i] = t->type == CUDNN_DATA_BFLOAT16
                        ? bf16_widen(((const uint16_t *)memory)[place(t, i)])
                        : ((const float *)memory)[place(t, i)];
    return values;
}

static uint16_t narrow(float value)
{
    return value == value ? bf16_narrow(value) : 0x7FFF;
}

static void write_back(const struct tensor_values *t, const float *values, void *memory)
{
    for (size_t i = 0; i < count(t); i++)
        if (t->type == CUDNN_DATA_BFLOAT16)
            ((uint16_t *)memory)[place(t, i)] = narrow(values[i]);
        else
            ((float *)memory)[place(t, i)] = values[i];
}

static void must(int code, const struct error *err)
{
    if (code) {
        fprintf(stderr, "double of cuDNN: %s\n", err->text);
        abort();
    }
}

static struct tensor *ref_tensor(struct device *device, const struct tensor_values *t,
                                 const float *values)
{
    struct error err = {0};
    struct tensor *made;
    struct shape shape = {(size_t)t->dims[N], (size_t)t->dims[C], (size_t)t->dims[H],
                          (size_t)t->dims[W]};
    must(backend_ref.tensor(device, TENSOR_PLAIN, shape, &made, &err), &err);
    if (values)
        must(backend_ref.write(device, made, values, shape.n, &err), &err);
    return made;
}

void double_convolve(const struct convolution *c, void *const pointers[OPERANDS])
{
    static const enum operand results[] = {Y, X, WEIGHTS}; /* by direction */
    enum operand result = results[c->direction];
    const struct tensor_values *t = c->tensors;
    size_t n = (size_t)t[X].dims[N];
    struct conv_spec spec = {
        .in = (size_t)t[X].dims[C],
        .out = (size_t)t[Y].dims[C],
        .kernel = (size_t)t[WEIGHTS].dims[H],
        .stride = (size_t)c->stride,
        .pad = (size_t)c->pad,
        .groups = (size_t)c->groups,
        .height = (size_t)t[X].dims[H],
        .width = (size_t)t[X].dims[W],
    };
    struct error err = {0};
    struct device *device;
    struct device_traits traits;
    struct conv *conv;
    struct tensor *tensors[OPERANDS];
    struct range range = {0, n, n, 0};
    must(backend_ref.open(&device, &traits, 1, PRECISION_FP32, &err), &err);
    must(backend_ref.conv(device, &spec, &conv, &err), &err);
    for (int i = 0; i < OPERANDS; i++) {
        float *values = i == (int)result ? NULL : dense(&t[i], pointers[i]);
        tensors[i] = ref_tensor(device, &t[i], values);
        free(values);
    }
    must(backend_ref.conv_ready(conv, 0, n, tensors[WEIGHTS], c->direction == INPUT_GRADIENT, &err),
         &err);
    if (c->direction == FORWARD)
        must(backend_ref.conv_forward(conv, range, tensors[X], tensors[WEIGHTS], NULL, tensors[Y],
                                      0, &err),
             &err);
    else
        must(backend_ref.conv_backward(conv, range, tensors[X], tensors[WEIGHTS], tensors[Y],
                                       c->direction == INPUT_GRADIENT ? tensors[X] : NULL,
                                       c->direction == WEIGHT_GRADIENT ? CONV_WEIGHTS : 0, &err),
             &err);
    if (c->direction == WEIGHT_GRADIENT)
        must(backend_ref.conv_backward_end(conv, tensors[WEIGHTS], NULL, &err), &err);
    float *values = malloc(count(&t[result]) * sizeof *values);
    must(!values, &(struct error){"out of memory"});
    must(backend_ref.read(device, tensors[result], values, (size_t)t[result].dims[N], &err), &err);
    write_back(&t[result], values, pointers[result]);
    free(values);
    backend_ref.close(device);
}
