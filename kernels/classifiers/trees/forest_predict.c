/* See forest_predict.h. Each step of a walk through a tree waits for memory, and its direction
 * can't be predicted. So many walks advance side by side, without a branch, until all have reached
 * leaves. Blocks of rows that fit into the second-level cache pass tree after tree. */
#include "kernels/classifiers/trees/forest_predict.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/classifiers/vote.h"
#include "kernels/math/thread_scratch.h"

enum { MOST_ROWS = 256, BLOCK_VALUES = 1 << 15, MOST_CLASSES = 256 };
enum { FAR_VALUES = 1 << 19, WIDE = 4096 }; /* see prefetch */

/* Moves at[k] from a node to the leaf that row[k] falls into. */
static void walk(const struct forest_node *node, const float *const *row, uint32_t *at)
{
    uint32_t moved;
    do {
        moved = 0;
#pragma GCC unroll 32
        for (size_t k = 0; k < FOREST_WALKS; k++) {
            const struct forest_node *n = node + at[k];
            uint32_t next = n->first + (row[k][n->column] > n->threshold);
            moved |= next ^ at[k];
            at[k] = next;
        }
    } while (moved);
}

void forest_add_share(const struct forest *f, uint32_t leaf, double *sum)
{
    const double *share = f->share + f->leaf[leaf] * f->classes;
    for (size_t c = 0; c < f->classes; c++)
        sum[c] += share[c];
}

/* Walks without a row of their own repeat the last row. */
void forest_leaves(const struct forest *f, size_t tree, const float *x, size_t n,
                   uint32_t leaf[FOREST_WALKS])
{
    const float *row[FOREST_WALKS];
    for (size_t k = 0; k < FOREST_WALKS; k++) {
        row[k] = x + (k < n ? k : n - 1) * f->d;
        leaf[k] = f->root[tree];
    }
    walk(f->node, row, leaf);
}

static void predict_block(const struct forest *f, const float *x, size_t n, double *sums,
                          uint8_t *out)
{
    uint32_t at[FOREST_WALKS];
    memset(sums, 0, n * f->classes * sizeof *sums);
    for (size_t t = 0; t < f->trees; t++)
        for (size_t i = 0; i < n; i += FOREST_WALKS) {
            size_t count = n - i < FOREST_WALKS ? n - i : FOREST_WALKS;
            forest_leaves(f, t, x + i * f->d, count, at);
            for (size_t k = 0; k < count; k++)
                forest_add_share(f, at[k], sums + (i + k) * f->classes);
        }
    for (size_t i = 0; i < n; i++)
        out[i] = vote_highest(sums + i * f->classes, f->classes);
}

/* Predicts one row: the walks go through different trees. */
static uint8_t predict_row(const struct forest *f, const float *x)
{
    double sums[MOST_CLASSES] = {0};
    const float *row[FOREST_WALKS];
    uint32_t at[FOREST_WALKS];
    for (size_t k = 0; k < FOREST_WALKS; k++)
        row[k] = x;
    for (size_t t = 0; t < f->trees; t += FOREST_WALKS) {
        size_t count = f->trees - t < FOREST_WALKS ? f->trees - t : FOREST_WALKS;
        for (size_t k = 0; k < FOREST_WALKS; k++)
            at[k] = f->root[t + (k < count ? k : 0)];
        walk(f->node, row, at);
        for (size_t k = 0; k < count; k++)
            forest_add_share(f, at[k], sums);
    }
    return vote_highest(sums, f->classes);
}

static void predict_single_tree(const struct forest *f, const float *x, size_t n, uint8_t *out)
{
    uint32_t at[FOREST_WALKS];
    for (size_t i = 0; i < n; i += FOREST_WALKS) {
        size_t count = n - i < FOREST_WALKS ? n - i : FOREST_WALKS;
        forest_leaves(f, 0, x + i * f->d, count, at);
        for (size_t k = 0; k < count; k++)
            out[i + k] = f->class[f->leaf[at[k]]];
    }
}

/* Reads every cache line of some rows. A walk reads few values of a row, in no order, and that
 * takes longer from main memory than reading whole rows in order does, unless they are very wide.
 */
static void prefetch(const float *x, size_t values)
{
    enum { LINE = 16 };
    float sums[4] = {0};
    for (size_t i = 0; i + 3 * LINE < values; i += 4 * LINE)
        for (size_t k = 0; k < 4; k++)
            sums[k] += x[i + k * LINE];
    volatile float keep = sums[0] + sums[1] + sums[2] + sums[3];
    (void)keep;
}

static void predict_rows(const struct forest *f, const float *x, size_t n, bool far, double *sums,
                         uint8_t *out)
{
    if (far)
        prefetch(x, n * f->d);
    if (f->trees == 1)
        predict_single_tree(f, x, n, out);
    else
        predict_block(f, x, n, sums, out);
}

int forest_predict(const struct forest *forest, const float *x, size_t n, uint8_t *out,
                   struct error *err)
{
    size_t d = forest->d, rows = BLOCK_VALUES / d / FOREST_WALKS * FOREST_WALKS;
    rows = rows < FOREST_WALKS ? FOREST_WALKS : rows > MOST_ROWS ? MOST_ROWS : rows;
    bool far = n * d > FAR_VALUES && d <= WIDE;
    if (n < FOREST_WALKS && forest->trees > 1) {
        for (size_t i = 0; i < n; i++)
            out[i] = predict_row(forest, x + i * d);
        return 0;
    }
    int threads = n > rows ? forest->threads : 1;
    struct thread_scratch sums;
    if (thread_scratch_make(&sums, threads, rows * forest->classes * sizeof(double)) < 0)
        return error_set(err, ENOMEM, "out of memory to predict %zu rows", n);
#pragma omp parallel for schedule(dynamic) num_threads(threads)
    for (size_t i = 0; i < n; i += rows)
        predict_rows(forest, x + i * d, n - i < rows ? n - i : rows, far,
                     thread_scratch_mine(&sums), out + i);
    thread_scratch_free(&sums);
    return 0;
}
