/* See knn.h. Queries go in tiles of 256 against training rows in tiles of 1,024: the distances of
 * such a pair fit in the second-level cache, so they are scanned while they are hot. */
#include "kernels/knn.h"

#include <errno.h>
#include <stdlib.h>
#include "kernels/blas.h"

enum { QUERIES = 256, ROWS = 1024, SPARE = 8, LABELS = 256 };

/* A training row at a distance; order by distance, then by row. */
struct neighbour {
    double distance;
    uint32_t row;
};

struct scratch {
    float *distances;        /* (QUERIES, ROWS) */
    struct neighbour *found; /* (QUERIES, keep), nearest first */
    double *norms;           /* (QUERIES) */
};

int knn_start(struct knn *knn, const float *x, const uint8_t *labels, size_t n, size_t d, size_t k,
              int threads, struct error *err)
{
    *knn = (struct knn){.n = n, .d = d, .k = k, .x = x, .labels = labels, .threads = threads};
    if (k < 1 || k > n)
        return error_set(err, EINVAL, "k is %zu, but there are %zu training rows", k, n);
    knn->norms = calloc(n, sizeof *knn->norms);
    if (!knn->norms)
        return error_set(err, ENOMEM, "out of memory for the norms of %zu rows", n);
    blas_squared_norms(x, n, d, knn->norms, threads);
    return 0;
}

void knn_free(struct knn *knn)
{
    free(knn->norms);
    knn->norms = NULL;
}

/* Puts a row into a list, ordered by distance, of *count <= keep rows. Rows come in ascending
 * order, so an equal distance goes behind. */
static void insert(struct neighbour *list, size_t *count, size_t keep, double distance,
                   uint32_t row)
{
    size_t i = *count < keep ? (*count)++ : keep - 1;
    for (; i > 0 && list[i - 1].distance > distance; i--)
        list[i] = list[i - 1];
    list[i] = (struct neighbour){distance, row};
}

static double exact_distance(const float *a, const float *b, size_t d)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < d; j++)
        sum += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
    return sum;
}

static int nearer(const void *a, const void *b)
{
    const struct neighbour *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static uint8_t vote(const struct knn *knn, const struct neighbour *list)
{
    size_t votes[LABELS] = {0}, most = 0;
    for (size_t i = 0; i < knn->k; i++) {
        size_t v = ++votes[knn->labels[list[i].row]];
        most = v > most ? v : most;
    }
    size_t i = 0;
    while (votes[knn->labels[list[i].row]] != most)
        i++;
    return knn->labels[list[i].row];
}

static void predict_tile(const struct knn *knn, const float *queries, size_t m, size_t keep,
                         const struct scratch *s, uint8_t *out)
{
    size_t count[QUERIES] = {0};
    blas_squared_norms(queries, m, knn->d, s->norms, 1);
    for (size_t start = 0; start < knn->n; start += ROWS) {
        size_t rows = knn->n - start < ROWS ? knn->n - start : ROWS;
        blas_squared_distances(queries, s->norms, m, knn->x + start * knn->d, knn->norms + start,
                               rows, knn->d, s->distances, ROWS);
        for (size_t q = 0; q < m; q++) {
            struct neighbour *list = s->found + q * keep;
            const float *distances = s->distances + q * ROWS;
            for (size_t r = 0; r < rows; r++)
                if (count[q] < keep || distances[r] < list[keep - 1].distance)
                    insert(list, &count[q], keep, distances[r], (uint32_t)(start + r));
        }
    }
    for (size_t q = 0; q < m; q++) {
        struct neighbour *list = s->found + q * keep;
        for (size_t i = 0; i < keep; i++)
            list[i].distance =
                exact_distance(queries + q * knn->d, knn->x + list[i].row * knn->d, knn->d);
        qsort(list, keep, sizeof *list, nearer);
        out[q] = vote(knn, list);
    }
}

int knn_predict(const struct knn *knn, const float *queries, size_t m, uint8_t *out,
                struct error *err)
{
    size_t keep = knn->k + SPARE < knn->n ? knn->k + SPARE : knn->n;
    int failed = 0;
    blas_single_threaded();
#pragma omp parallel num_threads(knn->threads)
    {
        struct scratch s = {malloc(QUERIES * ROWS * sizeof(float)),
                            calloc(QUERIES * keep, sizeof(struct neighbour)),
                            malloc(QUERIES * sizeof(double))};
        if (!s.distances || !s.found || !s.norms) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp barrier
#pragma omp for schedule(dynamic)
        for (size_t q = 0; q < m; q += QUERIES)
            if (!failed)
                predict_tile(knn, queries + q * knn->d, m - q < QUERIES ? m - q : QUERIES, keep, &s,
                             out + q);
        free(s.distances);
        free(s.found);
        free(s.norms);
    }
    return failed ? error_set(err, ENOMEM, "out of memory for the nearest %zu of %zu rows", knn->k,
                              knn->n)
                  : 0;
}
