/* Batch norm, backward: the sums that gamma_gradient and beta_gradient are, then dx. */
#include "kernels/backends/cuda/norm.h"

/* g += another gradient of y. */
template <typename T, int W>
static inline __device__ void add_gradient(const packed<T, W> &dy2, float (&g)[W])
{
    float second[W];
    unpack(dy2, second);
#pragma unroll
    for (int i = 0; i < W; i++)
        g[i] += second[i];
}

/* ---- sums ---- */

struct norm_sums_work {
    struct layout layout;
    const void *x, *y, *dy, *dy2;
    void *dresidual;
    const float *bias;
    struct norm_vectors norm;
    struct sums_scratch scratch;
};

enum { SUMS_ROWS = 2 }; /* in flight */

/* Adds one row to the sums of g and of g * (x - mean), and writes g if it is asked for. `gate` is
 * y, or x if the sign of y is computed again from it. */
template <typename T, int W>
static inline __device__ void sum_row(const struct norm_sums_work &w,
                                      const struct norm_channels<W> &channels,
                                      packed<T, W> packed_x, packed<T, W> packed_y, float (&g)[W],
                                      size_t index, float (&sum)[2][W])
{
    float x[W], y[W];
    unpack(packed_x, x);
    if (w.y)
        unpack(packed_y, y);
#pragma unroll
    for (int i = 0; i < W; i++)
        if (w.norm.relu && !((w.y ? y[i] : normal(channels, i, x[i])) > 0))
            g[i] = 0;
    if (w.dresidual) { /* the sums are of what is stored: the second half reads it */
        packed<T, W> stored;
        pack(g, stored);
        store<T, W>(w.dresidual, index, stored);
        unpack(stored, g);
    }
#pragma unroll
    for (int i = 0; i < W; i++) {
        sum[0][i] += g[i];
        sum[1][i] = fmaf(g[i], x[i] - channels.mean[i], sum[1][i]);
    }
}

template <typename T, int W>
static inline __device__ void sum_rows(const struct norm_sums_work &w, const struct part &part,
                                       float (&sum)[2][W])
{
    struct norm_channels<W> channels;
    load_norm(channels, w.norm, w.bias, part.channel, true);
    for (uint32_t row = part.row; row < w.layout.rows; row += SUMS_ROWS * part.step) {
        packed<T, W> x[SUMS_ROWS], y[SUMS_ROWS], dy[SUMS_ROWS], dy2[SUMS_ROWS];
        load_rows<T, W>(x, w.x, w.layout, part, row);
        load_rows<T, W>(dy, w.dy, w.layout, part, row);
        if (w.y)
            load_rows<T, W>(y, w.y, w.layout, part, row);
        if (w.dy2)
            load_rows<T, W>(dy2, w.dy2, w.layout, part, row);
#pragma unroll
        for (int u = 0; u < SUMS_ROWS; u++) {
            const uint32_t line = row + u * part.step;
            if (line < w.layout.rows) {
                float g[W];
                unpack(dy[u], g);
                if (w.dy2)
                    add_gradient<T, W>(dy2[u], g);
                sum_row<T, W>(w, channels, x[u], y[u], g, part_index(w.layout, part, line), sum);
            }
        }
    }
}

template <typename T, int W> KERNEL void norm_sums(struct norm_sums_work w)
{
    typedef union sums_memory<2, W> memory_type;
    SHARED(memory_type, memory);
    SHARED(struct sums_result<2>, result);
    const struct part part = part_of_thread<W>(w.layout);
    float sum[2][W] = {};
    if (part.inside)
        sum_rows<T, W>(w, part, sum);
    if (!add_grid<2, W>(memory, result, w.layout, part, w.scratch, sum) || part.line != 0 ||
        !part.inside)
        return;
    const uint32_t channels = w.layout.tile * W;
#pragma unroll
    for (int i = 0; i < W; i++) {
        const uint32_t c = part.channel + i, k = part.group * W + i;
        w.norm.beta_gradient[c] = (float)result.total[k];
        w.norm.gamma_gradient[c] = (float)(result.total[channels + k] * (double)w.norm.inverse[c]);
    }
}

