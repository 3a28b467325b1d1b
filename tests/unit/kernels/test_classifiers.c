/* Nearest neighbours against brute force; trees, forests and naive Bayes against figures computed
 * with scikit-learn 1.9.1 (numpy 2.4.6) on the same numbers: 200 rows to train on, 100 to predict,
 * 5 columns, 4 overlapping classes, drawn by draw() below. tests/oracles/classifiers.py holds the
 * other side. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/random.h"
#include "kernels/classifiers/naive_bayes.h"
#include "kernels/classifiers/trees/forest_grow.h"
#include "kernels/classifiers/trees/forest_predict.h"
#include "kernels/classifiers/knn.h"
#include "kernels/classifiers/knn_products.h"
#include "tests/unit/need.h"

enum { TRAIN = 200, TEST = 100, D = 5, CLASSES = 4 };

struct set {
    float x[TRAIN * D];
    uint8_t labels[TRAIN];
};

/* Integers below 2^24, so that the same values can be drawn in any language. */
static void draw(struct set *set, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        set->labels[i] = (uint8_t)(i % CLASSES);
        for (size_t j = 0; j < D; j++) {
            uint32_t sum = 20000 * (uint32_t)((i + j) % CLASSES);
            for (int k = 0; k < 2; k++) {
                seed = seed * 1664525u + 1013904223u;
                sum += seed >> 16;
            }
            set->x[i * D + j] = (float)sum;
        }
    }
}

static struct set train, test;

static int draw_both(void **state)
{
    (void)state;
    draw(&train, TRAIN, 1);
    draw(&test, TEST, 2);
    return 0;
}

static void expect_classes(const uint8_t *predicted, const char *digits)
{
    char text[TEST + 1] = "";
    for (size_t i = 0; i < TEST; i++)
        text[i] = (char)('0' + predicted[i]);
    assert_string_equal(text, digits);
}

static double accuracy(const uint8_t *predicted)
{
    size_t hits = 0;
    for (size_t i = 0; i < TEST; i++)
        hits += predicted[i] == test.labels[i];
    return (double)hits / TEST;
}

static struct cart_data training_data(void)
{
    return (struct cart_data){train.x, train.labels, TRAIN, D, CLASSES, NULL};
}

static void bayes_as_sklearn(void **state)
{
    (void)state;
    struct bayes b;
    uint8_t out[TEST];
    struct error err = {""};
    assert_int_equal(bayes_fit(&b, train.x, train.labels, TRAIN, D, CLASSES, 1e-9, 2, &err), 0);
    assert_true(fabs(b.mean[1 * D + 2] / 123040.64 - 1) < 1e-6);
    assert_true(fabs(1 / (2 * b.weight[1 * D + 2]) / 6.9512403e8 - 1) < 1e-5);
    bayes_predict(&b, test.x, TEST, out);
    expect_classes(out, "01230323112202120122012311230123112001230121012311100133112311231122022301"
                        "33012301130122012321231122");
    bayes_free(&b);
}

static void bayes_needs_variance(void **state)
{
    (void)state;
    float x[] = {1, 5, 2, 6, 3, 5, 4, 6};
    uint8_t labels[] = {0, 1, 0, 1}, out[4];
    struct bayes b;
    struct error err = {""};
    float same[] = {1, 1, 1, 1};
    assert_true(bayes_fit(&b, same, labels, 4, 1, 2, 1e-9, 1, &err) < 0);
    bayes_free(&b);
    /* column 1 is constant in each class: smoothing by the largest variance */
    assert_true(bayes_fit(&b, x, labels, 4, 2, 2, 0, 1, &err) == 0 || *err.text);
    bayes_free(&b);
    assert_int_equal(bayes_fit(&b, x, labels, 4, 2, 2, 1e-9, 1, &err), 0);
    bayes_predict(&b, x, 4, out);
    assert_true(b.weight[0] > 0 && isfinite(b.weight[0]));
    bayes_free(&b);
    uint8_t one_class[] = {0, 0, 0, 0};
    assert_true(bayes_fit(&b, x, one_class, 4, 2, 2, 1e-9, 1, &err) < 0);
    bayes_free(&b);
}

static void grow(struct forest *forest, struct forest_spec spec)
{
    struct cart_data data = training_data();
    struct error err = {""};
    assert_int_equal(forest_grow(forest, &data, &spec, &err), 0);
}

static size_t depth_below(const struct cart *tree, size_t node)
{
    size_t first = tree->node[node].first;
    if (!first)
        return 0;
    size_t a = depth_below(tree, first), b = depth_below(tree, first + 1);
    return 1 + (a > b ? a : b);
}

