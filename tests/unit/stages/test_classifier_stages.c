/* The classifier kinds as stages: their outputs, the same bytes for any number of threads, and one
 * clear message for each kind of bad input. */
#include <math.h>
#include <stdio.h>
#include "stages/classifiers/time_predict.h"
#include "tests/unit/feature_stage.h"

static double accuracy(enum split split)
{
    struct array predicted, labels;
    struct error err = {""};
    size_t hits = 0;
    assert_int_equal(predictions_read("out", split, &predicted, &labels, &err), 0);
    assert_int_equal(labels.shape[0], TEST);
    for (size_t i = 0; i < TEST; i++)
        hits += ((uint8_t *)predicted.data)[i] == ((uint8_t *)labels.data)[i];
    array_free(&predicted);
    array_free(&labels);
    return (double)hits / TEST;
}

static void check_timing(bool trained)
{
    json_t *json = json_load_file("timing.json", 0, NULL);
    static const char *const ways[] = {"batch", "single"};
    for (size_t i = 0; i < 2; i++) {
        double median, q1, q3, min, max;
        json_int_t repeats, images;
        assert_int_equal(json_unpack(json, "{s:{s:f,s:f,s:f,s:f,s:f,s:I,s:I}}", ways[i], "median",
                                     &median, "first_quartile", &q1, "third_quartile", &q3, "min",
                                     &min, "max", &max, "repeats", &repeats, "images", &images),
                         0);
        assert_true(0 < min && min <= q1 && q1 <= median && median <= q3 && q3 <= max && max < 1);
        assert_true(repeats >= 5 && repeats <= 101);
        /* Single images are predicted for a fixed time, so their number depends on the machine's
         * load. */
        assert_true(i == 0 ? images == TEST : images >= 1 && images <= TEST);
    }
    assert_true(json_integer_value(json_object_get(json, "threads")) >= 1);
    assert_true(!trained || json_number_value(json_object_get(json, "train_seconds")) >= 0);
    json_decref(json);
}

static void quartiles(void **state)
{
    (void)state;
    double one[] = {3}, two[] = {4, 2}, five[] = {5, 1, 4, 2, 30};
    struct time_summary s = time_summary(one, 1);
    assert_true(s.median == 3 && s.first_quartile == 3 && s.third_quartile == 3);
    s = time_summary(two, 2);
    assert_true(s.median == 3 && s.first_quartile == 2.5 && s.third_quartile == 3.5);
    s = time_summary(five, 5);
    assert_true(s.median == 4 && s.first_quartile == 2 && s.third_quartile == 5 && s.min == 1 &&
                s.max == 30);
}

static const struct {
    const char *kind, *params;
} trainers[] = {
    {"knn", "\"k\":3"},          {"naive_bayes", ""},
    {"decision_tree", ""},       {"random_forest", "\"trees\":20"},
    {"logistic_regression", ""}, {"linear_discriminant", ""},
};
enum { TRAINERS = sizeof trainers / sizeof *trainers };

static void trainers_learn(void **state)
{
    (void)state;
    put_features("features", D);
    for (size_t i = 0; i < TRAINERS; i++) {
        char *one, *three;
        size_t size, again;
        struct error err = {""};
        expect_success(trainers[i].kind, trainers[i].params, FEATURES, 1);
        assert_true(accuracy(SPLIT_PUBLIC) > 0.6 && accuracy(SPLIT_PRIVATE) > 0.6);
        check_timing(true);
        assert_int_equal(file_read("out/private_predictions.npy", 1 << 20, &one, &size, &err), 0);
        expect_success(trainers[i].kind, trainers[i].params, FEATURES, 3);
        assert_int_equal(file_read("out/private_predictions.npy", 1 << 20, &three, &again, &err),
                         0);
        assert_int_equal(size, again);
        assert_memory_equal(one, three, size);
        free(one);
        free(three);
    }
}

