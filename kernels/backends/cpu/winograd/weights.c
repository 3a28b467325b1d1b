/* The weights of a Winograd convolution, G g G^T, packed in the order in which products.c reads
 * them.
 */
#include "kernels/backends/cpu/winograd/steps.h"

#if defined(__x86_64__)

/* Applies G along a side: g0, (g0 + 2 g2 +- a g1) / 6, -(2 g0 + g2 +- a g1) / 3, g2 with a =
 * sqrt(2). */
WITH_BF16 INLINE void transform_three(const __m512 g[3], __m512 out[SIDE])
{
    const __m512 two = _mm512_set1_ps(2), sixth = _mm512_set1_ps(1.0F / 6);
    const __m512 third = _mm512_set1_ps(-1.0F / 3);
    __m512 middle = _mm512_mul_ps(_mm512_set1_ps(root), g[1]);
    __m512 outer = _mm512_fmadd_ps(two, g[2], g[0]);
    out[0] = g[0];
    out[1] = _mm512_mul_ps(sixth, _mm512_add_ps(outer, middle));
    out[2] = _mm512_mul_ps(sixth, _mm512_sub_ps(outer, middle));
    outer = _mm512_fmadd_ps(two, g[0], g[2]);
    out[3] = _mm512_mul_ps(third, _mm512_add_ps(outer, middle));
    out[4] = _mm512_mul_ps(third, _mm512_sub_ps(outer, middle));
    out[5] = g[2];
}

/* Sets u to G g G^T of one input channel for LANES output channels. `lanes` has the offset of each
 * output channel's weights; channels outside `mask` are 0. */
WITH_BF16 static void transform_weights(const float *weights, __m512i lanes, __mmask16 mask,
                                        bool flipped, __m512 u[SIDE][SIDE])
{
    __m512 t[3][SIDE];
    for (int c = 0; c < 3; c++) {
        __m512 g[3];
        for (int r = 0; r < 3; r++) {
            int tap = r * 3 + c;
            g[r] = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), mask, lanes,
                                            weights + (flipped ? 8 - tap : tap), 4);
        }
        transform_three(g, t[c]);
    }
    for (int r = 0; r < SIDE; r++) {
        const __m512 g[3] = {t[0][r], t[1][r], t[2][r]};
        transform_three(g, u[r]);
    }
}

/* Packs input channels i and i + 1, a pair, for output channels o to o + LANES - 1. */
WITH_BF16 static void pack_pair(const struct winograd_shape *s, bool transposed,
                                const float *weights, size_t o, size_t i, uint32_t *out)
{
    size_t o_stride = transposed ? 9 : s->in * 9, i_stride = transposed ? s->out * 9 : 9;
    __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i lanes = _mm512_mullo_epi32(count, _mm512_set1_epi32((int)o_stride));
    __mmask16 mask = (__mmask16)(s->out - o < LANES ? (1U << (s->out - o)) - 1 : 0xFFFFU);
    unsigned rows = side_of(s->height), columns = side_of(s->width);
    __m512 u[2][SIDE][SIDE];
    for (size_t k = 0; k < 2; k++)
        transform_weights(weights + o * o_stride + (i + k) * i_stride, lanes,
                          i + k < s->in ? mask : 0, transposed, u[k]);
    for (int position = 0; position < SIDE * SIDE; position++) {
        int r = position / SIDE, c = position % SIDE;
        if (!(rows >> r & 1) || !(columns >> c & 1))
            continue;
        _mm512_store_si512(out, round_in_turns(u[0][r][c], u[1][r][c]));
        out += blocks_of(s->in) * PAIRS * LANES;
    }
}

void winograd_pack(const struct winograd_shape *shape, bool transposed, const float *weights,
                   void *packed)
{
    size_t pairs = blocks_of(shape->in) * PAIRS;
    size_t positions = count_of(side_of(shape->height)) * count_of(side_of(shape->width));
    for (size_t o = 0; o < blocks_of(shape->out); o++)
        for (size_t pair = 0; pair < pairs; pair++)
            pack_pair(shape, transposed, weights, o * LANES, 2 * pair,
                      (uint32_t *)packed + (o * positions * pairs + pair) * LANES);
}
#endif