cudaError_t launch_norm_sums(const struct matrix *x, const struct norm_vectors *norm,
                             const struct matrix *y, const struct matrix *dy,
                             const struct matrix *dy2, struct matrix *dresidual,
                             struct sums_scratch scratch, cudaStream_t stream)
{
    static const struct variants<struct norm_sums_work> kernels = {
        norm_sums<bf16, 8>, norm_sums<bf16, 4>, norm_sums<bf16, 1>, norm_sums<float, 4>,
            norm_sums<float, 1>
    };
    struct launch_shape shape = {"norm_sums", dim3(), true};
    struct norm_sums_work w = {};
    if (!same_shape(x, y) || !same_shape(x, dy) || !same_shape(x, dy2) || !same_shape(x, dresidual))
        return cudaErrorInvalidValue;
    w.x = x->data;
    w.y = y ? y->data : NULL;
    w.dy = dy->data;
    w.dy2 = dy2 ? dy2->data : NULL;
    w.dresidual = dresidual ? dresidual->data : NULL;
    w.bias = x->bias;
    w.norm = *norm;
    w.scratch = scratch;
    cudaError_t e = layout_matrix(x, 2 * SUMS_ROWS, MOST_SUMMED, &w.layout, &shape);
    return e ? e : launch(shape, variant(kernels, x->type, x->channels), stream, w);
}

/* ---- dx ---- */

struct backward_work {
    struct layout layout;
    const void *x, *dy, *dy2, *dx_add;
    void *dx;
    const float *bias;
    struct norm_vectors norm;
    bool gated; /* dy is to be set to 0 where y isn't positive */
    float *column_sums;
    struct sums_scratch scratch;
};

enum { BACKWARD_ROWS = 2 }; /* in flight */

/* What a thread keeps of its channels: dx = scale * (g - sum - (x - mean) * product) + dx_add. */
template <int W> struct backward_channels {
    struct norm_channels<W> norm;
    float sum[W];     /* sum(g) / N */
    float product[W]; /* inverse^2 * sum(g * (x - mean)) / N */
};

template <int W>
static inline __device__ void load_backward(struct backward_channels<W> &channels,
                                            const struct backward_work &w, uint32_t channel)
{
    load_norm(channels.norm, w.norm, w.bias, channel, true);
    load_channels(w.norm.beta_gradient, channel, channels.sum);
    load_channels(w.norm.gamma_gradient, channel, channels.product);
#pragma unroll
    for (int i = 0; i < W; i++) {
        channels.sum[i] /= (float)w.layout.rows;
        channels.product[i] *= w.norm.inverse[channel + i] / (float)w.layout.rows;
    }
}

/* Writes one row of dx. g is the gradient of y, and is changed to what was stored. */
template <typename T, int W>
static inline __device__ void
backward_row(const struct backward_work &w, const struct backward_channels<W> &channels,
             packed<T, W> packed_x, packed<T, W> packed_add, float (&g)[W], size_t index)
{
    float x[W], add[W] = {};
    unpack(packed_x, x);
    if (w.dx_add)
        unpack(packed_add, add);
#pragma unroll
    for (int i = 0; i < W; i++) {
        if (w.gated && !(normal(channels.norm, i, x[i]) > 0))
            g[i] = 0;
        const float d = x[i] - channels.norm.mean[i];
        g[i] = fmaf(channels.norm.scale[i], fmaf(-d, channels.product[i], g[i] - channels.sum[i]),
                    add[i]);
    }
    packed<T, W> stored;
    pack(g, stored);
    store<T, W>(w.dx, index, stored);
    unpack(stored, g);
}

