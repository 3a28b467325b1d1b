/* Cross-validation of support vector machines: the prediction of each row equals that of LIBSVM
 * trained on the other folds; the stage assigns rows evenly to folds; scores are consistent;
 * train_svm uses the best point. */
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
#include "kernels/classifiers/svm/cross_validation.h"
#include "stages/data/formats.h"
#include "stages/job.h"
#include "tests/unit/run_job.h"

enum { D = 12, FOLDS = 4, ROWS = 7 * 60, POINTS = 2 };

static char folder[] = "/tmp/ferdag-cross-XXXXXX";
static float rows[ROWS * D];
static size_t starts[CLASSES * (FOLDS + 1)], n;
static uint8_t labels[ROWS], fold_of[ROWS];
static const double weights[CLASSES] = {1, 3, 1, 1, 0.5, 1, 1}, costs[POINTS] = {0.3, 20},
                    gammas[POINTS] = {0.02, 0.15};

/* Overlapping clusters, classes and folds of unequal sizes, ordered by both. */
static int draw(void **state)
{
    (void)state;
    struct random r = random_start(31, 0);
    for (size_t c = 0; c < CLASSES; c++) {
        for (size_t f = 0; f < FOLDS; f++) {
            starts[c * (FOLDS + 1) + f] = n;
            for (size_t i = 0; i < (c == 1 ? 1 : 5 + c + f); i++, n++) {
                labels[n] = (uint8_t)c;
                fold_of[n] = (uint8_t)f;
                for (size_t j = 0; j < D; j++)
                    rows[n * D + j] = (float)(random_normal(&r) + (j == c ? 2 : 0));
            }
        }
        starts[c * (FOLDS + 1) + FOLDS] = n;
    }
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

static struct csvc_training training(enum csvc_kernel_type type)
{
    return (struct csvc_training){.kernel = {.type = type, .degree = 3, .coef0 = 0.1},
                                  .weights = weights,
                                  .tolerance = 1e-3,
                                  .wide = type == SVM_SIGMOID,
                                  .memory = 100000000,
                                  .threads = 1};
}

static int predict_ours(const struct csvc_training *t, uint8_t *predicted, struct error *err)
{
    struct csvc_report report;
    struct csvc_grid grid = {.c = costs,
                             .c_count = POINTS,
                             .gamma = gammas,
                             .gamma_count = t->kernel.type == SVM_LINEAR ? 1 : POINTS};
    int rc =
        csvc_cross_validate(t, rows, starts, CLASSES, FOLDS, D, &grid, predicted, &report, err);
    assert_int_equal(report.unconverged, 0);
    return rc;
}

static void quiet(const char *text)
{
    (void)text;
}

/* Trains LIBSVM without a fold and predicts that fold. */
static void predict_theirs(enum csvc_kernel_type type, double c, double gamma, size_t fold,
                           uint8_t *out)
{
    static const int types[SVM_KERNELS] = {LINEAR, POLY, RBF, SIGMOID};
    static int names[CLASSES] = {0, 1, 2, 3, 4, 5, 6};
    static struct svm_node nodes[ROWS][D + 1], *x[ROWS];
    static double y[ROWS];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        for (int j = 0; j < D; j++)
            nodes[i][j] = (struct svm_node){j + 1, rows[i * D + j]};
        nodes[i][D].index = -1;
        if (fold_of[i] != fold) {
            y[count] = labels[i];
            x[count++] = nodes[i];
        }
    }
    struct svm_problem problem = {(int)count, y, x};
    struct svm_parameter parameter = {.svm_type = C_SVC,
                                      .kernel_type = types[type],
                                      .degree = 3,
                                      .gamma = gamma,
                                      .coef0 = 0.1,
                                      .cache_size = 50,
                                      .eps = 1e-3,
                                      .C = c,
                                      .shrinking = 1,
                                      .nr_weight = CLASSES,
                                      .weight_label = names,
                                      .weight = (double *)weights};
    svm_set_print_string_function(quiet);
    struct svm_model *model = svm_train(&problem, &parameter);
    for (size_t i = 0; i < n; i++)
        if (fold_of[i] == fold)
            out[i] = (uint8_t)svm_predict(model, nodes[i]);
    svm_free_and_destroy_model(&model);
}

