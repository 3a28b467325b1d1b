/* The transforms of both operands of the gradient of weights, for pairs of images: the products
 * need pairs of values to sum over, and tiles of two images at the same place need the same
 * positions. B and A are defined in transforms.c. With a = sqrt(2), A d along a side is:
 *   four outputs: d0,  (d0 + 2 d2) +- a (d1 + 2 d3),  (d0 + d2 / 2) +- (d1 + d3 / 2) / a,  d3
 *   two outputs:  d0,  d0 +- a d1,  d1
 *   one output:   d0,  d0,  d0 */
#include "kernels/backends/cpu/winograd/gradient.h"
#include "kernels/backends/cpu/winograd/input_transform.h"

#if defined(__x86_64__)

enum { STRIP = 5 /* adjacent tiles whose columns are transformed together */ };

/* Sets rows[0] and rows[1] to the rows from y on of both images of a pair. If there is no second
 * image, all its rows are masked. */
WITH_BF16 INLINE void rows_of_pair(const struct transformed *to, size_t block,
                                   const struct tile *tile, int y, struct rows rows[2])
{
    const struct winograd_shape *s = to->shape;
    const uint16_t *plane =
        to->planes + tile->image * to->image + block * s->height * s->width * LANES;
    rows[0] = rows[1] = rows_from(s, plane, y);
    if (tile->image + 1 < to->images) {
        rows[1].first += to->image;
        return;
    }
    for (int r = 0; r < SIDE; r++)
        rows[1].masks[r] = 0;
}

/* Stores a row of positions, the values of both images interleaved. */
WITH_BF16 INLINE void store_row(enum extent across, __m512 t[2][SIDE], uint16_t *out,
                                size_t position)
{
#pragma GCC unroll 6
    for (int c = 0; c < SIDE; c++)
        if (positions_of(across) >> c & 1)
            _mm512_store_si512(out + (size_t)c * position, round_in_turns(t[0][c], t[1][c]));
}

/* ---- inputs ---- */

/* Applies B^T to the rows of the transformed columns a and b of the two images, and stores the rows
 * of positions in `needed` (bits). */
WITH_BF16 INLINE void input_rows(enum extent across, unsigned needed, __m512 a[][SIDE],
                                 __m512 b[][SIDE], uint16_t *out, size_t position)
{
#pragma GCC unroll 6
    for (int r = 0; r < SIDE; r++) {
        __m512 d[2][SIDE], t[2][SIDE];
        if (!(needed >> r & 1))
            continue;
#pragma GCC unroll 6
        for (int c = 0; c < inputs_of(across); c++) {
            d[0][c] = a[c][r];
            d[1][c] = b[c][r];
        }
        transform(across, d[0], t[0]);
        transform(across, d[1], t[1]);
        store_row(across, t, out + (size_t)r * SIDE * position, position);
    }
}

/* winograd_pair_inputs for tiles whose height has the given extent. */
WITH_BF16 INLINE void input_tiles(enum extent extent, const struct transformed *to, size_t block,
                                  size_t t, size_t count)
{
    const struct tile *tile = &to->tiles->list[t];
    uint16_t *out = to->values + (block * to->tiles->count + t) * LINE;
    __m512 columns[2][OUTPUTS * STRIP + 2][SIDE];
    struct rows rows[2];
    rows_of_pair(to, block, tile, tile->y - 1, rows);
    for (size_t first = 0; first < count; first += STRIP) {
        size_t end = count - first < STRIP ? count : first + STRIP;
        int x = tile[first].x - 1, last = tile[end - 1].x;
        int wide = last - 1 - x + inputs_of(extent_of(to->shape->width, (size_t)last));
        for (int c = 0; c < wide; c += 2)
            for (int image = 0; image < 2; image++)
                transform_columns(extent, &rows[image], x + c, columns[image] + c);
        for (size_t k = first; k < end; k++) {
            __m512(*a)[SIDE] = columns[0] + OUTPUTS * (k - first);
            __m512(*b)[SIDE] = columns[1] + OUTPUTS * (k - first);
            unsigned needed = positions_of(extent);
            enum extent across = extent_of(to->shape->width, (size_t)tile[k].x);
            BY_EXTENT(input_rows, across, needed, a, b, out + k * LINE, to->position);
        }
    }
}