static void svm_trains_then_predicts(void **state)
{
    (void)state;
    static const char *const names[] = {"linear", "poly", "rbf", "sigmoid"};
    const char *both = "\"features\":[{\"path\":\"features\"}],\"model\":[{\"path\":\"model\"}]";
    put_features("features", D);
    for (size_t k = 0; k < 4; k++) {
        char params[64], *one, *two;
        size_t size, again;
        struct error err = {""};
        snprintf(params, sizeof params, "\"kernel\":\"%s\"", names[k]);
        expect_success("train_svm", params, FEATURES, 2);
        assert_int_equal(file_read("model", 1 << 20, &two, &again, &err), 0);
        expect_success("train_svm", params, FEATURES, 1);
        assert_int_equal(file_read("model", 1 << 20, &one, &size, &err), 0);
        assert_int_equal(size, again);
        assert_memory_equal(one, two, size);
        free(one);
        free(two);
        assert_true(number("timing.json", "iterations") > 0);
        expect_success("predict_svm", "", both, 1);
        assert_true(accuracy(SPLIT_PUBLIC) > 0.6);
        check_timing(false);
    }
    put_features("features", D + 1);
    expect_error("predict_svm", "", both, "a model of 6 columns, but the features have 7");
    put_features("features", D - 1);
    expect_error("predict_svm", "", both, "features have 5 columns");
}

