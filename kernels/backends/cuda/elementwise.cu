/* Additions, ReLU, conversion to bf16, and the sums of columns. */
#include "kernels/backends/cuda/sums.h"

/* ---- y = x + addend, with or without ReLU ---- */

struct finish_work {
    struct layout layout;
    const void *x, *addend;
    const float *bias, *addend_bias;
    void *y;
    bool relu;
};

enum { FINISH_ROWS = 4 }; /* in flight */

template <typename T, int W> KERNEL void finish(struct finish_work w)
{
    const struct part part = part_of_thread<W>(w.layout);
    if (!part.inside)
        return;
    float bias[W], addend_bias[W];
    load_channels(w.bias, part.channel, bias);
    load_channels(w.addend_bias, part.channel, addend_bias);
    for (uint32_t row = part.row; row < w.layout.rows; row += FINISH_ROWS * part.step) {
        packed<T, W> x[FINISH_ROWS], addend[FINISH_ROWS];
        load_rows<T, W>(x, w.x, w.layout, part, row);
        if (w.addend)
            load_rows<T, W>(addend, w.addend, w.layout, part, row);
#pragma unroll
        for (int u = 0; u < FINISH_ROWS; u++) {
            const uint32_t line = row + u * part.step;
            if (line < w.layout.rows) {
                float v[W], a[W] = {};
                unpack(x[u], v);
                if (w.addend)
                    unpack(addend[u], a);
#pragma unroll
                for (int i = 0; i < W; i++) {
                    v[i] = (v[i] + bias[i]) + (a[i] + addend_bias[i]);
                    if (w.relu)
                        v[i] = v[i] < 0 ? 0 : v[i]; /* NaN stays */
                }
                store<T, W>(w.y, part_index(w.layout, part, line), v);
            }
        }
    }
}

static cudaError_t launch_named(const char *name, const struct matrix *x,
                                const struct matrix *addend, bool relu, struct matrix *y,
                                cudaStream_t stream)
{
    static const struct variants<struct finish_work> kernels = {
        finish<bf16, 8>, finish<bf16, 4>, finish<bf16, 1>, finish<float, 4>, finish<float, 1>
    };
    struct launch_shape shape = {name, dim3(), false};
    struct finish_work w = {};
    if (!same_shape(x, addend) || !same_shape(x, y))
        return cudaErrorInvalidValue;
    w.x = x->data;
    w.bias = x->bias;
    w.addend = addend ? addend->data : NULL;
    w.addend_bias = addend ? addend->bias : NULL;
    w.y = y->data;
    w.relu = relu;
    cudaError_t e = layout_matrix(x, FINISH_ROWS, MOST_BLOCKS, &w.layout, &shape);
    return e ? e : launch(shape, variant(kernels, x->type, x->channels), stream, w);
}

cudaError_t launch_add(const struct matrix *a, const struct matrix *b, struct matrix *y,
                       cudaStream_t stream)
{
    return launch_named("add", a, b, false, y, stream);
}

cudaError_t launch_finish(const struct matrix *x, const struct matrix *addend, bool relu,
                          struct matrix *y, cudaStream_t stream)
{
    return launch_named("finish", x, addend, relu, y, stream);
}

/* ---- sums of columns ---- */

struct column_sums_work {
    struct layout layout;
    const void *x;
    const float *bias;
    float *sums;
    struct sums_scratch scratch;
};

enum { COLUMN_ROWS = 8 }; /* in flight */

template <typename T, int W> KERNEL void column_sums(struct column_sums_work w)
{
    typedef union sums_memory<1, W> memory_type;
    SHARED(memory_type, memory);
    SHARED(struct sums_result<1>, result);
    const struct part part = part_of_thread<W>(w.layout);
    float sum[1][W] = {};
    for (uint32_t row = part.row; part.inside && row < w.layout.rows;
         row += COLUMN_ROWS * part.step) {
        packed<T, W> x[COLUMN_ROWS];
        load_rows<T, W>(x, w.x, w.layout, part, row);
#pragma unroll
        for (int u = 0; u < COLUMN_ROWS; u++)
            if (row + u * part.step < w.layout.rows) {
                float v[W];
                unpack(x[u], v);
#pragma unroll
                for (int i = 0; i < W; i++)
                    sum[0][i] += v[i];
            }
    }
    if (!add_grid<1, W>(memory, result, w.layout, part, w.scratch, sum) || part.line != 0 ||
        !part.inside)
        return;
#pragma unroll
    for (int i = 0; i < W; i++) {
        const double bias = w.bias ? (double)w.bias[part.channel + i] : 0;
        w.sums[part.channel + i] =
            (float)(result.total[part.group * W + i] + bias * (double)w.layout.rows);
    }
}

cudaError_t launch_column_sums(const struct matrix *x, float *sums, struct sums_scratch scratch,
                               cudaStream_t stream)
{
    static const struct variants<struct column_sums_work> kernels = {
        column_sums<bf16, 8>, column_sums<bf16, 4>, column_sums<bf16, 1>, column_sums<float, 4>,
            column_sums<float, 1>
    };
    struct launch_shape shape = {"column_sums", dim3(), true};
    struct column_sums_work w = {{}, x->data, x->bias, sums, scratch};
    cudaError_t e = layout_matrix(x, COLUMN_ROWS / 2, MOST_SUMMED, &w.layout, &shape);
    return e ? e : launch(shape, variant(kernels, x->type, x->channels), stream, w);
}

/* ---- conversion ---- */

struct to_bf16_work {
    const float *in;
    void *out;
    size_t count;
};

/* 8 values a thread. */
KERNEL void to_bf16(struct to_bf16_work w)
{
    const size_t first = ((size_t)block_index().x * THREADS + thread_index()) * 8;
    if (first + 8 <= w.count) {
        float v[8];
        const float4 a = load<float, 4>(w.in, first), b = load<float, 4>(w.in, first + 4);
        v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
        v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
        store<bf16, 8>(w.out, first, v);
        return;
    }
    for (size_t i = first; i < w.count; i++) {
        const float v[1] = {load<float, 1>(w.in, i)};
        store<bf16, 1>(w.out, i, v);
    }
}

cudaError_t launch_to_bf16(const float *in, void *out, size_t count, cudaStream_t stream)
{
    const size_t blocks = (count + 8 * THREADS - 1) / (8 * THREADS);
    const struct launch_shape shape = {"to_bf16", dim3((unsigned)blocks), false};
    if (blocks > INT32_MAX)
        return cudaErrorInvalidValue;
    return launch(shape, to_bf16, stream, {in, out, count});
}
