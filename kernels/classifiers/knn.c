/* See knn.h. A tile of queries is multiplied with some training rows at a time; the products are
 * used while they are in the first-level cache and not stored.
 *
 * Write q = q' + q" with q' in bf16, and likewise for a row x. Then q.x = q'.x' + q".x + q'.x", and
 * with the rounding of the product, by the Cauchy-Schwarz inequality,
 *   |q.x - product| <= |q"| |x| + |q'| |x"| + g |q'| |x'|,   g = (d + 16) 2^-22,
 * where |q'| and |x'| are at most 1.01 times |q| and |x|. Twice that, plus the rounding of the sum,
 * bounds the error of |q|^2 + |x|^2 - 2 product as the squared distance. The k-th smallest upper
 * bound so far limits the distance of the k nearest: a row whose lower bound is greater isn't one
 * of them. With products in float32, q" and x" are 0; sums of a GPU have another order, and the
 * same bound. */
#include "kernels/classifiers/knn.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/math/blas.h"
#include "kernels/classifiers/knn_products.h"
#include "kernels/math/target_clones.h"

/* Sizes of a tile: groups of queries, and rows of a product in float32. */
enum { GROUPS = 32, QUERIES = GROUPS * DOTS_QUERIES, ROWS = 1024, LABELS = 256 };

/* A training row and its squared distance, or a lower bound of it. */
struct neighbour {
    double distance;
    uint32_t row;
};

/* The candidates for the neighbours of one query. */
struct search {
    float square, norm;      /* |q|^2, |q| rounded up */
    float norm_factor;       /* of a row's norm in the error: 2 (|q"| + 1.03 g |q|) */
    float rest_factor;       /* of the norm of a row's rounding errors in the error */
    float limit;             /* the k-th smallest upper bound; infinite until there are k */
    float *upper;            /* (k): the smallest upper bounds, ascending */
    size_t known;            /* number of upper bounds */
    struct neighbour *found; /* candidates */
    size_t count, capacity;  /* of found */
};

struct scratch {
    struct search *search; /* (queries) */
    float *upper;          /* (queries, k) */
    uint32_t *packed;      /* the queries in bf16 */
    float *products;       /* (queries, ROWS) */
};

/* ---- starting ---- */

static float norm_of(const float *row, size_t d, float *square)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t j = 0; j < d; j++)
        sum += (double)row[j] * row[j];
    *square = (float)sum;
    return nextafterf((float)(sqrt(sum) * (1 + 1e-9)), INFINITY);
}

int knn_start(struct knn *knn, const float *x, const uint8_t *labels, size_t n, size_t d, size_t k,
              int threads, struct error *err)
{
    return knn_start_on(knn, NULL, x, labels, n, d, k, threads, err);
}

int knn_start_on(struct knn *knn, const char *backend, const float *x, const uint8_t *labels,
                 size_t n, size_t d, size_t k, int threads, struct error *err)
{
    *knn = (struct knn){.n = n, .d = d, .k = k, .x = x, .labels = labels, .threads = threads};
    if (k < 1 || k > n)
        return error_set(err, EINVAL, "k is %zu, but there are %zu training rows", k, n);
    int rc = products_open(backend, x, n, d, false, &knn->products, err);
    if (rc < 0)
        return rc;
    size_t groups = (n + DOTS_ROWS - 1) / DOTS_ROWS, words = dots_row_words(d);
    bool narrow = !knn->products && dots_available();
    knn->square = malloc(n * sizeof *knn->square);
    knn->norm = malloc(n * sizeof *knn->norm);
    knn->rest = calloc(n, sizeof *knn->rest);
    knn->packed = narrow ? malloc(groups * words * sizeof *knn->packed) : NULL;
    if (!knn->square || !knn->norm || !knn->rest || (narrow && !knn->packed))
        return error_set(err, ENOMEM, "out of memory for %zu x %zu values", n, d);
#pragma omp parallel for num_threads(threads)
    for (size_t g = 0; g < groups; g++) {
        size_t first = g * DOTS_ROWS, count = n - first < DOTS_ROWS ? n - first : DOTS_ROWS;
        for (size_t i = first; i < first + count; i++)
            knn->norm[i] = norm_of(x + i * d, d, &knn->square[i]);
        if (narrow)
            dots_pack_rows(x + first * d, count, d, knn->packed + g * words, knn->rest + first);
    }
    return 0;
}

