/* The kinds before and after the classifiers: fuse_features and metrics. */
#include <math.h>
#include "tests/unit/feature_stage.h"

static const char PREDICTIONS[] = "\"predictions\":[{\"path\":\"given\"}]";

/* Ten rows, with metrics computed by hand. */
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
    assert_string_equal(json_string_value(json_object_get(public, "truth")), "0001123333");
    assert_string_equal(json_string_value(json_object_get(public, "predicted")), "0011023334");
    assert_string_equal(json_string_value(json_object_get(private, "truth")), "0001");
    assert_null(json_object_get(public, "without_twins"));
    json_decref(json);

    assert_int_equal(predictions_write("given", SPLIT_PRIVATE, labels, labels, 0, &err), 0);
    expect_error("metrics", "", PREDICTIONS, "private split is empty");
}

static const char WITH_TWINS[] =
    "\"predictions\":[{\"path\":\"given\"}],\"twins\":[{\"path\":\"twins.json\"}]";

static void put_twins(const char *text)
{
    assert_int_equal(file_write("twins.json", text, strlen(text), NULL), 0);
}

/* The same over the images without a twin; with none left, all ratios are null. */
static void metrics_without_twins(void **state)
{
    (void)state;
    const uint8_t labels[] = {0, 0, 0, 1, 1, 2};
    const uint8_t predicted[] = {0, 0, 1, 1, 0, 2};
    struct error err = {""};
    assert_int_equal(predictions_write("given", SPLIT_PUBLIC, predicted, labels, 6, &err), 0);
    assert_int_equal(predictions_write("given", SPLIT_PRIVATE, labels, labels, 2, &err), 0);
    put_twins("{\"public\":{\"images\":6,\"with_twin\":[0,5]},"
              "\"private\":{\"images\":2,\"with_twin\":[0,1]}}");
    expect_success("metrics", "", WITH_TWINS, 1);

    json_t *json = json_load_file("metrics.json", 0, NULL);
    json_t *public = json_object_get(json, "public"), *private = json_object_get(json, "private");
    assert_int_equal(json_integer_value(json_object_get(public, "n")), 6);
    assert_string_equal(json_string_value(json_object_get(public, "truth")), "000112");
    json_t *rest = json_object_get(public, "without_twins"), *classes;
    json_int_t n, correct;
    double score, macro;
    const char *truth, *guess;
    assert_int_equal(json_unpack(rest, "{s:I,s:I,s:f,s:f,s:s,s:s,s:o}", "n", &n, "correct",
                                 &correct, "accuracy", &score, "macro_f1", &macro, "truth", &truth,
                                 "predicted", &guess, "per_class", &classes),
                     0);
    assert_true(n == 4 && correct == 2 && score == 0.5 && macro == 0.5);
    assert_string_equal(truth, "0011");
    assert_string_equal(guess, "0110");
    json_t *two = json_object_get(classes, class_names[2]);
    assert_int_equal(json_integer_value(json_object_get(two, "support")), 0);
    rest = json_object_get(private, "without_twins");
    assert_int_equal(json_integer_value(json_object_get(rest, "n")), 0);
    assert_true(json_is_null(json_object_get(rest, "accuracy")));
    assert_true(json_is_null(json_object_get(rest, "macro_f1")));
    assert_string_equal(json_string_value(json_object_get(rest, "truth")), "");
    json_decref(json);
}

static void metrics_refuses_other_twins(void **state)
{
    (void)state;
    put_twins("{\"public\":{\"images\":7,\"with_twin\":[]},\"private\":{}}");
    expect_error("metrics", "", WITH_TWINS,
                 "twins.json: has 7 images in the public split, but there are predictions of 6");
    put_twins("{\"public\":{\"images\":6,\"with_twin\":[6]}}");
    expect_error("metrics", "", WITH_TWINS, "public/with_twin/0: expected an index from 0 to 5");
    put_twins("{\"public\":{\"images\":6,\"with_twin\":[-1]}}");
    expect_error("metrics", "", WITH_TWINS, "public/with_twin/0: expected an index from 0 to 5");
    put_twins("{\"public\":{\"images\":6,\"with_twin\":[]}}");
    expect_error("metrics", "", WITH_TWINS, "for the private split, as find_duplicates writes");
    put_twins("{\"public\":");
    expect_error("metrics", "", WITH_TWINS, "twins.json:1:");
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
    scaled = public.x.data; /* by mean and deviation of the training split */
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
    expect_error("fuse_features", "", TWO,
                 "the public split has 5 columns, but its train split has 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_by_hand),
        cmocka_unit_test(metrics_without_twins),
        cmocka_unit_test(metrics_refuses_other_twins),
        cmocka_unit_test(fuse_concatenates),
        cmocka_unit_test(fuse_standardizes_by_training),
        cmocka_unit_test(fuse_refuses_strangers),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
