/* The transform of inputs, B^T d B, in parts. The convolution (transforms.c, which has the
 * formulas) and the gradient of weights (pair_transforms.c) use them. */
#ifndef FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_INPUT_TRANSFORM_H
#define FERDAG_KERNELS_BACKENDS_CPU_WINOGRAD_INPUT_TRANSFORM_H

#include "kernels/backends/cpu/winograd/steps.h"

#if defined(__x86_64__)

WITH_BF16 INLINE void transform_full(const __m512 d[SIDE], __m512 t[SIDE])
{
    const __m512 a = _mm512_set1_ps(root), b = _mm512_set1_ps(inverse_root);
    const __m512 two = _mm512_set1_ps(2), half = _mm512_set1_ps(0.5F);
    const __m512 middle = _mm512_set1_ps(2.5F);
    __m512 even = _mm512_fnmadd_ps(half, d[2], d[4]), odd = _mm512_fnmadd_ps(half, d[1], d[3]);
    t[0] = _mm512_fnmadd_ps(middle, d[2], _mm512_add_ps(d[0], d[4]));
    t[1] = _mm512_fmadd_ps(a, odd, even);
    t[2] = _mm512_fnmadd_ps(a, odd, even);
    even = _mm512_fnmadd_ps(two, d[2], d[4]);
    odd = _mm512_fnmadd_ps(two, d[1], d[3]);
    t[3] = _mm512_fmadd_ps(b, odd, even);
    t[4] = _mm512_fnmadd_ps(b, odd, even);
    t[5] = _mm512_fnmadd_ps(middle, d[3], _mm512_add_ps(d[1], d[5]));
}

WITH_BF16 INLINE void transform_two(const __m512 d[SIDE], __m512 t[SIDE])
{
    const __m512 scale = _mm512_set1_ps(1.5F), odd = _mm512_set1_ps(1.5F * root);
    __m512 even = _mm512_mul_ps(scale, d[2]);
    t[0] = _mm512_fnmadd_ps(_mm512_set1_ps(0.5F), d[2], d[0]);
    t[1] = _mm512_fmadd_ps(odd, d[1], even);
    t[2] = _mm512_fnmadd_ps(odd, d[1], even);
    t[5] = _mm512_fnmadd_ps(_mm512_set1_ps(2), d[1], d[3]);
    t[3] = t[4] = _mm512_setzero_ps();
}

WITH_BF16 INLINE void transform_one(const __m512 d[SIDE], __m512 t[SIDE])
{
    t[0] = _mm512_fnmadd_ps(_mm512_set1_ps(inverse_root), d[1], d[0]);
    t[1] = _mm512_mul_ps(_mm512_set1_ps(6 * inverse_root), d[1]);
    t[5] = _mm512_fnmadd_ps(_mm512_set1_ps(root), d[1], d[2]);
    t[2] = t[3] = t[4] = _mm512_setzero_ps();
}

WITH_BF16 INLINE void transform(enum extent extent, const __m512 d[SIDE], __m512 t[SIDE])
{
    if (extent == FULL)
        transform_full(d, t);
    else if (extent == TWO)
        transform_two(d, t);
    else
        transform_one(d, t);
}

/* Rows of a plane; the masks are 0 for rows outside of it. */
struct rows {
    const uint16_t *first; /* column 0 of the first row */
    ptrdiff_t step;
    int width;
    __mmask8 masks[SIDE];
};

WITH_BF16 INLINE struct rows rows_from(const struct winograd_shape *s, const uint16_t *plane, int y)
{
    struct rows rows = {.step = (ptrdiff_t)s->width * LANES, .width = (int)s->width};
    rows.first = plane + y * rows.step;
    for (int r = 0; r < SIDE; r++)
        rows.masks[r] = y + r >= 0 && y + r < (int)s->height ? 0xFF : 0;
    return rows;
}

/* Number of inputs along a side of a tile. */
static inline int inputs_of(enum extent extent)
{
    return extent == FULL ? SIDE : extent == TWO ? 4 : 3;
}

/* Loads the first `count` rows of columns x and x + 1. A vector has the 16 channels of a pixel. */
WITH_BF16 INLINE void load_columns(const struct rows *rows, int count, int x, __m512 d[2][SIDE])
{
    /* A bf16 value is the upper half of the float. */
    const __m512i left = _mm512_set_epi16(15, 0, 14, 0, 13, 0, 12, 0, 11, 0, 10, 0, 9, 0, 8, 0, 7,
                                          0, 6, 0, 5, 0, 4, 0, 3, 0, 2, 0, 1, 0, 0, 0);
    const __m512i right = _mm512_add_epi16(left, _mm512_set1_epi16(16));
    const __mmask32 upper = 0xAAAAAAAA;
    const uint16_t *at = rows->first + x * LANES;
    int mask = 0xFF;
    if (x < 0 || x + 1 >= rows->width)
        mask = (x >= 0 && x < rows->width ? 0x0F : 0) | (x + 1 < rows->width ? 0xF0 : 0);
#pragma GCC unroll 6
    for (int r = 0; r < count; r++) {
        __m512i raw =
            _mm512_maskz_loadu_epi64((__mmask8)(rows->masks[r] & mask), at + r * rows->step);
        d[0][r] = _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(upper, left, raw));
        d[1][r] = _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(upper, right, raw));
    }
}

/* Applies B^T to columns x and x + 1. */
WITH_BF16 INLINE void transform_columns(enum extent extent, const struct rows *rows, int x,
                                        __m512 columns[2][SIDE])
{
    const uint16_t *at = rows->first + x * LANES;
    __m512 d[2][SIDE];
    /* Prefetch what the next row of tiles reads. */
#pragma GCC unroll 4
    for (int r = SIDE; r < SIDE + OUTPUTS && extent == FULL; r++)
        _mm_prefetch(at + r * rows->step, _MM_HINT_T0);
    load_columns(rows, inputs_of(extent), x, d);
    transform(extent, d[0], columns[0]);
    transform(extent, d[1], columns[1]);
}
#endif
#endif
