/* Support vector machines against LIBSVM, which is linked in: all four kernels must give the same
 * support vectors, objective, offsets and predictions, and models must be exchanged in both
 * directions. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <libsvm/svm.h>
#include "base/file.h"
#include "base/random.h"
#include "kernels/classifiers/svm/smo.h"
#include "kernels/classifiers/svm/csvc.h"
#include "tests/unit/kernels/svm_kernel.h"
#include "stages/data/svm_model.h"

enum { CLASSES = 7, D = 20, EACH = 45, TEST = 1000, PAIRS = CLASSES * (CLASSES - 1) / 2 };

static char folder[] = "/tmp/ferdag-svm-XXXXXX";
static float train_x[CLASSES * 2 * EACH * D], test_x[TEST * D];
static size_t counts[CLASSES], rows;
static double gamma_scale; /* 1 / (d var X) */

/* Overlapping clusters cut at 0, ordered by class, of unequal sizes: one class has a single row. */
static int draw(void **state)
{
    (void)state;
    struct random r = random_start(11, 0);
    double centre[CLASSES][D], sum = 0, squares = 0;
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t j = 0; j < D; j++)
            centre[c][j] = random_normal(&r) * 0.6;
    for (size_t c = 0; c < CLASSES; c++) {
        counts[c] = c == 1 ? 1 : EACH + 7 * c;
        for (size_t i = 0; i < counts[c]; i++, rows++)
            for (size_t j = 0; j < D; j++)
                train_x[rows * D + j] = (float)fmax(0, centre[c][j] + random_normal(&r));
    }
    for (size_t i = 0; i < TEST; i++)
        for (size_t j = 0; j < D; j++)
            test_x[i * D + j] = (float)fmax(0, centre[i % CLASSES][j] + random_normal(&r));
    for (size_t i = 0; i < rows * D; i++) {
        sum += train_x[i];
        squares += (double)train_x[i] * train_x[i];
    }
    double n = (double)(rows * D);
    gamma_scale = 1 / (D * (squares / n - sum / n * sum / n));
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

static const double ones[CLASSES] = {1, 1, 1, 1, 1, 1, 1};

static struct csvc_training training(enum csvc_kernel_type type)
{
    return (struct csvc_training){
        .kernel = {.type = type, .degree = 3, .gamma = gamma_scale, .coef0 = 0},
        .c = 1,
        .tolerance = 1e-3,
        .memory = 100000000,
        .threads = 1};
}

static void train_ours(struct csvc_training t, struct csvc_model *model, struct csvc_report *report)
{
    struct error err = {""};
    int rc = csvc_train(&t, train_x, counts, CLASSES, D, model, report, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_int_equal(report->unconverged, 0);
}

static void predict_ours(const struct csvc_model *model, int threads, uint8_t *out)
{
    struct csvc_predictor p;
    struct error err = {""};
    assert_int_equal(csvc_predictor_make(&p, model, threads, &err), 0);
    assert_int_equal(csvc_predict_rows(&p, test_x, TEST, out, NULL, &err), 0);
    csvc_predictor_free(&p);
}

static void quiet(const char *text)
{
    (void)text;
}

/* LIBSVM's nodes of n rows, D + 1 for each row. */
static struct svm_node *nodes_of(const float *x, size_t n)
{
    struct svm_node *nodes = calloc(n * (D + 1), sizeof *nodes);
    assert_non_null(nodes);
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < D; j++)
            nodes[i * (D + 1) + j] = (struct svm_node){j + 1, x[i * D + j]};
        nodes[i * (D + 1) + D].index = -1;
    }
    return nodes;
}

static void predict_theirs(const struct svm_model *model, uint8_t *out)
{
    struct svm_node *nodes = nodes_of(test_x, TEST);
    for (size_t i = 0; i < TEST; i++)
        out[i] = (uint8_t)svm_predict(model, nodes + i * (D + 1));
    free(nodes);
}

