/* Batch norm, forward. Each kernel reads x once. A bias of x isn't added to x: it is taken from the
 * mean, which gives the same difference. */
#include "kernels/backends/cuda/norm.h"

size_t sums_scratch_values(size_t channels)
{
    /* Two sums for each channel, in all blocks of a column of the grid. Tiles that don't divide the
     * channels, and sums rounded up to 4, are less than half as many again. */
    return MOST_SUMMED * (3 * channels + 64);
}

/* ---- moments ---- */

struct moments_work {
    struct layout layout;
    const void *x;
    const float *bias;
    struct norm_vectors norm;
    struct sums_scratch scratch;
};

enum { MOMENTS_ROWS = 8 }; /* in flight */

/* Sets the vectors of a channel from the sums of the differences to the first row, which is `first`
 * without the bias, and of their squares. */
static __device__ void finish_moments(const struct moments_work &w, uint32_t channel, float first,
                                      double sum, double square)
{
    const struct norm_vectors &v = w.norm;
    const double rows = w.layout.rows, rate = (double)v.momentum;
    const double mean = (double)first + (w.bias ? (double)w.bias[channel] : 0) + sum / rows;
    double var = (square - sum * (sum / rows)) / rows;
    var = var < 0 ? 0 : var; /* by rounding; NaN stays */
    const double unbiased = rows > 1 ? var * rows / (rows - 1) : var;
    v.mean[channel] = (float)mean;
    v.inverse[channel] = (float)(1 / sqrt(var + (double)v.epsilon));
    v.running_mean[channel] = (float)((1 - rate) * (double)v.running_mean[channel] + rate * mean);
    v.running_var[channel] = (float)((1 - rate) * (double)v.running_var[channel] + rate * unbiased);
}

template <typename T, int W> KERNEL void moments(struct moments_work w)
{
    typedef union sums_memory<2, W> memory_type;
    SHARED(memory_type, memory);
    SHARED(struct sums_result<2>, result);
    const struct part part = part_of_thread<W>(w.layout);
    float sum[2][W] = {}, first[W] = {};
    if (part.inside)
        unpack(load<T, W>(w.x, part.channel), first);
    for (uint32_t row = part.row; part.inside && row < w.layout.rows;
         row += MOMENTS_ROWS * part.step) {
        packed<T, W> x[MOMENTS_ROWS];
        load_rows<T, W>(x, w.x, w.layout, part, row);
#pragma unroll
        for (int u = 0; u < MOMENTS_ROWS; u++)
            if (row + u * part.step < w.layout.rows) {
                float v[W];
                unpack(x[u], v);
#pragma unroll
                for (int i = 0; i < W; i++) {
                    const float d = v[i] - first[i];
                    sum[0][i] += d;
                    sum[1][i] = fmaf(d, d, sum[1][i]);
                }
            }
    }
    if (!add_grid<2, W>(memory, result, w.layout, part, w.scratch, sum) || part.line != 0 ||
        !part.inside)
        return;
    const uint32_t channels = w.layout.tile * W;
#pragma unroll
    for (int i = 0; i < W; i++) {
        const uint32_t k = part.group * W + i;
        finish_moments(w, part.channel + i, first[i], result.total[k], result.total[channels + k]);
    }
}

cudaError_t launch_moments(const struct matrix *x, const struct norm_vectors *norm,
                           struct sums_scratch scratch, cudaStream_t stream)
{
    static const struct variants<struct moments_work> kernels = {
        moments<bf16, 8>, moments<bf16, 4>, moments<bf16, 1>, moments<float, 4>, moments<float, 1>
    };
    struct launch_shape shape = {"moments", dim3(), true};
    struct moments_work w = {{}, x->data, x->bias, *norm, scratch};
    cudaError_t e = layout_matrix(x, MOMENTS_ROWS / 2, MOST_SUMMED, &w.layout, &shape);
    return e ? e : launch(shape, variant(kernels, x->type, x->channels), stream, w);
}

/* ---- the norm itself ---- */

struct forward_work {
    struct layout layout;
    const void *x, *residual;
    void *y;
    const float *bias, *residual_bias;
    struct norm_vectors norm;
    bool training;
};

enum { FORWARD_ROWS = 4 }; /* in flight */

template <typename T, int W>
static inline __device__ void norm_row(const struct forward_work &w,
                                       const struct norm_channels<W> &channels,
                                       const float (&residual)[W], packed<T, W> x, size_t index)
{
    float v[W];
    unpack(x, v);
#pragma unroll
    for (int i = 0; i < W; i++) {
        v[i] = normal(channels, i, v[i]) + residual[i];
        if (w.norm.relu)
            v[i] = v[i] < 0 ? 0 : v[i]; /* NaN stays */
    }
    store<T, W>(w.y, index, v);
}

template <typename T, int W> KERNEL void norm_forward(struct forward_work w)
{
    const struct part part = part_of_thread<W>(w.layout);
    if (!part.inside)
        return;
    struct norm_channels<W> channels;
    float bias[W];
    load_norm(channels, w.norm, w.bias, part.channel, w.training);
    load_channels(w.residual ? w.residual_bias : NULL, part.channel, bias);
    for (uint32_t row = part.row; row < w.layout.rows; row += FORWARD_ROWS * part.step) {
        packed<T, W> x[FORWARD_ROWS], r[FORWARD_ROWS];
        load_rows<T, W>(x, w.x, w.layout, part, row);
        if (w.residual)
            load_rows<T, W>(r, w.residual, w.layout, part, row);
#pragma unroll
        for (int u = 0; u < FORWARD_ROWS; u++) {
            const uint32_t line = row + u * part.step;
            if (line >= w.layout.rows)
                break;
            float residual[W] = {};
            if (w.residual) {
                unpack(r[u], residual);
#pragma unroll
                for (int i = 0; i < W; i++)
                    residual[i] += bias[i];
            }
            norm_row<T, W>(w, channels, residual, x[u], part_index(w.layout, part, line));
        }
    }
}

cudaError_t launch_norm_forward(const struct matrix *x, const struct norm_vectors *norm,
                                const struct matrix *residual, struct matrix *y, bool training,
                                cudaStream_t stream)
{
    static const struct variants<struct forward_work> kernels = {
        norm_forward<bf16, 8>, norm_forward<bf16, 4>, norm_forward<bf16, 1>, norm_forward<float, 4>,
            norm_forward<float, 1>
    };
    struct launch_shape shape = {"norm_forward", dim3(), false};
    struct forward_work w = {{},      x->data, residual ? residual->data : NULL,
                             y->data, x->bias, residual ? residual->bias : NULL,
                             *norm,   training};
    if (!same_shape(x, residual) || !same_shape(x, y))
        return cudaErrorInvalidValue;
    cudaError_t e = layout_matrix(x, FORWARD_ROWS, MOST_BLOCKS, &w.layout, &shape);
    return e ? e : launch(shape, variant(kernels, x->type, x->channels), stream, w);
}
