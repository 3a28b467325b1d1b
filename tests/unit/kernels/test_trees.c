/* Trees against a slow reference: the split of every node against an exhaustive search, and a
 * forest's predictions against walks through its trees one by one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/random.h"
#include "kernels/classifiers/trees/forest_grow.h"
#include "kernels/classifiers/trees/forest_predict.h"
#include "kernels/classifiers/trees/out_of_bag.h"

enum { CLASSES = 5 };

struct set {
    size_t n, d;
    float *x;
    uint8_t *labels;
    uint32_t *weights;
};

/* values > 0: the number of distinct values in a column; 0: any number. Labels depend on two
 * columns. */
static void draw(struct set *s, size_t n, size_t d, size_t values, uint64_t seed)
{
    struct random r = random_start(seed, 0);
    *s = (struct set){n, d, malloc(n * d * sizeof(float)), malloc(n), malloc(n * sizeof(uint32_t))};
    assert_true(s->x && s->labels && s->weights);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < d; j++)
            s->x[i * d + j] =
                values ? (float)random_below(&r, values) - 3 : (float)random_normal(&r);
        double sum = s->x[i * d] + s->x[i * d + d / 2] + random_normal(&r);
        s->labels[i] = (uint8_t)(sum < -1  ? 0
                                 : sum < 0 ? 1
                                 : sum < 2 ? 2
                                           : random_below(&r, CLASSES));
        s->weights[i] = (uint32_t)random_below(&r, 4);
    }
}

static void drop(struct set *s)
{
    free(s->x);
    free(s->labels);
    free(s->weights);
}

static double purity(const double *counts)
{
    double sum = 0, squares = 0;
    for (size_t c = 0; c < CLASSES; c++) {
        sum += counts[c];
        squares += counts[c] * counts[c];
    }
    return sum > 0 ? squares / sum : 0;
}

