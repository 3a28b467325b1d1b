/* See split.h. The bins of a column are grouped into at most 256 ranges, and the weights of each
 * class are summed in each range. This gives the exact scores of all splits between ranges, and an
 * upper bound of the scores of the splits within a range.
 *
 * With A(l) = sum of l_c^2 / |l| for class weights l, |l| their sum, a split scores A(left) +
 * A(right). A split within a range whose weights are b has l + t on the left and r - t on the
 * right, 0 <= t <= b, where l and r are the weights at the range's lower end. Exactly, with p = l /
 * |l|, A(l + t) = A(l) + sum of t_c (2 p_c - p.p) + |t|^2 (t/|t| - p)^2 / (|l| + |t|), and likewise
 * on the right with q = r / |r| and -t. Squares of differences of shares are at most 1 + p.p, so
 * the score is at most A(l) + A(r) + sum of b_c max(0, 2 (p_c - q_c) - p.p + q.q)
 *     + |b|^2 ((1 + p.p) / (|l| + |b|) + (1 + q.q) / (|r| - |b|)).
 * It is also at most A(l) + A(r - b) + |b|, because A(x + y) <= A(x) + A(y). Only ranges whose
 * bound isn't below the best score so far are sorted; once the best split between ranges is known,
 * these are few. In a range of one class the best splits are at its ends, because A is convex. */
#include "kernels/classifiers/trees/split.h"

#include <stdlib.h>
#include <string.h>
#include "kernels/math/sort.h"
#include "kernels/math/target_clones.h"

enum { FEW = 24, MOST_RANGES = 256, ROWS_PER_RANGE = 8 };

struct split_scratch {
    uint16_t *bins;       /* (n): bins of the node's rows in the column */
    uint16_t *slots;      /* (n): class * ranges + range */
    uint32_t *counts;     /* (classes, ranges): weights, cumulated over the ranges */
    uint32_t *numbers;    /* (n): positions of rows in the node */
    uint64_t *keys;       /* (2 n) */
    double *left, *right; /* (classes): weights of both sides in `walk` */
    /* For the split after range r - 1: weight on the left, A(left), A(right). */
    double weight[MOST_RANGES + 1], left_part[MOST_RANGES + 1], right_part[MOST_RANGES + 1];
    double bound[MOST_RANGES];       /* of scores of splits within a range; below 0: no split */
    uint32_t lowest, factor, ranges; /* range = (bin - lowest) * factor >> 16 */
    bool fine;                       /* every range holds one value */
};

struct split_scratch *split_scratch_make(size_t n, size_t classes)
{
    struct split_scratch *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->bins = malloc(n * sizeof *s->bins);
    s->slots = malloc(n * sizeof *s->slots);
    s->counts = malloc(classes * MOST_RANGES * sizeof *s->counts);
    s->numbers = malloc(n * sizeof *s->numbers);
    s->keys = malloc(2 * n * sizeof *s->keys);
    s->left = malloc(classes * sizeof *s->left);
    s->right = malloc(classes * sizeof *s->right);
    if (s->bins && s->slots && s->counts && s->numbers && s->keys && s->left && s->right)
        return s;
    split_scratch_free(s);
    return NULL;
}

void split_scratch_free(struct split_scratch *s)
{
    if (!s)
        return;
    free(s->bins);
    free(s->slots);
    free(s->counts);
    free(s->numbers);
    free(s->keys);
    free(s->left);
    free(s->right);
    free(s);
}

static double weight_of(const struct split_node *node, size_t i)
{
    return node->weights ? node->weights[i] : 1;
}

bool split_better(const struct split *a, const struct split *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    if (a->position != b->position)
        return a->position < b->position;
    return a->left < b->left;
}

/* Whether a split within a range of that bound can win; the factor covers rounding. */
static bool may_win(double bound, const struct split *best)
{
    return bound >= 0 && bound * (1 + 1e-12) >= best->score;
}

