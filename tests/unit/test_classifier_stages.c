/* The classifier kinds as stages: what they write, that threads change nothing, and one clear line
 * for each kind of bad input. Each test makes a folder with job.json and inputs, as the scheduler
 * does. */
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
#include "base/file.h"
#include "base/random.h"
#include "stages/formats.h"
#include "stages/job.h"

enum { D = 6, TRAIN = 140, TEST = 35 };

static char folder[] = "/tmp/ferdag-classifiers-XXXXXX";

static int enter(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

/* Clusters a unit apart, labels 0-6 in turn. */
static void make_split(struct features *f, size_t n, size_t d, uint64_t stream)
{
    struct random r = random_start(2, stream);
    struct error err = {""};
    size_t shape[] = {n, d};
    assert_int_equal(array_make(&f->x, ARRAY_F32, 2, shape, &err), 0);
    assert_int_equal(array_make(&f->labels, ARRAY_U8, 1, shape, &err), 0);
    f->n = n;
    f->d = d;
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *)f->labels.data)[i] = (uint8_t)(i % CLASSES);
        for (size_t j = 0; j < d; j++)
            ((float *)f->x.data)[i * d + j] =
                (float)(random_normal(&r) * 0.3 + (i % CLASSES == j ? 1 : 0));
    }
}

static void put(const char *name, enum split split, const struct features *f)
{
    struct error err = {""};
    assert_int_equal(features_write(name, split, f, &err), 0);
}

/* All three splits, d columns, under a name. */
static void put_features(const char *name, size_t d)
{
    assert_int_equal(file_remove_tree(name, NULL), 0);
    for (enum split s = SPLIT_TRAIN; s < SPLITS; s++) {
        struct features f = {0};
        make_split(&f, s == SPLIT_TRAIN ? TRAIN : TEST, d, s);
        put(name, s, &f);
        features_free(&f);
    }
}

static const char FEATURES[] = "\"features\":[{\"path\":\"features\"}]";
static const char OUTPUTS[] = "\"predictions\":\"out\",\"timing\":\"timing.json\","
                              "\"model\":\"model\",\"metrics\":\"metrics.json\","
                              "\"features\":\"fused\",\"layout\":\"layout.json\"";

static int run_stage(const char *kind, const char *params, const char *inputs, int threads,
                     struct error *err)
{
    char *text = file_path("{\"stage\":\"x\",\"kind\":\"%s\",\"key\":\"00\",\"params\":{%s},"
                           "\"inputs\":{%s},\"outputs\":{%s},\"threads\":%d,\"backend\":\"auto\"}",
                           kind, params, inputs, OUTPUTS, threads);
    assert_non_null(text);
    assert_int_equal(file_write("job.json", text, strlen(text), err), 0);
    free(text);
    struct job job;
    *err = (struct error){""};
    assert_non_null(kind_find(kind));
    int rc = job_open(&job, kind_find(kind), err);
    if (rc == 0) {
        rc = job.kind->run(&job, err);
        job_close(&job);
    }
    return rc;
}

static void expect_success(const char *kind, const char *params, const char *inputs, int threads)
{
    struct error err;
    int rc = run_stage(kind, params, inputs, threads, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

static void expect_error(const char *kind, const char *params, const char *inputs, const char *says)
{
    struct error err;
    assert_true(run_stage(kind, params, inputs, 1, &err) < 0);
    if (!strstr(err.text, says))
        fail_msg("%s: '%s' doesn't say '%s'", kind, err.text, says);
}

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

static double number(const char *path, const char *name)
{
    json_t *json = json_load_file(path, 0, NULL);
    json_t *value = json_object_get(json, name);
    assert_true(json_is_number(value));
    double x = json_number_value(value);
    json_decref(json);
    return x;
}

static void check_timing(bool trained)
{
    double median = number("timing.json", "predict_seconds_per_image");
    assert_true(median > 0 && median < 1);
    assert_true(number("timing.json", "min") <= median && median <= number("timing.json", "max"));
    assert_true(number("timing.json", "repeats") >= 5);
    if (trained)
        assert_true(number("timing.json", "train_seconds") >= 0);
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
        expect_success("predict", "", both, 1);
        assert_true(accuracy(SPLIT_PUBLIC) > 0.6);
        check_timing(false);
    }
    put_features("features", D + 1);
    expect_error("predict", "", both, "a model of 6 columns, but the features have 7");
    put_features("features", D - 1);
    expect_error("predict", "", both, "features have 5 columns");
}

static const char *const kernels[] = {"\"kernel\":\"linear\"", "\"kernel\":\"poly\"",
                                      "\"kernel\":\"rbf\"", "\"kernel\":\"sigmoid\""};
enum { KERNELS = sizeof kernels / sizeof *kernels };

static const char WITH_MODEL[] =
    "\"features\":[{\"path\":\"features\"}],\"model\":[{\"path\":\"model\"}]";

/* Writes a training split that `spoil` has changed, and expects each trainer to say so. */
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
        assert_true(accuracy(SPLIT_PRIVATE) > 2.0 / 7); /* twice what chance gives */
    }
    for (size_t k = 0; k < KERNELS; k++) {
        expect_success("train_svm", kernels[k], FEATURES, 1);
        expect_success("predict", "", WITH_MODEL, 1);
        assert_true(accuracy(SPLIT_PRIVATE) > 2.0 / 7);
    }
}