/* LIBSVM keeps pointers into nodes, which the caller frees after the model. */
static struct svm_model *train_theirs(enum csvc_kernel_type type, const double *weights,
                                      struct svm_node *nodes)
{
    static const int types[SVM_KERNELS] = {LINEAR, POLY, RBF, SIGMOID};
    static int labels[CLASSES] = {0, 1, 2, 3, 4, 5, 6};
    static double y[sizeof train_x / sizeof *train_x / D];
    static struct svm_node *x[sizeof train_x / sizeof *train_x / D];
    size_t at = 0;
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t i = 0; i < counts[c]; i++, at++) {
            y[at] = (double)c;
            x[at] = nodes + at * (D + 1);
        }
    struct svm_problem problem = {(int)rows, y, x};
    struct svm_parameter parameter = {.svm_type = C_SVC,
                                      .kernel_type = types[type],
                                      .degree = 3,
                                      .gamma = gamma_scale,
                                      .cache_size = 50,
                                      .eps = 1e-3,
                                      .C = 1,
                                      .shrinking = 1,
                                      .nr_weight = CLASSES,
                                      .weight_label = labels,
                                      .weight = (double *)weights};
    svm_set_print_string_function(quiet);
    return svm_train(&problem, &parameter);
}

/* The dual objective of a pair; label * alpha of row i is beta[i], 0 outside the pair. */
static double objective(const struct csvc_kernel *k, const double *beta)
{
    double sum = 0;
    for (size_t i = 0; i < rows; i++) {
        sum -= fabs(beta[i]);
        for (size_t j = 0; beta[i] != 0 && j < rows; j++)
            if (beta[j] != 0)
                sum += beta[i] * beta[j] * svm_kernel(k, train_x + i * D, train_x + j * D, D) / 2;
    }
    return sum;
}

/* beta of every row in the problem a against b, from LIBSVM's model. */
static void beta_of_theirs(const struct svm_model *m, size_t a, size_t b, double *beta)
{
    memset(beta, 0, rows * sizeof *beta);
    size_t class = 0, left = (size_t)m->nSV[0];
    for (int v = 0; v < m->l; v++) {
        while (left == 0)
            left = (size_t)m->nSV[++class];
        left--;
        if (class == a || class == b) /* sv_indices count from 1 */
            beta[m->sv_indices[v] - 1] = m->sv_coef[class == a ? b - 1 : a][v];
    }
}

static void same_as_libsvm(enum csvc_kernel_type type, const double *weights)
{
    struct csvc_training t = training(type);
    struct csvc_model ours;
    struct csvc_report report;
    t.weights = weights;
    train_ours(t, &ours, &report);
    struct svm_node *nodes = nodes_of(train_x, rows);
    struct svm_model *theirs = train_theirs(type, weights, nodes);

    double total = 0, *beta = malloc(rows * sizeof *beta);
    assert_non_null(beta);
    for (size_t a = 0, pair = 0; a < CLASSES; a++)
        for (size_t b = a + 1; b < CLASSES; b++, pair++) {
            beta_of_theirs(theirs, a, b, beta);
            total += objective(&ours.kernel, beta);
            assert_true(fabs(ours.rho[pair] - theirs->rho[pair]) < 5e-3);
        }
    free(beta);
    assert_true(fabs(report.objective / total - 1) < 1e-4);
    assert_true(fabs((double)ours.count / theirs->l - 1) < 0.01);

    uint8_t a[TEST], b[TEST];
    size_t different = 0;
    predict_ours(&ours, 1, a);
    predict_theirs(theirs, b);
    for (size_t i = 0; i < TEST; i++)
        different += a[i] != b[i];
    assert_true(different <= TEST / 1000);
    svm_free_and_destroy_model(&theirs);
    free(nodes);
    csvc_model_free(&ours);
}

static void linear(void **state)
{
    (void)state;
    same_as_libsvm(SVM_LINEAR, ones);
}

static void poly(void **state)
{
    (void)state;
    same_as_libsvm(SVM_POLY, ones);
}

