/* See knn_products.h. A word holds two neighbouring columns of a row. The words of a group are
 * stored column pair by column pair, in the order in which dots_multiply reads them. */
#include "kernels/classifiers/knn_products.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/bf16.h"

static void pack(const float *x, size_t count, size_t d, size_t group, uint32_t *packed,
                 float *rest)
{
    memset(packed, 0, (d + 1) / 2 * group * sizeof *packed);
    for (size_t i = 0; i < count; i++) {
        const float *row = x + i * d;
        double sum = 0;
        for (size_t j = 0; j < d; j++) {
            uint16_t value = bf16_narrow(row[j]);
            double lost = (double)row[j] - bf16_widen(value);
            sum += lost * lost;
            packed[j / 2 * group + i] |= (uint32_t)value << (j % 2 * 16);
        }
        if (rest)
            rest[i] = nextafterf((float)(sqrt(sum) * (1 + 1e-9)), INFINITY);
    }
}

size_t dots_query_words(size_t d)
{
    return (d + 1) / 2 * DOTS_QUERIES;
}

size_t dots_row_words(size_t d)
{
    return (d + 1) / 2 * DOTS_ROWS;
}

void dots_pack_queries(const float *x, size_t count, size_t d, uint32_t *packed, float *rest)
{
    pack(x, count, d, DOTS_QUERIES, packed, rest);
}

void dots_pack_rows(const float *x, size_t count, size_t d, uint32_t *packed, float *rest)
{
    pack(x, count, d, DOTS_ROWS, packed, rest);
}

#if defined(__x86_64__)
#include <immintrin.h>

bool dots_available(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bf16");
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))) void
dots_multiply(const uint32_t *queries, const uint32_t *rows, size_t d,
              float out[DOTS_QUERIES][DOTS_ROWS])
{
    __m512 sums[DOTS_QUERIES][2];
#pragma GCC unroll 12
    for (size_t q = 0; q < DOTS_QUERIES; q++)
        sums[q][0] = sums[q][1] = _mm512_setzero_ps();
    for (size_t p = 0; p < (d + 1) / 2; p++, queries += DOTS_QUERIES, rows += DOTS_ROWS) {
        __m512bh a = (__m512bh)_mm512_loadu_si512(rows);
        __m512bh b = (__m512bh)_mm512_loadu_si512(rows + 16);
#pragma GCC unroll 12
        for (size_t q = 0; q < DOTS_QUERIES; q++) {
            __m512bh query = (__m512bh)_mm512_set1_epi32((int)queries[q]);
            sums[q][0] = _mm512_dpbf16_ps(sums[q][0], query, a);
            sums[q][1] = _mm512_dpbf16_ps(sums[q][1], query, b);
        }
    }
#pragma GCC unroll 12
    for (size_t q = 0; q < DOTS_QUERIES; q++) {
        _mm512_storeu_ps(out[q], sums[q][0]);
        _mm512_storeu_ps(out[q] + 16, sums[q][1]);
    }
}

#else

bool dots_available(void)
{
    return false;
}

void dots_multiply(const uint32_t *queries, const uint32_t *rows, size_t d,
                   float out[DOTS_QUERIES][DOTS_ROWS])
{
    (void)queries, (void)rows, (void)d, (void)out;
    abort();
}

#endif
