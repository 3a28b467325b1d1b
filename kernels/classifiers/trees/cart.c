/* See cart.h. The rows of a node are contiguous, and so are their labels and weights; a split moves
 * the rows that go left to the front. */
#include "kernels/classifiers/trees/cart.h"

#include <errno.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/classifiers/trees/split.h"

/* A node to be split: it holds entries start .. end-1 of `rows`. */
struct task {
    size_t start, end, depth, node;
};

struct grower {
    const struct cart_data *data;
    const struct cart_spec *spec;
    struct random *random;
    int threads;
    struct cart *tree;
    uint32_t *rows;                 /* (n): row numbers, grouped by node */
    uint32_t *weights;              /* (n): weights of these rows; NULL: all 1 */
    uint8_t *labels;                /* (n): labels of these rows */
    uint32_t *spare;                /* (2 n): rows and weights that go right */
    uint8_t *spare_labels;          /* (n) */
    uint32_t *order;                /* (d): the columns, shuffled as they are drawn */
    struct split_scratch **scratch; /* (threads) */
    struct task *task;              /* stack */
    size_t tasks, task_capacity;
};

static struct split_node node_of(const struct grower *g, const struct task *task,
                                 const uint32_t *totals)
{
    struct split_node node = {.x = g->data->x,
                              .bins = g->data->bins,
                              .m = task->end - task->start,
                              .rows = g->rows + task->start,
                              .labels = g->labels + task->start,
                              .weights = g->weights ? g->weights + task->start : NULL,
                              .classes = g->data->classes,
                              .totals = totals};
    for (size_t c = 0; c < node.classes; c++)
        node.weight += totals[c];
    return node;
}

/* Tries columns first .. last-1 of the order. No split is better than a pure one, and among pure
 * ones the first wins, so the search stops there. */
static void try_part(const struct grower *g, const struct split_node *node, size_t first,
                     size_t last, struct split_scratch *scratch, struct split *best)
{
    for (size_t p = first; p < last; p++)
        if (best->score != node->weight || p < best->position)
            split_try(node, g->order[p], p, scratch, best);
}

/* The best split by columns first .. last-1 of the order; among equals the first. */
static struct split try_columns(const struct grower *g, const struct split_node *node, size_t first,
                                size_t last)
{
    enum { WORTH_SHARING = 20000, TOGETHER = 16 }; /* values of a node; columns of a chunk */
    struct split best = {.score = -1};
    if (g->threads == 1 || node->m * (last - first) < WORTH_SHARING) {
        try_part(g, node, first, last, g->scratch[0], &best);
        return best;
    }
#pragma omp parallel num_threads(g->threads)
    {
        struct split mine = {.score = -1};
        struct split_scratch *scratch = g->scratch[omp_get_thread_num()];
#pragma omp for schedule(dynamic)
        for (size_t p = first; p < last; p += TOGETHER)
            try_part(g, node, p, p + TOGETHER < last ? p + TOGETHER : last, scratch, &mine);
#pragma omp critical(cart_best)
        if (split_better(&mine, &best))
            best = mine;
    }
    return best;
}

/* The best split by `features` columns drawn at random, and one more while none can be split. */
static struct split try_some(struct grower *g, const struct split_node *node)
{
    struct split best = {.score = -1};
    size_t d = g->data->d, tried = 0, drawn = 0;
    while (best.score < 0 && tried < d) {
        size_t more = tried ? tried + 1 : g->spec->features;
        for (; drawn < more; drawn++) {
            size_t pick = drawn + (size_t)random_below(g->random, d - drawn);
            uint32_t column = g->order[pick];
            g->order[pick] = g->order[drawn];
            g->order[drawn] = column;
        }
        best = try_columns(g, node, tried, drawn);
        tried = drawn;
    }
    return best;
}

static double threshold_of(const struct grower *g, size_t column, uint32_t below, uint32_t above)
{
    size_t d = g->data->d;
    return g->data->x[below * d + column] / 2.0 + g->data->x[above * d + column] / 2.0;
}

/* Moves the rows that go left to the front; both sides keep their order. Returns where the right
 * side begins. *threshold becomes the middle between the greatest value on the left and the least
 * on the right; rows of one bin may have different values. */