static uint32_t key_of(const struct split_node *node, size_t column, size_t i)
{
    return order_key(node->x[node->rows[i] * node->bins->d + column]);
}

uint32_t split_key(const struct split_node *node, const struct split *split, size_t i)
{
    const struct bins *bins = node->bins;
    return split->by_value ? key_of(node, split->column, i)
                           : bins->bin[split->column * bins->n + node->rows[i]];
}

/* ---- counting ---- */

static uint32_t ranges_for(size_t m)
{
    uint32_t ranges = 8;
    while (ranges < MOST_RANGES && ranges * ROWS_PER_RANGE < m)
        ranges *= 2;
    return ranges;
}

static void gather(const uint16_t *bin, const uint32_t *rows, size_t m, uint16_t *out)
{
    for (size_t i = 0; i < m; i++)
        out[i] = bin[rows[i]];
}

WIDEST static void assign_ranges(struct split_scratch *s, const uint8_t *labels, size_t m)
{
    uint16_t low = UINT16_MAX, high = 0;
    const uint16_t *bins = s->bins;
#pragma omp simd reduction(min : low) reduction(max : high)
    for (size_t i = 0; i < m; i++) {
        low = bins[i] < low ? bins[i] : low;
        high = bins[i] > high ? bins[i] : high;
    }
    s->lowest = low;
    s->fine = (uint32_t)(high - low) < s->ranges;
    s->factor = s->fine ? 65536u : (s->ranges << 16) / ((uint32_t)(high - low) + 1);
    uint32_t factor = s->factor, ranges = s->ranges;
    uint16_t *slots = s->slots;
#pragma omp simd
    for (size_t i = 0; i < m; i++)
        slots[i] = (uint16_t)(labels[i] * ranges + (((uint32_t)(bins[i] - low) * factor) >> 16));
}

static void count(struct split_scratch *s, const struct split_node *node)
{
    uint32_t *counts = s->counts;
    memset(counts, 0, node->classes * s->ranges * sizeof *counts);
    if (node->weights)
        for (size_t i = 0; i < node->m; i++)
            counts[s->slots[i]] += node->weights[i];
    else
        for (size_t i = 0; i < node->m; i++)
            counts[s->slots[i]]++;
    for (size_t c = 0; c < node->classes; c++, counts += s->ranges)
        for (size_t r = 1; r < s->ranges; r++)
            counts[r] += counts[r - 1];
}

/* Fills weight, left_part and right_part. Element r + 1 is the split after range r; element 0 has
 * an empty left side. */
WIDEST static void score_ranges(struct split_scratch *s, const uint32_t *totals, size_t classes,
                                double all)
{
    double weight[MOST_RANGES] = {0}, left[MOST_RANGES] = {0}, right[MOST_RANGES] = {0};
    size_t ranges = s->ranges;
    for (size_t c = 0; c < classes; c++) {
        const uint32_t *counts = s->counts + c * ranges;
        double total = totals[c];
        if (total == 0)
            continue;
#pragma omp simd
        for (size_t r = 0; r < ranges; r++) {
            double l = (double)(int32_t)counts[r], rest = total - l;
            weight[r] += l;
            left[r] += l * l;
            right[r] += rest * rest;
        }
    }
    s->right_part[0] = 0;
    for (size_t c = 0; c < classes; c++)
        s->right_part[0] += (double)totals[c] * totals[c] / all;
#pragma omp simd
    for (size_t r = 0; r < ranges; r++) {
        double rest = all - weight[r];
        s->weight[r + 1] = weight[r];
        s->left_part[r + 1] = left[r] / (weight[r] > 0 ? weight[r] : 1);
        s->right_part[r + 1] = right[r] / (rest > 0 ? rest : 1);
    }
}

