/* See stratify.h. */
#include "stages/data/stratify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"

/* quota: how many rows each class gets: the floor of its share, then one more for the largest
 * remainders (the first class among equals), then one for each class without rows, taken from the
 * class with the largest quota. */
static void share(const size_t counts[CLASSES], size_t n, size_t wanted, size_t quota[CLASSES])
{
    size_t given = 0, remainder[CLASSES];
    for (int c = 0; c < CLASSES; c++) {
        quota[c] = counts[c] * wanted / n;
        remainder[c] = counts[c] * wanted % n;
        given += quota[c];
    }
    for (; given < wanted; given++) {
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            if (remainder[c] > remainder[best])
                best = c;
        quota[best]++;
        remainder[best] = 0;
    }
    for (int c = 0; c < CLASSES; c++) {
        int most = 0;
        for (int k = 1; k < CLASSES; k++)
            if (quota[k] > quota[most])
                most = k;
        if (counts[c] > 0 && quota[c] == 0 && quota[most] > 1) {
            quota[most]--;
            quota[c]++;
        }
    }
}

int stratify(const uint8_t *labels, size_t n, size_t wanted, uint64_t seed, uint64_t stream,
             uint8_t *keep, struct error *err)
{
    if (wanted >= n) {
        memset(keep, 1, n);
        return 0;
    }
    uint32_t *order = malloc(n * sizeof *order);
    if (!order)
        return error_set(err, ENOMEM, "out of memory for a subset of %zu rows", n);
    size_t counts[CLASSES], quota[CLASSES];
    count_labels(labels, n, counts);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    share(counts, n, wanted, quota);
    struct random random = random_start(seed, stream);
    random_shuffle(&random, order, n);
    memset(keep, 0, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = order[i];
        if (quota[labels[row]] > 0) {
            quota[labels[row]]--;
            keep[row] = 1;
        }
    }
    free(order);
    return 0;
}

static size_t keep_items(struct array *a, const uint8_t *keep)
{
    size_t n = a->shape[0], size = array_item_size(a->type), kept = 0;
    for (size_t d = 1; d < a->dims; d++)
        size *= a->shape[d];
    char *data = a->data;
    for (size_t i = 0; i < n; i++)
        if (keep[i])
            memmove(data + kept++ * size, data + i * size, size);
    a->shape[0] = kept;
    return kept;
}

void images_keep(struct images *images, const uint8_t *keep)
{
    keep_items(&images->labels, keep);
    keep_items(&images->rows, keep);
    images->n = keep_items(&images->pixels, keep);
}
