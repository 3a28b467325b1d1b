/* The linear layer and the loss, all in float32. They are small: a block adds 32 threads as a tree
 * in shared memory. */
#include "kernels/backends/cuda/device_code.h"

/* A block has LINES lines of LANES threads. */
enum { LANES = 32, LINES = THREADS / LANES };

/* ---- linear layer ---- */

struct linear_work {
    const float *x, *weights, *bias, *dy;
    float *y, *dx, *dweights, *dbias;
    uint32_t n, in, out;
    uint32_t blocks_dx; /* the first blocks of the backward pass, which compute dx */
};

/* A block computes LINES values of an image, each by LANES threads. */
KERNEL void linear_forward(struct linear_work w)
{
    typedef float memory_type[THREADS];
    SHARED(memory_type, memory);
    const uint32_t thread = thread_index(), lane = thread % LANES;
    const uint32_t image = block_index().x, output = block_index().y * LINES + thread / LANES;
    float sum = 0;
    if (output < w.out) {
        const float *x = w.x + (size_t)image * w.in, *weights = w.weights + (size_t)output * w.in;
#pragma unroll 8
        for (uint32_t k = lane; k < w.in; k += LANES)
            sum = fmaf(x[k], weights[k], sum);
    }
    memory[thread] = sum;
    block_barrier();
    for (uint32_t half = LANES / 2; half > 0; half /= 2) {
        if (lane < half)
            memory[thread] += memory[thread + half];
        block_barrier();
    }
    if (lane == 0 && output < w.out)
        w.y[(size_t)image * w.out + output] = memory[thread] + w.bias[output];
    if (thread == 0) /* weights stay in the caches */
        count_traffic(w.in * sizeof *w.x, 0);
    if (lane == 0 && output < w.out)
        count_traffic(0, sizeof *w.y);
}

cudaError_t launch_linear_forward(const float *x, const float *weights, const float *bias, size_t n,
                                  size_t in, size_t out, float *y, cudaStream_t stream)
{
    struct linear_work w = {};
    w.x = x;
    w.weights = weights;
    w.bias = bias;
    w.y = y;
    w.n = (uint32_t)n;
    w.in = (uint32_t)in;
    w.out = (uint32_t)out;
    const struct launch_shape shape = {
        "linear_forward", dim3((unsigned)n, (unsigned)((out + LINES - 1) / LINES)), true};
    return launch(shape, linear_forward, stream, w);
}

/* One value of dx for each thread. */
static inline __device__ void linear_dx(const struct linear_work &w)
{
    const size_t i = (size_t)block_index().x * THREADS + thread_index();
    if (i >= (size_t)w.n * w.in)
        return;
    const size_t image = i / w.in, k = i % w.in;
    const float *dy = w.dy + image * w.out, *weights = w.weights + k;
    float sum = 0;
#pragma unroll 4
    for (uint32_t o = 0; o < w.out; o++)
        sum = fmaf(dy[o], weights[(size_t)o * w.in], sum);
    w.dx[i] = sum;
    count_traffic(0, sizeof *w.dx);
}

/* LANES values of one row of dweights, each by LINES threads; the last row of blocks gives dbias,
 * as if a column of x were 1. */
static inline __device__ void linear_dweights(const struct linear_work &w, uint32_t block,
                                              float *memory)
{
    const uint32_t thread = thread_index(), lane = thread % LANES, line = thread / LANES;
    const uint32_t tiles = w.in / LANES + 1, output = block / tiles;
    const uint32_t k = block % tiles * LANES + lane; /* k == in: dbias */
    float sum = 0;
    if (k <= w.in) {
#pragma unroll 8
        for (uint32_t i = line; i < w.n; i += LINES)
            sum = fmaf(w.dy[(size_t)i * w.out + output], k < w.in ? w.x[(size_t)i * w.in + k] : 1,
                       sum);
    }
    memory[thread] = sum;
    block_barrier();
    for (uint32_t half = LINES / 2; half > 0; half /= 2) {
        if (line < half)
            memory[thread] += memory[thread + half * LANES];
        block_barrier();
    }
    if (line == 0 && k < w.in)
        w.dweights[(size_t)output * w.in + k] = memory[thread];
    if (line == 0 && k == w.in)
        w.dbias[output] = memory[thread];
    if (line == 0 && k <= w.in)
        count_traffic(output == 0 ? w.n * sizeof *w.x : 0, sizeof *w.dweights);
}

