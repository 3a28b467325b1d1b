/* Winograd's minimal filtering F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional
 * Neural Networks", 2015): a tile of 2x2 outputs reads 4x4 inputs d through weights g, and is
 *   A^T [ (G g G^T) * (B^T d B) ] A,
 * where * is by elements. Summed over channels, each of the 16 positions is a product of matrices,
 * tiles x input channels by input channels x output channels, for which the CPU has vdpbf16ps. B^T
 * and A^T only add and subtract. Signs of the third row of B^T and G are changed, so that halves of
 * a vector, which are neighbouring pixels, do the same.
 *
 * Where a plane has an odd size its last tiles have one row (or column) of outputs, of which d[2]
 * and d[3] are zeros: then the rows 1 and 2 of B^T d B are the same, and one product with the sum
 * of their weights, which is g[1], does instead of two, while row 3 isn't needed.
 *
 * A block of some tiles goes through all three steps while it is in cache. vdpbf16ps wants pairs of
 * channels; which two are a pair doesn't matter, so that they are those that fall out of the
 * conversion for free. */
#include <string.h>
#include "kernels/cpu_winograd.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define WITH_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define INLINE    static inline __attribute__((always_inline))

enum {
    LANES = 16,
    PAIRS = LANES / 2, /* of a vector of input channels */
    SIZE = 4,          /* of a transformed tile; its positions are SIZE * SIZE */
    EDGE = 4,       /* the row or column of the weights for tiles of one row or column of outputs */
    TOGETHER = 14,  /* tiles whose sums are in registers, for two vectors of output channels */
    MAX_BLOCK = 56, /* tiles */
    AHEAD = 64, /* lines of weights to prefetch: a page, where the CPU itself stops. 512 channels
                   at 5x5 gain 13 % */
    LINE = 32,  /* bf16 values of a cache line */
    GROUPS = 4, /* of tiles that need the same positions */
    /* Of a block: each position splits into two ranges of groups at most. */
    MAX_PRODUCTS = (SIZE + 1) * (SIZE + 1) * (MAX_BLOCK / TOGETHER + 2)
};

/* A tile's first output pixel. */
struct tile {
    size_t image;
    int y, x;
};

/* A product of one position: some tiles' transformed inputs with its weights. */
struct product {
    size_t inputs, weights; /* where they start; weights from those of an output block */
    size_t sums;            /* the same, for one output block at a time; twice that for two */
    size_t tiles;
    bool biased; /* sums start with the bias */
};

/* All that stays the same for a run. */
struct run {
    const struct winograd_shape *shape;
    size_t in, out; /* blocks of channels */
    size_t block;   /* tiles of a block at most */
    const uint16_t *x;
    const uint32_t *weights; /* [output block][row][column][input pair][LANES] */
    const float *bias;
    uint16_t *y;
    bool add, relu;
    /* [row][column pair][input block][tile][LINE]. A line has two positions: 8 channels of the
     * first, 8 of the second, the other 8 of the first and of the second. */
    uint16_t *inputs;
    float *sums;      /* [row][column][tile][1 or 2][LANES] */
    size_t positions; /* of the weights */
    struct tile tiles[MAX_BLOCK];
    size_t count;                              /* tiles of the current block */
    size_t groups[GROUPS + 1];                 /* where each group of them starts */
    size_t product_count, planned[GROUPS + 1]; /* for which groups */
    struct product products[MAX_PRODUCTS];
};

static size_t blocks_of(size_t channels)
{
    return (channels + LANES - 1) / LANES;
}

/* ---- weights ---- */

/* The channels of pair k of a block. */
static size_t first_of_pair(size_t k)
{
    return k % 4 * 4 + k / 4;
}

static size_t rows_of(const struct winograd_shape *s)
{
    return SIZE + s->height % 2;
}

static size_t columns_of(const struct winograd_shape *s)
{
    return SIZE + s->width % 2;
}

WITH_BF16 INLINE void transform_three(__m512 a, __m512 b, __m512 c, __m512 out[SIZE + 1])
{
    __m512 half = _mm512_set1_ps(0.5F);
    __m512 sum = _mm512_mul_ps(half, _mm512_add_ps(a, c)), middle = _mm512_mul_ps(half, b);
    out[0] = a;
    out[1] = _mm512_add_ps(middle, sum);
    out[2] = _mm512_sub_ps(middle, sum);
    out[3] = c;
    out[EDGE] = b;
}