static int by_value(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

struct pair {
    float value;
    uint32_t row;
};

/* The best score of any split of these rows. */
static double exhaustive(const struct set *s, const uint32_t *rows, size_t m, bool weighted)
{
    double best = -1;
    struct pair *pairs = malloc(m * sizeof *pairs);
    assert_non_null(pairs);
    for (size_t j = 0; j < s->d; j++) {
        double left[CLASSES] = {0}, right[CLASSES] = {0};
        for (size_t k = 0; k < m; k++) {
            pairs[k] = (struct pair){s->x[rows[k] * s->d + j], rows[k]};
            right[s->labels[rows[k]]] += weighted ? s->weights[rows[k]] : 1;
        }
        qsort(pairs, m, sizeof *pairs, by_value); /* the value comes first */
        for (size_t k = 0; k + 1 < m; k++) {
            uint32_t row = pairs[k].row;
            double w = weighted ? s->weights[row] : 1;
            left[s->labels[row]] += w;
            right[s->labels[row]] -= w;
            if (pairs[k].value != pairs[k + 1].value)
                best = fmax(best, purity(left) + purity(right));
        }
    }
    free(pairs);
    return best;
}

/* Checks the node's split against the best one, and its counts, then its children. */
static void check_node(const struct set *s, const struct cart *t, size_t node, uint32_t *rows,
                       size_t m, bool weighted)
{
    double counts[CLASSES] = {0}, left[CLASSES] = {0}, right[CLASSES] = {0};
    size_t first = t->node[node].first, l = 0, r = 0;
    for (size_t k = 0; k < m; k++)
        counts[s->labels[rows[k]]] += weighted ? s->weights[rows[k]] : 1;
    for (size_t c = 0; c < CLASSES; c++)
        assert_true(t->counts[node * CLASSES + c] == counts[c]);
    if (!first)
        return;
    uint32_t *right_rows = malloc(m * sizeof *right_rows);
    assert_non_null(right_rows);
    for (size_t k = 0; k < m; k++) {
        uint32_t row = rows[k];
        double w = weighted ? s->weights[row] : 1;
        if (s->x[row * s->d + t->node[node].column] <= t->node[node].threshold) {
            left[s->labels[row]] += w;
            rows[l++] = row;
        } else {
            right[s->labels[row]] += w;
            right_rows[r++] = row;
        }
    }
    memcpy(rows + l, right_rows, r * sizeof *rows);
    free(right_rows);
    assert_true(l > 0 && r > 0);
    double best = exhaustive(s, rows, m, weighted);
    double error = fabs(purity(left) + purity(right) - best);
    if (!(error <= 1e-9 * best))
        fail_msg(
            "tree of %zu rows, %zu columns%s: the split of node %zu (%zu rows) is %.2e from the "
            "best, more than %.2e",
            s->n, s->d, weighted ? ", weights" : "", node, m, error, 1e-9 * best);
    check_node(s, t, first, rows, l, weighted);
    check_node(s, t, first + 1, rows + l, r, weighted);
}

static void check_tree(const struct set *s, size_t depth, bool weighted, int threads)
{
    struct error err = {""};
    struct bins bins;
    struct cart tree;
    struct random r = random_start(1, 0);
    struct cart_spec spec = {.depth = depth};
    assert_int_equal(bins_make(&bins, s->x, s->n, s->d, threads, &err), 0);
    struct cart_data data = {s->x, s->labels, s->n, s->d, CLASSES, &bins};
    assert_int_equal(
        cart_grow(&tree, &data, &spec, weighted ? s->weights : NULL, &r, threads, &err), 0);
    uint32_t *rows = malloc(s->n * sizeof *rows);
    assert_non_null(rows);
    size_t m = 0;
    for (size_t i = 0; i < s->n; i++)
        if (!weighted || s->weights[i] > 0)
            rows[m++] = (uint32_t)i;
    check_node(s, &tree, 0, rows, m, weighted);
    free(rows);
    cart_free(&tree);
    bins_free(&bins);
}

static void splits_are_the_best(void **state)
{
    (void)state;
    static const struct {
        size_t n, d, values, depth;
    } cases[] = {{30, 3, 0, 0},    {200, 7, 5, 0},     {900, 4, 0, 0},
                 {900, 4, 40, 0},  {5000, 3, 0, 5},    {5000, 3, 300, 0},
                 {2500, 30, 0, 3}, {3000, 2, 1000, 0}, {700, 40, 2, 0}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct set s;
        draw(&s, cases[c].n, cases[c].d, cases[c].values, c);
        check_tree(&s, cases[c].depth, false, 1);
        check_tree(&s, cases[c].depth, true, 2);
        drop(&s);
    }
}

/* More distinct values in a column than bins. */
static void splits_among_many_values(void **state)
{
    (void)state;
    struct set s;
    struct bins bins;
    struct error err = {""};
    enum { ROWS = 70000 };
    draw(&s, ROWS, 2, 0, 1);
    for (size_t i = 0; i < ROWS; i++)
        s.x[2 * i] = (float)(i * 7919 % ROWS) - 100;
    for (size_t i = 0; i < ROWS;
         i++) { /* class borders within a bin, and some rows of alternating classes */
        float x = s.x[2 * i];
        s.labels[i] = (uint8_t)(x < -80 ? 2 + (long)x % 2 : x < 4321 ? 0 : x < 4322 ? 3 : 4);
    }
    assert_int_equal(bins_make(&bins, s.x, ROWS, 2, 2, &err), 0);
    assert_false(bins.exact[0]);
    for (size_t i = 0; i + 1 < ROWS; i++)
        assert_true((s.x[2 * i] < s.x[2 * i + 2]) <= (bins.bin[i] <= bins.bin[i + 1]));
    bins_free(&bins);
    check_tree(&s, 0, false, 2);
    drop(&s);
}

static void bins_order_values(void **state)
{
    (void)state;
    const float x[] = {3, -0.0f, -1e30f, 0.0f, 3, 1e-40f, -1e-40f, 3.0000002f};
    const uint16_t expected[] = {4, 2, 0, 2, 4, 3, 1, 5};
    struct bins bins;
    struct error err = {""};
    assert_int_equal(bins_make(&bins, x, 8, 1, 1, &err), 0);
    assert_true(bins.exact[0]);
    assert_memory_equal(bins.bin, expected, sizeof expected);
    bins_free(&bins);
}

static void grow(struct forest *f, const struct set *s, struct forest_spec spec)
{
    struct cart_data data = {s->x, s->labels, s->n, s->d, CLASSES, NULL};
    struct error err = {""};
    assert_int_equal(forest_grow(f, &data, &spec, &err), 0);
}

/* Predicts each row with each tree, one by one. */
static uint8_t slowly(const struct forest *f, const float *row)
{
    double shares[CLASSES] = {0};
    size_t best = 0;
    for (size_t t = 0; t < f->trees; t++) {
        const uint32_t *counts = f->tree[t].counts + cart_leaf(&f->tree[t], row) * CLASSES;
        double sum = 0;
        for (size_t c = 0; c < CLASSES; c++)
            sum += counts[c];
        for (size_t c = 0; c < CLASSES; c++)
            shares[c] += counts[c] / sum;
    }
    for (size_t c = 1; c < CLASSES; c++)
        best = shares[c] > shares[best] ? c : best;
    return (uint8_t)best;
}

static void predicts_as_walking(void **state)
{
    (void)state;
    struct set s, q;
    draw(&s, 600, 9, 0, 1);
    draw(&q, 700, 9, 0, 2);
    static const struct {
        size_t trees, depth;
        int threads;
    } cases[] = {{1, 0, 1}, {1, 0, 2}, {1, 2, 1}, {17, 0, 2}, {40, 3, 1}, {3, 1, 2}};
    static const size_t counts[] = {1, 2, 31, 32, 33, 300, 700};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct forest f;
        struct error err = {""};
        grow(&f, &s,
             (struct forest_spec){.trees = cases[c].trees,
                                  .bootstrap = cases[c].trees > 1,
                                  .seed = 5,
                                  .threads = cases[c].threads,
                                  .tree = {.depth = cases[c].depth, .features = 3}});
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            uint8_t out[700];
            assert_int_equal(forest_predict(&f, q.x, counts[k], out, &err), 0);
            for (size_t i = 0; i < counts[k]; i++)
                if (out[i] != slowly(&f, q.x + i * 9))
                    fail_msg("%zu trees of depth %zu, %zu rows, %d threads: row %zu is of class %d",
                             cases[c].trees, cases[c].depth, counts[k], cases[c].threads, i,
                             out[i]);
        }
        forest_free(&f);
    }
    drop(&s);
    drop(&q);
}