KERNEL void linear_backward(struct linear_work w)
{
    typedef float memory_type[THREADS];
    SHARED(memory_type, memory);
    if (block_index().x < w.blocks_dx)
        linear_dx(w);
    else
        linear_dweights(w, block_index().x - w.blocks_dx, memory);
}

cudaError_t launch_linear_backward(const float *x, const float *weights, const float *dy, size_t n,
                                   size_t in, size_t out, float *dx, float *dweights, float *dbias,
                                   cudaStream_t stream)
{
    struct linear_work w = {};
    w.x = x;
    w.weights = weights;
    w.dy = dy;
    w.dx = dx;
    w.dweights = dweights;
    w.dbias = dbias;
    w.n = (uint32_t)n;
    w.in = (uint32_t)in;
    w.out = (uint32_t)out;
    w.blocks_dx = (uint32_t)((n * in + THREADS - 1) / THREADS);
    const size_t blocks = w.blocks_dx + out * (in / LANES + 1);
    const struct launch_shape shape = {"linear_backward", dim3((unsigned)blocks), true};
    return launch(shape, linear_backward, stream, w);
}

/* ---- loss ---- */

struct loss_work {
    const struct pass_state *state;
    const float *logits;
    float *dlogits;
    struct loss_totals *totals;
    uint32_t n, classes;
};

/* The loss of an image, and its row of dlogits. *correct: its largest logit is at its label. */
static inline __device__ float image_loss(const struct loss_work &w, uint32_t image, uint32_t label,
                                          uint32_t *correct)
{
    const float *z = w.logits + (size_t)image * w.classes;
    float *dz = w.dlogits + (size_t)image * w.classes;
    const float smoothing = w.state->label_smoothing, n = (float)w.n;
    const float other = smoothing / (float)w.classes, own = other + (1 - smoothing);
    float best = z[0], sum = 0, loss = 0;
    uint32_t at = 0;
    for (uint32_t c = 1; c < w.classes; c++)
        if (z[c] > best) {
            best = z[c];
            at = c;
        }
    for (uint32_t c = 0; c < w.classes; c++)
        sum += expf(z[c] - best);
    const float log_sum = logf(sum);
    for (uint32_t c = 0; c < w.classes; c++) {
        const float target = c == label ? own : other, log_p = z[c] - best - log_sum;
        loss -= target * log_p;
        dz[c] = (expf(log_p) - target) / n;
    }
    *correct += at == label;
    count_traffic(w.classes * sizeof *z, w.classes * sizeof *dz);
    return loss;
}

/* One block: thread t takes the images t, t + THREADS, ... */
KERNEL void loss(struct loss_work w)
{
    typedef double loss_type[THREADS];
    typedef uint32_t count_type[THREADS];
    SHARED(loss_type, losses);
    SHARED(count_type, counts);
    const uint32_t thread = thread_index();
    const uint8_t *labels = w.state->labels + w.state->first;
    double sum = 0;
    uint32_t correct = 0;
    for (uint32_t i = thread; i < w.n; i += THREADS)
        sum += (double)image_loss(w, i, labels[i], &correct);
    losses[thread] = sum;
    counts[thread] = correct;
    block_barrier();
    for (uint32_t half = THREADS / 2; half > 0; half /= 2) {
        if (thread < half) {
            losses[thread] += losses[thread + half];
            counts[thread] += counts[thread + half];
        }
        block_barrier();
    }
    if (thread == 0) {
        const double total = w.totals->loss + losses[0];
        w.totals->loss = total;
        w.totals->correct += counts[0];
        w.totals->finite += fabs(total) <= DBL_MAX ? 1 : 0; /* false for NaN, too */
    }
}

cudaError_t launch_loss(const struct pass_state *state, const float *logits, size_t n,
                        size_t classes, float *dlogits, struct loss_totals *totals,
                        cudaStream_t stream)
{
    const struct launch_shape shape = {"loss", dim3(1), true};
    const struct loss_work w = {state, logits, dlogits, totals, (uint32_t)n, (uint32_t)classes};
    return launch(shape, loss, stream, w);
}
