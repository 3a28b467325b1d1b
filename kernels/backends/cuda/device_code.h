/* What the kernels (*.cu) share: launches, values of an activation in registers, and the position
 * of a thread in a matrix.
 *
 * The kernels also compile as host code (FERDAG_HOST_KERNELS): tests/double/host_kernels.cpp then
 * runs the threads of a grid and counts the memory that they read and write. So the kernels use
 * this file only, and no function of CUDA's device headers. */
#ifndef FERDAG_KERNELS_BACKENDS_CUDA_DEVICE_CODE_H
#define FERDAG_KERNELS_BACKENDS_CUDA_DEVICE_CODE_H

#include <float.h>
#include <math.h>
#include <string.h>
#include "kernels/backends/cuda/kernels.h"

/* Threads of a block, in every kernel. */
enum { THREADS = 256 };

/* A launch. The grid depends on shapes only, so that sums are the same on all devices. */
struct launch_shape {
    const char *name;
    dim3 grid;
    bool barriers; /* the threads of a block wait for each other */
};

#ifdef FERDAG_HOST_KERNELS

#include <functional>

/* The position of the running thread: CUDA's threadIdx and so on, with one dimension for threads.
 */
struct host_thread {
    dim3 block, grid;
    unsigned thread;
    size_t read, written; /* bytes of device memory */
};
extern thread_local struct host_thread *host_thread;

cudaError_t host_launch(const struct launch_shape &shape, cudaStream_t stream,
                        const std::function<void()> &thread);
void host_barrier();
/* Fills shared memory with NaN at the first call in a block; later calls do nothing. */
void host_shared(void *memory, size_t bytes);

/* CUDA's headers define this without a meaning for other compilers. */
#undef __device__
#define __device__
#define KERNEL static
/* Memory that the threads of a block share. */
#define SHARED(type, name)                                                                         \
    static type name;                                                                              \
    host_shared(&(name), sizeof(name))

static inline unsigned thread_index()
{
    return host_thread->thread;
}
static inline dim3 block_index()
{
    return host_thread->block;
}
static inline dim3 grid_size()
{
    return host_thread->grid;
}
static inline void block_barrier()
{
    host_barrier();
}
static inline void memory_fence()
{
    /* blocks run one after another */
}
static inline uint32_t atomic_increment(uint32_t *counter)
{
    return __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}
/* Counts bytes that a kernel reads and writes, for the model of its speed. */
static inline void count_traffic(size_t read, size_t written)
{
    host_thread->read += read;
    host_thread->written += written;
}

#else

/* At least two blocks run on a multiprocessor: 128 registers for each thread. */
#define KERNEL             static __global__ __launch_bounds__(THREADS, 2)
#define SHARED(type, name) __shared__ type name

static inline __device__ unsigned thread_index()
{
    return threadIdx.x;
}
static inline __device__ uint3 block_index()
{
    return blockIdx;
}
static inline __device__ dim3 grid_size()
{
    return gridDim;
}
static inline __device__ void block_barrier()
{
    __syncthreads();
}
static inline __device__ void memory_fence()
{
    __threadfence();
}
static inline __device__ uint32_t atomic_increment(uint32_t *counter)
{
    return atomicAdd(counter, 1U);
}
static inline __device__ void count_traffic(size_t, size_t)
{
}

#endif

/* Launches a kernel, whose parameter is one struct. A grid without blocks is no launch. */
template <typename P>
static cudaError_t launch(const struct launch_shape &shape, void (*kernel)(P), cudaStream_t stream,
                          P params)
{
    if (shape.grid.x == 0 || shape.grid.y == 0)
        return cudaSuccess;
#ifdef FERDAG_HOST_KERNELS
    return host_launch(shape, stream, [kernel, params] { kernel(params); });
#else
    void *arguments[] = {&params};
    return cudaLaunchKernel((const void *)kernel, shape.grid, dim3(THREADS), arguments, 0, stream);
#endif
}

/* ---- values: W of an activation, packed as in memory and as float32 ---- */

struct bf16 {
    uint16_t bits;
};

static inline __device__ float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* bf16 rounded to nearest, ties to even. NaN stays NaN. */
static inline __device__ uint32_t bf16_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value == value ? (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16 : 0x7FFF;
}

