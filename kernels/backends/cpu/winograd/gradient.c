/* The gradient of weights by Winograd's method:
 *   dg = G^T [ sum over tiles of (A dy A^T) * (B^T d B) ] G,
 * with the matrices of the convolution (winograd.c), of which it is the transposed problem. Each
 * position is a matrix product, (output channels x tiles) by (tiles x input channels). As in
 * weight_gradient.c, a pair for vdpbf16ps is the same pixel of two images.
 *
 * A block of pairs of tiles is transformed before its products. The products of a few channels are
 * summed over the block in registers; then G is applied to these sums while they are in cache, and
 * the result is added to the gradient. */
#include "kernels/backends/cpu/winograd/gradient.h"

#if defined(__x86_64__)

enum {
    POSITIONS = SIDE * SIDE,
    STEP = 8,                 /* input channels whose sums fit the registers, for two vectors */
    CHANNELS = 32,            /* input channels to whose sums G is applied together */
    BLOCK_BYTES = 2048 << 10, /* of transformed tiles: twice a core's second-level cache is 5 to
                                 20 % faster than half of it, as G is applied less often */
    LEAST_BLOCK = 64,         /* pairs of tiles */
    TRANSFORMS = 20           /* the transforms take as long as the products of 20 channels */
};

struct gradient {
    const struct winograd_shape *shape;
    struct tiles tiles;
    struct transformed x, dy;
    float *products; /* [input channel][1 or 2][position][LANES] */
    float *sums;     /* [output block][tap][input channel][LANES] */
};

/* Sums products over `tiles` pairs of tiles, for `channels` input channels x `outs` output blocks;
 * both counts are compile-time constants. */
WITH_BF16 INLINE void sum_products(const uint32_t *x, const uint32_t *dy, size_t tiles,
                                   size_t dy_block, size_t x_next, size_t dy_next, float *out,
                                   const int channels, const int outs)
{
    __m512 sums[2 * STEP];
#pragma GCC unroll 16
    for (int k = 0; k < channels * outs; k++)
        sums[k] = _mm512_setzero_ps();
    for (size_t t = 0; t < tiles; t++, x += LANES, dy += LANES) {
        __m512bh g[2];
        for (int o = 0; o < outs; o++) {
            g[o] = (__m512bh)_mm512_load_si512(dy + o * dy_block);
            _mm_prefetch(dy + o * dy_block + dy_next, _MM_HINT_T0);
        }
        _mm_prefetch(x + x_next, _MM_HINT_T0);
#pragma GCC unroll 16
        for (int i = 0; i < channels; i++) {
            __m512bh v = (__m512bh)_mm512_set1_epi32((int)x[i]);
            for (int o = 0; o < outs; o++)
                sums[i * outs + o] = _mm512_dpbf16_ps(sums[i * outs + o], v, g[o]);
        }
    }
#pragma GCC unroll 16
    for (int k = 0; k < channels * outs; k++)
        _mm512_store_ps(out + k * POSITIONS * LANES, sums[k]);
}

WITH_BF16 static void sum_position(const struct gradient *s, size_t position, size_t i,
                                   size_t channels, size_t o, size_t outs)
{
    const struct tiles *tiles = &s->tiles;
    unsigned groups = winograd_groups(s->shape, position / SIDE, position % SIDE);
    size_t first = 0, end = 0, line = tiles->count * LANES;
    if (groups) {
        first = tiles->groups[__builtin_ctz(groups)];
        end = tiles->groups[32 - __builtin_clz(groups)];
    }
    size_t x_next = s->x.position / 2, dy_next = s->dy.position / 2;
    const uint32_t *x = (const uint32_t *)s->x.values + position * x_next + i / LANES * line +
                        i % LANES + first * LANES;
    const uint32_t *dy =
        (const uint32_t *)s->dy.values + position * dy_next + o * line + first * LANES;
    float *out = s->products + position * LANES;
    for (size_t c = 0; c < channels; c += STEP, out += STEP * outs * POSITIONS * LANES) {
        const uint32_t *at = x + c / LANES * line + c % LANES;
        if (outs == 2)
            sum_products(at, dy, end - first, line, x_next, dy_next, out, STEP, 2);
        else
            sum_products(at, dy, end - first, line, x_next, dy_next, out, STEP, 1);
    }
}

/* g = G^T m along a side. */
WITH_BF16 INLINE void take_back(const __m512 m[SIDE], __m512 g[3])
{
    const __m512 third = _mm512_set1_ps(1.0F / 3), sixth = _mm512_set1_ps(1.0F / 6);
    const __m512 a3 = _mm512_set1_ps(root / 3);
    __m512 s = _mm512_add_ps(m[1], m[2]), u = _mm512_sub_ps(m[1], m[2]);
    __m512 t = _mm512_add_ps(m[3], m[4]), v = _mm512_sub_ps(m[3], m[4]);
    const __m512 half = _mm512_set1_ps(0.5F), four = _mm512_set1_ps(-4);
    g[0] = _mm512_fmadd_ps(sixth, _mm512_fmadd_ps(four, t, s), m[0]);
    g[1] = _mm512_mul_ps(a3, _mm512_fmsub_ps(half, u, v));
    g[2] = _mm512_fmadd_ps(third, _mm512_sub_ps(s, t), m[5]);
}