/* "balanced" is the map of rows / (classes x rows of the class), and weights change the model. */
static void class_weights(void **state)
{
    (void)state;
    static const struct {
        const char *params, *says;
    } bad[] = {
        {"\"class_weight\":\"even\"", "class_weight: expected none, balanced, or a map"},
        {"\"class_weight\":[1,1,1,1,1,1,1]", "class_weight: expected none, balanced, or a map"},
        {"\"class_weight\":{\"fury\":1}", "class_weight: unknown class 'fury'"},
        {"\"class_weight\":{\"fear\":0}", "class_weight: fear: expected a number above 0"},
        {"\"class_weight\":{\"fear\":\"1\"}", "class_weight: fear: expected a number above 0"},
    };
    static const char *const params[] = {
        "", "\"class_weight\":{}", "\"class_weight\":\"balanced\"",
        "\"class_weight\":{\"angry\":4.0,\"disgust\":0.8,\"fear\":0.8,\"happy\":0.8,"
        "\"sad\":0.8,\"surprise\":0.8,\"neutral\":2.0}"};
    char *model[4];
    size_t size[4];
    struct features f = {0};
    struct error err = {""};
    put_features("features", D);
    make_split(&f, TRAIN, D, 0);
    uint8_t *labels = f.labels.data;
    for (size_t i = 0, angry = 0; i < TRAIN; i++) /* 5 rows angry, 10 neutral, 25 of each other */
        if (labels[i] == 0 && angry++ >= 5)
            labels[i] = angry <= 10 ? 1 : angry <= 15 ? 2 : 3;
    for (size_t i = 0, moved = 0; i < TRAIN; i++)
        if (labels[i] == 6 && moved < 10)
            labels[i] = moved++ < 5 ? 4 : 5;
    put("features", SPLIT_TRAIN, &f);
    features_free(&f);
    for (size_t i = 0; i < 4; i++) {
        expect_success("train_svm", params[i], FEATURES, 1);
        assert_int_equal(file_read("model", 1 << 20, &model[i], &size[i], &err), 0);
    }
    assert_true(size[0] == size[1] && memcmp(model[0], model[1], size[0]) == 0);
    assert_true(size[2] == size[3] && memcmp(model[2], model[3], size[2]) == 0);
    assert_true(size[0] != size[2] || memcmp(model[0], model[2], size[0]) != 0);
    for (size_t i = 0; i < 4; i++)
        free(model[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_error("train_svm", bad[i].params, FEATURES, bad[i].says);
}

static const char *const kernels[] = {"\"kernel\":\"linear\"", "\"kernel\":\"poly\"",
                                      "\"kernel\":\"rbf\"", "\"kernel\":\"sigmoid\""};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static const char WITH_MODEL[] =
    "\"features\":[{\"path\":\"features\"}],\"model\":[{\"path\":\"model\"}]";

/* Writes a training split changed by `spoil`, and expects an error with the text from each trainer.
 */
static void expect_all_refuse(void (*spoil)(struct features *), const char *says)
{
    put_features("features", D);
    struct features f = {0};
    make_split(&f, TRAIN, D, 0);
    spoil(&f);
    put("features", SPLIT_TRAIN, &f);
    features_free(&f);
    for (size_t i = 0; i < TRAINERS; i++)
        expect_error(trainers[i].kind, trainers[i].params, FEATURES, says);
    expect_error("train_svm", "", FEATURES, says);
}

static void spoil_nan(struct features *f)
{
    ((float *)f->x.data)[2 * D + 3] = NAN;
}

static void spoil_infinite(struct features *f)
{
    ((float *)f->x.data)[TRAIN * D - 1] = INFINITY;
}

static void spoil_large(struct features *f)
{
    ((float *)f->x.data)[D] = -1e30f;
}

static void spoil_disgust(struct features *f)
{
    for (size_t i = 0; i < TRAIN; i++)
        if (((uint8_t *)f->labels.data)[i] == 1)
            ((uint8_t *)f->labels.data)[i] = 0;
}

static void spoil_all_classes(struct features *f)
{
    memset(f->labels.data, 3, TRAIN);
}

static void spoil_variance(struct features *f)
{
    for (size_t i = 0; i < TRAIN * D; i++)
        ((float *)f->x.data)[i] = 2;
}

static void spoil_labels(struct features *f)
{
    ((uint8_t *)f->labels.data)[7] = 9;
}

static void spoil_rows(struct features *f)
{
    f->x.shape[0] = f->labels.shape[0] = 0;
}

static void bad_training_rows(void **state)
{
    (void)state;
    expect_all_refuse(spoil_nan, "train split, row 2, column 3: not a number");
    expect_all_refuse(spoil_infinite, "row 139, column 5: infinite");
    expect_all_refuse(spoil_large, "row 1, column 0: too large");
    expect_all_refuse(spoil_disgust, "no row of class disgust");
    expect_all_refuse(spoil_all_classes, "no row of class angry");
    expect_all_refuse(spoil_variance, "are the same");
    expect_all_refuse(spoil_labels, "9");
    expect_all_refuse(spoil_rows, "train split is empty");
}

/* One row of a class, and columns without variance, are no errors. */
static void meagre_training_rows(void **state)
{
    (void)state;
    put_features("features", D);
    struct features f = {0};
    make_split(&f, TRAIN, D, 0);
    for (size_t i = 0; i < TRAIN; i++) {
        ((float *)f.x.data)[i * D + 2] = 0.5f;
        if (i > 7 && i % CLASSES == 1)
            ((uint8_t *)f.labels.data)[i] = 0;
    }
    put("features", SPLIT_TRAIN, &f);
    features_free(&f);
    for (size_t i = 0; i < TRAINERS; i++) {
        expect_success(trainers[i].kind, trainers[i].params, FEATURES, 1);
        assert_true(accuracy(SPLIT_PRIVATE) > 2.0 / 7); /* twice the accuracy of guessing */
    }
    for (size_t k = 0; k < KERNELS; k++) {
        expect_success("train_svm", kernels[k], FEATURES, 1);
        expect_success("predict_svm", "", WITH_MODEL, 1);
        assert_true(accuracy(SPLIT_PRIVATE) > 2.0 / 7);
    }
}

/* A single row of each class is enough for all kinds but linear_discriminant, which needs a
 * variance; k may equal the number of rows. */
static void one_row_a_class(void **state)
{
    (void)state;
    put_features("features", D);
    struct features f = {0};
    make_split(&f, CLASSES, D, 0);
    put("features", SPLIT_TRAIN, &f);
    features_free(&f);
    for (size_t i = 0; i < TRAINERS; i++)
        if (strcmp(trainers[i].kind, "linear_discriminant") != 0)
            expect_success(trainers[i].kind, trainers[i].params, FEATURES, 1);
    expect_success("knn", "\"k\":7", FEATURES, 1);
    expect_error("knn", "\"k\":8", FEATURES, "k is 8, but there are 7 training rows");
    expect_error("linear_discriminant", "", FEATURES, "7 training rows for 7 classes");
    for (size_t k = 0; k < KERNELS; k++) {
        expect_success("train_svm", kernels[k], FEATURES, 1);
        expect_success("predict_svm", "", WITH_MODEL, 1);
    }
}

/* The test splits are checked like the training split. */
static void bad_test_rows(void **state)
{
    (void)state;
    static const struct {
        enum split split;
        void (*spoil)(struct features *f);
        const char *says;
    } cases[] = {
        {SPLIT_PUBLIC, spoil_nan, "public split, row 2, column 3: not a number"},
        {SPLIT_PRIVATE, spoil_nan, "private split, row 2, column 3: not a number"},
        {SPLIT_PUBLIC, spoil_large, "public split, row 1, column 0: too large"},
        {SPLIT_PRIVATE, spoil_labels, "private_labels.npy: row 7: class 9"},
        {SPLIT_PRIVATE, spoil_rows, "private split is empty"},
    };
    put_features("features", D);
    expect_success("train_svm", "", FEATURES, 1);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        put_features("features", D);
        struct features f = {0};
        make_split(&f, TEST, D, cases[c].split);
        cases[c].spoil(&f);
        put("features", cases[c].split, &f);
        features_free(&f);
        for (size_t i = 0; i < TRAINERS; i++)
            expect_error(trainers[i].kind, trainers[i].params, FEATURES, cases[c].says);
        expect_error("predict_svm", "", WITH_MODEL, cases[c].says);
    }
}

/* Truncates a file to a share of its length. */
static void cut(const char *path, double share)
{
    char *data;
    size_t size;
    struct error err = {""};
    assert_int_equal(file_read(path, 1 << 20, &data, &size, &err), 0);
    assert_int_equal(truncate(path, (off_t)((double)size * share)), 0);
    free(data);
}

static void cut_files(void **state)
{
    (void)state;
    static const char *const files[] = {"train_features.npy", "public_features.npy",
                                        "private_labels.npy"};
    static const double shares[] = {0, 0.02, 0.6, 0.999};
    for (size_t c = 0; c < sizeof files / sizeof *files; c++)
        for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
            char path[64];
            snprintf(path, sizeof path, "features/%s", files[c]);
            put_features("features", D);
            expect_success("train_svm", "", FEATURES, 1);
            cut(path, shares[k]);
            for (size_t i = 0; i < TRAINERS; i++)
                expect_error(trainers[i].kind, trainers[i].params, FEATURES, files[c]);
            if (c == 0)
                expect_error("train_svm", "", FEATURES, files[c]);
            else
                expect_error("predict_svm", "", WITH_MODEL, files[c]);
        }
    for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
        put_features("features", D);
        expect_success("train_svm", "", FEATURES, 1);
        cut("model", shares[k]);
        expect_error("predict_svm", "", WITH_MODEL, "model:");
    }
}

