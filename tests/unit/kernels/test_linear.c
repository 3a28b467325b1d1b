/* The linear classifiers and what they are made of: L-BFGS on functions whose minima are known, the
 * loss's gradient by finite differences, weights and decisions against figures computed with
 * scikit-learn 1.9.1 on the same numbers (tests/oracles/classifiers.py --figures), soft votes by
 * hand. */
#include <errno.h>
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
#include "kernels/classifiers/linear_discriminant.h"
#include "kernels/math/eigen.h"
#include "kernels/classifiers/logistic_regression.h"
#include "kernels/classifiers/vote.h"

enum { TRAIN = 200, TEST = 100, D = 5, CLASSES = 4 };

static float train[TRAIN * D], test[TEST * D];
static uint8_t train_labels[TRAIN], test_labels[TEST];

/* As in test_classifiers.c, divided by 2^16, which is exact. */
static void draw(float *x, uint8_t *labels, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        labels[i] = (uint8_t)(i % CLASSES);
        for (size_t j = 0; j < D; j++) {
            uint32_t sum = 20000 * (uint32_t)((i + j) % CLASSES);
            for (int k = 0; k < 2; k++) {
                seed = seed * 1664525u + 1013904223u;
                sum += seed >> 16;
            }
            x[i * D + j] = (float)sum / 65536;
        }
    }
}

static int draw_both(void **state)
{
    (void)state;
    draw(train, train_labels, TRAIN, 1);
    draw(test, test_labels, TEST, 2);
    return 0;
}

static void expect_classes(const struct linear *model, const char *digits)
{
    uint8_t out[TEST];
    char text[TEST + 1] = "";
    struct error err = {""};
    assert_int_equal(linear_predict(model, test, TEST, out, &err), 0);
    for (size_t i = 0; i < TEST; i++)
        text[i] = (char)('0' + out[i]);
    assert_string_equal(text, digits);
}

static void near(double got, double expected, double by)
{
    if (!(fabs(got - expected) <= by))
        fail_msg("%.12g, expected %.12g", got, expected);
}

/* Weights and biases minus those of class 0. A part that all classes share changes no decision, and
 * scikit-learn's solvers differ in it. */
static void expect_figures(const struct linear *model, double weight_1_2, double weight_3_0,
                           double bias_3, double by)
{
    const double *w = model->weights, *b = linear_biases(model);
    near(w[1 * D + 2] - w[2], weight_1_2, by);
    near(w[3 * D] - w[0], weight_3_0, by);
    near(b[3] - b[0], bias_3, by);
}

/* ---- L-BFGS ---- */

static int rosenbrock(void *context, const double *x, double *value, double *gradient,
                      struct error *err)
{
    (void)err;
    size_t n = *(const size_t *)context;
    *value = 0;
    memset(gradient, 0, n * sizeof *gradient);
    for (size_t i = 0; i + 1 < n; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        *value += 100 * a * a + b * b;
        gradient[i] += -400 * a * x[i] - 2 * b;
        gradient[i + 1] += 200 * a;
    }
    return 0;
}

static void lbfgs_finds_the_valley(void **state)
{
    (void)state;
    double x[10];
    size_t n = 10;
    struct lbfgs problem = {
        .n = n, .evaluate = rosenbrock, .context = &n, .tolerance = 1e-8, .most_iterations = 500};
    struct lbfgs_report report;
    struct error err = {""};
    for (size_t i = 0; i < n; i++)
        x[i] = i % 2 ? 1 : -1.2;
    assert_int_equal(lbfgs_minimize(&problem, x, &report, &err), 0);
    assert_true(report.converged && report.iterations < 200 && report.gradient < 1e-5);
    assert_true(report.evaluations > report.iterations && report.evaluations < 300);
    for (size_t i = 0; i < n; i++)
        near(x[i], 1, 1e-6);
    x[0] = -1.2;
    problem.most_iterations = 3;
    assert_int_equal(lbfgs_minimize(&problem, x, &report, &err), 0);
    assert_true(!report.converged && report.iterations == 3 && report.gradient > 1e-5);
}