void knn_free(struct knn *knn)
{
    free(knn->square);
    free(knn->norm);
    free(knn->rest);
    free(knn->packed);
    products_close(knn->products);
    *knn = (struct knn){0};
}

/* ---- searching ---- */

static void start_search(const struct knn *knn, const float *query, float rest, struct search *s)
{
    double g = (double)(knn->d + 16) / 4194304;
    s->norm = norm_of(query, knn->d, &s->square);
    s->norm_factor = (float)(2 * 1.0001 * (rest + 1.03 * g * s->norm));
    s->rest_factor = (float)(2 * 1.0001 * 1.01 * s->norm);
    s->limit = INFINITY;
    s->known = s->count = 0;
}

/* A bound of the rounding error of a sum of these. */
static inline float slack_of(float square, float other)
{
    return 2e-6f * (square + other) + 1e-30f;
}

/* Adds an upper bound to the sorted list. */
static void lower_limit(const struct knn *knn, struct search *s, float bound)
{
    size_t i = s->known < knn->k ? s->known++ : knn->k - 1;
    for (; i > 0 && s->upper[i - 1] > bound; i--)
        s->upper[i] = s->upper[i - 1];
    s->upper[i] = bound;
    if (s->known == knn->k)
        s->limit = s->upper[knn->k - 1];
}

/* Removes candidates beyond the limit, and enlarges the list unless it is then less than half full.
 */
static int drop_excluded(struct search *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->found[i].distance <= s->limit)
            s->found[kept++] = s->found[i];
    s->count = kept;
    if (2 * kept < s->capacity)
        return 0;
    size_t capacity = 2 * s->capacity + 64;
    struct neighbour *grown = realloc(s->found, capacity * sizeof *grown);
    if (!grown)
        return -ENOMEM;
    s->found = grown;
    s->capacity = capacity;
    return 0;
}

/* A bound of the error of the computed squared distance of a row. */
static float error_of(const struct knn *knn, const struct search *s, size_t row)
{
    return s->norm_factor * knn->norm[row] + s->rest_factor * knn->rest[row] +
           slack_of(s->square, knn->square[row]);
}

static int consider(const struct knn *knn, struct search *s, size_t row, float product)
{
    float distance = s->square + knn->square[row] - 2 * product, error = error_of(knn, s, row);
    if (!(distance - error <= s->limit))
        return 0;
    if (distance + error < s->limit)
        lower_limit(knn, s, distance + error);
    if (s->count == s->capacity && drop_excluded(s) < 0)
        return -ENOMEM;
    s->found[s->count++] = (struct neighbour){distance - error, (uint32_t)row};
    return 0;
}

/* Whether one of the rows first .. first + count - 1, at most DOTS_ROWS, may be among the nearest.
 */
WIDEST static bool any_near(const struct knn *knn, const struct search *s, const float *products,
                            size_t first, size_t count)
{
    const float *square = knn->square + first, *norm = knn->norm + first, *rest = knn->rest + first;
    float base = s->square, norm_factor = s->norm_factor, rest_factor = s->rest_factor,
          limit = s->limit;
    int near = 0;
#pragma omp simd reduction(| : near)
    for (size_t r = 0; r < count; r++) {
        float distance = base + square[r] - 2 * products[r];
        float error = norm_factor * norm[r] + rest_factor * rest[r] + slack_of(base, square[r]);
        near |= distance - error <= limit * 1.000001f;
    }
    return near;
}