static void bad_params_and_splits(void **state)
{
    (void)state;
    put_features("features", D);
    expect_error("knn", "\"k\":141", FEATURES, "k is 141, but there are 140 training rows");
    expect_error("knn", "\"k\":0", FEATURES, "param k");
    expect_error("random_forest", "\"max_features\":7", FEATURES, "6 columns");
    expect_error("decision_tree", "\"max_features\":7", FEATURES, "6 columns");
    expect_error("logistic_regression", "\"c\":0", FEATURES, "param c");
    expect_error("linear_discriminant", "\"shrinkage\":1.5", FEATURES, "param shrinkage");
    expect_error("train_svm", "\"c\":0", FEATURES, "param c");
    for (size_t i = 0; i < TRAINERS; i++) {
        put_features("features", D);
        struct features f = {0};
        make_split(&f, TEST, D + 1, 2);
        put("features", SPLIT_PRIVATE, &f);
        features_free(&f);
        expect_error(trainers[i].kind, trainers[i].params, FEATURES,
                     "private split has 7 columns, but the classifier was trained on 6");
        assert_int_equal(unlink("features/public_labels.npy"), 0);
        expect_error(trainers[i].kind, trainers[i].params, FEATURES, "public_labels.npy");
    }
}

/* ---- votes ---- */