static void same_as_libsvm(void **state)
{
    (void)state;
    static uint8_t ours[POINTS * POINTS * ROWS], theirs[ROWS];
    for (int type = 0; type < SVM_KERNELS; type++) {
        struct csvc_training t = training((enum csvc_kernel_type)type);
        struct error err = {""};
        assert_int_equal(predict_ours(&t, ours, &err), 0);
        size_t different = 0, right = 0, points = type == SVM_LINEAR ? POINTS : POINTS * POINTS;
        for (size_t p = 0; p < points; p++) {
            for (size_t f = 0; f < FOLDS; f++)
                predict_theirs((enum csvc_kernel_type)type, costs[p % POINTS], gammas[p / POINTS],
                               f, theirs);
            for (size_t i = 0; i < n; i++) {
                different += ours[p * n + i] != theirs[i];
                right += ours[p * n + i] == labels[i];
            }
        }
        if (different > 2) /* within the tolerance of both */
            fail_msg("%s: %zu of %zu differ", csvc_kernel_names[type], different, points * n);
        assert_true(right > points * n / 3 && right < points * n);
    }
}

static void threads_change_nothing(void **state)
{
    (void)state;
    static uint8_t one[POINTS * POINTS * ROWS], three[POINTS * POINTS * ROWS];
    for (int type = 0; type < SVM_KERNELS; type++) {
        struct csvc_training t = training((enum csvc_kernel_type)type);
        struct error err = {""};
        size_t points = type == SVM_LINEAR ? POINTS : POINTS * POINTS;
        assert_int_equal(predict_ours(&t, one, &err), 0);
        t.threads = 3;
        assert_int_equal(predict_ours(&t, three, &err), 0);
        assert_memory_equal(one, three, points * n);
    }
}

static void bad_problems(void **state)
{
    (void)state;
    static uint8_t out[POINTS * POINTS * ROWS];
    struct csvc_training t = training(SVM_RBF);
    struct error err = {""};
    t.memory = 100000;
    assert_int_equal(predict_ours(&t, out, &err), -ENOMEM);
    assert_non_null(strstr(err.text, "only 0.1 MB are allowed"));

    /* Two folds, so that the two rows with huge values meet in a prediction only, not in training.
     */
    static const float pairs[] = {1e12f, 0.1f, -1e12f, 0.1f, 0.1f, 0.2f, 0.3f, 0.4f};
    static const size_t two[] = {0, 1, 2, 2, 3, 4};
    static const double one[] = {1};
    struct csvc_report report;
    struct csvc_grid grid = {one, one, 1, 1};
    t = training(SVM_POLY);
    t.kernel.coef0 = 1e24;
    t.kernel.degree = 2;
    assert_int_equal(csvc_cross_validate(&t, pairs, two, 2, 2, 2, &grid, out, &report, &err),
                     -ERANGE);
    assert_non_null(strstr(err.text, "no finite kernel value with rows of class"));
}

/* ---- the stages ---- */

static void put_features(void)
{
    struct error err = {""};
    struct features f = {.n = n, .d = D};
    size_t shape[] = {n, D};
    assert_int_equal(array_make(&f.x, ARRAY_F32, 2, shape, &err), 0);
    assert_int_equal(array_make(&f.labels, ARRAY_U8, 1, shape, &err), 0);
    for (size_t i = 0; i < n; i++) { /* not in order of class: 17 and n have no common divisor */
        size_t from = i * 17 % n;
        memcpy((float *)f.x.data + i * D, rows + from * D, D * sizeof *rows);
        ((uint8_t *)f.labels.data)[i] = labels[from];
    }
    assert_int_equal(features_write("features", SPLIT_TRAIN, &f, &err), 0);
    features_free(&f);
}