/* |x|: no gradient is small, so the search must end because the value no longer decreases. */
static int kink(void *context, const double *x, double *value, double *gradient, struct error *err)
{
    (void)context;
    (void)err;
    *value = fabs(x[0]) + fabs(x[1] - 3);
    gradient[0] = x[0] < 0 ? -1 : 1;
    gradient[1] = x[1] < 3 ? -1 : 1;
    return 0;
}

static int broken(void *context, const double *x, double *value, double *gradient,
                  struct error *err)
{
    int *left = context;
    *value = x[0] * x[0];
    gradient[0] = 2 * x[0];
    return (*left)-- > 0 ? 0 : error_set(err, ENOMEM, "no more");
}

static void lbfgs_ends(void **state)
{
    (void)state;
    double x[2] = {5, -7};
    int left = 1;
    struct lbfgs_report report;
    struct error err = {""};
    struct lbfgs problem = {.n = 2, .evaluate = kink, .tolerance = 1e-9, .most_iterations = 100000};
    assert_int_equal(lbfgs_minimize(&problem, x, &report, &err), 0);
    assert_true(report.iterations < 1000 && isfinite(report.value) && report.value < 12);
    problem = (struct lbfgs){
        .n = 1, .evaluate = broken, .context = &left, .tolerance = 0, .most_iterations = 10};
    assert_true(lbfgs_minimize(&problem, x, &report, &err) < 0);
    assert_string_equal(err.text, "no more");
}

/* ---- logistic regression ---- */

static struct logistic training(int threads)
{
    return (struct logistic){.x = train,
                             .labels = train_labels,
                             .n = TRAIN,
                             .d = D,
                             .classes = CLASSES,
                             .c = 2,
                             .threads = threads};
}

/* The loss by its definition, in long double. */
static double reference_loss(const double *weights)
{
    long double sum = 0, squares = 0;
    for (size_t i = 0; i < TRAIN; i++) {
        long double scores[CLASSES], all = 0;
        for (size_t c = 0; c < CLASSES; c++) {
            scores[c] = weights[CLASSES * D + c];
            for (size_t j = 0; j < D; j++)
                scores[c] += (long double)weights[c * D + j] * train[i * D + j];
            all += expl(scores[c]);
        }
        sum += logl(all) - scores[train_labels[i]];
    }
    for (size_t k = 0; k < CLASSES * D; k++)
        squares += (long double)weights[k] * weights[k];
    return (double)(sum / TRAIN + squares / (2 * 2 * TRAIN));
}

static void gradient_by_differences(void **state)
{
    (void)state;
    enum { SIZE = CLASSES * (D + 1) };
    struct random r = random_start(3, 0);
    struct logistic problem = training(1);
    struct error err = {""};
    double w[SIZE], gradient[SIZE], again[SIZE], value, other;
    for (size_t k = 0; k < SIZE; k++)
        w[k] = random_normal(&r);
    assert_int_equal(logistic_loss(&problem, w, &value, gradient, &err), 0);
    near(value, reference_loss(w), 1e-13 * value);
    for (size_t k = 0; k < SIZE; k++) {
        double h = 1e-5, kept = w[k];
        w[k] = kept + h;
        double above = reference_loss(w);
        w[k] = kept - h;
        double below = reference_loss(w);
        w[k] = kept;
        near(gradient[k], (above - below) / (2 * h), 1e-8);
    }
    problem.threads = 3; /* the same bytes */
    assert_int_equal(logistic_loss(&problem, w, &other, again, &err), 0);
    assert_true(other == value);
    assert_memory_equal(again, gradient, sizeof gradient);
    for (size_t k = 0; k < SIZE; k++) /* exp overflows unless the largest score is subtracted */
        w[k] *= 1e4;
    assert_int_equal(logistic_loss(&problem, w, &value, gradient, &err), 0);
    assert_true(isfinite(value) && isfinite(gradient[0]));
}

static void logistic_as_sklearn(void **state)
{
    (void)state;
    struct logistic problem = training(2);
    struct linear model;
    struct lbfgs_report report;
    struct error err = {""};
    assert_int_equal(logistic_fit(&problem, 1e-9, 10000, NULL, NULL, &model, &report, &err), 0);
    assert_true(report.converged);
    /* 1e-4: the loss is flat near its minimum */
    expect_figures(&model, 1.8248166709, 3.5957039779, -7.2486668949, 1e-4);
    expect_classes(&model, "01230323012202120123012311230123012001230111012301100133112311231121022"
                           "30133012301130122012301231122");
    linear_free(&model);
}