/* Adds the candidates among rows first .. first + count - 1, given their products with the query.
 */
static int scan(const struct knn *knn, struct search *s, const float *products, size_t first,
                size_t count)
{
    for (size_t start = 0; start < count; start += DOTS_ROWS) {
        size_t some = count - start < DOTS_ROWS ? count - start : DOTS_ROWS;
        if (!any_near(knn, s, products + start, first + start, some))
            continue;
        for (size_t r = start; r < start + some; r++)
            if (consider(knn, s, first + r, products[r]) < 0)
                return -ENOMEM;
    }
    return 0;
}

/* ---- deciding ---- */

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

static uint8_t decide(const struct knn *knn, struct search *s, const float *query)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (s->found[i].distance > s->limit)
            continue;
        uint32_t row = s->found[i].row;
        s->found[kept++] =
            (struct neighbour){exact_distance(query, knn->x + row * knn->d, knn->d), row};
    }
    qsort(s->found, kept, sizeof *s->found, nearer);
    return vote(knn, s->found);
}

/* ---- tiles ---- */

static int search_narrow(const struct knn *knn, const float *queries, size_t m, struct scratch *s)
{
    float products[DOTS_QUERIES][DOTS_ROWS];
    size_t words = dots_row_words(knn->d), own = dots_query_words(knn->d);
    for (size_t q = 0; q < m; q += DOTS_QUERIES) {
        float rest[DOTS_QUERIES];
        size_t count = m - q < DOTS_QUERIES ? m - q : DOTS_QUERIES;
        dots_pack_queries(queries + q * knn->d, count, knn->d, s->packed + q / DOTS_QUERIES * own,
                          rest);
        for (size_t i = 0; i < count; i++)
            start_search(knn, queries + (q + i) * knn->d, rest[i], &s->search[q + i]);
    }
    for (size_t first = 0; first < knn->n; first += DOTS_ROWS) {
        size_t rows = knn->n - first < DOTS_ROWS ? knn->n - first : DOTS_ROWS;
        for (size_t q = 0; q < m; q += DOTS_QUERIES) {
            dots_multiply(s->packed + q / DOTS_QUERIES * own,
                          knn->packed + first / DOTS_ROWS * words, knn->d, products);
            for (size_t i = 0; i < DOTS_QUERIES && q + i < m; i++)
                if (scan(knn, &s->search[q + i], products[i], first, rows) < 0)
                    return -ENOMEM;
        }
    }
    return 0;
}

static int search_wide(const struct knn *knn, const float *queries, size_t m, struct scratch *s)
{
    for (size_t q = 0; q < m; q++)
        start_search(knn, queries + q * knn->d, 0, &s->search[q]);
    for (size_t first = 0; first < knn->n; first += ROWS) {
        size_t rows = knn->n - first < ROWS ? knn->n - first : ROWS;
        blas_tile(queries, m, knn->x + first * knn->d, rows, knn->d, s->products, ROWS);
        for (size_t q = 0; q < m; q++)
            if (scan(knn, &s->search[q], s->products + q * ROWS, first, rows) < 0)
                return -ENOMEM;
    }
    return 0;
}

static int predict_tile(const struct knn *knn, const float *queries, size_t m, struct scratch *s,
                        uint8_t *out)
{
    int rc = knn->packed ? search_narrow(knn, queries, m, s) : search_wide(knn, queries, m, s);
    for (size_t q = 0; rc == 0 && q < m; q++)
        out[q] = decide(knn, &s->search[q], queries + q * knn->d);
    return rc;
}

static void scratch_free(struct scratch *s, size_t queries)
{
    for (size_t q = 0; s->search && q < queries; q++)
        free(s->search[q].found);
    free(s->search);
    free(s->upper);
    free(s->packed);
    free(s->products);
}

