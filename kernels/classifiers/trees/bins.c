/* See bins.h. Each column is sorted once. A few columns at a time are copied out of the rows, so
 * that each cache line that is read serves all of them. */
#include "kernels/classifiers/trees/bins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/sort.h"
#include "kernels/math/thread_scratch.h"

enum { TOGETHER = 16 };
static const uint64_t BINS = 65536;

uint32_t order_key(float value)
{
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* keys (n): order_key of each value in the upper half, row in the lower. */
static void bin_column(struct bins *bins, size_t column, uint64_t *keys, uint64_t *spare)
{
    size_t n = bins->n;
    uint16_t *bin = bins->bin + column * n;
    keys = sort_by_high_half(keys, spare, n);
    uint64_t distinct = 1, rank = 0;
    for (size_t i = 1; i < n; i++)
        distinct += keys[i] >> 32 != keys[i - 1] >> 32;
    bins->exact[column] = distinct <= BINS;
    for (size_t i = 0; i < n; i++) {
        rank += i > 0 && keys[i] >> 32 != keys[i - 1] >> 32;
        bin[(uint32_t)keys[i]] = (uint16_t)(distinct <= BINS ? rank : rank * BINS / distinct);
    }
}

/* Fills columns first .. first + count - 1. keys is (TOGETHER + 1, n). */
static void bin_columns(struct bins *bins, const float *x, size_t first, size_t count,
                        uint64_t *keys)
{
    size_t n = bins->n;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < count; c++)
            keys[c * n + i] = (uint64_t)order_key(x[i * bins->d + first + c]) << 32 | i;
    for (size_t c = 0; c < count; c++)
        bin_column(bins, first + c, keys + c * n, keys + TOGETHER * n);
}

int bins_make(struct bins *bins, const float *x, size_t n, size_t d, int threads, struct error *err)
{
    *bins = (struct bins){.n = n, .d = d};
    bins->bin = malloc(n * d * sizeof *bins->bin);
    bins->exact = calloc(d, sizeof *bins->exact);
    struct thread_scratch scratch;
    int rc = thread_scratch_make(&scratch, threads, (TOGETHER + 1) * n * sizeof(uint64_t));
    if (rc < 0 || !bins->bin || !bins->exact) {
        thread_scratch_free(&scratch);
        return error_set(err, ENOMEM, "out of memory for the bins of %zu x %zu values", n, d);
    }
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t j = 0; j < d; j += TOGETHER)
        bin_columns(bins, x, j, d - j < TOGETHER ? d - j : TOGETHER, thread_scratch_mine(&scratch));
    thread_scratch_free(&scratch);
    return 0;
}

void bins_free(struct bins *bins)
{
    free(bins->bin);
    free(bins->exact);
    *bins = (struct bins){0};
}