/* A single row of each class is enough for all but discriminants, which need a deviation; as many
 * neighbours as rows are no error either. */
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
        expect_success("predict", "", WITH_MODEL, 1);
    }
}

/* What is to be predicted is checked as what is learned from. */
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
        expect_error("predict", "", WITH_MODEL, cases[c].says);
    }
}

/* Cuts a file to a share of its length. */
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
                expect_error("predict", "", WITH_MODEL, files[c]);
        }
    for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) {
        put_features("features", D);
        expect_success("train_svm", "", FEATURES, 1);
        cut("model", shares[k]);
        expect_error("predict", "", WITH_MODEL, "model:");
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
    char *path = file_path("%s/%s_logits.npy", name, split_names[split]);
    assert_int_equal(file_make_folders(name, &err), 0);
    assert_int_equal(array_write(path, &a, &err), 0);
    free(path);
    array_free(&a);
}

/* Two nets: the first is right and surer of it than the second, which is wrong. */
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
    put_logits("l1", SPLIT_PUBLIC, TEST, CLASSES, 1, 9); /* very sure, and right */
    put_logits("l0", SPLIT_PUBLIC, TEST, CLASSES, 3, 0); /* wrong, as sure as the other */
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

static const char PREDICTIONS[] = "\"predictions\":[{\"path\":\"given\"}]";

/* Ten rows whose figures were counted by hand. */
static void metrics_by_hand(void **state)
{
    (void)state;
    const uint8_t labels[] = {0, 0, 0, 1, 1, 2, 3, 3, 3, 3};
    const uint8_t predicted[] = {0, 0, 1, 1, 0, 2, 3, 3, 3, 4};
    struct error err = {""};
    assert_int_equal(predictions_write("given", SPLIT_PUBLIC, predicted, labels, 10, &err), 0);
    assert_int_equal(predictions_write("given", SPLIT_PRIVATE, labels, labels, 4, &err), 0);
    expect_success("metrics", "", PREDICTIONS, 1);

    json_t *json = json_load_file("metrics.json", 0, NULL);
    json_t *public = json_object_get(json, "public"), *private = json_object_get(json, "private");
    json_int_t n, correct;
    double score, macro, precision, recall, f1;
    json_t *confusion, *classes;
    assert_int_equal(json_unpack(public, "{s:I,s:I,s:f,s:f,s:o,s:o}", "n", &n, "correct", &correct,
                                 "accuracy", &score, "macro_f1", &macro, "confusion", &confusion,
                                 "per_class", &classes),
                     0);
    assert_int_equal(n, 10);
    assert_int_equal(correct, 7);
    assert_true(score == 0.7);
    assert_int_equal(json_array_size(confusion), CLASSES);
    const json_int_t expected[CLASSES][CLASSES] = {{2, 1}, {1, 1}, {0, 0, 1}, {0, 0, 0, 3, 1}};
    for (size_t i = 0; i < CLASSES; i++)
        for (size_t j = 0; j < CLASSES; j++)
            assert_int_equal(json_integer_value(json_array_get(json_array_get(confusion, i), j)),
                             expected[i][j]);
    json_t *happy = json_object_get(classes, class_names[3]);
    assert_int_equal(json_unpack(happy, "{s:f,s:f,s:f,s:I}", "precision", &precision, "recall",
                                 &recall, "f1", &f1, "support", &n),
                     0);
    assert_true(precision == 1 && recall == 0.75 && fabs(f1 - 6.0 / 7) < 1e-15 && n == 4);
    /* class 4 was predicted but never true; classes 5 and 6 neither */
    json_t *four = json_object_get(classes, class_names[4]);
    assert_true(json_is_null(json_object_get(four, "recall")));
    assert_true(json_number_value(json_object_get(four, "precision")) == 0);
    json_t *five = json_object_get(classes, class_names[5]);
    assert_true(json_is_null(json_object_get(five, "precision")));
    assert_true(json_is_null(json_object_get(five, "f1")));
    /* F1: 2/3, 1/2, 1, 6/7, 0 */
    assert_true(fabs(macro - (2.0 / 3 + 0.5 + 1 + 6.0 / 7 + 0) / 5) < 1e-15);
    assert_true(json_number_value(json_object_get(private, "accuracy")) == 1);
    json_decref(json);

    assert_int_equal(predictions_write("given", SPLIT_PRIVATE, labels, labels, 0, &err), 0);
    expect_error("metrics", "", PREDICTIONS, "private split is empty");
}