/* Columns far from 0 give the same weights, other biases, and take no more iterations. */
static void logistic_of_moved_columns(void **state)
{
    (void)state;
    static float moved[TRAIN * D];
    struct logistic problem = training(1);
    struct linear model, other;
    struct lbfgs_report report, again;
    struct error err = {""};
    for (size_t i = 0; i < TRAIN * D; i++)
        moved[i] = train[i] + 64;
    assert_int_equal(logistic_fit(&problem, 1e-9, 10000, NULL, NULL, &model, &report, &err), 0);
    problem.x = moved;
    assert_int_equal(logistic_fit(&problem, 1e-9, 10000, NULL, NULL, &other, &again, &err), 0);
    assert_true(report.converged && again.converged);
    assert_true(again.iterations <= report.iterations + 3);
    for (size_t c = 0; c < CLASSES; c++) {
        double shift = 0;
        for (size_t j = 0; j < D; j++) {
            near(other.weights[c * D + j], model.weights[c * D + j], 1e-6);
            shift += 64 * model.weights[c * D + j];
        }
        near(linear_biases(&other)[c], linear_biases(&model)[c] - shift, 1e-4);
    }
    linear_free(&model);
    linear_free(&other);
}

/* ---- discriminants ---- */

static struct discriminant discriminant_training(double shrinkage, int threads)
{
    return (struct discriminant){.x = train,
                                 .labels = train_labels,
                                 .n = TRAIN,
                                 .d = D,
                                 .classes = CLASSES,
                                 .shrinkage = shrinkage,
                                 .tolerance = 1e-4,
                                 .threads = threads};
}