static void rbf(void **state)
{
    (void)state;
    same_as_libsvm(SVM_RBF, ones);
}

static void sigmoid(void **state)
{
    (void)state;
    same_as_libsvm(SVM_SIGMOID, ones);
}

static void weights(void **state)
{
    (void)state;
    static const double uneven[CLASSES] = {0.5, 8, 1, 2, 0.1, 1.5, 0.7};
    for (int type = 0; type < SVM_KERNELS; type++)
        same_as_libsvm((enum csvc_kernel_type)type, uneven);
}

/* The problem of the sigmoid kernel has many solutions. With products in double every step equals
 * that of LIBSVM, and so does the solution, except for the rounding of sums. */
static void sigmoid_in_double_takes_the_same_steps(void **state)
{
    (void)state;
    struct csvc_training t = training(SVM_SIGMOID);
    struct csvc_model ours;
    struct csvc_report report;
    t.wide = true;
    train_ours(t, &ours, &report);
    struct svm_node *nodes = nodes_of(train_x, rows);
    struct svm_model *theirs = train_theirs(SVM_SIGMOID, ones, nodes);
    assert_int_equal(ours.count, theirs->l);
    for (size_t v = 0; v < ours.count; v++)
        for (size_t k = 0; k + 1 < CLASSES; k++)
            assert_true(fabs(ours.coef[k * ours.count + v] - theirs->sv_coef[k][v]) < 1e-8);
    svm_free_and_destroy_model(&theirs);
    free(nodes);
    csvc_model_free(&ours);
}

/* LIBSVM reads what we write and predicts the same; we read what LIBSVM writes. */
static void text_format_both_ways(void **state)
{
    (void)state;
    for (int type = 0; type < SVM_KERNELS; type++) {
        struct csvc_model ours, again;
        struct csvc_report report;
        struct error err = {""};
        uint8_t a[TEST], b[TEST];
        train_ours(training((enum csvc_kernel_type)type), &ours, &report);
        predict_ours(&ours, 2, a);

        assert_int_equal(svm_model_write("ours.svm", &ours, &err), 0);
        struct svm_model *loaded = svm_load_model("ours.svm");
        assert_non_null(loaded);
        assert_int_equal(svm_get_nr_class(loaded), CLASSES);
        assert_int_equal(svm_get_nr_sv(loaded), ours.count);
        predict_theirs(loaded, b);
        assert_memory_equal(a, b, TEST);

        int rc = svm_model_read("ours.svm", D, CLASSES, &again, &err);
        assert_string_equal(err.text, "");
        assert_int_equal(rc, 0);
        assert_memory_equal(ours.vectors, again.vectors, ours.count * D * sizeof *ours.vectors);
        assert_memory_equal(ours.coef, again.coef, (CLASSES - 1) * ours.count * sizeof *ours.coef);
        assert_memory_equal(ours.rho, again.rho, PAIRS * sizeof *ours.rho);
        assert_true(ours.kernel.type == SVM_LINEAR || ours.kernel.gamma == again.kernel.gamma);
        csvc_model_free(&again);

        assert_int_equal(svm_save_model("theirs.svm", loaded), 0);
        assert_int_equal(svm_model_read("theirs.svm", D, CLASSES, &again, &err), 0);
        predict_ours(&again, 1, b);
        assert_memory_equal(a, b, TEST);
        csvc_model_free(&again);
        svm_free_and_destroy_model(&loaded);
        csvc_model_free(&ours);
    }
}

static void threads_change_nothing(void **state)
{
    (void)state;
    for (int type = 0; type < SVM_KERNELS; type++) {
        struct csvc_training t = training((enum csvc_kernel_type)type);
        struct csvc_model one, three;
        struct csvc_report report;
        train_ours(t, &one, &report);
        t.threads = 3;
        train_ours(t, &three, &report);
        assert_int_equal(one.count, three.count);
        assert_memory_equal(one.vectors, three.vectors, one.count * D * sizeof *one.vectors);
        assert_memory_equal(one.coef, three.coef, (CLASSES - 1) * one.count * sizeof *one.coef);
        assert_memory_equal(one.rho, three.rho, PAIRS * sizeof *one.rho);
        uint8_t a[TEST], b[TEST];
        predict_ours(&one, 1, a);
        predict_ours(&three, 3, b);
        assert_memory_equal(a, b, TEST);
        csvc_model_free(&one);
        csvc_model_free(&three);
    }
}