static const char TWO[] = "\"features\":[{\"path\":\"features\"},{\"path\":\"more\"}]";

static void fuse_concatenates(void **state)
{
    (void)state;
    put_features("features", 4);
    put_features("more", 3);
    expect_success("fuse_features", "", TWO, 1);
    for (enum split s = SPLIT_TRAIN; s < SPLITS; s++) {
        struct features a, b, fused;
        struct error err = {""};
        assert_int_equal(features_read("features", s, &a, &err), 0);
        assert_int_equal(features_read("more", s, &b, &err), 0);
        assert_int_equal(features_read("fused", s, &fused, &err), 0);
        assert_int_equal(fused.d, 7);
        assert_int_equal(fused.n, a.n);
        assert_memory_equal(fused.labels.data, a.labels.data, a.n);
        for (size_t i = 0; i < a.n; i++) {
            const float *row = (float *)fused.x.data + i * 7;
            assert_memory_equal(row, (float *)a.x.data + i * 4, 4 * sizeof *row);
            assert_memory_equal(row + 4, (float *)b.x.data + i * 3, 3 * sizeof *row);
        }
        features_free(&a);
        features_free(&b);
        features_free(&fused);
    }
    assert_int_equal(number("layout.json", "columns"), 7);
}

static void fuse_standardizes_by_training(void **state)
{
    (void)state;
    put_features("features", 4);
    put_features("more", 3);
    struct features f = {0};
    make_split(&f, TRAIN, 3, 0);
    for (size_t i = 0; i < TRAIN; i++)
        ((float *)f.x.data)[i * 3 + 1] = 8; /* without variance */
    put("more", SPLIT_TRAIN, &f);
    features_free(&f);
    expect_success("fuse_features", "\"standardize\":true", TWO, 1);

    struct features plain, trained, public;
    struct error err = {""};
    assert_int_equal(features_read("fused", SPLIT_TRAIN, &trained, &err), 0);
    assert_int_equal(features_read("fused", SPLIT_PUBLIC, &public, &err), 0);
    assert_int_equal(features_read("features", SPLIT_TRAIN, &plain, &err), 0);
    const float *x = plain.x.data;
    double mean = 0, variance = 0;
    for (size_t i = 0; i < TRAIN; i++)
        mean += x[i * 4] / (double)TRAIN;
    for (size_t i = 0; i < TRAIN; i++)
        variance += pow(x[i * 4] - mean, 2) / TRAIN;
    const float *scaled = trained.x.data;
    for (size_t i = 0; i < TRAIN; i++) {
        assert_true(fabs(scaled[i * 7] - (x[i * 4] - mean) / sqrt(variance)) < 1e-5);
        assert_true(scaled[i * 7 + 5] == 0);
    }
    features_free(&plain);
    assert_int_equal(features_read("features", SPLIT_PUBLIC, &plain, &err), 0);
    x = plain.x.data;
    scaled = public.x.data; /* by the training split's figures, not its own */
    for (size_t i = 0; i < TEST; i++)
        assert_true(fabs(scaled[i * 7] - (x[i * 4] - mean) / sqrt(variance)) < 1e-5);
    features_free(&plain);
    features_free(&trained);
    features_free(&public);
}

static void fuse_refuses_strangers(void **state)
{
    (void)state;
    put_features("features", 4);
    put_features("more", 3);
    struct features f = {0};
    make_split(&f, TEST, 3, 1);
    ((uint8_t *)f.labels.data)[6] = 0;
    put("more", SPLIT_PUBLIC, &f);
    expect_error("fuse_features", "", TWO, "features 1: public split, row 6: class angry");
    features_free(&f);
    make_split(&f, TEST + 1, 3, 1);
    put("more", SPLIT_PUBLIC, &f);
    expect_error("fuse_features", "", TWO, "features 1: the public split has 36 rows");
    features_free(&f);
    make_split(&f, TEST, 5, 1);
    put("more", SPLIT_PUBLIC, &f);
    features_free(&f);
    expect_error("fuse_features", "", TWO, "the public split has 5 columns, but its train split 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trainers_learn),
        cmocka_unit_test(svm_trains_then_predicts),
        cmocka_unit_test(bad_training_rows),
        cmocka_unit_test(meagre_training_rows),
        cmocka_unit_test(one_row_a_class),
        cmocka_unit_test(bad_test_rows),
        cmocka_unit_test(cut_files),
        cmocka_unit_test(votes),
        cmocka_unit_test(bad_params_and_splits),
        cmocka_unit_test(metrics_by_hand),
        cmocka_unit_test(fuse_concatenates),
        cmocka_unit_test(fuse_standardizes_by_training),
        cmocka_unit_test(fuse_refuses_strangers),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