static void tree_as_sklearn(void **state)
{
    (void)state;
    struct forest f;
    uint8_t out[TEST];
    grow(&f, (struct forest_spec){.trees = 1, .threads = 1, .tree = {.depth = 3}});
    assert_int_equal(f.tree[0].nodes, 13);
    struct error err = {""};
    assert_int_equal(forest_predict(&f, test.x, TEST, out, &err), 0);
    expect_classes(out, "21230323112002120123020311231122312303210222012322130123122331231123022303"
                        "23312101130102012131211122");
    forest_free(&f);

    grow(&f, (struct forest_spec){.trees = 1, .threads = 1});
    const struct cart *t = &f.tree[0];
    assert_int_equal(t->nodes, 81);
    assert_int_equal(depth_below(t, 0), 10);
    assert_int_equal(t->node[0].column, 3);
    assert_true(t->node[0].threshold == 116499.5);
    assert_int_equal(t->node[t->node[0].first].column, 2);
    assert_true(t->node[t->node[0].first].threshold == 103064.0);
    assert_int_equal(forest_predict(&f, test.x, TEST, out, &err), 0);
    assert_true(accuracy(out) >= 0.62 &&
                accuracy(out) <= 0.70); /* scikit-learn chooses among equal splits at random */
    uint8_t again[TRAIN];
    assert_int_equal(forest_predict(&f, train.x, TRAIN, again, &err), 0);
    assert_memory_equal(again, train.labels, TRAIN); /* grown until all leaves are pure */
    forest_free(&f);
}

/* The root's split against every possible split. */
static void root_is_the_best_split(void **state)
{
    (void)state;
    struct forest f;
    grow(&f, (struct forest_spec){.trees = 1, .threads = 2, .tree = {.depth = 1}});
    double best = INFINITY, found = INFINITY;
    for (size_t j = 0; j < D; j++)
        for (size_t k = 0; k < TRAIN; k++) {
            double left[CLASSES] = {0}, right[CLASSES] = {0}, n = 0, impurity = 0;
            for (size_t i = 0; i < TRAIN; i++) {
                bool goes_left = train.x[i * D + j] <= train.x[k * D + j];
                (goes_left ? left : right)[train.labels[i]]++;
                n += goes_left;
            }
            for (size_t c = 0; c < CLASSES; c++)
                impurity += left[c] * (1 - left[c] / n) +
                            (n < TRAIN ? right[c] * (1 - right[c] / (TRAIN - n)) : 0);
            best = fmin(best, impurity);
            const struct cart_node *root = &f.tree[0].node[0];
            float next = INFINITY; /* the threshold lies between this value and the next */
            for (size_t i = 0; i < TRAIN; i++)
                if (train.x[i * D + j] > train.x[k * D + j])
                    next = fminf(next, train.x[i * D + j]);
            if (root->column == j && root->threshold >= train.x[k * D + j] &&
                root->threshold < next)
                found = impurity;
        }
    assert_true(found < INFINITY && fabs(found - best) < 1e-9);
    forest_free(&f);
}

static void forest_near_sklearn(void **state)
{
    (void)state;
    /* scikit-learn over 40 seeds: grown full 0.703 +- 0.020, depth 2 0.693 +- 0.021 */
    const struct {
        size_t depth;
        double mean, deviation;
    } cases[] = {{0, 0.703, 0.020}, {2, 0.693, 0.021}};
    for (size_t i = 0; i < 2; i++) {
        double sum = 0;
        for (uint64_t seed = 0; seed < 10; seed++) {
            struct forest f;
            uint8_t out[TEST];
            grow(&f, (struct forest_spec){.trees = 100,
                                          .bootstrap = true,
                                          .seed = seed,
                                          .threads = 2,
                                          .tree = {.depth = cases[i].depth, .features = 2}});
            struct error err = {""};
            assert_int_equal(forest_predict(&f, test.x, TEST, out, &err), 0);
            sum += accuracy(out);
            forest_free(&f);
        }
        assert_true(fabs(sum / 10 - cases[i].mean) < 2.5 * cases[i].deviation / sqrt(10) + 0.005);
    }
}