/* Adds G^T m G, of one input channel and output block, to the sums. */
WITH_BF16 static void add_taps(const float *m, float *sums, size_t tap)
{
    __m512 columns[SIDE][3];
#pragma GCC unroll 6
    for (int c = 0; c < SIDE; c++) {
        __m512 column[SIDE];
#pragma GCC unroll 6
        for (int r = 0; r < SIDE; r++)
            column[r] = _mm512_load_ps(m + (r * SIDE + c) * LANES);
        take_back(column, columns[c]);
    }
#pragma GCC unroll 3
    for (size_t r = 0; r < 3; r++) {
        __m512 row[SIDE], g[3];
#pragma GCC unroll 6
        for (int c = 0; c < SIDE; c++)
            row[c] = columns[c][r];
        take_back(row, g);
#pragma GCC unroll 3
        for (size_t c = 0; c < 3; c++) {
            float *sum = sums + (r * 3 + c) * tap;
            _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), g[c]));
        }
    }
}

static void add_block(struct gradient *s)
{
    size_t in = s->x.blocks * LANES, tap = in * LANES;
    winograd_sort(s->shape, &s->tiles);
    s->x.position = (s->x.blocks * s->tiles.count | 1) * LINE;
    s->dy.position = (s->dy.blocks * s->tiles.count | 1) * LINE;
    for (size_t t = 0, count; t < s->tiles.count; t += count) {
        count = winograd_row(&s->tiles, t);
        for (size_t i = 0; i < s->x.blocks; i++)
            winograd_pair_inputs(&s->x, i, t, count);
        for (size_t o = 0; o < s->dy.blocks; o++)
            winograd_pair_outputs(&s->dy, o, t, count);
    }
    for (size_t o = 0, outs; o < s->dy.blocks; o += outs) {
        outs = s->dy.blocks - o < 2 ? 1 : 2;
        for (size_t i = 0, channels; i < in; i += channels) {
            channels = in - i < CHANNELS ? in - i : CHANNELS;
            for (size_t position = 0; position < POSITIONS; position++)
                sum_position(s, position, i, channels, o, outs);
            for (size_t k = 0; k < channels * outs; k++)
                add_taps(s->products + k * POSITIONS * LANES,
                         s->sums + (o + k % outs) * 9 * tap + (i + k / outs) * LANES, tap);
        }
    }
    s->tiles.count = 0;
}

/* Number of pairs of tiles in a block. */
static size_t block_of(const struct winograd_shape *s)
{
    size_t each = POSITIONS * (blocks_of(s->in) + blocks_of(s->out)) * LINE * sizeof(uint16_t);
    size_t block = BLOCK_BYTES / each;
    return block < LEAST_BLOCK ? LEAST_BLOCK : block > MAX_TILES ? MAX_TILES : block;
}

/* Number of values of a transformed operand. A position may have one more line, so that its number
 * of lines is odd and positions don't compete for the same cache sets. */
static size_t operand_size(const struct winograd_shape *s, size_t channels)
{
    return POSITIONS * (blocks_of(channels) * block_of(s) + 1) * LINE;
}

size_t winograd_gradient_scratch_size(const struct winograd_shape *s)
{
    return (operand_size(s, s->in) + operand_size(s, s->out)) * sizeof(uint16_t) +
           CHANNELS * 2 * POSITIONS * LANES * sizeof(float);
}

/* Number of positions along a side, of all tiles. */
static size_t positions_along(size_t pixels)
{
    size_t last = (pixels - 1) / OUTPUTS * OUTPUTS;
    return last / OUTPUTS * SIDE + count_of(positions_of(extent_of(pixels, last)));
}

/* Compares the numbers of multiplications, with the transforms counted as TRANSFORMS more channels.
 * The direct method skips taps in the padding. Measured with 16 to 512 channels on planes of 2x2 to
 * 40x40. */
bool winograd_gradient_suits(const struct winograd_shape *s)
{
    size_t in = blocks_of(s->in) * LANES, out = blocks_of(s->out) * LANES;
    size_t direct = (3 * s->height - 2) * (3 * s->width - 2);
    size_t positions = positions_along(s->height) * positions_along(s->width);
    return direct * in * out > positions * (in * out + TRANSFORMS * (in + out));
}

void winograd_gradient(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                       const uint16_t *dy, float *sums, void *scratch)
{
    size_t plane = shape->height * shape->width * LANES, block = block_of(shape);
    uint16_t *values = scratch;
    struct gradient s = {.shape = shape, .sums = sums};
    s.x = s.dy = (struct transformed){.shape = shape, .tiles = &s.tiles, .images = n};
    s.x.planes = x;
    s.x.image = shape->x_blocks * plane;
    s.x.blocks = blocks_of(shape->in);
    s.x.values = values;
    s.dy.planes = dy;
    s.dy.image = shape->y_blocks * plane;
    s.dy.blocks = blocks_of(shape->out);
    s.dy.values = values + operand_size(shape, shape->in);
    s.products = (float *)(s.dy.values + operand_size(shape, shape->out));
    for (size_t image = 0; image < n; image += 2)
        for (size_t row = 0; row < shape->height; row += OUTPUTS)
            for (size_t column = 0; column < shape->width; column += OUTPUTS) {
                s.tiles.list[s.tiles.count++] = (struct tile){image, (int)row, (int)column};
                if (s.tiles.count == block)
                    add_block(&s);
            }
    if (s.tiles.count)
        add_block(&s);
}
#else
bool winograd_gradient_suits(const struct winograd_shape *shape)
{
    (void)shape;
    return false;
}

size_t winograd_gradient_scratch_size(const struct winograd_shape *shape)
{
    (void)shape;
    return 0;
}

void winograd_gradient(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                       const uint16_t *dy, float *sums, void *scratch)
{
    (void)shape, (void)n, (void)x, (void)dy, (void)sums, (void)scratch;
}
#endif
