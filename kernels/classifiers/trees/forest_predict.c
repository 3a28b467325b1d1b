/* See forest.h. Each step of a walk waits for memory, and where it goes can't be foretold; so many
 * walks go on side by side, without a branch, until all stand in leaves. Blocks of rows that fit
 * into the second-level cache pass one tree after the other. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/classifiers/trees/forest.h"
#include "kernels/classifiers/vote.h"

enum { WALKS = 32, MOST_ROWS = 256, BLOCK_VALUES = 1 << 15, MOST_CLASSES = 256 };
enum { FAR_VALUES = 1 << 19, WIDE = 4096 };

/* ---- making ---- */

static float not_above(double threshold)
{
    float t = (float)threshold;
    return t > threshold ? nextafterf(t, -INFINITY) : t;
}

/* Puts the shares of a leaf into row `row`; pure ones need none, for the first rows are theirs. The
 * row that it has. */
static uint32_t make_shares(struct forest *f, const uint32_t *counts, size_t row)
{
    double sum = 0, *share = f->share + row * f->classes;
    for (size_t c = 0; c < f->classes; c++)
        sum += counts[c];
    for (size_t c = 0; c < f->classes; c++) {
        if (counts[c] == sum)
            return (uint32_t)c;
        share[c] = counts[c] / sum;
    }
    f->class[row] = vote_highest(share, f->classes);
    return (uint32_t)row;
}

static void flatten_tree(struct forest *f, const struct cart *tree, uint32_t base, size_t *rows)
{
    for (size_t i = 0; i < tree->nodes; i++) {
        const struct cart_node *from = &tree->node[i];
        struct forest_node *to = &f->node[base + i];
        if (from->first) {
            *to =
                (struct forest_node){not_above(from->threshold), from->column, base + from->first};
        } else {
            *to = (struct forest_node){INFINITY, 0, base + (uint32_t)i};
            f->leaf[base + i] = make_shares(f, tree->counts + i * tree->classes, *rows);
            *rows += f->leaf[base + i] == *rows;
        }
    }
}

int forest_flatten(struct forest *forest, struct error *err)
{
    size_t nodes = 0, rows = forest->classes;
    for (size_t t = 0; t < forest->trees; t++) {
        nodes += forest->tree[t].nodes;
        rows += forest->tree[t].nodes / 2 + 1; /* a node has two children or none */
    }
    if (nodes > UINT32_MAX)
        return error_set(err, EFBIG, "%zu nodes: more than a forest may have", nodes);
    forest->node = malloc(nodes * sizeof *forest->node);
    forest->leaf = calloc(nodes, sizeof *forest->leaf);
    forest->root = malloc(forest->trees * sizeof *forest->root);
    forest->share = calloc(rows * forest->classes, sizeof *forest->share);
    forest->class = malloc(rows);
    if (!forest->node || !forest->leaf || !forest->root || !forest->share || !forest->class)
        return error_set(err, ENOMEM, "out of memory for %zu nodes", nodes);
    for (size_t c = 0; c < forest->classes; c++) {
        forest->share[c * forest->classes + c] = 1;
        forest->class[c] = (uint8_t)c;
    }
    nodes = 0;
    rows = forest->classes;
    for (size_t t = 0; t < forest->trees; t++) {
        forest->root[t] = (uint32_t)nodes;
        flatten_tree(forest, &forest->tree[t], (uint32_t)nodes, &rows);
        nodes += forest->tree[t].nodes;
    }
    return 0;
}

/* ---- predicting ---- */

/* Leads each of WALKS rows from node at[k] to its leaf. */
static void walk(const struct forest_node *node, const float *const *row, uint32_t *at)
{
    uint32_t moved;
    do {
        moved = 0;
#pragma GCC unroll 32
        for (size_t k = 0; k < WALKS; k++) {
            const struct forest_node *n = node + at[k];
            uint32_t next = n->first + (row[k][n->column] > n->threshold);
            moved |= next ^ at[k];
            at[k] = next;
        }
    } while (moved);
}

static void add_share(const struct forest *f, uint32_t node, double *sum)
{
    const double *share = f->share + f->leaf[node] * f->classes;
    for (size_t c = 0; c < f->classes; c++)
        sum[c] += share[c];
}

/* n <= WALKS rows through one tree; the rest of the walks repeat the last row. */
static void pass_tree(const struct forest *f, size_t tree, const float *x, size_t n, uint32_t *at)
{
    const float *row[WALKS];
    for (size_t k = 0; k < WALKS; k++) {
        row[k] = x + (k < n ? k : n - 1) * f->d;
        at[k] = f->root[tree];
    }
    walk(f->node, row, at);
}

static void predict_block(const struct forest *f, const float *x, size_t n, double *sums,
                          uint8_t *out)
{
    uint32_t at[WALKS];
    memset(sums, 0, n * f->classes * sizeof *sums);
    for (size_t t = 0; t < f->trees; t++)
        for (size_t i = 0; i < n; i += WALKS) {
            size_t count = n - i < WALKS ? n - i : WALKS;
            pass_tree(f, t, x + i * f->d, count, at);
            for (size_t k = 0; k < count; k++)
                add_share(f, at[k], sums + (i + k) * f->classes);
        }
    for (size_t i = 0; i < n; i++)
        out[i] = vote_highest(sums + i * f->classes, f->classes);
}

