/* See cart.h. A node sorts its rows anew by each column that it tries; the sort works on integers
 * that hold a value's order in the upper half and its row in the lower. */
#include "kernels/cart.h"

#include <errno.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/sort.h"

/* The best split found so far; score < 0: none. */
struct split {
    double
        score; /* sum of squared class weights over weight, left + right: the greater the purer */
    double threshold;
    size_t column;
};

/* Rows start .. end-1 of `rows`, to become node `node`. */
struct task {
    size_t start, end, depth, node;
};

struct grower {
    const struct cart_data *data;
    const struct cart_spec *spec;
    const uint32_t *weights;
    struct random *random;
    int threads;
    struct cart *tree;
    uint32_t *rows;    /* (n) those of each node together */
    uint32_t *spare;   /* (n) */
    uint32_t *order;   /* (d) columns, for drawing */
    uint64_t *keys;    /* (threads, 2 n) */
    struct task *task; /* stack */
    size_t tasks, task_capacity;
    size_t *left; /* (threads, classes) weights left of a split */
};

static uint32_t weight_of(const struct grower *g, uint32_t row)
{
    return g->weights ? g->weights[row] : 1;
}

/* An unsigned integer that orders as the float does; -0 counts as 0. */
static uint32_t order_of(float value)
{
    uint32_t bits;
    value += 0.0f;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* The best split of the node's rows by one column. totals are the node's weights per class. */
static struct split try_column(const struct grower *g, const struct task *task, size_t column,
                               const uint32_t *totals, int thread)
{
    const struct cart_data *data = g->data;
    const float *x = data->columns + column * data->n;
    const uint32_t *rows = g->rows + task->start;
    size_t m = task->end - task->start, *left = g->left + (size_t)thread * data->classes;
    uint64_t *keys = g->keys + (size_t)thread * 2 * data->n;
    struct split best = {.score = -1, .column = column};
    uint32_t all = 0, any = UINT32_MAX;
    for (size_t i = 0; i < m; i++) {
        uint32_t order = order_of(x[rows[i]]);
        all |= order;
        any &= order;
        keys[i] = (uint64_t)order << 32 | rows[i];
    }
    if (all == any) /* one and the same value */
        return best;
    keys = sort_by_high_half(keys, keys + data->n, m);

    double left_squares = 0, right_squares = 0, left_weight = 0, right_weight = 0;
    memset(left, 0, data->classes * sizeof *left);
    for (size_t c = 0; c < data->classes; c++) {
        right_squares += (double)totals[c] * totals[c];
        right_weight += totals[c];
    }
    for (size_t i = 0; i + 1 < m; i++) {
        uint32_t row = (uint32_t)keys[i];
        uint8_t c = data->labels[row];
        double w = weight_of(g, row), l = (double)left[c], r = (double)totals[c] - l;
        left_squares += w * (2 * l + w);
        right_squares -= w * (2 * r - w);
        left[c] += weight_of(g, row);
        left_weight += w;
        right_weight -= w;
        if (keys[i] >> 32 == keys[i + 1] >> 32)
            continue;
        double score = left_squares / left_weight + right_squares / right_weight;
        if (score > best.score) {
            best.score = score;
            best.threshold = x[row] / 2.0 + x[(uint32_t)keys[i + 1]] / 2.0;
        }
    }
    return best;
}

static struct split try_all(struct grower *g, const struct task *task, const uint32_t *totals)
{
    struct split best = {.score = -1};
    size_t d = g->data->d;
    bool small = task->end - task->start < 64;
#pragma omp parallel num_threads(small ? 1 : g->threads)
    {
        struct split mine = {.score = -1};
        int thread = omp_get_thread_num();
#pragma omp for schedule(static)
        for (size_t j = 0; j < d; j++) {
            struct split s = try_column(g, task, j, totals, thread);
            if (s.score > mine.score)
                mine = s;
        }
#pragma omp critical(cart_best)
        if (mine.score > best.score || (mine.score == best.score && mine.column < best.column))
            best = mine;
    }
    return best;
}

static struct split try_some(struct grower *g, const struct task *task, const uint32_t *totals)
{
    struct split best = {.score = -1};
    size_t d = g->data->d;
    for (size_t tried = 0; tried < d && (tried < g->spec->features || best.score < 0); tried++) {
        size_t pick = tried + (size_t)random_below(g->random, d - tried);
        uint32_t column = g->order[pick];
        g->order[pick] = g->order[tried];
        g->order[tried] = column;
        struct split s = try_column(g, task, column, totals, 0);
        if (s.score > best.score)
            best = s;
    }
    return best;
}

/* Moves the rows that go left to the front, keeping their order; returns where the others begin. */
static size_t partition(struct grower *g, const struct task *task, const struct split *split)
{
    const float *x = g->data->columns + split->column * g->data->n;
    size_t left = task->start, right = 0;
    for (size_t i = task->start; i < task->end; i++) {
        uint32_t row = g->rows[i];
        if (x[row] <= split->threshold)
            g->rows[left++] = row;
        else
            g->spare[right++] = row;
    }
    memcpy(g->rows + left, g->spare, right * sizeof *g->rows);
    return left;
}

/* Makes `count` new nodes; their first index, or -ENOMEM. */
static int64_t add_nodes(struct cart *tree, size_t count)
{
    if (tree->nodes + count > tree->capacity) {
        size_t capacity = 2 * tree->capacity + 64;
        struct cart_node *node = realloc(tree->node, capacity * sizeof *node);
        if (node)
            tree->node = node;
        uint32_t *counts = realloc(tree->counts, capacity * tree->classes * sizeof *counts);
        if (counts)
            tree->counts = counts;
        if (!node || !counts)
            return -ENOMEM;
        tree->capacity = capacity;
    }
    memset(tree->node + tree->nodes, 0, count * sizeof *tree->node);
    memset(tree->counts + tree->nodes * tree->classes, 0,
           count * tree->classes * sizeof *tree->counts);
    tree->nodes += count;
    return (int64_t)(tree->nodes - count);
}

static int push(struct grower *g, struct task task)
{
    if (g->tasks == g->task_capacity) {
        size_t capacity = 2 * g->task_capacity + 64;
        struct task *grown = realloc(g->task, capacity * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        g->task = grown;
        g->task_capacity = capacity;
    }
    g->task[g->tasks++] = task;
    return 0;
}

/* Counts the node's rows; true if it must be a leaf. */
static bool count_rows(const struct grower *g, const struct task *task, uint32_t *totals)
{
    size_t classes = 0;
    for (size_t i = task->start; i < task->end; i++)
        totals[g->data->labels[g->rows[i]]] += weight_of(g, g->rows[i]);
    for (size_t c = 0; c < g->data->classes; c++)
        classes += totals[c] > 0;
    return classes < 2 || (g->spec->depth > 0 && task->depth >= g->spec->depth);
}

static int grow_node(struct grower *g, struct task task)
{
    uint32_t *totals = g->tree->counts + task.node * g->tree->classes;
    if (count_rows(g, &task, totals))
        return 0;
    bool every = g->spec->features == 0 || g->spec->features >= g->data->d;
    struct split split = every ? try_all(g, &task, totals) : try_some(g, &task, totals);
    if (split.score < 0) /* rows of several classes with the same values */
        return 0;
    int64_t first = add_nodes(g->tree, 2);
    if (first < 0)
        return (int)first;
    g->tree->node[task.node] = (struct cart_node){
        .threshold = split.threshold, .column = (uint32_t)split.column, .first = (uint32_t)first};
    size_t middle = partition(g, &task, &split);
    int rc = push(g, (struct task){middle, task.end, task.depth + 1, (size_t)first + 1});
    return rc < 0 ? rc : push(g, (struct task){task.start, middle, task.depth + 1, (size_t)first});
}

static int grow(struct grower *g)
{
    size_t n = 0, threads = (size_t)g->threads, d = g->data->d;
    g->rows = malloc(g->data->n * sizeof *g->rows);
    g->spare = malloc(g->data->n * sizeof *g->spare);
    g->order = malloc(d * sizeof *g->order);
    g->keys = malloc(threads * 2 * g->data->n * sizeof *g->keys);
    g->left = malloc(threads * g->data->classes * sizeof *g->left);
    if (!g->rows || !g->spare || !g->order || !g->keys || !g->left || add_nodes(g->tree, 1) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < g->data->n; i++)
        if (weight_of(g, (uint32_t)i) > 0)
            g->rows[n++] = (uint32_t)i;
    for (size_t j = 0; j < d; j++)
        g->order[j] = (uint32_t)j;
    int rc = push(g, (struct task){.end = n});
    while (rc == 0 && g->tasks > 0)
        rc = grow_node(g, g->task[--g->tasks]);
    return rc;
}

int cart_grow(struct cart *tree, const struct cart_data *data, const struct cart_spec *spec,
              const uint32_t *weights, struct random *random, int threads, struct error *err)
{
    *tree = (struct cart){.classes = data->classes};
    struct grower g = {.data = data,
                       .spec = spec,
                       .weights = weights,
                       .random = random,
                       .threads = threads,
                       .tree = tree};
    int rc = grow(&g);
    free(g.rows);
    free(g.spare);
    free(g.order);
    free(g.keys);
    free(g.left);
    free(g.task);
    return rc < 0 ? error_set(err, -rc, "out of memory for a tree over %zu rows", data->n) : 0;
}

void cart_free(struct cart *tree)
{
    free(tree->node);
    free(tree->counts);
    *tree = (struct cart){0};
}

size_t cart_leaf(const struct cart *tree, const float *row)
{
    size_t i = 0;
    while (tree->node[i].first)
        i = tree->node[i].first + (row[tree->node[i].column] > tree->node[i].threshold);
    return i;
}