/* Allocates memory for tiles of `queries` queries. With products by a GPU, for a part of them. */
static int scratch_make(struct scratch *s, const struct knn *knn, size_t queries)
{
    size_t groups = (queries + DOTS_QUERIES - 1) / DOTS_QUERIES;
    *s = (struct scratch){.search = calloc(queries, sizeof *s->search),
                          .upper = malloc(queries * knn->k * sizeof *s->upper)};
    if (knn->packed)
        s->packed = malloc(groups * dots_query_words(knn->d) * sizeof *s->packed);
    else if (!knn->products)
        s->products = malloc(queries * ROWS * sizeof *s->products);
    if (!s->search || !s->upper || (!knn->products && !s->packed && !s->products))
        return -ENOMEM;
    for (size_t q = 0; q < queries; q++)
        s->search[q].upper = s->upper + q * knn->k;
    return 0;
}

/* ---- products by a GPU ---- */

/* A call of knn_predict. */
struct prediction {
    const struct knn *knn;
    const float *queries;
    uint8_t *out;
    struct scratch scratch;
    size_t most; /* queries of a part; 0 before the first part */
};

/* Predicts queries from their products with all training rows; threads share the queries. */
static int predict_part(void *context, const struct products_part *part)
{
    struct prediction *p = context;
    const struct knn *knn = p->knn;
    const float *products = part->values;
    int failed = 0;
    if (p->most == 0) {
        p->most = part->count;
        if (scratch_make(&p->scratch, knn, p->most) < 0)
            return -ENOMEM;
    }
#pragma omp parallel for schedule(dynamic) num_threads(knn->threads) reduction(| : failed)
    for (size_t q = 0; q < part->count; q++) {
        struct search *s = &p->scratch.search[q];
        const float *query = p->queries + (part->first + q) * knn->d;
        start_search(knn, query, 0, s);
        if (scan(knn, s, products + q * knn->n, 0, knn->n) < 0)
            failed = 1;
        else
            p->out[part->first + q] = decide(knn, s, query);
    }
    return failed ? -ENOMEM : 0;
}

static int no_memory(const struct knn *knn, struct error *err)
{
    return error_set(err, ENOMEM, "out of memory for the nearest %zu of %zu rows", knn->k, knn->n);
}

static int predict_on_device(const struct knn *knn, const float *queries, size_t m, uint8_t *out,
                             struct error *err)
{
    struct prediction p = {.knn = knn, .queries = queries, .out = out};
    struct product product = {.queries = queries, .n = m, .m = knn->n};
    int rc = products_multiply(knn->products, &product, predict_part, &p);
    scratch_free(&p.scratch, p.most);
    int failed = products_error(knn->products, err);
    return failed < 0 ? failed : rc < 0 ? no_memory(knn, err) : 0;
}

/* ---- */

int knn_predict(const struct knn *knn, const float *queries, size_t m, uint8_t *out,
                struct error *err)
{
    if (knn->products)
        return predict_on_device(knn, queries, m, out, err);
    int failed = 0;
    blas_single_threaded();
    size_t threads = (size_t)knn->threads, tile = (m + threads - 1) / threads;
    tile = (tile + DOTS_QUERIES - 1) / DOTS_QUERIES * DOTS_QUERIES;
    tile = tile < QUERIES ? tile : QUERIES;
    size_t most = m < tile ? m : tile;
#pragma omp parallel num_threads(knn->threads) if (m > tile)
    {
        struct scratch s;
        bool out_of_memory = scratch_make(&s, knn, most) < 0;
#pragma omp for schedule(dynamic)
        for (size_t q = 0; q < m; q += tile)
            if (!out_of_memory)
                out_of_memory = predict_tile(knn, queries + q * knn->d, m - q < tile ? m - q : tile,
                                             &s, out + q) < 0;
        if (out_of_memory) {
#pragma omp atomic write
            failed = 1;
        }
        scratch_free(&s, most);
    }
    return failed ? no_memory(knn, err) : 0;
}