static void too_little_memory(void **state)
{
    (void)state;
    struct csvc_training t = training(SVM_RBF);
    struct csvc_model model;
    struct csvc_report report;
    struct error err = {""};
    t.memory = 100000;
    assert_true(csvc_train(&t, train_x, counts, CLASSES, D, &model, &report, &err) < 0);
    assert_non_null(strstr(err.text, "only 0.1 MB are allowed"));
    csvc_model_free(&model);
}

/* With a negative coef0, rows may have small kernel values with themselves and huge ones with
 * others. */
static void kernel_values_beyond_float(void **state)
{
    (void)state;
    static const struct {
        float rows[8]; /* two of each class */
        const char *says;
    } cases[] = {{{1, 0, 1, 0, 0, 1, -1, 0},
                  "rows of class 1 have no finite kernel value with rows of class 1"},
                 {{1, 0, 1, 0, 0, 1, 0, 1},
                  "rows of class 0 have no finite kernel value with rows of class 1"}};
    static const size_t two[] = {2, 2};
    for (size_t i = 0; i < 2; i++) {
        struct csvc_training t = training(SVM_POLY);
        struct csvc_model model;
        struct csvc_report report;
        struct error err = {""};
        t.kernel.degree = 20;
        t.kernel.gamma = 100;
        t.kernel.coef0 = -100;
        assert_int_equal(csvc_train(&t, cases[i].rows, two, 2, 2, &model, &report, &err), -ERANGE);
        if (!strstr(err.text, cases[i].says))
            fail_msg("case %zu says: %s", i, err.text);
        csvc_model_free(&model);
    }
}

/* An ill-conditioned problem, with fewer columns than rows and a large C, which needs Newton steps
 * and shrinking. The conditions of the optimum must hold for every row. */
static void hard_problem_is_optimal(void **state)
{
    (void)state;
    enum { HALF = 300, N = 2 * HALF, WIDTH = 12 };
    struct random r = random_start(21, 0);
    static float x[N * WIDTH], k[2][2][HALF * HALF];
    double beta[N];
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < WIDTH; j++)
            x[i * WIDTH + j] =
                (float)(random_normal(&r) * (j == 0 ? 30 : 1) + (i < HALF && j > 5 ? 0.4 : 0));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            double sum = 0;
            for (size_t c = 0; c < WIDTH; c++)
                sum += (double)x[i * WIDTH + c] * x[j * WIDTH + c];
            k[i >= HALF][j >= HALF][i % HALF * HALF + j % HALF] = (float)sum;
        }
    struct smo_problem problem = {.n = {HALF, HALF},
                                  .k = {{k[0][0], k[0][1]}, {k[1][0], k[1][1]}},
                                  .c = {10, 10},
                                  .tolerance = 1e-3};
    struct smo_result result = {.beta = beta};
    struct error err = {""};
    assert_int_equal(smo_solve(&problem, &result, &err), 0);
    assert_true(result.converged);
    assert_true(result.iterations < 100 * N); /* 100 times as many without Newton steps */
    double balance = 0, top = -INFINITY, bottom = INFINITY;
    for (size_t i = 0; i < N; i++) {
        double decision = 0, low = i < HALF ? 0 : -problem.c[1], high = i < HALF ? problem.c[0] : 0;
        for (size_t j = 0; j < N; j++)
            decision += beta[j] * (double)k[i >= HALF][j >= HALF][i % HALF * HALF + j % HALF];
        double value = (i < HALF ? 1 : -1) - decision;
        assert_true(beta[i] >= low && beta[i] <= high);
        balance += beta[i];
        if (beta[i] < high)
            top = fmax(top, value);
        if (beta[i] > low)
            bottom = fmin(bottom, value);
    }
    assert_true(fabs(balance) < 1e-9);
    assert_true(top - bottom < 1.1e-3);
    assert_true(-result.rho <= top + 1e-3 && -result.rho >= bottom - 1e-3);
}

