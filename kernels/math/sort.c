/* See sort.h: insertion sort for a few keys, merge sort for some, radix sort for many. */
#include "kernels/math/sort.h"

#include <string.h>

enum { FEW = 24, SOME = 600, DIGITS = 4, VALUES = 256 };

static void insertion(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] >> 32 > key >> 32; j--)
            keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

static void merge(uint64_t *keys, uint64_t *spare, size_t n)
{
    if (n <= FEW) {
        insertion(keys, n);
        return;
    }
    size_t half = n / 2, i = 0, j = half, at = 0;
    merge(keys, spare, half);
    merge(keys + half, spare, n - half);
    memcpy(spare, keys, half * sizeof *keys);
    while (i < half && j < n) { /* no branch on the comparison, which can't be predicted */
        uint64_t a = spare[i], b = keys[j];
        size_t right = b >> 32 < a >> 32;
        keys[at++] = right ? b : a;
        j += right;
        i += 1 - right;
    }
    memcpy(keys + at, spare + i, (half - i) * sizeof *keys);
}

static uint64_t *radix(uint64_t *keys, uint64_t *spare, size_t n)
{
    size_t counts[DIGITS][VALUES] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (size_t digit = 0; digit < DIGITS; digit++)
            counts[digit][keys[i] >> (32 + 8 * digit) & (VALUES - 1)]++;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t *count = counts[digit], shift = 32 + 8 * digit, sum = 0;
        if (count[keys[0] >> shift & (VALUES - 1)] == n)
            continue; /* all keys have the same digit */
        for (size_t v = 0; v < VALUES; v++) {
            size_t here = count[v];
            count[v] = sum;
            sum += here;
        }
        for (size_t i = 0; i < n; i++)
            spare[count[keys[i] >> shift & (VALUES - 1)]++] = keys[i];
        uint64_t *swap = keys;
        keys = spare;
        spare = swap;
    }
    return keys;
}

uint64_t *sort_by_high_half(uint64_t *keys, uint64_t *spare, size_t n)
{
    if (n > SOME)
        return radix(keys, spare, n);
    merge(keys, spare, n);
    return keys;
}