static void forest_ignores_threads(void **state)
{
    (void)state;
    struct forest a, b;
    struct forest_spec spec = {
        .trees = 20, .bootstrap = true, .seed = 3, .threads = 1, .tree = {.features = 2}};
    grow(&a, spec);
    spec.threads = 3;
    grow(&b, spec);
    for (size_t t = 0; t < spec.trees; t++) {
        assert_int_equal(a.tree[t].nodes, b.tree[t].nodes);
        assert_memory_equal(a.tree[t].node, b.tree[t].node,
                            a.tree[t].nodes * sizeof *a.tree[t].node);
        assert_true(
            t == 0 || a.tree[t].nodes != a.tree[0].nodes ||
            memcmp(a.tree[t].node, a.tree[0].node, a.tree[t].nodes * sizeof *a.tree[t].node) != 0);
    }
    forest_free(&a);
    forest_free(&b);
}

/* Without bootstrap and with all columns, every tree of a forest is the same. */
static void forest_of_one_tree(void **state)
{
    (void)state;
    struct forest one, three;
    uint8_t a[TEST], b[TEST];
    grow(&one, (struct forest_spec){.trees = 1, .threads = 1});
    grow(&three, (struct forest_spec){.trees = 3, .threads = 2});
    struct error err = {""};
    assert_int_equal(forest_predict(&one, test.x, TEST, a, &err), 0);
    assert_int_equal(forest_predict(&three, test.x, TEST, b, &err), 0);
    assert_memory_equal(a, b, TEST);
    forest_free(&one);
    forest_free(&three);
}

/* Rows of two classes with the same values end in one leaf; constant columns are skipped. */
static void tree_without_a_split(void **state)
{
    (void)state;
    float x[] = {1, -0.0f, 1, 0.0f, 1, 0.0f, 1, 7}; /* the first column is constant */
    struct bins bins;
    uint8_t labels[] = {0, 0, 1, 1};
    struct cart_data data = {x, labels, 4, 2, 2, &bins};
    struct random r = random_start(1, 0);
    struct cart t;
    struct error err = {""};
    assert_int_equal(bins_make(&bins, x, 4, 2, 1, &err), 0);
    for (uint64_t seed = 0; seed < 8; seed++) {
        r = random_start(seed, 0);
        struct cart_spec spec = {.features = 1};
        assert_int_equal(cart_grow(&t, &data, &spec, NULL, &r, 1, &err), 0);
        assert_int_equal(t.nodes, 3);
        assert_int_equal(t.node[0].column, 1);
        assert_true(t.node[0].threshold == 3.5);
        assert_int_equal(t.counts[1 * 2 + 0], 2);
        assert_int_equal(t.counts[1 * 2 + 1], 1);
        cart_free(&t);
    }
    bins_free(&bins);
}

static int nearer(const double *distance, size_t a, size_t b)
{
    return distance[a] != distance[b] ? distance[a] < distance[b] : a < b;
}

