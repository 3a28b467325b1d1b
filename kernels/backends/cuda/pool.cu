/* Pools. Max-pools compare values without their bias, which is the same for all of a window. */
#include "kernels/backends/cuda/sums.h"

/* ---- max-pool 2x2, stride 2 ---- */

/* Forward, a row of the layout is a pixel of y. Backward, it is a window of x, also an incomplete
 * one at the right and lower edge. */
struct max_pool_work {
    struct layout layout;
    const void *x, *dy;
    const float *bias;
    void *result;           /* y, or dx */
    uint32_t height, width; /* of x */
    uint32_t down, across;  /* rows of the layout in an image: down * across */
};

/* The window of a row of the layout. */
struct window {
    size_t first;      /* index in x of its first pixel, in the channels of the part */
    bool lower, right; /* it has a second row and column */
    uint32_t image, down, across;
};

static inline __device__ struct window window_of_row(const struct max_pool_work &w,
                                                     const struct part &part, uint32_t row)
{
    struct window at;
    at.across = row % w.across;
    at.down = row / w.across % w.down;
    at.image = row / w.across / w.down;
    at.lower = 2 * at.down + 1 < w.height;
    at.right = 2 * at.across + 1 < w.width;
    at.first = (((size_t)at.image * w.height + 2 * at.down) * w.width + 2 * at.across) *
                   w.layout.channels +
               part.channel;
    return at;
}

/* Index in x of pixel k of a window, in row order. */
static inline __device__ size_t window_index(const struct max_pool_work &w, const struct window &at,
                                             int k)
{
    return at.first + ((size_t)(k / 2) * w.width + k % 2) * w.layout.channels;
}

/* Reads a complete window. best gets the largest values, and which[i] the pixel of channel i: the
 * first of equal ones. NaN is larger than nothing, and stays if it is the first. */
template <typename T, int W>
static inline __device__ void largest(const struct max_pool_work &w, const struct window &at,
                                      float (&best)[W], int (&which)[W])
{
    packed<T, W> x[4];
#pragma unroll
    for (int k = 0; k < 4; k++)
        x[k] = load<T, W>(w.x, window_index(w, at, k));
    unpack(x[0], best);
#pragma unroll
    for (int i = 0; i < W; i++)
        which[i] = 0;
#pragma unroll
    for (int k = 1; k < 4; k++) {
        float v[W];
        unpack(x[k], v);
#pragma unroll
        for (int i = 0; i < W; i++)
            if (v[i] > best[i]) {
                best[i] = v[i];
                which[i] = k;
            }
    }
}

template <typename T, int W> KERNEL void max_pool_forward(struct max_pool_work w)
{
    const struct part part = part_of_thread<W>(w.layout);
    if (!part.inside)
        return;
    float bias[W];
    load_channels(w.bias, part.channel, bias);
    for (uint32_t row = part.row; row < w.layout.rows; row += part.step) {
        float best[W];
        int which[W];
        largest<T, W>(w, window_of_row(w, part, row), best, which);
#pragma unroll
        for (int i = 0; i < W; i++)
            best[i] += bias[i];
        store<T, W>(w.result, part_index(w.layout, part, row), best);
    }
}

template <typename T, int W> KERNEL void max_pool_backward(struct max_pool_work w)
{
    const struct part part = part_of_thread<W>(w.layout);
    for (uint32_t row = part.row; part.inside && row < w.layout.rows; row += part.step) {
        const struct window at = window_of_row(w, part, row);
        float best[W], dy[W] = {};
        int which[W];
#pragma unroll
        for (int i = 0; i < W; i++)
            which[i] = -1;
        if (at.lower && at.right) {
            const size_t line =
                ((size_t)at.image * (w.height / 2) + at.down) * (w.width / 2) + at.across;
            const packed<T, W> gradient = load<T, W>(w.dy, line * w.layout.channels + part.channel);
            largest<T, W>(w, at, best, which);
            unpack(gradient, dy);
        }
#pragma unroll
        for (int k = 0; k < 4; k++) {
            float dx[W];
#pragma unroll
            for (int i = 0; i < W; i++)
                dx[i] = which[i] == k ? dy[i] : 0;
            if ((k < 2 || at.lower) && (k % 2 == 0 || at.right))
                store<T, W>(w.result, window_index(w, at, k), dx);
        }
    }
}

/* Launches a max-pool over n images; its windows are down x across. */
static cudaError_t launch_max_pool(const char *name, const struct variants<struct max_pool_work> &v,
                                   const struct matrix *x, size_t n, struct max_pool_work w,
                                   cudaStream_t stream)
{
    struct launch_shape shape = {name, dim3(), false};
    struct matrix windows = *x;
    windows.rows = n * w.down * w.across;
    w.x = x->data;
    cudaError_t e = layout_matrix(&windows, 2, 8 * MOST_BLOCKS, &w.layout, &shape);
    return e ? e : launch(shape, variant(v, x->type, x->channels), stream, w);
}

