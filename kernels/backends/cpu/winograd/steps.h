/* The steps of a Winograd convolution and what they share; winograd.c drives them. A block of
 * some tiles goes through all of them while it is in cache. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_STEPS_H
#define FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_STEPS_H

#include "kernels/backends/cpu/winograd/winograd.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define INLINE    static inline __attribute__((always_inline))

enum {
    LANES = WINOGRAD_LANES,
    PAIRS = LANES / 2, /* of a vector of input channels */
    OUTPUTS = 4,       /* of a tile's side */
    SIDE = 6,          /* inputs and positions of a tile's side */
    TOGETHER = 14,     /* tiles whose sums are in registers, for two vectors of output channels */
    MAX_BLOCK = 64,    /* tiles */
    MAX_TILES = 256,   /* of a block, or pairs of them, whatever is done with it */
    LINE = 32,         /* bf16 values of a cache line */
    GROUPS = 4,        /* of tiles that need the same positions */
    /* Of a block: each position splits into two ranges of groups at most. */
    MAX_PRODUCTS = SIDE * SIDE * (MAX_BLOCK / TOGETHER + 2)
};

/* How many outputs of a side a tile has; three are done as four. */
enum extent { ONE, TWO, FULL };

/* Calls f with the extent as a constant, for which it is inlined. */
#define BY_EXTENT(f, extent, ...)                                                                  \
    ((extent) == FULL  ? f(FULL, __VA_ARGS__)                                                      \
     : (extent) == TWO ? f(TWO, __VA_ARGS__)                                                       \
                       : f(ONE, __VA_ARGS__))

/* The points: 0, +-root, +-1/root, infinity. */
static const float root = 1.41421356237309504880F, inverse_root = 0.70710678118654752440F;

/* A tile's first output pixel. */
struct tile {
    size_t image;
    int y, x;
};

/* The tiles of a block, in groups that need the same positions. */
struct tiles {
    size_t count, groups[GROUPS + 1]; /* where each group starts */
    struct tile list[MAX_TILES];
};

/* A product of one position: some tiles' transformed inputs with its weights. */
struct product {
    size_t inputs, weights; /* where they start; weights from those of an output block */
    size_t sums;            /* the same, for one output block at a time; twice that for two */
    size_t tiles;
};

/* All that stays the same for a run. */
struct winograd_pass {
    const struct winograd_shape *shape;
    size_t in, out; /* blocks of channels */
    size_t block;   /* tiles of a block at most */
    const uint16_t *x;
    const uint32_t *weights; /* [output block][row][column][input pair][LANES] */
    const float *bias;
    uint16_t *y;
    bool add, relu;
    /* [row][column / 2][input block][tile][LINE]: a line has the channels of two positions. */
    uint16_t *inputs;
    float *sums;                               /* [row][column][tile][1 or 2][LANES] */
    size_t positions;                          /* of the weights */
    struct tiles tiles;                        /* of the current block */
    size_t product_count, planned[GROUPS + 1]; /* for which groups */
    struct product products[MAX_PRODUCTS];
};

static inline size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

/* Of the tile whose first output is `at` on a side of so many pixels. */
static inline enum extent extent_of(size_t pixels, size_t at)
{
    return pixels - at > 2 ? FULL : pixels - at == 2 ? TWO : ONE;
}

/* The positions that tiles of an extent have, in bits. */
static inline unsigned positions_of(enum extent extent)
{
    static const uint8_t bits[] = {0x23, 0x27, 0x3F};
    return bits[extent];
}

/* The positions of a side for which there are weights; the first tile is the largest. */
static inline unsigned side_of(size_t pixels)
{
    return positions_of(extent_of(pixels, 0));
}

static inline size_t count_of(unsigned bits)
{
    return (size_t)__builtin_popcount(bits);
}

/* Rounds two vectors to bf16, whose values take turns: the pairs of vdpbf16ps. */
WITH_BF16 INLINE __m512i round_in_turns(__m512 first, __m512 second)
{
    const __m512i turns =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(turns, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

/* The groups, in bits, that need a position; they follow on each other. */
unsigned winograd_groups(const struct winograd_shape *shape, size_t row, size_t column);

/* Sorts the tiles into their groups. */
void winograd_sort(const struct winograd_shape *shape, struct tiles *tiles);

/* The number of tiles from t on that lie side by side. */
size_t winograd_row(const struct tiles *tiles, size_t t);

/* B^T d B of one block of input channels for `count` tiles in a row, the first of which is t. */
void winograd_inputs(const struct winograd_pass *r, size_t channels, size_t t, size_t count);

/* The sums of products of positions, for output blocks o to o + outs - 1; outs is 1 or 2. */
void winograd_multiply(const struct winograd_pass *r, size_t o, size_t outs);

/* A^T m A of output block o, which is number `which` of the `outs` in the sums; writes y. */
void winograd_outputs(const struct winograd_pass *r, size_t o, size_t which, size_t outs);
#endif
#endif