/* Fills bound; the formula is at the top of the file. */
WIDEST static void bound_ranges(struct split_scratch *s, const uint32_t *totals, size_t classes,
                                double all)
{
    double gain[MOST_RANGES] = {0}, left[MOST_RANGES], right[MOST_RANGES], level[MOST_RANGES];
    size_t ranges = s->ranges;
#pragma omp simd
    for (size_t r = 0; r < ranges; r++) { /* 1 / |l|, 1 / |r|, p.p - q.q */
        left[r] = 1 / (s->weight[r] > 0 ? s->weight[r] : 1);
        right[r] = 1 / (all > s->weight[r] ? all - s->weight[r] : 1);
        level[r] = s->left_part[r] * left[r] - s->right_part[r] * right[r];
    }
    for (size_t c = 0; c < classes; c++) {
        const uint32_t *counts = s->counts + c * ranges;
        double total = totals[c];
        if (total == 0)
            continue;
#pragma omp simd
        for (size_t r = 1; r < ranges; r++) {
            double l = (double)(int32_t)counts[r - 1], b = (double)(int32_t)counts[r] - l;
            double slope = 2 * (l * left[r] - (total - l) * right[r]) - level[r];
            gain[r] += slope > 0 ? b * slope : 0;
        }
    }
#pragma omp simd
    for (size_t r = 0; r < ranges; r++) {
        double own = s->weight[r + 1] - s->weight[r], rest = all - s->weight[r + 1];
        double loose = s->left_part[r] + s->right_part[r + 1] + own;
        double bent =
            own * own *
            ((1 + s->left_part[r] * left[r]) / (s->weight[r + 1] > 0 ? s->weight[r + 1] : 1) +
             (1 + s->right_part[r] * right[r]) / (rest > 0 ? rest : 1));
        double tight = s->left_part[r] + s->right_part[r] + gain[r] + bent;
        tight = s->weight[r] > 0 && rest > 0 && tight < loose ? tight : loose;
        s->bound[r] = own < 2 ? -1 : tight;
    }
}

/* Tries all splits between ranges. Returns false if no range has splits within. */
static bool try_between_ranges(const struct split_node *node, size_t column, size_t position,
                               struct split_scratch *s, struct split *best)
{
    const struct bins *bins = node->bins;
    s->ranges = ranges_for(node->m);
    gather(bins->bin + column * bins->n, node->rows, node->m, s->bins);
    assign_ranges(s, node->labels, node->m);
    s->fine = s->fine && bins->exact[column];
    count(s, node);
    score_ranges(s, node->totals, node->classes, node->weight);
    if (!s->fine)
        bound_ranges(s, node->totals, node->classes, node->weight);
    for (size_t r = 0; r < s->ranges; r++) {
        double left = s->weight[r + 1];
        struct split split = {.score = s->left_part[r + 1] + s->right_part[r + 1],
                              .left = left,
                              .position = position,
                              .column = column};
        if (split.score < best->score || left == 0 || left == node->weight)
            continue;
        split.cut = s->lowest + (uint32_t)((((r + 1) << 16) - 1) / s->factor);
        if (split_better(&split, best))
            *best = split;
    }
    return !s->fine;
}

/* ---- walking over rows in order ---- */

/* Fills left, right and their sums of squares for the split before range r. */
static void start_at(struct split_scratch *s, const struct split_node *node, size_t r,
                     double squares[2])
{
    squares[0] = squares[1] = 0;
    for (size_t c = 0; c < node->classes; c++) {
        s->left[c] = r ? s->counts[c * s->ranges + r - 1] : 0;
        s->right[c] = node->totals[c] - s->left[c];
        squares[0] += s->left[c] * s->left[c];
        squares[1] += s->right[c] * s->right[c];
    }
}

/* Tries all splits between m sorted rows, of which the first is the first of range r. The lower
 * half of a key is the row's position in the node. */
