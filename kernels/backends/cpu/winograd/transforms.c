/* The transforms of inputs and outputs of a Winograd convolution: F(4x4, 3x3). With a = sqrt(2),
 * its points are 0, +-a, +-1/a and infinity, for which the errors of rounding to bf16 are small.
 * (With the points 0, +-1, +-2 and infinity they are 1.7 times as large, measured on the logits of
 * a trained ResNet18.) Along a side:
 *   B^T d = d0 - 5/2 d2 + d4,  (d4 - d2 / 2) +- a (d3 - d1 / 2),
 *           (d4 - 2 d2) +- (d3 - 2 d1) / a,  d1 - 5/2 d3 + d5
 *   A^T m = m0 + s + t,  a u + v / a,  2 s + t / 2,  2 a u + v / (2 a) + m5
 *           where s, u = m1 +- m2 and t, v = m3 +- m4
 * G is in weights.c. Tiles of two outputs need only the points 0, +-a and infinity, tiles of one
 * output 0, a and infinity. Their B^T is scaled so that G is the same:
 *   two: d0 - d2 / 2,  3/2 (d2 +- a d1),  d3 - 2 d1;   m0 + s,  a u + m5
 *   one: d0 - d1 / a,  6/a d1,  d2 - a d1;             m0 + m1 + m5 */
#include "kernels/backends/cpu/winograd/input_transform.h"

#if defined(__x86_64__)

enum {
    STRIP = 10, /* adjacent tiles whose columns are transformed together */
    AHEAD = 4   /* distance of prefetched outputs, in tiles */
};

/* ---- inputs ---- */

/* Completes B^T d B of one tile: applies B^T to the rows of its transformed columns, and stores the
 * rows of positions in `rows` (bits). */
WITH_BF16 INLINE void transform_rows(enum extent extent, unsigned rows, __m512 columns[][SIDE],
                                     uint16_t *out, size_t position)
{
#pragma GCC unroll 6
    for (int r = 0; r < SIDE; r++, out += SIDE / 2 * position) {
        __m512 d[SIDE], t[SIDE];
        if (!(rows >> r & 1))
            continue;
#pragma GCC unroll 6
        for (int c = 0; c < inputs_of(extent); c++)
            d[c] = columns[c][r];
        transform(extent, d, t);
#pragma GCC unroll 3
        for (size_t c = 0; c < SIDE; c += 2)
            _mm512_store_si512(out + c / 2 * position,
                               (__m512i)_mm512_cvtne2ps_pbh(t[c + 1], t[c]));
    }
}

/* winograd_inputs for tiles whose height has the given extent. */
WITH_BF16 INLINE void transform_tiles(enum extent extent, const struct winograd_pass *r,
                                      size_t channels, size_t t, size_t count)
{
    const struct winograd_shape *s = r->shape;
    const struct tile *tile = &r->tiles.list[t];
    size_t plane = s->height * s->width * LANES, position = r->in * r->tiles.count * LINE;
    uint16_t *out = r->inputs + (channels * r->tiles.count + t) * LINE;
    struct rows rows =
        rows_from(s, r->x + (tile->image * s->x_blocks + channels) * plane, tile->y - 1);
    __m512 columns[OUTPUTS * STRIP + 2][SIDE];
    for (size_t first = 0; first < count; first += STRIP) {
        size_t end = count - first < STRIP ? count : first + STRIP;
        int x = tile[first].x - 1, last = tile[end - 1].x;
        int wide = last - 1 - x + inputs_of(extent_of(s->width, (size_t)last));
        for (int c = 0; c < wide; c += 2)
            transform_columns(extent, &rows, x + c, columns + c);
        for (size_t k = first; k < end; k++) {
            __m512(*of_tile)[SIDE] = columns + OUTPUTS * (k - first);
            unsigned needed = positions_of(extent);
            enum extent across = extent_of(s->width, (size_t)tile[k].x);
            BY_EXTENT(transform_rows, across, needed, of_tile, out + k * LINE, position);
        }
    }
}

WITH_BF16 void winograd_inputs(const struct winograd_pass *r, size_t channels, size_t t,
                               size_t count)
{
    enum extent extent = extent_of(r->shape->height, (size_t)r->tiles.list[t].y);
    BY_EXTENT(transform_tiles, extent, r, channels, t, count);
}

/* ---- outputs ---- */

/* y = A^T m. */
WITH_BF16 INLINE void transform_back(enum extent extent, const __m512 m[SIDE], __m512 y[OUTPUTS])
{
    const __m512 a = _mm512_set1_ps(root), b = _mm512_set1_ps(inverse_root);
    const __m512 two = _mm512_set1_ps(2), half = _mm512_set1_ps(0.5F);
    const __m512 a3 = _mm512_set1_ps(2 * root), b3 = _mm512_set1_ps(inverse_root / 2);
    if (extent == ONE) {
        y[0] = _mm512_add_ps(m[0], _mm512_add_ps(m[1], m[5]));
        return;
    }
    __m512 s = _mm512_add_ps(m[1], m[2]), u = _mm512_sub_ps(m[1], m[2]);
    if (extent == TWO) {
        y[0] = _mm512_add_ps(m[0], s);
        y[1] = _mm512_fmadd_ps(a, u, m[5]);
        return;
    }
    __m512 t = _mm512_add_ps(m[3], m[4]), v = _mm512_sub_ps(m[3], m[4]);
    y[0] = _mm512_add_ps(m[0], _mm512_add_ps(s, t));
    y[1] = _mm512_fmadd_ps(a, u, _mm512_mul_ps(b, v));
    y[2] = _mm512_fmadd_ps(two, s, _mm512_mul_ps(half, t));
    y[3] = _mm512_fmadd_ps(a3, u, _mm512_fmadd_ps(b3, v, m[5]));
}