cudaError_t launch_max_pool_forward(const struct matrix *x, size_t n, size_t height, size_t width,
                                    struct matrix *y, cudaStream_t stream)
{
    static const struct variants<struct max_pool_work> kernels = {
        max_pool_forward<bf16, 8>, max_pool_forward<bf16, 4>, max_pool_forward<bf16, 1>,
            max_pool_forward<float, 4>, max_pool_forward<float, 1>
    };
    struct max_pool_work w = {};
    w.bias = x->bias;
    w.result = y->data;
    w.height = (uint32_t)height;
    w.width = (uint32_t)width;
    w.down = (uint32_t)height / 2;
    w.across = (uint32_t)width / 2;
    return launch_max_pool("max_pool_forward", kernels, x, n, w, stream);
}

cudaError_t launch_max_pool_backward(const struct matrix *x, size_t n, size_t height, size_t width,
                                     const struct matrix *dy, struct matrix *dx,
                                     cudaStream_t stream)
{
    static const struct variants<struct max_pool_work> kernels = {
        max_pool_backward<bf16, 8>, max_pool_backward<bf16, 4>, max_pool_backward<bf16, 1>,
            max_pool_backward<float, 4>, max_pool_backward<float, 1>
    };
    struct max_pool_work w = {};
    w.dy = dy->data;
    w.result = dx->data;
    w.height = (uint32_t)height;
    w.width = (uint32_t)width;
    w.down = (uint32_t)(height + 1) / 2;
    w.across = (uint32_t)(width + 1) / 2;
    return launch_max_pool("max_pool_backward", kernels, x, n, w, stream);
}

/* ---- average over a plane ---- */

/* Forward, the rows of the layout are the pixels of one image, grid.z is the image. Backward, they
 * are the pixels of all images. */
struct average_pool_work {
    struct layout layout;
    const void *x;
    const float *bias, *dy;
    float *y;
    void *dx;
    uint32_t plane;
};

/* One block adds an image in a tile of channels. */
template <typename T, int W> KERNEL void average_pool_forward(struct average_pool_work w)
{
    typedef union sums_memory<1, W> memory_type;
    SHARED(memory_type, memory);
    const struct part part = part_of_thread<W>(w.layout);
    const size_t image = block_index().x;
    float sum[1][W] = {};
    for (uint32_t k = part.line; part.inside && k < w.plane; k += w.layout.lines) {
        float v[W];
        unpack(load<T, W>(w.x, (image * w.plane + k) * w.layout.channels + part.channel), v);
#pragma unroll
        for (int i = 0; i < W; i++)
            sum[0][i] += v[i];
    }
    add_lines(memory.tree, w.layout, part, sum);
    if (part.line != 0 || !part.inside)
        return;
#pragma unroll
    for (int i = 0; i < W; i++) {
        const float bias = w.bias ? w.bias[part.channel + i] : 0;
        const float y[1] = {memory.tree[i * THREADS + part.group] / (float)w.plane + bias};
        store<float, 1>(w.y, image * w.layout.channels + part.channel + i, y);
    }
}

cudaError_t launch_average_pool_forward(const struct matrix *x, size_t n, size_t plane, float *y,
                                        cudaStream_t stream)
{
    static const struct variants<struct average_pool_work> kernels = {
        average_pool_forward<bf16, 8>, average_pool_forward<bf16, 4>, average_pool_forward<bf16, 1>,
            average_pool_forward<float, 4>, average_pool_forward<float, 1>
    };
    struct launch_shape shape = {"average_pool_forward", dim3(), true};
    struct average_pool_work w = {};
    cudaError_t e = layout_matrix(x, 1, MOST_BLOCKS, &w.layout, &shape);
    if (e)
        return e;
    w.x = x->data;
    w.bias = x->bias;
    w.y = y;
    w.plane = (uint32_t)plane;
    shape.grid.x = (unsigned)n;
    return launch(shape, variant(kernels, x->type, x->channels), stream, w);
}

enum { AVERAGE_ROWS = 4 };

template <typename T, int W> KERNEL void average_pool_backward(struct average_pool_work w)
{
    const struct part part = part_of_thread<W>(w.layout);
    const float plane = (float)w.plane;
    for (uint32_t row = part.row; part.inside && row < w.layout.rows; row += part.step) {
        float dx[W];
        load_channels(w.dy + (size_t)(row / w.plane) * w.layout.channels, part.channel, dx);
#pragma unroll
        for (int i = 0; i < W; i++)
            dx[i] /= plane;
        store<T, W>(w.dx, part_index(w.layout, part, row), dx);
    }
}

cudaError_t launch_average_pool_backward(const float *dy, size_t n, size_t plane, struct matrix *dx,
                                         cudaStream_t stream)
{
    static const struct variants<struct average_pool_work> kernels = {
        average_pool_backward<bf16, 8>, average_pool_backward<bf16, 4>,
            average_pool_backward<bf16, 1>, average_pool_backward<float, 4>,
            average_pool_backward<float, 1>
    };
    struct launch_shape shape = {"average_pool_backward", dim3(), false};
    struct average_pool_work w = {};
    struct matrix rows = *dx;
    rows.rows = n * plane;
    w.dy = dy;
    w.dx = dx->data;
    w.plane = (uint32_t)plane;
    cudaError_t e = layout_matrix(&rows, AVERAGE_ROWS, MOST_BLOCKS, &w.layout, &shape);
    return e ? e : launch(shape, variant(kernels, dx->type, dx->channels), stream, w);
}