template <typename T, int W>
static inline __device__ void backward_rows(const struct backward_work &w, const struct part &part,
                                            float (&sum)[1][W])
{
    struct backward_channels<W> channels;
    load_backward(channels, w, part.channel);
    for (uint32_t row = part.row; row < w.layout.rows; row += BACKWARD_ROWS * part.step) {
        packed<T, W> x[BACKWARD_ROWS], dy[BACKWARD_ROWS], dy2[BACKWARD_ROWS], add[BACKWARD_ROWS];
        load_rows<T, W>(x, w.x, w.layout, part, row);
        load_rows<T, W>(dy, w.dy, w.layout, part, row);
        if (w.dy2)
            load_rows<T, W>(dy2, w.dy2, w.layout, part, row);
        if (w.dx_add)
            load_rows<T, W>(add, w.dx_add, w.layout, part, row);
#pragma unroll
        for (int u = 0; u < BACKWARD_ROWS; u++) {
            const uint32_t line = row + u * part.step;
            if (line < w.layout.rows) {
                float g[W];
                unpack(dy[u], g);
                if (w.dy2)
                    add_gradient<T, W>(dy2[u], g);
                backward_row<T, W>(w, channels, x[u], add[u], g, part_index(w.layout, part, line));
#pragma unroll
                for (int i = 0; i < W; i++)
                    sum[0][i] += g[i];
            }
        }
    }
}

template <typename T, int W> KERNEL void norm_backward(struct backward_work w)
{
    const struct part part = part_of_thread<W>(w.layout);
    float sum[1][W] = {};
    if (part.inside)
        backward_rows<T, W>(w, part, sum);
}

/* The same, and the sums of the columns of dx. */
template <typename T, int W> KERNEL void norm_backward_sums(struct backward_work w)
{
    typedef union sums_memory<1, W> memory_type;
    SHARED(memory_type, memory);
    SHARED(struct sums_result<1>, result);
    const struct part part = part_of_thread<W>(w.layout);
    float sum[1][W] = {};
    if (part.inside)
        backward_rows<T, W>(w, part, sum);
    if (!add_grid<1, W>(memory, result, w.layout, part, w.scratch, sum) || part.line != 0 ||
        !part.inside)
        return;
#pragma unroll
    for (int i = 0; i < W; i++)
        w.column_sums[part.channel + i] = (float)result.total[part.group * W + i];
}

static const struct variants<struct backward_work> backward_kernels = {
    norm_backward<bf16, 8>, norm_backward<bf16, 4>, norm_backward<bf16, 1>, norm_backward<float, 4>,
        norm_backward<float, 1>
};
static const struct variants<struct backward_work> backward_sums_kernels = {
    norm_backward_sums<bf16, 8>, norm_backward_sums<bf16, 4>, norm_backward_sums<bf16, 1>,
        norm_backward_sums<float, 4>, norm_backward_sums<float, 1>
};

cudaError_t launch_norm_backward(const struct matrix *x, const struct norm_vectors *norm,
                                 const struct matrix *dy, const struct matrix *dy2, bool residual,
                                 const struct matrix *dx_add, struct matrix *dx, float *column_sums,
                                 struct sums_scratch scratch, cudaStream_t stream)
{
    const struct variants<struct backward_work> &kernels =
        column_sums ? backward_sums_kernels : backward_kernels;
    struct launch_shape shape = {column_sums ? "norm_backward_sums" : "norm_backward", dim3(),
                                 column_sums != NULL};
    struct backward_work w = {};
    if (!same_shape(x, dy) || !same_shape(x, dy2) || !same_shape(x, dx_add) || !same_shape(x, dx))
        return cudaErrorInvalidValue;
    w.x = x->data;
    w.dy = dy->data;
    w.dy2 = dy2 ? dy2->data : NULL;
    w.dx_add = dx_add ? dx_add->data : NULL;
    w.dx = dx->data;
    w.bias = x->bias;
    w.norm = *norm;
    w.gated = norm->relu && !residual;
    w.column_sums = column_sums;
    w.scratch = scratch;
    cudaError_t e = layout_matrix(x, 2 * BACKWARD_ROWS, column_sums ? MOST_SUMMED : MOST_BLOCKS,
                                  &w.layout, &shape);
    return e ? e : launch(shape, variant(kernels, x->type, x->channels), stream, w);
}