WITH_BF16 void winograd_pair_inputs(const struct transformed *to, size_t block, size_t t,
                                    size_t count)
{
    enum extent extent = extent_of(to->shape->height, (size_t)to->tiles->list[t].y);
    BY_EXTENT(input_tiles, extent, to, block, t, count);
}

/* ---- gradients of outputs ---- */

static inline int outputs_of(enum extent extent)
{
    return extent == FULL ? OUTPUTS : extent == TWO ? 2 : 1;
}

/* t = A d. */
WITH_BF16 INLINE void spread(enum extent extent, const __m512 d[OUTPUTS], __m512 t[SIDE])
{
    const __m512 a = _mm512_set1_ps(root), b = _mm512_set1_ps(inverse_root);
    const __m512 two = _mm512_set1_ps(2), half = _mm512_set1_ps(0.5F);
    t[0] = d[0];
    t[5] = d[outputs_of(extent) - 1];
    if (extent == ONE) {
        t[1] = d[0];
    } else if (extent == TWO) {
        t[1] = _mm512_fmadd_ps(a, d[1], d[0]);
        t[2] = _mm512_fnmadd_ps(a, d[1], d[0]);
    } else {
        __m512 even = _mm512_fmadd_ps(two, d[2], d[0]), odd = _mm512_fmadd_ps(two, d[3], d[1]);
        t[1] = _mm512_fmadd_ps(a, odd, even);
        t[2] = _mm512_fnmadd_ps(a, odd, even);
        even = _mm512_fmadd_ps(half, d[2], d[0]);
        odd = _mm512_fmadd_ps(half, d[3], d[1]);
        t[3] = _mm512_fmadd_ps(b, odd, even);
        t[4] = _mm512_fnmadd_ps(b, odd, even);
    }
}

/* Transforms one tile: A d A^T. The extents are compile-time constants. */
WITH_BF16 INLINE void spread_tile(enum extent across, enum extent down, const struct rows rows[2],
                                  int x, uint16_t *out, size_t position)
{
    __m512 columns[2][OUTPUTS][SIDE];
    for (int image = 0; image < 2; image++)
#pragma GCC unroll 2
        for (int c = 0; c < outputs_of(across); c += 2) {
            const uint16_t *at = rows[image].first + (x + c) * LANES;
            __m512 d[2][SIDE];
            /* Prefetch what the next row of tiles reads. */
#pragma GCC unroll 4
            for (int r = OUTPUTS; r < 2 * OUTPUTS && down == FULL; r++)
                _mm_prefetch(at + r * rows[image].step, _MM_HINT_T0);
            load_columns(&rows[image], outputs_of(down), x + c, d);
            spread(down, d[0], columns[image][c]);
            if (across != ONE)
                spread(down, d[1], columns[image][c + 1]);
        }
#pragma GCC unroll 6
    for (int r = 0; r < SIDE; r++) {
        __m512 d[2][OUTPUTS], t[2][SIDE];
        if (!(positions_of(down) >> r & 1))
            continue;
        for (int image = 0; image < 2; image++) {
#pragma GCC unroll 4
            for (int c = 0; c < outputs_of(across); c++)
                d[image][c] = columns[image][c][r];
            spread(across, d[image], t[image]);
        }
        store_row(across, t, out + (size_t)r * SIDE * position, position);
    }
}

WITH_BF16 INLINE void spread_tiles(enum extent extent, const struct transformed *to, size_t block,
                                   size_t t, size_t count)
{
    const struct tile *tile = &to->tiles->list[t];
    uint16_t *out = to->values + (block * to->tiles->count + t) * LINE;
    struct rows rows[2];
    rows_of_pair(to, block, tile, tile->y, rows);
    for (size_t k = 0; k < count; k++, out += LINE) {
        enum extent across = extent_of(to->shape->width, (size_t)tile[k].x);
        BY_EXTENT(spread_tile, across, extent, rows, tile[k].x, out, to->position);
    }
}

WITH_BF16 void winograd_pair_outputs(const struct transformed *to, size_t block, size_t t,
                                     size_t count)
{
    enum extent extent = extent_of(to->shape->height, (size_t)to->tiles->list[t].y);
    BY_EXTENT(spread_tiles, extent, to, block, t, count);
}
#endif