/* G g G^T for LANES output channels, and what edges need; lane l reads weights[l * stride + tap].
 */
WITH_BF16 static void transform_weights(const float *weights, __m512i lanes, __mmask16 mask,
                                        bool flipped, __m512 u[SIZE + 1][SIZE + 1])
{
    __m512 t[3][SIZE + 1];
    for (int c = 0; c < 3; c++) {
        __m512 g[3];
        for (int r = 0; r < 3; r++) {
            int tap = r * 3 + c;
            g[r] = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, lanes,
                                            weights + (flipped ? 8 - tap : tap), 4);
        }
        transform_three(g[0], g[1], g[2], t[c]);
    }
    for (int r = 0; r <= SIZE; r++)
        transform_three(t[0][r], t[1][r], t[2][r], u[r]);
}

WITH_BF16 static void pack_pair(const struct winograd_shape *s, bool transposed,
                                const float *weights, size_t o, size_t i, uint32_t *out)
{
    size_t o_stride = transposed ? 9 : s->in * 9, i_stride = transposed ? s->out * 9 : 9;
    __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i lanes = _mm512_mullo_epi32(count, _mm512_set1_epi32((int)o_stride));
    __mmask16 mask = (__mmask16)(s->out - o < LANES ? (1U << (s->out - o)) - 1 : 0xFFFFU);
    __m512 u[2][SIZE + 1][SIZE + 1];
    for (size_t k = 0; k < 2; k++)
        transform_weights(weights + o * o_stride + (i + 2 * k) * i_stride, lanes,
                          i + 2 * k < s->in ? mask : 0, transposed, u[k]);
    for (size_t r = 0; r < rows_of(s); r++)
        for (size_t c = 0; c < columns_of(s); c++) {
            __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(u[0][r][c]));
            __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(u[1][r][c]));
            _mm512_store_si512(out, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
            out += blocks_of(s->in) * PAIRS * LANES;
        }
}

void winograd_pack(const struct winograd_shape *shape, bool transposed, const float *weights,
                   void *packed)
{
    size_t pairs = blocks_of(shape->in) * PAIRS, positions = rows_of(shape) * columns_of(shape);
    for (size_t o = 0; o < blocks_of(shape->out); o++)
        for (size_t pair = 0; pair < pairs; pair++)
            pack_pair(shape, transposed, weights, o * LANES,
                      pair / PAIRS * LANES + first_of_pair(pair % PAIRS),
                      (uint32_t *)packed + (o * positions * pairs + pair) * LANES);
}

/* ---- input ---- */

/* Two neighbouring pixels of four rows, after the transform of the rows: even channels of both
 * pixels, odd channels of both. */
struct columns {
    __m512 even[4], odd[4];
};

/* B^T down two columns; raw[r] are the two pixels of row r. */
WITH_BF16 INLINE struct columns transform_columns(const __m512i raw[4])
{
    const __m512i upper = _mm512_set1_epi32((int)0xFFFF0000);
    __m512 even[4], odd[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) {
        even[r] = _mm512_castsi512_ps(_mm512_slli_epi32(raw[r], 16));
        odd[r] = _mm512_castsi512_ps(_mm512_and_si512(raw[r], upper));
    }
    return (struct columns){
        .even = {_mm512_sub_ps(even[0], even[2]), _mm512_add_ps(even[1], even[2]),
                 _mm512_sub_ps(even[1], even[2]), _mm512_sub_ps(even[1], even[3])},
        .odd = {_mm512_sub_ps(odd[0], odd[2]), _mm512_add_ps(odd[1], odd[2]),
                _mm512_sub_ps(odd[1], odd[2]), _mm512_sub_ps(odd[1], odd[3])},
    };
}

/* Four rows of a plane, of which those outside of it are masked. */
struct rows {
    const uint16_t *first; /* its column 0 */
    ptrdiff_t step;
    int width;
    __mmask8 masks[4];
};

WITH_BF16 INLINE struct rows four_rows(const struct winograd_shape *s, const uint16_t *plane, int y)
{
    struct rows rows = {.step = (ptrdiff_t)s->width * LANES, .width = (int)s->width};
    rows.first = plane + y * rows.step;
    for (int r = 0; r < 4; r++)
        rows.masks[r] = y + r >= 0 && y + r < (int)s->height ? 0xFF : 0;
    return rows;
}