/* A row alone: as many trees side by side. */
static uint8_t predict_row(const struct forest *f, const float *x)
{
    double sums[MOST_CLASSES] = {0};
    const float *row[WALKS];
    uint32_t at[WALKS];
    for (size_t k = 0; k < WALKS; k++)
        row[k] = x;
    for (size_t t = 0; t < f->trees; t += WALKS) {
        size_t count = f->trees - t < WALKS ? f->trees - t : WALKS;
        for (size_t k = 0; k < WALKS; k++)
            at[k] = f->root[t + (k < count ? k : 0)];
        walk(f->node, row, at);
        for (size_t k = 0; k < count; k++)
            add_share(f, at[k], sums);
    }
    return vote_highest(sums, f->classes);
}

static void predict_single_tree(const struct forest *f, const float *x, size_t n, uint8_t *out)
{
    uint32_t at[WALKS];
    for (size_t i = 0; i < n; i += WALKS) {
        size_t count = n - i < WALKS ? n - i : WALKS;
        pass_tree(f, 0, x + i * f->d, count, at);
        for (size_t k = 0; k < count; k++)
            out[i + k] = f->class[f->leaf[at[k]]];
    }
}

/* Walks read a few lines of a row, here and there, and memory that isn't in cache takes longer for
 * those than for all of some rows in order, unless they are very wide. */
static void touch(const float *x, size_t values)
{
    enum { LINE = 16 };
    float sums[4] = {0};
    for (size_t i = 0; i + 3 * LINE < values; i += 4 * LINE)
        for (size_t k = 0; k < 4; k++)
            sums[k] += x[i + k * LINE];
    volatile float keep = sums[0] + sums[1] + sums[2] + sums[3];
    (void)keep;
}

int forest_predict(const struct forest *forest, const float *x, size_t n, uint8_t *out,
                   struct error *err)
{
    size_t rows = BLOCK_VALUES / forest->d / WALKS * WALKS, d = forest->d;
    rows = rows < WALKS ? WALKS : rows > MOST_ROWS ? MOST_ROWS : rows;
    bool far = n * d > FAR_VALUES && d <= WIDE;
    if (n < WALKS && forest->trees > 1) {
        for (size_t i = 0; i < n; i++)
            out[i] = predict_row(forest, x + i * d);
        return 0;
    }
    int failed = 0;
#pragma omp parallel num_threads(forest->threads) if (n > rows)
    {
        double *sums = malloc(rows * forest->classes * sizeof *sums);
        if (!sums) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < n; i += rows) {
            size_t count = n - i < rows ? n - i : rows;
            if (far)
                touch(x + i * d, count * d);
            if (forest->trees == 1)
                predict_single_tree(forest, x + i * d, count, out + i);
            else if (sums)
                predict_block(forest, x + i * d, count, sums, out + i);
        }
        free(sums);
    }
    return failed ? error_set(err, ENOMEM, "out of memory to predict %zu rows", n) : 0;
}

/* ---- out of bag ---- */

/* One bit for each row, set if the tree saw it; `stride` bytes a tree. */
static int mark_seen(const struct forest_spec *spec, size_t n, size_t stride, uint8_t *seen)
{
    int failed = 0;
#pragma omp parallel num_threads(spec->threads)
    {
        uint32_t *weights = malloc(n * sizeof *weights);
        if (!weights) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(dynamic)
        for (size_t t = 0; t < spec->trees; t++) {
            if (!weights)
                continue;
            forest_sample(spec, t, n, weights);
            for (size_t i = 0; i < n; i++)
                if (weights[i] > 0)
                    seen[t * stride + i / 8] |= (uint8_t)(1 << i % 8);
        }
        free(weights);
    }
    return failed ? -ENOMEM : 0;
}

/* Up to WALKS rows from `start` on, those that tree t didn't see. */
static struct forest_out_of_bag judge(const struct forest *f, const struct cart_data *data,
                                      const uint8_t *seen, size_t stride, size_t start)
{
    size_t count = data->n - start < WALKS ? data->n - start : WALKS;
    double sums[WALKS][MOST_CLASSES];
    struct forest_out_of_bag result = {0};
    for (size_t k = 0; k < count; k++)
        memset(sums[k], 0, f->classes * sizeof **sums);
    for (size_t t = 0; t < f->trees; t++) {
        uint32_t at[WALKS];
        pass_tree(f, t, data->x + start * f->d, count, at);
        for (size_t k = 0; k < count; k++)
            if (!(seen[t * stride + (start + k) / 8] >> (start + k) % 8 & 1))
                add_share(f, at[k], sums[k]);
    }
    for (size_t k = 0; k < count; k++) {
        uint8_t class = vote_highest(sums[k], f->classes);
        if (sums[k][class] == 0) /* every tree saw it */
            continue;
        result.n++;
        result.correct += class == data->labels[start + k];
    }
    return result;
}

int forest_out_of_bag(const struct forest *forest, const struct cart_data *data,
                      const struct forest_spec *spec, struct forest_out_of_bag *result,
                      struct error *err)
{
    size_t stride = data->n / 8 + 1, n = 0, correct = 0;
    uint8_t *seen = calloc(forest->trees, stride);
    if (!seen || mark_seen(spec, data->n, stride, seen) < 0) {
        free(seen);
        return error_set(err, ENOMEM, "out of memory for the samples of %zu trees", forest->trees);
    }
#pragma omp parallel for schedule(dynamic, 16) num_threads(spec->threads) reduction(+ : n, correct)
    for (size_t i = 0; i < data->n; i += WALKS) {
        struct forest_out_of_bag some = judge(forest, data, seen, stride, i);
        n += some.n;
        correct += some.correct;
    }
    *result = (struct forest_out_of_bag){n, correct};
    free(seen);
    return 0;
}