/* A model truncated anywhere, or with a wrong keyword or number, gives an error that names the
 * file. */
static void damaged_models(void **state)
{
    (void)state;
    static const char good[] =
        "svm_type c_svc\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\n"
        "rho 0.25\nlabel 0 1\nnr_sv 1 1\nSV\n1 1:1 3:2 \n-1 2:1 3:4 \n";
    struct csvc_model model;
    struct error err = {""};
    assert_int_equal(file_write("m.svm", good, sizeof good - 1, &err), 0);
    assert_int_equal(svm_model_read("m.svm", 3, CLASSES, &model, &err), 0);
    csvc_model_free(&model);
    for (size_t size = 0; size < sizeof good - 1; size++) {
        assert_int_equal(file_write("m.svm", good, size, &err), 0);
        assert_true(svm_model_read("m.svm", 3, CLASSES, &model, &err) < 0);
        assert_non_null(strstr(err.text, "m.svm"));
    }
    static const struct {
        const char *from, *to, *says;
    } spoilt[] = {
        {"c_svc", "nu_svc", "expected c_svc"},
        {"rbf", "precomputed", "precomputed"},
        {"gamma 0.5\n", "", "expected gamma before SV"},
        {"gamma 0.5", "gamma nan", "expected a number"},
        {"nr_class 2", "nr_class 9", "2 to 7"},
        {"total_sv 2", "total_sv 1e15", "holds at most"},
        {"total_sv 2", "total_sv 3", "adds up"},
        {"label 0 1", "label 0 0", "given twice"},
        {"label 0 1", "label 0 7", "0 to 6"},
        {"label 0 1", "label 0", "1 label"},
        {"rho 0.25", "rho", "0 rho"},
        {"nr_sv 1 1", "nr_sv 3 -1", "whole number"},
        {"1:1 3:2", "1:1 4:2", "3 columns"},
        {"1:1 3:2", "3:1 1:2", "rising"},
        {"1:1 3:2", "1:x 3:2", "finite"},
        {"1:1 3:2", "1:1e99 3:2", "finite"},
        {"-1 2:1", "2:1", "coefficients"},
        {"3:4 \n", "3:4 \n1 1:1\n", "more than the 2"},
        {"label", "lable", "unknown keyword"},
        {"1:1 3:2", "0:1 3:2", "rising"},
    };
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        char text[512];
        const char *at = strstr(good, spoilt[i].from);
        assert_non_null(at);
        int length = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, spoilt[i].to,
                              at + strlen(spoilt[i].from));
        assert_int_equal(file_write("m.svm", text, (size_t)length, &err), 0);
        assert_true(svm_model_read("m.svm", 3, CLASSES, &model, &err) < 0);
        if (!strstr(err.text, spoilt[i].says))
            fail_msg("'%s' doesn't say '%s'", err.text, spoilt[i].says);
    }
    assert_int_equal(file_write("m.svm", good, sizeof good - 1, &err), 0);
    assert_true(svm_model_read("m.svm", 4, CLASSES, &model, &err) < 0);
    assert_non_null(strstr(err.text, "a model of 3 columns, but the features have 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),
        cmocka_unit_test(poly),
        cmocka_unit_test(rbf),
        cmocka_unit_test(sigmoid),
        cmocka_unit_test(weights),
        cmocka_unit_test(sigmoid_in_double_takes_the_same_steps),
        cmocka_unit_test(text_format_both_ways),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(too_little_memory),
        cmocka_unit_test(kernel_values_beyond_float),
        cmocka_unit_test(hard_problem_is_optimal),
        cmocka_unit_test(damaged_models),
    };
    return cmocka_run_group_tests(tests, draw, leave);
}