/* Two values as bf16, `low` in the lower half. */
static inline __device__ uint32_t bf16_pair(float low, float high)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#else
    return bf16_bits(low) | bf16_bits(high) << 16;
#endif
}

/* The type of W values in memory and in registers: one load. */
template <typename T, int W> struct packed_type;
template <> struct packed_type<bf16, 8> {
    typedef uint4 type;
};
template <> struct packed_type<bf16, 4> {
    typedef uint2 type;
};
template <> struct packed_type<bf16, 1> {
    typedef uint16_t type;
};
template <> struct packed_type<float, 4> {
    typedef float4 type;
};
template <> struct packed_type<float, 1> {
    typedef float type;
};
template <typename T, int W> using packed = typename packed_type<T, W>::type;

static inline __device__ void unpack(float packed, float (&value)[1])
{
    value[0] = packed;
}

static inline __device__ void unpack(float4 packed, float (&value)[4])
{
    value[0] = packed.x, value[1] = packed.y, value[2] = packed.z, value[3] = packed.w;
}

static inline __device__ void unpack(uint16_t packed, float (&value)[1])
{
    value[0] = float_of_bits((uint32_t)packed << 16);
}

static inline __device__ void unpack_pair(uint32_t pair, float &low, float &high)
{
    low = float_of_bits(pair << 16);
    high = float_of_bits(pair & 0xFFFF0000);
}

static inline __device__ void unpack(uint2 packed, float (&value)[4])
{
    unpack_pair(packed.x, value[0], value[1]);
    unpack_pair(packed.y, value[2], value[3]);
}

static inline __device__ void unpack(uint4 packed, float (&value)[8])
{
    unpack_pair(packed.x, value[0], value[1]);
    unpack_pair(packed.y, value[2], value[3]);
    unpack_pair(packed.z, value[4], value[5]);
    unpack_pair(packed.w, value[6], value[7]);
}

static inline __device__ void pack(const float (&value)[1], float &packed)
{
    packed = value[0];
}

static inline __device__ void pack(const float (&value)[4], float4 &packed)
{
    packed.x = value[0], packed.y = value[1], packed.z = value[2], packed.w = value[3];
}

static inline __device__ void pack(const float (&value)[1], uint16_t &packed)
{
    packed = (uint16_t)bf16_pair(value[0], 0);
}

static inline __device__ void pack(const float (&value)[4], uint2 &packed)
{
    packed.x = bf16_pair(value[0], value[1]);
    packed.y = bf16_pair(value[2], value[3]);
}

static inline __device__ void pack(const float (&value)[8], uint4 &packed)
{
    packed.x = bf16_pair(value[0], value[1]);
    packed.y = bf16_pair(value[2], value[3]);
    packed.z = bf16_pair(value[4], value[5]);
    packed.w = bf16_pair(value[6], value[7]);
}

/* Reads and writes W values from index `first` on, a multiple of W. */
template <typename T, int W>
static inline __device__ packed<T, W> load(const void *values, size_t first)
{
    count_traffic(sizeof(packed<T, W>), 0);
    return ((const packed<T, W> *)values)[first / W];
}

template <typename T, int W>
static inline __device__ void store(void *values, size_t first, packed<T, W> value)
{
    count_traffic(0, sizeof(packed<T, W>));
    ((packed<T, W> *)values)[first / W] = value;
}

template <typename T, int W>
static inline __device__ void store(void *values, size_t first, const float (&value)[W])
{
    packed<T, W> p;
    pack(value, p);
    store<T, W>(values, first, p);
}

/* Reads W values of a vector of channels; 0 if it is NULL. The traffic isn't counted: a vector
 * stays in the caches. */
template <int W>
static inline __device__ void load_channels(const float *vector, uint32_t channel,
                                            float (&value)[W])
{
    for (int i = 0; i < W; i++)
        value[i] = vector ? vector[channel + i] : 0;
}

/* ---- the position of a thread in a matrix ---- */

/* How a grid covers a matrix. A block takes some columns, a tile of `tile` groups of W channels
 * (at most 128 bytes), in `lines` rows at a time. grid.y is the number of tiles; the blocks of
 * grid.x take the rows in turn. A thread keeps its channels, so it reads their vectors once. */
struct layout {
    uint32_t rows, channels;
    uint32_t tile, lines;
};