/* Majority among the k nearest; ties to the class of the nearest row of a tied class. */
static uint8_t brute_force(const float *x, const uint8_t *labels, size_t n, size_t d,
                           const float *query, size_t k)
{
    double *distance = malloc(n * sizeof *distance);
    size_t votes[8] = {0}, *order = calloc(n, sizeof *order), most = 0, i = 0;
    assert_true(distance && order);
    for (size_t r = 0; r < n; r++) {
        distance[r] = 0;
        for (size_t j = 0; j < d; j++)
            distance[r] += pow((double)x[r * d + j] - query[j], 2);
        size_t at = r;
        for (; at > 0 && nearer(distance, r, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = r;
    }
    for (size_t r = 0; r < k; r++)
        votes[labels[order[r]]]++;
    for (size_t c = 0; c < 8; c++)
        most = votes[c] > most ? votes[c] : most;
    while (votes[labels[order[i]]] != most)
        i++;
    uint8_t class = labels[order[i]];
    free(distance);
    free(order);
    return class;
}

static void knn_as_brute_force(void **state)
{
    (void)state;
    enum { N = 1100, M = 260, WIDTH = 3, LABELS = 5 };
    struct random r = random_start(5, 0);
    static float x[N * WIDTH], queries[M * WIDTH];
    static uint8_t labels[N];
    for (size_t i = 0; i < N * WIDTH; i++)
        x[i] = (float)random_below(&r, 12); /* a grid: many rows at the same distance */
    for (size_t i = 0; i < M * WIDTH; i++)
        queries[i] = (float)random_below(&r, 12);
    for (size_t i = 0; i < N; i++)
        labels[i] = (uint8_t)random_below(&r, LABELS);
    const size_t ks[] = {1, 2, 3, 5, 7, 9, N};
    for (size_t i = 0; i < sizeof ks / sizeof *ks; i++)
        for (int threads = 1; threads <= 2; threads++) {
            struct knn knn;
            uint8_t out[M];
            struct error err = {""};
            assert_int_equal(knn_start(&knn, x, labels, N, WIDTH, ks[i], threads, &err), 0);
            assert_int_equal(knn_predict(&knn, queries, M, out, &err), 0);
            knn_free(&knn);
            size_t wrong = 0;
            for (size_t q = 0; q < M; q++)
                wrong += out[q] != brute_force(x, labels, N, WIDTH, queries + q * WIDTH, ks[i]);
            assert_int_equal(wrong, 0);
        }
}

/* Products in float32, as on a CPU without bf16. */
static void use_float32(struct knn *knn)
{
    free(knn->packed);
    knn->packed = NULL;
    memset(knn->rest, 0, knn->n * sizeof *knn->rest);
}

/* For any values, the selection of rows must not exclude one of the nearest. */
static void check_all_rows(bool narrow)
{
    enum { N = 700, M = 50, WIDEST = 70, LABELS = 8 };
    static float x[N * WIDEST], queries[M * WIDEST];
    static uint8_t labels[N];
    static const struct {
        size_t d;
        double offset, near; /* the common offset, and the distance of rows */
    } cases[] = {{1, 0, 1},    {33, 0, 1},      {70, 100, 1e-3}, {64, 1, 1e-7},  {17, 0, 1e-30},
                 {5, 0, 1e14}, {40, 1e14, 1e9}, {3, -5, 0},      {64, 0, 1e-42}, {33, 1e-3, 1e3}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct random r = random_start(c, 0);
        size_t d = cases[c].d;
        for (size_t i = 0; i < N * d; i++)
            x[i] = (float)(cases[c].offset + cases[c].near * random_normal(&r));
        for (size_t i = 0; i < M * d; i++) /* half of them near a row */
            queries[i] = i / d % 2 ? nextafterf(x[i], 1e20f)
                                   : (float)(cases[c].offset + cases[c].near * random_normal(&r));
        for (size_t i = 0; i < N; i++)
            labels[i] = (uint8_t)random_below(&r, LABELS);
        for (size_t k = 1; k <= 9; k += 4) {
            struct knn knn;
            uint8_t out[M];
            struct error err = {""};
            assert_int_equal(knn_start(&knn, x, labels, N, d, k, narrow ? 1 : 2, &err), 0);
            if (!narrow)
                use_float32(&knn);
            assert_int_equal(knn_predict(&knn, queries, M, out, &err), 0);
            assert_int_equal(knn_predict(&knn, queries + d, 1, out + 1, &err), 0);
            for (size_t q = 0; q < M; q++)
                if (out[q] != brute_force(x, labels, N, d, queries + q * d, k))
                    fail_msg("%d rows of %zu values around %g, %g apart, k = %zu, products in %s: "
                             "query %zu is of another class",
                             N, d, cases[c].offset, cases[c].near, k, narrow ? "bf16" : "float32",
                             q);
            knn_free(&knn);
        }
    }
}

static void knn_loses_no_row(void **state)
{
    (void)state;
    check_all_rows(false);
}

static void knn_loses_no_row_in_bf16(void **state)
{
    (void)state;
    need(dots_available(), "bf16 instructions");
    check_all_rows(true);
}

static void knn_as_sklearn(void **state)
{
    (void)state;
    struct knn knn;
    uint8_t out[TEST];
    struct error err = {""};
    assert_int_equal(knn_start(&knn, train.x, train.labels, TRAIN, D, 1, 1, &err), 0);
    assert_int_equal(knn_predict(&knn, test.x, TEST, out, &err), 0);
    expect_classes(out, "11230333112001120122013311130123012001230011012312101123112312231123021311"
                        "33012301130123012331221123");
    knn_free(&knn);
    assert_true(knn_start(&knn, train.x, train.labels, TRAIN, D, TRAIN + 1, 1, &err) < 0);
    assert_non_null(strstr(err.text, "200 training rows"));
    knn_free(&knn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bayes_as_sklearn),    cmocka_unit_test(bayes_needs_variance),
        cmocka_unit_test(tree_as_sklearn),     cmocka_unit_test(root_is_the_best_split),
        cmocka_unit_test(forest_near_sklearn), cmocka_unit_test(forest_ignores_threads),
        cmocka_unit_test(forest_of_one_tree),  cmocka_unit_test(tree_without_a_split),
        cmocka_unit_test(knn_as_brute_force),  cmocka_unit_test(knn_as_sklearn),
        cmocka_unit_test(knn_loses_no_row),    cmocka_unit_test(knn_loses_no_row_in_bf16),
    };
    return cmocka_run_group_tests(tests, draw_both, NULL);
}