/* More values than bins: rows of one bin have different values, and each row must still reach
 * the leaf that it was put into in training. */
static void thresholds_among_many_values(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct random r = random_start(5, 1);
    uint32_t *order = malloc(N * sizeof *order);
    float *x = malloc(N * sizeof *x);
    uint8_t *labels = malloc(N);
    assert_true(order && x && labels);
    for (uint32_t i = 0; i < N; i++)
        order[i] = i;
    random_shuffle(&r, order, N);
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)order[i];
        labels[i] = random_unit(&r) < (double)order[i] / N;
    }
    struct error err = {""};
    struct bins bins;
    struct cart tree;
    assert_int_equal(bins_make(&bins, x, N, 1, 2, &err), 0);
    assert_false(bins.exact[0]);
    struct cart_data data = {.x = x, .labels = labels, .n = N, .d = 1, .classes = 2, .bins = &bins};
    struct cart_spec spec = {.depth = 0};
    struct random q = random_start(1, 1);
    assert_int_equal(cart_grow(&tree, &data, &spec, NULL, &q, 2, &err), 0);
    for (size_t i = 0; i < N; i++) {
        const uint32_t *counts = tree.counts + 2 * (size_t)cart_leaf(&tree, x + i);
        assert_true(counts[labels[i]] > 0 && counts[!labels[i]] == 0);
    }
    cart_free(&tree);
    bins_free(&bins);
    free(labels);
    free(x);
    free(order);
}

/* A value at, just below and just above a threshold that no float is equal to. */
static void thresholds_between_floats(void **state)
{
    (void)state;
    float x[] = {1, nextafterf(1, 2), 5, 6}, q[] = {1, nextafterf(1, 2), 0.5f, 9};
    uint8_t labels[] = {0, 1, 1, 1}, out[4];
    struct set s = {4, 1, x, labels, NULL};
    struct forest f;
    struct error err = {""};
    grow(&f, &s, (struct forest_spec){.trees = 1, .threads = 1});
    assert_true(f.tree[0].node[0].threshold > 1 && f.tree[0].node[0].threshold < x[1]);
    assert_int_equal(forest_predict(&f, q, 4, out, &err), 0);
    assert_memory_equal(out, "\0\1\0\1", 4);
    forest_free(&f);
}

