/* See codes.h. A few columns at a time are taken out of the rows, so that each line of cache that
 * is read serves all of them; then each is sorted once. */
#include "kernels/classifiers/trees/codes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/sort.h"

enum { TOGETHER = 16 };
static const uint64_t CODES = 65536;

uint32_t codes_order(float value)
{
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* keys: n values' order in the upper half and row in the lower. */
static void code_column(struct codes *codes, size_t column, uint64_t *keys, uint64_t *spare)
{
    size_t n = codes->n;
    uint16_t *code = codes->code + column * n;
    keys = sort_by_high_half(keys, spare, n);
    uint64_t different = 1, rank = 0;
    for (size_t i = 1; i < n; i++)
        different += keys[i] >> 32 != keys[i - 1] >> 32;
    codes->exact[column] = different <= CODES;
    for (size_t i = 0; i < n; i++) {
        rank += i > 0 && keys[i] >> 32 != keys[i - 1] >> 32;
        code[(uint32_t)keys[i]] = (uint16_t)(different <= CODES ? rank : rank * CODES / different);
    }
}

int codes_make(struct codes *codes, const float *x, size_t n, size_t d, int threads,
               struct error *err)
{
    *codes = (struct codes){.n = n, .d = d};
    codes->code = malloc(n * d * sizeof *codes->code);
    codes->exact = calloc(d, sizeof *codes->exact);
    int failed = !codes->code || !codes->exact;
#pragma omp parallel num_threads(threads) if (!failed)
    {
        uint64_t *keys = failed ? NULL : malloc((TOGETHER + 1) * n * sizeof *keys);
        if (!keys) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp barrier
#pragma omp for schedule(dynamic)
        for (size_t j = 0; j < d; j += TOGETHER) {
            size_t count = d - j < TOGETHER ? d - j : TOGETHER;
            if (failed)
                continue;
            for (size_t i = 0; i < n; i++)
                for (size_t c = 0; c < count; c++)
                    keys[c * n + i] = (uint64_t)codes_order(x[i * d + j + c]) << 32 | i;
            for (size_t c = 0; c < count; c++)
                code_column(codes, j + c, keys + c * n, keys + TOGETHER * n);
        }
        free(keys);
    }
    return failed ? error_set(err, ENOMEM, "out of memory for the codes of %zu x %zu values", n, d)
                  : 0;
}

void codes_free(struct codes *codes)
{
    free(codes->code);
    free(codes->exact);
    *codes = (struct codes){0};
}