static void discriminant_as_sklearn(void **state)
{
    (void)state;
    static const struct {
        double shrinkage, weight_1_2, weight_3_0, bias_3;
        const char *digits;
    } cases[] = {
        {0, 2.5482205412277956, 5.549005684619873, -9.433366349140707,
         "01230323012201120122012311230123012001230121012301100023112311231122022301330123011301220"
         "12301231122"},
        {0.2, 2.4257978261085746, 5.4735527495987455, -9.511705022501136,
         "01230323012202120122012311230123012001230121012301100123112311231122022301330123011301220"
         "12301231122"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct discriminant problem = discriminant_training(cases[i].shrinkage, 1);
        struct discriminant_report report;
        struct linear model, again;
        struct error err = {""};
        assert_int_equal(discriminant_fit(&problem, &model, &report, &err), 0);
        assert_int_equal(report.rank, D);
        expect_figures(&model, cases[i].weight_1_2, cases[i].weight_3_0, cases[i].bias_3, 1e-9);
        expect_classes(&model, cases[i].digits);
        problem.threads = 3;
        assert_int_equal(discriminant_fit(&problem, &again, &report, &err), 0);
        assert_memory_equal(again.weights, model.weights,
                            CLASSES * (D + 1) * sizeof *model.weights);
        linear_free(&model);
        linear_free(&again);
    }
}

/* A constant column, a repeated column, and a column that is constant within each class have no
 * effect. */
static void discriminant_ignores_useless_columns(void **state)
{
    (void)state;
    enum { MORE = D + 3 };
    static float wide[TRAIN * MORE];
    struct discriminant problem = discriminant_training(0, 1);
    struct discriminant_report report;
    struct linear plain, model;
    struct error err = {""};
    assert_int_equal(discriminant_fit(&problem, &plain, &report, &err), 0);
    for (size_t i = 0; i < TRAIN; i++) {
        memcpy(wide + i * MORE, train + i * D, D * sizeof *wide);
        wide[i * MORE + D] = 0.1f;
        wide[i * MORE + D + 1] = wide[i * MORE + 2];
        wide[i * MORE + D + 2] = train_labels[i] == 1 ? 0.7f : 0.3f;
    }
    problem.x = wide;
    problem.d = MORE;
    assert_int_equal(discriminant_fit(&problem, &model, &report, &err), 0);
    assert_int_equal(report.rank, D);
    for (size_t c = 0; c < CLASSES; c++) {
        const double *w = model.weights + c * MORE, *p = plain.weights + c * D;
        assert_true(w[D] == 0 && w[D + 2] == 0);
        near(w[2] + w[D + 1], p[2], 1e-9); /* the copies share the weight */
        near(w[0], p[0], 1e-9);
        near(linear_biases(&model)[c], linear_biases(&plain)[c], 1e-8);
    }
    linear_free(&model);
    linear_free(&plain);
}

static void discriminant_refuses(void **state)
{
    (void)state;
    static const float x[] = {1, 2, 3, 4};
    static const uint8_t pairs[] = {0, 0, 1, 1}, each[] = {0, 1, 2, 3}, gap[] = {0, 0, 2, 2};
    static const float steps[] = {1, 1, 2, 2};
    static const struct {
        const float *x;
        const uint8_t *labels;
        size_t classes;
        const char *says;
    } cases[] = {
        {x, each, 4, "4 training rows for 4 classes"},
        {x, gap, 3, "class 1 has no training row"},
        {steps, pairs, 2, "no column varies"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct discriminant problem = {.x = cases[i].x,
                                       .labels = cases[i].labels,
                                       .n = 4,
                                       .d = 1,
                                       .classes = cases[i].classes,
                                       .tolerance = 1e-4,
                                       .threads = 1};
        struct discriminant_report report;
        struct linear model;
        struct error err = {""};
        assert_true(discriminant_fit(&problem, &model, &report, &err) < 0);
        assert_non_null(strstr(err.text, cases[i].says));
        linear_free(&model);
    }
}

static void eigenvectors_rebuild(void **state)
{
    (void)state;
    /* eigenvalues 0, 2 and 6; of the last, (1, 1, 1)/sqrt(3) */
    double a[] = {3, 1, 2, 1, 3, 2, 2, 2, 2}, w[3], z[9], kept[9];
    struct error err = {""};
    memcpy(kept, a, sizeof a);
    assert_int_equal(eigen_largest(a, 3, 3, w, z, &err), 0);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            double sum = 0;
            for (size_t k = 0; k < 3; k++)
                sum += w[k] * z[k * 3 + i] * z[k * 3 + j];
            near(sum, kept[i * 3 + j], 1e-13);
        }
    assert_true(w[0] < w[1] && w[1] < w[2]);
    near(w[2], 6, 1e-13);
    near(fabs(z[6]), 1 / sqrt(3), 1e-13);
}

/* ---- votes ---- */

static void soft_vote_by_hand(void **state)
{
    (void)state;
    /* logarithms of 1, 2, 1 (shares 1/4, 1/2, 1/4) and of 6, 1, 1 (3/4, 1/8, 1/8) */
    const float one = 0, two = (float)log(2), six = (float)log(6);
    const float rows[2][2][3] = {{{one, two, one}, {six, one, one}},
                                 {{1000, 0, -1000}, {-1000, 0, 1000}}};
    double mean[3];
    uint8_t out[2];
    vote_probabilities(&rows[0][0][0], 2, 3, mean);
    near(mean[0], 0.5, 1e-7);
    near(mean[1], 0.3125, 1e-7);
    near(mean[2], 0.1875, 1e-7);
    vote_soft(&rows[0][0][0], 2, 2, 3, 2, out);
    assert_int_equal(out[0], 0); /* the second net gives a higher probability */
    assert_int_equal(out[1], 0); /* a tie of 0 and 2 goes to the lower */
    vote_soft(&rows[0][0][0], 1, 1, 3, 1, out);
    assert_int_equal(out[0], 1); /* a single net */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lbfgs_finds_the_valley),
        cmocka_unit_test(lbfgs_ends),
        cmocka_unit_test(gradient_by_differences),
        cmocka_unit_test(logistic_as_sklearn),
        cmocka_unit_test(logistic_of_moved_columns),
        cmocka_unit_test(discriminant_as_sklearn),
        cmocka_unit_test(discriminant_ignores_useless_columns),
        cmocka_unit_test(discriminant_refuses),
        cmocka_unit_test(eigenvectors_rebuild),
        cmocka_unit_test(soft_vote_by_hand),
    };
    return cmocka_run_group_tests(tests, draw_both, NULL);
}