/* The part of a thread: rows row, row + step, ... of W channels from `channel` on. */
struct part {
    uint32_t row, step, channel;
    uint32_t line, group; /* in the block; threads with a line >= lines are idle */
    bool inside;          /* it has channels and a line */
};

template <int W> static inline __device__ struct part part_of_thread(const struct layout &layout)
{
    struct part p;
    uint32_t thread = thread_index();
    p.line = thread / layout.tile;
    p.group = thread % layout.tile;
    p.channel = (block_index().y * layout.tile + p.group) * W;
    p.row = block_index().x * layout.lines + p.line;
    p.step = grid_size().x * layout.lines;
    p.inside = p.line < layout.lines && p.channel < layout.channels;
    return p;
}

/* Index of the first value of a part in a row. */
static inline __device__ size_t part_index(const struct layout &layout, const struct part &part,
                                           uint32_t row)
{
    return (size_t)row * layout.channels + part.channel;
}

/* Reads U rows of a part, from `row` on; those behind the end are left as they are. Several rows
 * are read before the first is used, so that the thread waits for memory once. */
template <typename T, int W, int U>
static inline __device__ void load_rows(packed<T, W> (&values)[U], const void *matrix,
                                        const struct layout &layout, const struct part &part,
                                        uint32_t row)
{
#pragma unroll
    for (int u = 0; u < U; u++)
        if (row + u * part.step < layout.rows)
            values[u] = load<T, W>(matrix, part_index(layout, part, row + u * part.step));
}

/* ---- the host's side ---- */

/* A kernel for each type and number of channels that a thread takes. */
template <typename P> struct variants {
    void (*bf16_8)(P);
    void (*bf16_4)(P);
    void (*bf16_1)(P);
    void (*float_4)(P);
    void (*float_1)(P);
};

/* Channels that a thread takes: 16 bytes, or less if the channels don't divide. */
static inline unsigned vector_width(enum value_type type, size_t channels)
{
    if (type == VALUE_BF16 && channels % 8 == 0)
        return 8;
    return channels % 4 == 0 ? 4 : 1;
}

template <typename P>
static void (*variant(const struct variants<P> &v, enum value_type type, size_t channels))(P)
{
    unsigned width = vector_width(type, channels);
    if (type == VALUE_BF16)
        return width == 8 ? v.bf16_8 : width == 4 ? v.bf16_4 : v.bf16_1;
    return width == 4 ? v.float_4 : v.float_1;
}

/* Most blocks in a column of the grid, without and with sums: enough for the largest device. Sums
 * have fewer, because one block adds what the others have summed. */
enum { MOST_BLOCKS = 1024, MOST_SUMMED = 256 };

/* Sets the layout and the grid for a matrix; a thread takes at least `rows` rows, if there are
 * enough, and a column of the grid has at most `most` blocks. Returns cudaErrorInvalidValue if the
 * matrix is too large for the grid. */
static inline cudaError_t layout_matrix(const struct matrix *x, unsigned rows, unsigned most,
                                        struct layout *layout, struct launch_shape *shape)
{
    const unsigned width = vector_width(x->type, x->channels);
    const unsigned most_tile = width == 1 ? 32 : x->type == VALUE_BF16 ? 64 / width : 8;
    const size_t groups = x->channels / width, tiles = (groups + most_tile - 1) / most_tile;
    if (x->rows > (size_t)1 << 31 || tiles > SUMS_TICKETS)
        return cudaErrorInvalidValue;
    layout->rows = (uint32_t)x->rows;
    layout->channels = (uint32_t)x->channels;
    layout->tile = tiles ? (uint32_t)((groups + tiles - 1) / tiles) : 1;
    layout->lines = THREADS / layout->tile;
    const size_t rows_of_block = (size_t)layout->lines * rows;
    const size_t blocks = (x->rows + rows_of_block - 1) / rows_of_block;
    shape->grid = dim3((unsigned)(blocks < most ? blocks : most), (unsigned)tiles);
    return cudaSuccess;
}

/* True if the two have the same type, rows and channels, or the second is NULL. */
static inline bool same_shape(const struct matrix *a, const struct matrix *b)
{
    return !b || (a->type == b->type && a->rows == b->rows && a->channels == b->channels);
}

#endif