/* Columns x and x + 1, zeros outside of the plane. */
WITH_BF16 INLINE struct columns load_columns(const struct rows *rows, int x)
{
    const uint16_t *at = rows->first + x * LANES;
    __m512i raw[4];
    if (x >= 0 && x + 1 < rows->width) {
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++)
            raw[r] = _mm512_maskz_loadu_epi64(rows->masks[r], at + r * rows->step);
    } else {
        int mask = (x >= 0 && x < rows->width ? 0x0F : 0) | (x + 1 < rows->width ? 0xF0 : 0);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++)
            raw[r] =
                _mm512_maskz_loadu_epi64((__mmask8)(rows->masks[r] & mask), at + r * rows->step);
    }
    return transform_columns(raw);
}

/* From columns (0, 1) and (2, 3): (1 + 2, 1 - 2). */
WITH_BF16 INLINE __m512 middle(__m512 left, __m512 right)
{
    const __m512 signs = _mm512_setr_ps(1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1);
    __m512 one = _mm512_shuffle_f32x4(left, left, 0xEE);
    __m512 two = _mm512_shuffle_f32x4(right, right, 0x44);
    return _mm512_fmadd_ps(two, signs, one);
}

WITH_BF16 INLINE void store_pair(__m512 even, __m512 odd, uint16_t *out)
{
    _mm512_store_si512(out, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

/* B^T d B of one block of input channels for `count` tiles in a row, the first of which is t. */
WITH_BF16 static void transform_inputs(const struct run *r, size_t channels, size_t t, size_t count)
{
    const struct winograd_shape *s = r->shape;
    const struct tile *tile = &r->tiles[t];
    size_t plane = s->height * s->width * LANES, position = r->in * r->count * LINE;
    uint16_t *out = r->inputs + (channels * r->count + t) * LINE;
    struct rows rows =
        four_rows(s, r->x + (tile->image * s->x_blocks + channels) * plane, tile->y - 1);
    struct columns left = load_columns(&rows, tile->x - 1);
    for (size_t i = 0; i < count; i++, out += LINE) {
        struct columns right = load_columns(&rows, tile->x + 1 + 2 * (int)i);
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            uint16_t *row = out + k * 2 * position;
            store_pair(_mm512_sub_ps(left.even[k], right.even[k]),
                       _mm512_sub_ps(left.odd[k], right.odd[k]), row);
            store_pair(middle(left.even[k], right.even[k]), middle(left.odd[k], right.odd[k]),
                       row + position);
        }
        left = right;
    }
}

/* The number of tiles from t on that lie side by side. */
static size_t row_of_tiles(const struct run *r, size_t t)
{
    const struct tile *a = &r->tiles[t];
    size_t count = 1;
    while (t + count < r->count && a[count].image == a->image && a[count].y == a->y &&
           a[count].x == a->x + 2 * (int)count)
        count++;
    return count;
}

/* ---- products ---- */

/* `tiles` x `outs` vectors, both constants, for output blocks whose weights and bias are given. */
WITH_BF16 INLINE void multiply(const struct run *r, const struct product *p,
                               const uint32_t *weights, const float *bias, const int tiles,
                               const int outs)
{
    __m512 sums[2 * TOGETHER], start[2];
    const uint16_t *v = r->inputs + p->inputs;
    const uint32_t *u = weights + p->weights;
    size_t next_out = r->positions * r->in * PAIRS * LANES, next_block = r->count * LINE;
    for (int o = 0; o < outs; o++)
        start[o] = bias && p->biased ? _mm512_loadu_ps(bias + o * LANES) : _mm512_setzero_ps();
#pragma GCC unroll 28
    for (int k = 0; k < tiles * outs; k++)
        sums[k] = start[k % outs];
    for (size_t block = 0; block < r->in; block++, v += next_block)
        for (int half = 0; half < 2; half++)
#pragma GCC unroll 4
            for (int pair = 0; pair < 4; pair++, u += LANES) {
                __m512bh w[2];
                for (int o = 0; o < outs; o++) {
                    w[o] = (__m512bh)_mm512_load_si512(u + o * next_out);
                    _mm_prefetch(u + o * next_out + AHEAD * LANES, _MM_HINT_T0);
                }
#pragma GCC unroll 14
                for (int t = 0; t < tiles; t++) {
                    int bits;
                    memcpy(&bits, v + t * LINE + half * LANES + pair * 2, sizeof bits);
                    __m512bh d = (__m512bh)_mm512_set1_epi32(bits);
                    for (int o = 0; o < outs; o++)
                        sums[t * outs + o] = _mm512_dpbf16_ps(sums[t * outs + o], d, w[o]);
                }
            }
    float *out = r->sums + p->sums * outs;
#pragma GCC unroll 28
    for (int k = 0; k < tiles * outs; k++)
        _mm512_store_ps(out + k * LANES, sums[k]);
}

typedef void multiplication(const struct run *r, const struct product *p, const uint32_t *weights,
                            const float *bias);

#define MULTIPLY(tiles)                                                                            \
    WITH_BF16 static void multiply_##tiles##_1(const struct run *r, const struct product *p,       \
                                               const uint32_t *weights, const float *bias)         \
    {                                                                                              \
        multiply(r, p, weights, bias, tiles, 1);                                                   \
    }                                                                                              \
    WITH_BF16 static void multiply_##tiles##_2(const struct run *r, const struct product *p,       \
                                               const uint32_t *weights, const float *bias)         \
    {                                                                                              \
        multiply(r, p, weights, bias, tiles, 2);                                                   \
    }