static const char VOTES[] = "\"logits\":[{\"path\":\"l0\"},{\"path\":\"l1\"}],"
                            "\"images\":[{\"path\":\"set\"}]";

/* Logits (n, width) of a net: 3 at the true class, or 2 `turn` classes further; 0 elsewhere, but
 * `first` is the very first. */
static void put_logits(const char *name, enum split split, size_t n, size_t width, size_t turn,
                       float first)
{
    struct array a;
    struct error err = {""};
    size_t shape[] = {n, width};
    assert_int_equal(array_make(&a, ARRAY_F32, 2, shape, &err), 0);
    for (size_t i = 0; i < n; i++)
        ((float *)a.data)[i * width + (i + turn) % width] = turn ? 2 : 3;
    if (n > 0)
        ((float *)a.data)[0] = first;
    char *path = format_string("%s/%s_logits.npy", name, split_names[split]);
    assert_int_equal(file_make_folders(name, &err), 0);
    assert_int_equal(array_write(path, &a, &err), 0);
    free(path);
    array_free(&a);
}

/* Two nets: the first is right, with higher probabilities than the second, which is wrong. */
static void put_votes(void)
{
    for (enum split s = SPLIT_PUBLIC; s < SPLITS; s++) {
        struct images images = {.n = TEST};
        struct error err = {""};
        size_t shape[] = {TEST, FACE_SIZE, FACE_SIZE};
        assert_int_equal(array_make(&images.pixels, ARRAY_U8, 3, shape, &err), 0);
        assert_int_equal(array_make(&images.labels, ARRAY_U8, 1, shape, &err), 0);
        assert_int_equal(array_make(&images.rows, ARRAY_I32, 1, shape, &err), 0);
        for (size_t i = 0; i < TEST; i++)
            ((uint8_t *)images.labels.data)[i] = (uint8_t)(i % CLASSES);
        assert_int_equal(images_write("set", s, &images, &err), 0);
        images_free(&images);
        put_logits("l0", s, TEST, CLASSES, 0, 3);
        put_logits("l1", s, TEST, CLASSES, 1, 0);
    }
}

static void votes(void **state)
{
    (void)state;
    put_votes();
    expect_success("soft_vote", "", VOTES, 2);
    assert_true(accuracy(SPLIT_PUBLIC) == 1 && accuracy(SPLIT_PRIVATE) == 1);
    check_timing(false);
    put_logits("l1", SPLIT_PUBLIC, TEST, CLASSES, 1, 9); /* right, with a high probability */
    put_logits("l0", SPLIT_PUBLIC, TEST, CLASSES, 3, 0); /* wrong, with the same probability */
    expect_success("soft_vote", "", VOTES, 1);
    assert_true(accuracy(SPLIT_PUBLIC) == 1.0 / TEST);

    put_votes();
    put_logits("l1", SPLIT_PRIVATE, TEST, CLASSES, 1, NAN);
    expect_error("soft_vote", "", VOTES, "private_logits.npy: row 0, class angry: not a number");
    put_logits("l1", SPLIT_PRIVATE, TEST, CLASSES, 1, -INFINITY);
    expect_error("soft_vote", "", VOTES, "row 0, class angry: infinite");
    put_logits("l1", SPLIT_PRIVATE, TEST - 1, CLASSES, 1, 0);
    expect_error("soft_vote", "", VOTES, "private_logits.npy: 34 x 7 logits, expected 35 x 7");
    put_logits("l1", SPLIT_PRIVATE, TEST, CLASSES + 1, 1, 0);
    expect_error("soft_vote", "", VOTES, "35 x 8 logits, expected 35 x 7");
    put_votes();
    cut("l0/public_logits.npy", 0.5);
    expect_error("soft_vote", "", VOTES, "l0/public_logits.npy");
    assert_int_equal(unlink("l0/public_logits.npy"), 0);
    expect_error("soft_vote", "", VOTES, "l0/public_logits.npy");
}

