/* Sums of the columns of a matrix, in an order that depends on the shape only. Each thread adds a
 * few rows in float32, a block adds its threads as a tree in shared memory, and the block that
 * finishes last in a tile of columns adds the sums of the blocks, in double. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_SUMS_H
#define FERDAG_KERNELS_BACKENDS_CUDA_SUMS_H

#include "kernels/backends/cuda/device_code.h"

/* Most channels of a tile, and most sums of a tile with `sums` sums for each channel. */
enum { TILE_CHANNELS = 64 };

/* Shared memory of a block. */
template <int SUMS, int W> union sums_memory {
    float tree[SUMS * W * THREADS];
    double blocks[4 * THREADS];
};
template <int SUMS> struct sums_result {
    double total[SUMS * TILE_CHANNELS];
    bool last;
};

/* Number of floats that a block writes: a multiple of 4. */
static inline __device__ uint32_t sums_of_block(uint32_t sums, uint32_t tile_channels)
{
    return (sums * tile_channels + 3) / 4 * 4;
}

/* Adds the threads of a block that have the same channels: line 0 gets the sums. */
template <int SUMS, int W>
static inline __device__ void add_lines(float *tree, const struct layout &layout,
                                        const struct part &part, float (&sum)[SUMS][W])
{
    uint32_t thread = thread_index();
#pragma unroll
    for (int k = 0; k < SUMS * W; k++)
        tree[k * THREADS + thread] = sum[k / W][k % W];
    block_barrier();
    for (uint32_t n = layout.lines, half; n > 1; n = half) {
        half = (n + 1) / 2;
        if (part.line + half < n) {
#pragma unroll
            for (int k = 0; k < SUMS * W; k++)
                tree[k * THREADS + thread] += tree[k * THREADS + thread + half * layout.tile];
        }
        block_barrier();
    }
}

/* Reads 4 sums of a block past the first-level cache, which isn't coherent. */
static inline __device__ float4 load_sums(const float4 *sums)
{
#ifdef __CUDA_ARCH__
    return __ldcg(sums);
#else
    return *sums;
#endif
}

/* Sums that a thread of the last block reads before it uses the first: this block runs alone, so
 * the time is that of waiting for memory. */
enum { BLOCKS_IN_FLIGHT = 8 };

/* Adds the sums of all blocks of a tile: `total` gets them. `values` has the sums of the first
 * block, `count` of them (a multiple of 4, at most 4 * THREADS), and those of the next behind. */
static inline __device__ void add_blocks(double *shared, const float *values, uint32_t count,
                                         uint32_t blocks, double *total)
{
    const uint32_t columns = count / 4, lines = THREADS / columns;
    const uint32_t thread = thread_index(), column = thread % columns, line = thread / columns;
    const float4 *sums = (const float4 *)values + column;
    double add[4] = {0, 0, 0, 0};
    for (uint32_t b = line; line < lines && b < blocks; b += BLOCKS_IN_FLIGHT * lines) {
        float4 v[BLOCKS_IN_FLIGHT];
#pragma unroll
        for (uint32_t u = 0; u < BLOCKS_IN_FLIGHT; u++) {
            v[u].x = v[u].y = v[u].z = v[u].w = 0;
            if (b + u * lines < blocks)
                v[u] = load_sums(sums + (size_t)(b + u * lines) * columns);
        }
#pragma unroll
        for (int u = 0; u < BLOCKS_IN_FLIGHT; u++) {
            add[0] += (double)v[u].x;
            add[1] += (double)v[u].y;
            add[2] += (double)v[u].z;
            add[3] += (double)v[u].w;
        }
    }
#pragma unroll
    for (int k = 0; k < 4; k++)
        shared[k * THREADS + thread] = add[k];
    block_barrier();
    for (uint32_t n = lines, half; n > 1; n = half) {
        half = (n + 1) / 2;
        if (line + half < n) {
#pragma unroll
            for (int k = 0; k < 4; k++)
                shared[k * THREADS + thread] += shared[k * THREADS + thread + half * columns];
        }
        block_barrier();
    }
    if (line == 0) {
#pragma unroll
        for (int k = 0; k < 4; k++)
            total[4 * column + k] = shared[k * THREADS + thread];
    }
    block_barrier();
}

/* Adds `sum` of all threads of the grid that have the same channels. All threads of a block call
 * it; those without a part have sums of 0. Returns true in the last block of a tile: there
 * result.total[s * layout.tile * W + i] is sum s of channel i of the tile. */
template <int SUMS, int W>
static inline __device__ bool add_grid(union sums_memory<SUMS, W> &memory,
                                       struct sums_result<SUMS> &result,
                                       const struct layout &layout, const struct part &part,
                                       const struct sums_scratch &scratch, float (&sum)[SUMS][W])
{
    const uint32_t thread = thread_index(), blocks = grid_size().x, tile = block_index().y;
    const uint32_t channels = layout.tile * W, count = sums_of_block(SUMS, channels);
    float *tile_values = scratch.values + (size_t)tile * blocks * count;
    float *values = tile_values + (size_t)block_index().x * count;
    add_lines(memory.tree, layout, part, sum);
    for (uint32_t k = thread; k < count; k += THREADS) {
        uint32_t s = k / channels, i = k % channels;
        values[k] = k < SUMS * channels ? memory.tree[(s * W + i % W) * THREADS + i / W] : 0;
        count_traffic(0, sizeof *values);
    }
    memory_fence();
    block_barrier();
    if (thread == 0) {
        result.last = atomic_increment(&scratch.tickets->blocks[tile]) == blocks - 1;
        if (result.last)
            scratch.tickets->blocks[tile] = 0;
    }
    block_barrier();
    if (!result.last)
        return false;
    memory_fence();
    if (thread == 0)
        count_traffic((size_t)blocks * count * sizeof *values, 0);
    add_blocks(memory.blocks, tile_values, count, blocks, result.total);
    return true;
}

#endif