MULTIPLY(1)
MULTIPLY(2)
MULTIPLY(3)
MULTIPLY(4)
MULTIPLY(5)
MULTIPLY(6)
MULTIPLY(7)
MULTIPLY(8)
MULTIPLY(9)
MULTIPLY(10)
MULTIPLY(11)
MULTIPLY(12)
MULTIPLY(13)
MULTIPLY(14)

static multiplication *const multiply_by[TOGETHER][2] = {
    {multiply_1_1, multiply_1_2},   {multiply_2_1, multiply_2_2},   {multiply_3_1, multiply_3_2},
    {multiply_4_1, multiply_4_2},   {multiply_5_1, multiply_5_2},   {multiply_6_1, multiply_6_2},
    {multiply_7_1, multiply_7_2},   {multiply_8_1, multiply_8_2},   {multiply_9_1, multiply_9_2},
    {multiply_10_1, multiply_10_2}, {multiply_11_1, multiply_11_2}, {multiply_12_1, multiply_12_2},
    {multiply_13_1, multiply_13_2}, {multiply_14_1, multiply_14_2},
};

/* Plans the products of one position with tiles first to end - 1. */
static void plan_tiles(struct run *r, struct product product, size_t first, size_t end)
{
    size_t steps = (end - first + TOGETHER - 1) / TOGETHER;
    for (size_t t = first; steps > 0; steps--) {
        struct product *p = &r->products[r->product_count++];
        *p = product;
        p->tiles = (end - t + steps - 1) / steps;
        p->inputs += t * LINE;
        p->sums += t * LANES;
        t += p->tiles;
    }
}

/* The bits of `groups` are the groups that need the position. */
static void plan_position(struct run *r, size_t row, size_t column, unsigned groups)
{
    size_t of_weights = row * columns_of(r->shape) + column;
    row = row == EDGE ? 1 : row;
    column = column == EDGE ? 1 : column;
    bool outer = column == 0 || column == 3, second = column >= 2;
    struct product p = {
        .inputs = (row * 2 + !outer) * r->in * r->count * LINE + second * PAIRS,
        .weights = of_weights * r->in * PAIRS * LANES,
        .sums = (row * SIZE + column) * r->block * LANES,
        .biased = row == 1 && column == 1, /* of which each output of a tile has one */
    };
    for (int g = 0, end; g < GROUPS; g = end + 1) {
        for (end = g; groups >> end & 1; end++)
            ;
        plan_tiles(r, p, r->groups[g], r->groups[end]);
    }
}