static const char LAID_OUT[] =
    "\"features\":[{\"path\":\"features\"}],\"layout\":[{\"path\":\"given.json\"}]";

static void put_layout(const char *text)
{
    struct error err = {""};
    assert_int_equal(file_write("given.json", text, strlen(text), &err), 0);
}

/* The importance of two inputs, of 2 and 4 columns, is the sum over their columns; without
 * bootstrap there is no out-of-bag accuracy. */
static void trees_tell_of_themselves(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{\"inputs\":[{\"columns\":2}]}",
        "{\"inputs\":[{\"columns\":7}]}",
        "{\"inputs\":[{\"columns\":6},{\"columns\":0}]}",
        "{\"inputs\":[{\"columns\":-1}]}",
        "{\"inputs\":[{\"columns\":2},{\"columns\":9223372036854775807}]}",
    };
    put_features("features", D);
    put_layout("{\"inputs\":[{\"columns\":2},{\"columns\":4}]}");
    for (int threads = 1; threads <= 2; threads++) {
        struct array importance;
        struct error err = {""};
        expect_success("random_forest", "\"trees\":20", LAID_OUT, threads);
        assert_int_equal(array_read("importance.npy", ARRAY_F64, 1, &importance, &err), 0);
        assert_int_equal(importance.shape[0], D);
        const double *x = importance.data;
        json_t *json = json_load_file("summary.json", 0, NULL);
        json_int_t n, correct, first;
        double accuracy_of_bag, one, two;
        assert_int_equal(json_unpack(json, "{s:{s:I,s:I,s:f},s:[{s:f},{s:I,s:f}]}", "out_of_bag",
                                     "n", &n, "correct", &correct, "accuracy", &accuracy_of_bag,
                                     "importance", "share", &one, "first", &first, "share", &two),
                         0);
        assert_true(n > TRAIN / 2 && n <= TRAIN && correct > n / 2 && correct <= n);
        assert_true(accuracy_of_bag == (double)correct / (double)n);
        assert_int_equal(first, 2);
        assert_true(fabs(one - x[0] - x[1]) < 1e-12 && fabs(one + two - 1) < 1e-12);
        json_decref(json);
        array_free(&importance);
    }
    expect_success("random_forest", "\"trees\":5,\"bootstrap\":false", FEATURES, 1);
    json_t *json = json_load_file("summary.json", 0, NULL);
    assert_true(json_object_size(json) == 3 && json_object_get(json, "leaves"));
    json_decref(json);
    expect_success("decision_tree", "", LAID_OUT, 1);
    assert_true(number("summary.json", "nodes") == 2 * number("summary.json", "leaves") - 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_layout(bad[i]);
        expect_error("random_forest", "\"trees\":2", LAID_OUT,
                     "given.json: expected the layout.json of features with 6 columns");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quartiles),
        cmocka_unit_test(trainers_learn),
        cmocka_unit_test(trees_tell_of_themselves),
        cmocka_unit_test(svm_trains_then_predicts),
        cmocka_unit_test(class_weights),
        cmocka_unit_test(bad_training_rows),
        cmocka_unit_test(meagre_training_rows),
        cmocka_unit_test(one_row_a_class),
        cmocka_unit_test(bad_test_rows),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(votes),
        cmocka_unit_test(bad_params_and_splits),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
