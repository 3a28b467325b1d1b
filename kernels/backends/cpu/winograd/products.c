/* The matrix products of a Winograd convolution: for each position, (tiles x input channels) by
 * (input channels x output channels). */
#include <string.h>
#include "kernels/backends/cpu/winograd/steps.h"

#if defined(__x86_64__)

enum {
    AHEAD = 64 /* distance of prefetched weights, in cache lines: one page, because the CPU's own
                  prefetcher stops at its end. 512 channels at 5x5 get 13 % faster */
};

/* Computes sums of `tiles` x `outs` vectors; both counts are compile-time constants. */
WITH_BF16 INLINE void multiply(const struct winograd_pass *r, const struct product *p,
                               const uint32_t *weights, const int tiles, const int outs)
{
    __m512 sums[2 * TOGETHER];
    const uint16_t *v = r->inputs + p->inputs;
    const uint32_t *u = weights + p->weights;
    size_t next_out = r->positions * r->in * PAIRS * LANES, next_block = r->tiles.count * LINE;
#pragma GCC unroll 28
    for (int k = 0; k < tiles * outs; k++)
        sums[k] = _mm512_setzero_ps();
    for (size_t block = 0; block < r->in; block++, v += next_block)
#pragma GCC unroll 8
        for (int pair = 0; pair < PAIRS; pair++, u += LANES) {
            __m512bh w[2];
            for (int o = 0; o < outs; o++) {
                w[o] = (__m512bh)_mm512_load_si512(u + o * next_out);
                _mm_prefetch(u + o * next_out + AHEAD * LANES, _MM_HINT_T0);
            }
#pragma GCC unroll 14
            for (int t = 0; t < tiles; t++) {
                int bits;
                memcpy(&bits, v + t * LINE + pair * 2, sizeof bits);
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

typedef void multiplication(const struct winograd_pass *r, const struct product *p,
                            const uint32_t *weights);

#define MULTIPLY(tiles)                                                                            \
    WITH_BF16 static void multiply_##tiles##_1(const struct winograd_pass *r,                      \
                                               const struct product *p, const uint32_t *weights)   \
    {                                                                                              \
        multiply(r, p, weights, tiles, 1);                                                         \
    }                                                                                              \
    WITH_BF16 static void multiply_##tiles##_2(const struct winograd_pass *r,                      \
                                               const struct product *p, const uint32_t *weights)   \
    {                                                                                              \
        multiply(r, p, weights, tiles, 2);                                                         \
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

void winograd_multiply(const struct winograd_pass *r, size_t o, size_t outs)
{
    const uint32_t *weights = r->weights + o * r->positions * r->in * PAIRS * LANES;
    for (size_t k = 0; k < r->product_count; k++)
        multiply_by[r->products[k].tiles - 1][outs - 1](r, &r->products[k], weights);
}
#endif