static const char OUTPUTS[] = "\"scores\":\"scores.json\",\"folds\":\"folds.npy\","
                              "\"best\":\"best.json\",\"model\":\"model\","
                              "\"timing\":\"timing.json\"";

static int run_stage(const char *kind, const char *params, const char *inputs, struct error *err)
{
    char *all = format_string("\"features\":[{\"path\":\"features\"}]%s", inputs);
    assert_non_null(all);
    int rc = run_job(kind, params, all, OUTPUTS, 1, err);
    free(all);
    return rc;
}

static void expect_error(const char *kind, const char *params, const char *inputs, const char *says)
{
    struct error err;
    assert_true(run_stage(kind, params, inputs, &err) < 0);
    if (!strstr(err.text, says))
        fail_msg("'%s' doesn't say '%s'", err.text, says);
}

static void expect_success(const char *kind, const char *params, const char *inputs)
{
    struct error err;
    int rc = run_stage(kind, params, inputs, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

/* The numbers of rows of a class in the folds differ by at most one, and so do the numbers of all
 * rows. The same seed gives the same folds, another seed other folds. */
static void folds_are_even(void **state)
{
    (void)state;
    static const char *const params[] = {"\"kernel\":\"rbf\",\"folds\":3,\"c\":1",
                                         "\"kernel\":\"linear\",\"folds\":3,\"c\":2",
                                         "\"kernel\":\"rbf\",\"folds\":3,\"c\":1,\"seed\":2"};
    struct array folds[3], truth;
    struct error err = {""};
    put_features();
    assert_int_equal(array_read("features/train_labels.npy", ARRAY_U8, 1, &truth, &err), 0);
    for (size_t i = 0; i < 3; i++) {
        expect_success("cross_validate_svm", params[i], "");
        assert_int_equal(array_read("folds.npy", ARRAY_U8, 1, &folds[i], &err), 0);
        assert_int_equal(folds[i].shape[0], n);
        size_t counts[CLASSES][3] = {0}, all[3] = {0};
        for (size_t r = 0; r < n; r++) {
            size_t f = ((uint8_t *)folds[i].data)[r];
            assert_true(f < 3);
            counts[((uint8_t *)truth.data)[r]][f]++;
            all[f]++;
        }
        for (size_t a = 0; a < 3; a++)
            for (size_t b = 0; b < 3; b++) {
                assert_true(all[a] <= all[b] + 1);
                for (size_t c = 0; c < CLASSES; c++)
                    assert_true(counts[c][a] <= counts[c][b] + 1);
            }
    }
    assert_memory_equal(folds[0].data, folds[1].data, n);
    assert_true(memcmp(folds[0].data, folds[2].data, n) != 0);
    for (size_t i = 0; i < 3; i++)
        array_free(&folds[i]);
    array_free(&truth);
}

static double number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static void scores_add_up(void **state)
{
    (void)state;
    put_features();
    expect_success("cross_validate_svm",
                   "\"kernel\":\"rbf\",\"c\":[0.01,1,20],\"gamma\":[0.02,0],\"folds\":4", "");
    json_t *scores = json_load_file("scores.json", 0, NULL);
    const json_t *grid = json_object_get(scores, "grid"), *best = json_object_get(scores, "best");
    assert_string_equal(json_string_value(json_object_get(scores, "kernel")), "rbf");
    assert_int_equal(json_array_size(grid), 6);
    double most = 0, scaled = number(json_array_get(grid, 3), "gamma");
    for (size_t i = 0; i < 6; i++) {
        static const double c[] = {0.01, 1, 20};
        const json_t *point = json_array_get(grid, i), *folds = json_object_get(point, "folds");
        double sum = 0, squares = 0;
        assert_int_equal(json_array_size(folds), 4);
        for (size_t k = 0; k < 4; k++) {
            double a = json_number_value(json_array_get(folds, k));
            assert_true(a >= 0 && a <= 1);
            sum += a;
            squares += a * a;
        }
        assert_true(fabs(number(point, "mean") - sum / 4) < 1e-12);
        assert_true(fabs(number(point, "deviation") -
                         sqrt(fmax(0, squares / 4 - sum / 4 * sum / 4))) < 1e-7);
        assert_true(number(point, "c") == c[i % 3]);
        assert_true(number(point, "gamma") == (i < 3 ? 0.02 : scaled));
        most = fmax(most, number(point, "mean"));
    }
    assert_true(scaled > 0.02 && most > 0.5);
    assert_true(number(best, "mean") == most);
    json_decref(scores);
}

/* train_svm with the input `best` gives the same model as with these c and gamma as params. */
static void training_takes_the_best(void **state)
{
    (void)state;
    static const char input[] = ",\"best\":[{\"path\":\"best.json\"}]";
    struct error err = {""};
    char *one, *two, params[128];
    size_t size, again;
    put_features();
    expect_success("cross_validate_svm",
                   "\"kernel\":\"rbf\",\"c\":[1e-6,3],\"gamma\":[1e-5,0.05],\"folds\":4", "");
    expect_success("train_svm", "\"kernel\":\"rbf\"", input);
    assert_int_equal(file_read("model", 1 << 20, &one, &size, &err), 0);
    snprintf(params, sizeof params, "\"kernel\":\"rbf\",\"c\":%.17g,\"gamma\":%.17g", 3.0, 0.05);
    expect_success("train_svm", params, "");
    assert_int_equal(file_read("model", 1 << 20, &two, &again, &err), 0);
    assert_int_equal(size, again);
    assert_memory_equal(one, two, size);
    free(one);
    free(two);
    expect_error("train_svm", "\"kernel\":\"poly\"", input,
                 "best: for kernel rbf, but the param kernel is poly");
    expect_success("cross_validate_svm", "\"c\":[0.1,1],\"folds\":4", "");
    expect_success("train_svm", "", input);
    static const char *const spoilt[] = {"",
                                         "{}",
                                         "[]",
                                         "{\"kernel\":\"linear\",\"c\":0}",
                                         "{\"kernel\":\"linear\",\"c\":\"1\"}",
                                         "{\"kernel\":\"linear\",\"c\":1e99}",
                                         "{\"kernel\":\"linear\",\"c\":1"};
    for (size_t i = 0; i < sizeof spoilt / sizeof *spoilt; i++) {
        assert_int_equal(file_write("best.json", spoilt[i], strlen(spoilt[i]), &err), 0);
        expect_error("train_svm", "", input,
                     "best: expected the output best of cross_validate_svm");
    }
}

static void bad_settings(void **state)
{
    (void)state;
    static const struct {
        const char *params, *says;
    } bad[] = {
        {"\"folds\":5", "class disgust has 4 rows, fewer than the 5 folds"},
        {"\"folds\":1", "param folds"},
        {"\"folds\":4,\"c\":[]", "c: 0 values, expected 1 to 64"},
        {"\"folds\":4,\"c\":[1,0]", "c: expected a number or a list of numbers"},
        {"\"folds\":4,\"c\":\"1\"", "c: expected a number or a list of numbers"},
        {"\"folds\":4,\"gamma\":[1,2]", "gamma: 2 values, but the linear kernel has no gamma"},
        {"\"folds\":4,\"kernel\":\"rbf\",\"gamma\":-1",
         "gamma: expected a number or a list of numbers"},
        {"\"folds\":4,\"kernel\":\"rbf\",\"gamma\":{}",
         "gamma: expected a number or a list of numbers"},
        {"\"folds\":4,\"class_weight\":7", "class_weight: expected none, balanced, or a map"},
    };
    put_features();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_error("cross_validate_svm", bad[i].params, "", bad[i].says);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_libsvm), cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(bad_problems),   cmocka_unit_test(folds_are_even),
        cmocka_unit_test(scores_add_up),  cmocka_unit_test(training_takes_the_best),
        cmocka_unit_test(bad_settings),
    };
    return cmocka_run_group_tests(tests, draw, leave);
}