/* Applies A^T to the columns of a tile's sums, for the columns in `needed` (bits). */
WITH_BF16 INLINE void back_columns(enum extent extent, unsigned needed, const float *m,
                                   size_t position, __m512 columns[SIDE][OUTPUTS])
{
#pragma GCC unroll 6
    for (int c = 0; c < SIDE; c++) {
        __m512 column[SIDE];
        if (!(needed >> c & 1))
            continue;
#pragma GCC unroll 6
        for (int k = 0; k < SIDE; k++)
            if (positions_of(extent) >> k & 1)
                column[k] = _mm512_load_ps(m + (size_t)(k * SIDE + c) * position);
        transform_back(extent, column, columns[c]);
    }
}

/* Writes two adjacent pixels of y: adds the old values if r->add, then ReLU if r->relu. */
WITH_BF16 INLINE void store_pixels(const struct winograd_pass *r, __m512 left, __m512 right,
                                   uint16_t *y, __mmask8 mask)
{
    if (r->add) {
        __m512i old = _mm512_maskz_loadu_epi64(mask, y);
        __m512i a = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(old));
        __m512i b = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(old, 1));
        left = _mm512_add_ps(left, _mm512_castsi512_ps(_mm512_slli_epi32(a, 16)));
        right = _mm512_add_ps(right, _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)));
    }
    if (r->relu) {
        left = _mm512_max_ps(left, _mm512_setzero_ps());
        right = _mm512_max_ps(right, _mm512_setzero_ps());
    }
    _mm512_mask_storeu_epi64(y, mask, (__m512i)_mm512_cvtne2ps_pbh(right, left));
}

/* Applies A^T to row k of a tile and writes the result, of which `width` pixels are in the plane.
 */
WITH_BF16 INLINE void back_row(enum extent extent, const struct winograd_pass *r, size_t width,
                               __m512 bias, size_t k, __m512 columns[SIDE][OUTPUTS], uint16_t *y)
{
    __mmask8 left = width >= 2 ? 0xFF : 0x0F, right = width >= 4 ? 0xFF : 0x0F;
    __m512 row[SIDE], out[OUTPUTS];
#pragma GCC unroll 6
    for (int c = 0; c < SIDE; c++)
        if (positions_of(extent) >> c & 1)
            row[c] = columns[c][k];
    transform_back(extent, row, out);
    if (extent == ONE)
        out[1] = _mm512_setzero_ps();
    store_pixels(r, _mm512_add_ps(out[0], bias), _mm512_add_ps(out[1], bias), y, left);
    if (extent == FULL)
        store_pixels(r, _mm512_add_ps(out[2], bias), _mm512_add_ps(out[3], bias), y + 2 * LANES,
                     right);
}

/* The outputs of a tile in y. */
struct place {
    uint16_t *y;
    size_t step, height, width; /* step: stride of rows; height, width: outputs in the plane */
};

static struct place place_of(const struct winograd_pass *r, const struct tile *tile, size_t o)
{
    const struct winograd_shape *s = r->shape;
    size_t row = (tile->image * s->y_blocks + o) * s->height + (size_t)tile->y;
    size_t height = s->height - (size_t)tile->y;
    return (struct place){
        .y = r->y + (row * s->width + (size_t)tile->x) * LANES,
        .step = s->width * LANES,
        .height = height < OUTPUTS ? height : OUTPUTS,
        .width = s->width - (size_t)tile->x,
    };
}

WITH_BF16 INLINE void back_whole(const struct winograd_pass *r, const struct place *to,
                                 const float *m, size_t position, __m512 bias)
{
    __m512 columns[SIDE][OUTPUTS];
    back_columns(FULL, positions_of(FULL), m, position, columns);
#pragma GCC unroll 4
    for (size_t k = 0; k < OUTPUTS; k++)
        back_row(FULL, r, OUTPUTS, bias, k, columns, to->y + k * to->step);
}

/* Writes a tile that extends beyond the plane. */
WITH_BF16 static void back_part(const struct winograd_pass *r, const struct place *to,
                                const float *m, size_t position, __m512 bias)
{
    enum extent down = extent_of(to->height, 0), across = extent_of(to->width, 0);
    unsigned needed = positions_of(across);
    __m512 columns[SIDE][OUTPUTS];
    BY_EXTENT(back_columns, down, needed, m, position, columns);
    for (size_t k = 0; k < to->height; k++)
        BY_EXTENT(back_row, across, r, to->width, bias, k, columns, to->y + k * to->step);
}

INLINE void prefetch_place(struct place to)
{
    for (size_t k = 0; k < to.height; k++, to.y += to.step) {
        _mm_prefetch(to.y, _MM_HINT_ET0);
        if (to.width > 2)
            _mm_prefetch(to.y + LINE, _MM_HINT_ET0);
    }
}

WITH_BF16 void winograd_outputs(const struct winograd_pass *r, size_t o, size_t which, size_t outs)
{
    size_t position = r->block * outs * LANES;
    __m512 bias = r->bias ? _mm512_loadu_ps(r->bias + o * LANES) : _mm512_setzero_ps();
    for (size_t t = 0; t < r->tiles.count; t++) {
        const float *m = r->sums + (t * outs + which) * LANES;
        struct place to = place_of(r, &r->tiles.list[t], o);
        if (t + AHEAD < r->tiles.count)
            prefetch_place(place_of(r, &r->tiles.list[t + AHEAD], o));
        if (to.height == OUTPUTS && to.width >= OUTPUTS)
            back_whole(r, &to, m, position, bias);
        else
            back_part(r, &to, m, position, bias);
    }
}
#endif