/* Plans the products of a block, unless the last one had the same groups. */
static void plan_products(struct run *r)
{
    static const unsigned of_rows[] = {0xF, 0x3, 0x3, 0x3, 0xC};
    static const unsigned of_columns[] = {0xF, 0x6, 0x6, 0x6, 0x9};
    if (memcmp(r->planned, r->groups, sizeof r->groups) == 0)
        return;
    memcpy(r->planned, r->groups, sizeof r->groups);
    r->product_count = 0;
    for (size_t row = 0; row < rows_of(r->shape); row++)
        for (size_t column = 0; column < columns_of(r->shape); column++)
            plan_position(r, row, column, of_rows[row] & of_columns[column]);
}

/* All products for output blocks o to o + outs - 1. */
static void multiply_block(const struct run *r, size_t o, size_t outs)
{
    const uint32_t *weights = r->weights + o * r->positions * r->in * PAIRS * LANES;
    const float *bias = r->bias ? r->bias + o * LANES : NULL;
    for (size_t k = 0; k < r->product_count; k++)
        multiply_by[r->products[k].tiles - 1][outs - 1](r, &r->products[k], weights, bias);
}

/* ---- output ---- */

/* Two neighbouring pixels of y. */
WITH_BF16 INLINE void store_pixels(__m512 left, __m512 right, uint16_t *y, __mmask8 mask, bool add,
                                   bool relu)
{
    if (add) {
        __m512i old = _mm512_maskz_loadu_epi64(mask, y);
        __m512i a = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(old));
        __m512i b = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(old, 1));
        left = _mm512_add_ps(left, _mm512_castsi512_ps(_mm512_slli_epi32(a, 16)));
        right = _mm512_add_ps(right, _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)));
    }
    if (relu) {
        left = _mm512_max_ps(left, _mm512_setzero_ps());
        right = _mm512_max_ps(right, _mm512_setzero_ps());
    }
    _mm512_mask_storeu_epi64(y, mask, (__m512i)_mm512_cvtne2ps_pbh(right, left));
}

/* A^T m A of output block o, which is number `which` of the `outs` in the products. */
WITH_BF16 static void transform_outputs(const struct run *r, size_t o, size_t which, size_t outs)
{
    const struct winograd_shape *s = r->shape;
    size_t plane = s->height * s->width * LANES, position = r->block * outs * LANES;
    for (size_t t = 0; t < r->count; t++) {
        const struct tile *tile = &r->tiles[t];
        const float *m = r->sums + (t * outs + which) * LANES;
        bool row_edge = (size_t)tile->y + 1 == s->height;
        bool column_edge = (size_t)tile->x + 1 == s->width;
        __mmask16 inner_row = row_edge ? 0 : 0xFFFF, inner_column = column_edge ? 0 : 0xFFFF;
        __m512 a[4], b[4];
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) {
            __m512 one = _mm512_load_ps(m + (4 + c) * position);
            __m512 two = _mm512_maskz_load_ps(inner_row, m + (8 + c) * position);
            a[c] = _mm512_add_ps(_mm512_load_ps(m + c * position), _mm512_add_ps(one, two));
            b[c] = _mm512_sub_ps(_mm512_sub_ps(one, two), _mm512_load_ps(m + (12 + c) * position));
        }
        a[2] = _mm512_maskz_mov_ps(inner_column, a[2]);
        b[2] = _mm512_maskz_mov_ps(inner_column, b[2]);
        uint16_t *y = r->y + (tile->image * s->y_blocks + o) * plane +
                      ((size_t)tile->y * s->width + (size_t)tile->x) * LANES;
        __mmask8 mask = column_edge ? 0x0F : 0xFF;
        store_pixels(_mm512_add_ps(a[0], _mm512_add_ps(a[1], a[2])),
                     _mm512_sub_ps(_mm512_sub_ps(a[1], a[2]), a[3]), y, mask, r->add, r->relu);
        if (!row_edge)
            store_pixels(_mm512_add_ps(b[0], _mm512_add_ps(b[1], b[2])),
                         _mm512_sub_ps(_mm512_sub_ps(b[1], b[2]), b[3]), y + s->width * LANES, mask,
                         r->add, r->relu);
    }
}

/* ---- runs ---- */

/* Tiles of a block: as few as the registers want where the weights stay in cache; more where those
 * come from the third level for each block, or where the tiles of a block are in groups. */
static size_t block_of(const struct winograd_shape *s)
{
    bool odd = s->height % 2 || s->width % 2;
    return s->in * s->out > 128 * 128 ? MAX_BLOCK : odd ? 2 * TOGETHER : TOGETHER;
}