static size_t partition(struct grower *g, const struct task *task, const struct split_node *node,
                        const struct split *split, double *threshold)
{
    size_t left = task->start, right = 0;
    uint32_t below = 0, above = 0, highest = 0, lowest = UINT32_MAX;
    bool binned = !split->by_value && !g->data->bins->exact[split->column];
    for (size_t i = 0; i < node->m; i++) {
        uint32_t row = node->rows[i], key = split_key(node, split, i);
        uint32_t value = binned ? order_key(g->data->x[row * g->data->d + split->column]) : key;
        uint8_t label = node->labels[i];
        uint32_t weight = node->weights ? node->weights[i] : 1;
        if (key <= split->cut) {
            if (value >= highest) {
                highest = value;
                below = row;
            }
            g->rows[left] = row;
            g->labels[left] = label;
            if (g->weights)
                g->weights[left] = weight;
            left++;
        } else {
            if (value <= lowest) {
                lowest = value;
                above = row;
            }
            g->spare[2 * right] = row;
            g->spare[2 * right + 1] = weight;
            g->spare_labels[right++] = label;
        }
    }
    for (size_t i = 0; i < right; i++) {
        g->rows[left + i] = g->spare[2 * i];
        g->labels[left + i] = g->spare_labels[i];
        if (g->weights)
            g->weights[left + i] = g->spare[2 * i + 1];
    }
    *threshold = threshold_of(g, split->column, below, above);
    return left;
}

/* Adds `count` zeroed nodes. Returns the number of the first, or -ENOMEM. */
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

/* Adds up the classes of the node's rows. Returns whether the node must be a leaf. */
static bool count_rows(const struct grower *g, const struct task *task, uint32_t *totals)
{
    size_t classes = 0;
    for (size_t i = task->start; i < task->end; i++)
        totals[g->labels[i]] += g->weights ? g->weights[i] : 1;
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
    struct split_node node = node_of(g, &task, totals);
    struct split split = every ? try_columns(g, &node, 0, g->data->d) : try_some(g, &node);
    if (split.score < 0) /* rows of several classes have the same values */
        return 0;
    double threshold;
    size_t middle = partition(g, &task, &node, &split, &threshold);
    int64_t first = add_nodes(g->tree, 2); /* `totals` is no longer valid */
    if (first < 0)
        return (int)first;
    g->tree->node[task.node] = (struct cart_node){
        .threshold = threshold, .column = (uint32_t)split.column, .first = (uint32_t)first};
    int rc = push(g, (struct task){middle, task.end, task.depth + 1, (size_t)first + 1});
    return rc < 0 ? rc : push(g, (struct task){task.start, middle, task.depth + 1, (size_t)first});
}

/* Copies the rows with a weight above 0 to the root. Returns their number. */
static size_t take_rows(struct grower *g, const uint32_t *weights)
{
    size_t n = 0;
    for (size_t i = 0; i < g->data->n; i++) {
        if (weights && weights[i] == 0)
            continue;
        g->rows[n] = (uint32_t)i;
        g->labels[n] = g->data->labels[i];
        if (g->weights)
            g->weights[n] = weights[i];
        n++;
    }
    return n;
}

static int grow(struct grower *g, const uint32_t *weights)
{
    size_t n = g->data->n, d = g->data->d;
    g->rows = malloc(n * sizeof *g->rows);
    g->labels = malloc(n);
    g->weights = weights ? malloc(n * sizeof *g->weights) : NULL;
    g->spare = malloc(2 * n * sizeof *g->spare);
    g->spare_labels = malloc(n);
    g->order = malloc(d * sizeof *g->order);
    g->scratch = calloc((size_t)g->threads, sizeof(struct split_scratch *));
    if (!g->rows || !g->labels || (weights && !g->weights) || !g->spare || !g->spare_labels ||
        !g->order || !g->scratch || add_nodes(g->tree, 1) < 0)
        return -ENOMEM;
    for (int t = 0; t < g->threads; t++) {
        g->scratch[t] = split_scratch_make(n, g->data->classes);
        if (!g->scratch[t])
            return -ENOMEM;
    }
    for (size_t j = 0; j < d; j++)
        g->order[j] = (uint32_t)j;
    int rc = push(g, (struct task){.end = take_rows(g, weights)});
    while (rc == 0 && g->tasks > 0)
        rc = grow_node(g, g->task[--g->tasks]);
    return rc;
}

int cart_grow(struct cart *tree, const struct cart_data *data, const struct cart_spec *spec,
              const uint32_t *weights, struct random *random, int threads, struct error *err)
{
    *tree = (struct cart){.classes = data->classes};
    struct grower g = {
        .data = data, .spec = spec, .random = random, .threads = threads, .tree = tree};
    int rc = grow(&g, weights);
    free(g.rows);
    free(g.labels);
    free(g.weights);
    free(g.spare);
    free(g.spare_labels);
    free(g.order);
    for (int t = 0; g.scratch && t < threads; t++)
        split_scratch_free(g.scratch[t]);
    free(g.scratch);
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