static void walk(const struct split_node *node, struct split_scratch *s, const uint64_t *keys,
                 size_t m, size_t r, struct split *split, struct split *best)
{
    double squares[2], left = r ? s->weight[r] : 0;
    start_at(s, node, r, squares);
    for (size_t k = 0; k + 1 < m; k++) {
        uint32_t i = (uint32_t)keys[k];
        uint8_t c = node->labels[i];
        double w = weight_of(node, i);
        squares[0] += w * (2 * s->left[c] + w);
        squares[1] -= w * (2 * s->right[c] - w);
        s->left[c] += w;
        s->right[c] -= w;
        left += w;
        if (keys[k] >> 32 == keys[k + 1] >> 32)
            continue;
        split->score = squares[0] / left + squares[1] / (node->weight - left);
        split->left = left;
        split->cut = (uint32_t)(keys[k] >> 32);
        if (split_better(split, best))
            *best = *split;
    }
}

/* Tries all splits by sorting all rows. */
static void try_by_sorting(const struct split_node *node, size_t column, size_t position,
                           struct split_scratch *s, struct split *best)
{
    const struct bins *bins = node->bins;
    const uint16_t *bin = bins->bin + column * bins->n;
    uint32_t all = 0, any = UINT32_MAX;
    bool exact = bins->exact[column];
    for (size_t i = 0; i < node->m; i++) {
        uint32_t key = exact ? bin[node->rows[i]] : key_of(node, column, i);
        all |= key;
        any &= key;
        s->keys[i] = (uint64_t)key << 32 | i;
    }
    if (all == any)
        return;
    uint64_t *keys = sort_by_high_half(s->keys, s->keys + node->m, node->m);
    struct split split = {.position = position, .column = column, .by_value = !exact};
    walk(node, s, keys, node->m, 0, &split, best);
}

/* Whether the range holds rows of one class only. */
static bool one_class(const struct split_scratch *s, const struct split_node *node, size_t r)
{
    size_t classes = 0;
    for (size_t c = 0; c < node->classes; c++) {
        const uint32_t *counts = s->counts + c * s->ranges;
        classes += counts[r] > (r ? counts[r - 1] : 0);
    }
    return classes < 2;
}

/* Tries the splits within the ranges that may hold a winner. Rows are grouped by range first, so
 * that only short runs are sorted. */
static void try_within_ranges(const struct split_node *node, size_t column, size_t position,
                              struct split_scratch *s, struct split *best)
{
    bool exact = node->bins->exact[column];
    uint32_t start[MOST_RANGES], end[MOST_RANGES], ranges = s->ranges;
    bool open[MOST_RANGES], any = false;
    for (size_t r = 0; r < ranges; r++) {
        open[r] = may_win(s->bound[r], best) && !one_class(s, node, r);
        any = any || open[r];
        end[r] = 0;
    }
    if (!any)
        return;
    uint32_t m = 0;
    for (size_t i = 0; i < node->m; i++) {
        uint32_t r = s->slots[i] - node->labels[i] * ranges;
        s->numbers[m] = (uint32_t)i;
        m += open[r];
        end[r]++;
    }
    m = 0;
    for (size_t r = 0; r < ranges; r++) {
        start[r] = m;
        m += open[r] ? end[r] : 0;
        end[r] = start[r];
    }
    for (size_t k = 0; k < m; k++) {
        uint32_t i = s->numbers[k], r = s->slots[i] - node->labels[i] * ranges;
        uint32_t key = exact ? s->bins[i] : key_of(node, column, i);
        s->keys[end[r]++] = (uint64_t)key << 32 | i;
    }
    struct split split = {.position = position, .column = column, .by_value = !exact};
    for (size_t r = 0; r < ranges; r++)
        if (open[r] && may_win(s->bound[r], best))
            walk(node, s,
                 sort_by_high_half(s->keys + start[r], s->keys + node->m, end[r] - start[r]),
                 end[r] - start[r], r, &split, best);
}

void split_try(const struct split_node *node, size_t column, size_t position,
               struct split_scratch *scratch, struct split *best)
{
    if (node->m <= FEW)
        try_by_sorting(node, column, position, scratch, best);
    else if (try_between_ranges(node, column, position, scratch, best))
        try_within_ranges(node, column, position, scratch, best);
}