static size_t inputs_size(const struct winograd_shape *s)
{
    return SIZE * SIZE / 2 * blocks_of(s->in) * block_of(s) * LINE * sizeof(uint16_t);
}

size_t winograd_weights_size(const struct winograd_shape *shape)
{
    return blocks_of(shape->out) * rows_of(shape) * columns_of(shape) * blocks_of(shape->in) *
           PAIRS * LANES * sizeof(uint32_t);
}

size_t winograd_scratch_size(const struct winograd_shape *shape)
{
    return inputs_size(shape) + SIZE * SIZE * block_of(shape) * 2 * LANES * sizeof(float);
}

/* Slower at 16 x 16 channels (0.95 of oneDNN's speed at 40x40) and pointless at one pixel. */
bool winograd_suits(const struct winograd_shape *shape)
{
    return shape->in >= 32 && shape->height >= 2 && shape->width >= 2;
}

/* Sorts the tiles into groups that need the same positions: those with one column of outputs, with
 * 2x2, with one row, with one output. */
static void sort_tiles(struct run *r)
{
    const struct winograd_shape *s = r->shape;
    struct tile sorted[MAX_BLOCK];
    size_t count = 0;
    if (s->height % 2 == 0 && s->width % 2 == 0) {
        memcpy(r->groups, (size_t[]){0, 0, r->count, r->count, r->count}, sizeof r->groups);
        return;
    }
    for (int group = 0; group < GROUPS; group++) {
        r->groups[group] = count;
        for (size_t t = 0; t < r->count; t++) {
            bool row = (size_t)r->tiles[t].y + 1 == s->height;
            bool column = (size_t)r->tiles[t].x + 1 == s->width;
            if (group == (row ? 2 + column : !column))
                sorted[count++] = r->tiles[t];
        }
    }
    r->groups[GROUPS] = count;
    memcpy(r->tiles, sorted, count * sizeof *sorted);
}

static void run_block(struct run *r)
{
    sort_tiles(r);
    plan_products(r);
    for (size_t t = 0, count; t < r->count; t += count) {
        count = row_of_tiles(r, t);
        for (size_t i = 0; i < r->in; i++)
            transform_inputs(r, i, t, count);
    }
    for (size_t o = 0; o < r->out; o += 2) {
        size_t outs = r->out - o < 2 ? 1 : 2;
        multiply_block(r, o, outs);
        for (size_t k = 0; k < outs; k++)
            transform_outputs(r, o + k, k, outs);
    }
    r->count = 0;
}

void winograd_run(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                  const void *packed, const float *bias, uint16_t *y, bool add, bool relu,
                  void *scratch)
{
    struct run r = {
        .shape = shape,
        .in = blocks_of(shape->in),
        .out = blocks_of(shape->out),
        .block = block_of(shape),
        .x = x,
        .weights = packed,
        .bias = bias,
        .y = y,
        .add = add,
        .relu = relu,
        .inputs = scratch,
        .positions = rows_of(shape) * columns_of(shape),
        .sums = (float *)((char *)scratch + inputs_size(shape)),
    };
    for (size_t image = 0; image < n; image++)
        for (size_t row = 0; row < shape->height; row += 2)
            for (size_t column = 0; column < shape->width; column += 2) {
                r.tiles[r.count++] = (struct tile){image, (int)row, (int)column};
                if (r.count == r.block)
                    run_block(&r);
            }
    if (r.count)
        run_block(&r);
}
#else
bool winograd_suits(const struct winograd_shape *shape)
{
    (void)shape;
    return false;
}

size_t winograd_weights_size(const struct winograd_shape *shape)
{
    (void)shape;
    return 0;
}

size_t winograd_scratch_size(const struct winograd_shape *shape)
{
    (void)shape;
    return 0;
}

void winograd_pack(const struct winograd_shape *shape, bool transposed, const float *weights,
                   void *packed)
{
    (void)shape, (void)transposed, (void)weights, (void)packed;
}

void winograd_run(const struct winograd_shape *shape, size_t n, const uint16_t *x,
                  const void *packed, const float *bias, uint16_t *y, bool add, bool relu,
                  void *scratch)
{
    (void)shape, (void)n, (void)x, (void)packed, (void)bias, (void)y, (void)add, (void)relu,
        (void)scratch;
}
#endif
