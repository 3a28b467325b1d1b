/* The steps of a Winograd convolution, their types and constants. winograd.c calls them for one
 * block of tiles after the other, so that the data of a block stays in cache. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_STEPS_H
#define FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_STEPS_H

#include "kernels/backends/cpu/winograd/winograd.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define INLINE    static inline __attribute__((always_inline))

enum {
    LANES = WINOGRAD_LANES,
    PAIRS = LANES / 2, /* pairs in a vector of input channels */
    OUTPUTS = 4,       /* outputs along a side of a tile */
    SIDE = 6,          /* inputs, and positions, along a side of a tile */
    TOGETHER = 14,     /* tiles whose sums fit the registers, for two vectors of output channels */
    MAX_BLOCK = 64,    /* tiles in a block of a convolution */
    MAX_TILES = 256,   /* tiles, or pairs of tiles, in any block */
    LINE = 32,         /* bf16 values in a cache line */
    GROUPS = 4,        /* groups of tiles that need the same positions */
    /* Products of a block: room for two ranges of groups per position. */
    MAX_PRODUCTS = SIDE * SIDE * (MAX_BLOCK / TOGETHER + 2)
};

/* Number of outputs along a side of a tile; three are computed as four. */
enum extent { ONE, TWO, FULL };

/* Calls f with the extent as a compile-time constant, so that f is inlined for each. */
#define BY_EXTENT(f, extent, ...)                                                                  \
    ((extent) == FULL  ? f(FULL, __VA_ARGS__)                                                      \
     : (extent) == TWO ? f(TWO, __VA_ARGS__)                                                       \
                       : f(ONE, __VA_ARGS__))

/* The interpolation points are 0, +-root, +-1/root and infinity. */
static const float root = 1.41421356237309504880F, inverse_root = 0.70710678118654752440F;

/* A tile's first output pixel. */
struct tile {
    size_t image;
    int y, x;
};

/* The tiles of a block, sorted into groups that need the same positions. */
struct tiles {
    size_t count, groups[GROUPS + 1]; /* groups: index of the first tile of each */
    struct tile list[MAX_TILES];
};

/* A matrix product for one position: the transformed inputs of some tiles by the weights. Offsets
 * count values. */
struct product {
    size_t inputs, weights; /* offsets; weights: within those of an output block */
    size_t sums;            /* offset for one output block at a time; doubled for two */
    size_t tiles;
};

/* State of a run. */
struct winograd_pass {
    const struct winograd_shape *shape;
    size_t in, out; /* in blocks of channels */
    size_t block;   /* largest number of tiles in a block */
    const uint16_t *x;
    const uint32_t *weights; /* [output block][row][column][input pair][LANES] */
    const float *bias;
    uint16_t *y;
    bool add, relu;
    /* [row][column / 2][input block][tile][LINE]; a line has the channels of two positions. */
    uint16_t *inputs;
    float *sums;                               /* [row][column][tile][1 or 2][LANES] */
    size_t positions;                          /* for which there are weights */
    struct tiles tiles;                        /* of the current block */
    size_t product_count, planned[GROUPS + 1]; /* planned: the groups of these products */
    struct product products[MAX_PRODUCTS];
};

static inline size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

/* Extent of the tile whose first output is pixel `at` along a side of `pixels` pixels. */
static inline enum extent extent_of(size_t pixels, size_t at)
{
    return pixels - at > 2 ? FULL : pixels - at == 2 ? TWO : ONE;
}

/* The positions along a side that tiles of an extent need, as bits. */
static inline unsigned positions_of(enum extent extent)
{
    static const uint8_t bits[] = {0x23, 0x27, 0x3F};
    return bits[extent];
}

/* The positions along a side for which there are weights, as bits: those of the first tile, which
 * needs the most. */
static inline unsigned side_of(size_t pixels)
{
    return positions_of(extent_of(pixels, 0));
}

static inline size_t count_of(unsigned bits)
{
    return (size_t)__builtin_popcount(bits);
}

/* Rounds two vectors to bf16 and interleaves their values, which gives the pairs of vdpbf16ps. */
WITH_BF16 INLINE __m512i round_in_turns(__m512 first, __m512 second)
{
    const __m512i turns =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

/* Returns the groups that need a position, as bits. They are consecutive. */
unsigned winograd_groups(const struct winograd_shape *shape, size_t row, size_t column);

/* Sorts tiles->list by group and sets tiles->groups. */
void winograd_sort(const struct winograd_shape *shape, struct tiles *tiles);

/* Returns the number of adjacent tiles in one row of a plane, from tile t on. */
size_t winograd_row(const struct tiles *tiles, size_t t);

/* Sets r->inputs to B^T d B for input block `channels` of `count` adjacent tiles, from tile t on.
 */
void winograd_inputs(const struct winograd_pass *r, size_t channels, size_t t, size_t count);

/* Sets r->sums to the products of all positions, for output blocks o to o + outs - 1; outs is 1
 * or 2.
 */
void winograd_multiply(const struct winograd_pass *r, size_t o, size_t outs);

/* Writes A^T m A to y for output block o, which is number `which` of the `outs` blocks in r->sums.
 */
void winograd_outputs(const struct winograd_pass *r, size_t o, size_t which, size_t outs);
#endif
#endif
