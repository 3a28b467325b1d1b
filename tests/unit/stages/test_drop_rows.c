/* drop_rows: lists of rows in CSV files; rows that are listed, and as many drawn at random. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include "tests/unit/run_job.h"

#include "stages/data/formats.h"
#include "stages/data/row_list.h"
#include "tests/unit/scratch_folder.h"

enum { TRAIN = 70, TEST = 14 };

/* A split of n images: row numbers from `row` in steps of 2, labels 0 to 6 in turn. */
static struct images make_split(size_t n, int row)
{
    struct images images = {.n = n};
    size_t shape[] = {n, FACE_SIZE, FACE_SIZE};
    assert_int_equal(array_make(&images.pixels, ARRAY_U8, 3, shape, NULL), 0);
    assert_int_equal(array_make(&images.labels, ARRAY_U8, 1, shape, NULL), 0);
    assert_int_equal(array_make(&images.rows, ARRAY_I32, 1, shape, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        memset((uint8_t *)images.pixels.data + i * FACE_SIZE * FACE_SIZE, (int)i,
               FACE_SIZE * FACE_SIZE);
        ((uint8_t *)images.labels.data)[i] = (uint8_t)(i % CLASSES);
        ((int32_t *)images.rows.data)[i] = row + 2 * (int)i;
    }
    return images;
}

static int setup(void **state)
{
    if (scratch_setup(state) < 0)
        return -1;
    struct images splits[SPLITS] = {make_split(TRAIN, 10), make_split(TEST, 1000),
                                    make_split(TEST, 2000)};
    int rc = images_write_set("set", "set.json", splits, NULL);
    images_free_set(splits);
    return rc;
}

/* ---- lists ---- */

static void expect_list(const char *text, const int32_t *rows, size_t n)
{
    struct row_list list;
    struct error err = {""};
    scratch_put("list.csv", text);
    int rc = row_list_read("list.csv", "list.csv", &list, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_int_equal(list.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(list.rows[i], rows[i]);
    row_list_free(&list);
}

static void expect_bad_list(const char *text, const char *message)
{
    struct row_list list;
    struct error err = {""};
    scratch_put("list.csv", text);
    assert_int_equal(row_list_read("list.csv", "my.csv", &list, &err), -EINVAL);
    assert_string_equal(err.text, message);
    assert_null(list.rows);
}

static void test_lists(void **state)
{
    (void)state;
    const int32_t rows[] = {3, 5, 20};
    expect_list("row\n5\n20\n3\n", rows, 3);
    expect_list("row,emotion\n20,sad\n3,sad\n20,sad\n5,happy", rows, 3);
    expect_list("\xef\xbb\xbf\"why\",\"row\"\r\n\"a, b\",\"5\"\r\n\r\n\"two\nlines\",3\r\nx,20\r\n",
                rows, 3);
    expect_list("row\n", rows, 0);
    expect_list("row", rows, 0);
    expect_list("row\n\n\n", rows, 0);
}

static void test_bad_lists(void **state)
{
    (void)state;
    expect_bad_list("", "my.csv:1: the header has no column 'row'");
    expect_bad_list("rows,emotion\n3,sad\n", "my.csv:1: the header has no column 'row'");
    expect_bad_list("row\n3\n-4\n", "my.csv:3: expected a row number, not '-4'");
    expect_bad_list("row\n3x\n", "my.csv:2: expected a row number, not '3x'");
    expect_bad_list("row\n99999999999\n", "my.csv:2: expected a row number, not '99999999999'");
    expect_bad_list("why,row\na,3\nb\n", "my.csv:3: has 1 fields, but 'row' is number 2");
    expect_bad_list("row,why\n,b\n", "my.csv:2: expected a row number, not ''");
}

/* ---- the stage ---- */

static int run_drop(const char *params, const char *inputs, struct error *err)
{
    return run_job("drop_rows", params, inputs,
                   "\"images\":\"kept\",\"counts\":\"counts.json\",\"removed\":\"removed.csv\","
                   "\"summary\":\"summary.json\"",
                   1, err);
}

#define IMAGES "\"images\":[{\"path\":\"set\"}],\"rows\":"
static const char ONE[] = IMAGES "[{\"path\":\"a.csv\"}]";
static const char TWO[] = IMAGES "[{\"path\":\"a.csv\"},{\"path\":\"b.csv\"}]";

static void expect_success(const char *params, const char *inputs)
{
    struct error err;
    int rc = run_drop(params, inputs, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

static void expect_text(const char *path, const char *text)
{
    char *data;
    size_t size;
    assert_int_equal(file_read(path, 1 << 20, &data, &size, NULL), 0);
    assert_string_equal(data, text);
    free(data);
}

/* Checks that the kept rows are those of the set that gone (TRAIN) doesn't have, with their pixels
 * and labels. */
static void expect_kept(const bool *gone)
{
    struct images kept;
    assert_int_equal(images_read("kept", SPLIT_TRAIN, &kept, NULL), 0);
    size_t k = 0;
    for (size_t i = 0; i < TRAIN; i++) {
        if (gone[i])
            continue;
        assert_true(k < kept.n);
        assert_int_equal(((int32_t *)kept.rows.data)[k], 10 + 2 * (int)i);
        assert_int_equal(((uint8_t *)kept.labels.data)[k], i % CLASSES);
        assert_int_equal(((uint8_t *)kept.pixels.data)[k * FACE_SIZE * FACE_SIZE + 99], i);
        k++;
    }
    assert_int_equal(k, kept.n);
    images_free(&kept);
    for (int s = SPLIT_PUBLIC; s < SPLITS; s++) {
        struct images test;
        assert_int_equal(images_read("kept", (enum split)s, &test, NULL), 0);
        assert_int_equal(test.n, TEST);
        images_free(&test);
    }
}

static void test_listed(void **state)
{
    (void)state;
    bool gone[TRAIN] = {[0] = true, [3] = true, [7] = true, [69] = true};
    scratch_put("a.csv", "row,emotion,rule,score\n148,neutral,x,1.0\n10,angry,y,2.0\n");
    scratch_put("b.csv", "row\n10\n16\n24\n");
    expect_success("", TWO);
    expect_kept(gone);
    expect_text("removed.csv", "row,emotion\n10,angry\n16,happy\n24,angry\n148,neutral\n");
    json_t *json = json_load_file("summary.json", 0, NULL), *classes;
    json_int_t removed, kept, angry, sad;
    assert_int_equal(json_unpack(json, "{s:I,s:I,s:o}", "removed_total", &removed, "kept_total",
                                 &kept, "removed_per_class", &classes),
                     0);
    assert_int_equal(json_unpack(classes, "{s:I,s:I}", "angry", &angry, "sad", &sad), 0);
    assert_true(removed == 4 && kept == TRAIN - 4 && angry == 2 && sad == 0);
    json_decref(json);
    json = json_load_file("counts.json", 0, NULL);
    json_t *train = json_object_get(json, "train");
    assert_int_equal(json_integer_value(json_array_get(train, 0)), 8);
    assert_int_equal(json_integer_value(json_array_get(train, 1)), 10);
    json_decref(json);

    scratch_put("a.csv", "row\n");
    memset(gone, 0, sizeof gone);
    expect_success("", ONE);
    expect_kept(gone);
}

/* The number of removed rows of each class; their rows, added up. */
static int removed_of(size_t counts[CLASSES])
{
    FILE *file = fopen("removed.csv", "r");
    assert_non_null(file);
    char emotion[16];
    int row, sum = 0;
    memset(counts, 0, CLASSES * sizeof *counts);
    assert_int_equal(fscanf(file, "row,%15s\n", emotion), 1);
    while (fscanf(file, "%d,%15s\n", &row, emotion) == 2) {
        for (int c = 0; c < CLASSES; c++)
            counts[c] += strcmp(emotion, class_names[c]) == 0;
        assert_true(row >= 10 && row < 10 + 2 * TRAIN);
        sum += row;
    }
    fclose(file);
    return sum;
}

/* As many rows of each class as the list has; another seed draws others. */
static void test_random(void **state)
{
    (void)state;
    size_t counts[CLASSES], again[CLASSES];
    scratch_put("a.csv", "row\n10\n24\n38\n52\n66\n12\n26\n22\n");
    expect_success("\"choose\":\"random\",\"seed\":1", ONE);
    int first = removed_of(counts);
    const size_t expected[CLASSES] = {5, 2, 0, 0, 0, 0, 1};
    assert_memory_equal(counts, expected, sizeof counts);
    assert_int_not_equal(first, 10 + 24 + 38 + 52 + 66 + 12 + 26 + 22);
    struct images kept;
    assert_int_equal(images_read("kept", SPLIT_TRAIN, &kept, NULL), 0);
    assert_int_equal(kept.n, TRAIN - 8);
    images_free(&kept);
    expect_success("\"choose\":\"random\",\"seed\":1", ONE);
    assert_int_equal(removed_of(again), first);
    expect_success("\"choose\":\"random\",\"seed\":2", ONE);
    assert_int_not_equal(removed_of(again), first);
    assert_memory_equal(again, expected, sizeof again);
}

static void test_errors(void **state)
{
    (void)state;
    struct error err;
    scratch_put("a.csv", "row\n10\n11\n13\n");
    assert_int_equal(run_drop("", ONE, &err), -EINVAL);
    assert_string_equal(err.text, "a.csv: row 11 is not in the training split of images");
    scratch_put("a.csv", "row\n1000\n"); /* of the public split */
    assert_int_equal(run_drop("\"choose\":\"random\"", ONE, &err), -EINVAL);
    assert_string_equal(err.text, "a.csv: row 1000 is not in the training split of images");
    scratch_put("a.csv", "row\n12\n26\n40\n54\n68\n82\n96\n110\n124\n138\n");
    assert_int_equal(run_drop("", ONE, &err), -EINVAL);
    assert_string_equal(err.text, "all 10 training images of class disgust would be removed");
    assert_true(run_drop("", IMAGES "[{\"path\":\"gone.csv\"}]", &err) < 0);
    assert_non_null(strstr(err.text, "gone.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),  cmocka_unit_test(test_bad_lists),
        cmocka_unit_test(test_listed), cmocka_unit_test(test_random),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