/* Finds the rows that aren't in a tree's sample, one by one. */
static void out_of_bag(void **state)
{
    (void)state;
    struct set s;
    draw(&s, 333, 6, 0, 1);
    struct cart_data data = {s.x, s.labels, s.n, s.d, CLASSES, NULL};
    struct error err = {""};
    for (size_t trees = 1; trees <= 25;
         trees += 8) { /* with few trees, some rows are in all samples */
        struct forest_spec spec = {
            .trees = trees, .bootstrap = true, .seed = 9, .threads = 2, .tree = {.features = 2}};
        struct forest f;
        struct out_of_bag bag, again;
        size_t n = 0, correct = 0;
        grow(&f, &s, spec);
        assert_int_equal(out_of_bag_test(&f, &data, &spec, &bag, &err), 0);
        spec.threads = 1;
        assert_int_equal(out_of_bag_test(&f, &data, &spec, &again, &err), 0);
        assert_memory_equal(&bag, &again, sizeof bag);
        for (size_t i = 0; i < s.n; i++) {
            double shares[CLASSES] = {0}, sum = 0;
            size_t best = 0;
            for (size_t t = 0; t < trees; t++) {
                uint32_t weights[333];
                forest_sample(&spec, t, s.n, weights);
                const struct cart *tree = &f.tree[t];
                const uint32_t *counts = tree->counts + cart_leaf(tree, s.x + i * s.d) * CLASSES;
                double all = 0;
                for (size_t c = 0; c < CLASSES; c++)
                    all += counts[c];
                for (size_t c = 0; c < CLASSES && weights[i] == 0; c++)
                    shares[c] += counts[c] / all;
            }
            for (size_t c = 0; c < CLASSES; c++) {
                sum += shares[c];
                best = shares[c] > shares[best] ? c : best;
            }
            n += sum > 0;
            correct += sum > 0 && best == s.labels[i];
        }
        assert_int_equal(bag.n, n);
        assert_int_equal(bag.correct, correct);
        assert_true(trees < 10 ? n < s.n : trees < 25 || n == s.n);
        forest_free(&f);
    }
    drop(&s);
}

/* Four rows: the first column separates two rows of one class, the third column the other two, so
 * that n Gini goes from 2.5 to 1 and from 1 to 0. */
static void importance_by_hand(void **state)
{
    (void)state;
    float x[] = {0, 5, 0, 0, 5, 0, 1, 5, 0, 1, 5, 1};
    uint8_t labels[] = {0, 0, 1, 2};
    double importance[3];
    struct set s = {4, 3, x, labels, NULL};
    struct error err = {""};
    struct forest f;
    grow(&f, &s, (struct forest_spec){.trees = 1, .threads = 1});
    assert_int_equal(forest_importance(&f, importance, &err), 0);
    assert_true(fabs(importance[0] - 1.5 / 2.5) < 1e-12);
    assert_true(importance[1] == 0);
    assert_true(fabs(importance[2] - 1 / 2.5) < 1e-12);
    forest_free(&f);
    memset(labels, 1, 4); /* no split */
    grow(&f, &s, (struct forest_spec){.trees = 2, .threads = 1});
    assert_int_equal(forest_importance(&f, importance, &err), 0);
    assert_true(importance[0] == 0 && importance[1] == 0 && importance[2] == 0);
    forest_free(&f);
}

/* Columns that decide the class are important, columns of noise are not. */
static void importance_of_a_forest(void **state)
{
    (void)state;
    struct set s;
    double importance[8], sum = 0, least = 1, most = 0;
    struct error err = {""};
    struct forest f;
    draw(&s, 2000, 8, 0, 1);
    grow(&f, &s,
         (struct forest_spec){
             .trees = 30, .bootstrap = true, .threads = 2, .tree = {.depth = 5, .features = 3}});
    assert_int_equal(forest_importance(&f, importance, &err), 0);
    for (size_t j = 0; j < 8; j++) {
        sum += importance[j];
        if (j == 0 || j == 4)
            least = fmin(least, importance[j]);
        else
            most = fmax(most, importance[j]);
    }
    assert_true(fabs(sum - 1) < 1e-12);
    assert_true(least > 5 * most);
    forest_free(&f);
    drop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_order_values),
        cmocka_unit_test(splits_are_the_best),
        cmocka_unit_test(splits_among_many_values),
        cmocka_unit_test(predicts_as_walking),
        cmocka_unit_test(thresholds_among_many_values),
        cmocka_unit_test(thresholds_between_floats),
        cmocka_unit_test(out_of_bag),
        cmocka_unit_test(importance_by_hand),
        cmocka_unit_test(importance_of_a_forest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
