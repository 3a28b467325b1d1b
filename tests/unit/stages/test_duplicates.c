/* find_duplicates: the similarity of two images; sketches; and the whole stage on drawn faces with
 * planted copies. */
#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include "tests/unit/run_job.h"

#include "base/random.h"
#include "stages/data/formats.h"
#include "stages/drawn/drawn_face.h"
#include "stages/duplicates/near_pairs.h"
#include "stages/duplicates/similarity.h"
#include "tests/unit/scratch_folder.h"

enum { PIXELS = FACE_SIZE * FACE_SIZE };

/* ---- images ---- */

static void draw(uint64_t seed, int class, uint8_t *pixels)
{
    struct canvas canvas;
    struct random random = random_start(77, seed);
    drawn_face(&canvas, &random, class, 0.5);
    canvas_bytes(&canvas, pixels);
}

/* Another copy of the same picture: contrast, brightness, noise, and a shift to the right. */
static void copy(const uint8_t *from, int shift, uint8_t *to)
{
    struct random random = random_start(5, (uint64_t)shift);
    for (int i = 0; i < PIXELS; i++) {
        int x = i % FACE_SIZE;
        double value = from[i - (x < shift ? x : shift)];
        value = 30 + 0.7 * value + random_normal(&random);
        to[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

static void mirror(const uint8_t *from, uint8_t *to)
{
    for (int i = 0; i < PIXELS; i++)
        to[i] = from[i / FACE_SIZE * FACE_SIZE + FACE_SIZE - 1 - i % FACE_SIZE];
}

/* ---- similarity ---- */

static double similarity(const uint8_t *a, const uint8_t *b)
{
    struct details x, y;
    details_make(a, &x);
    details_make(b, &y);
    return details_similarity(&x, &y, 0);
}

static void test_similarity(void **state)
{
    (void)state;
    uint8_t face[PIXELS], other[PIXELS];
    draw(1, 3, face);
    assert_true(fabs(similarity(face, face) - 1) < 1e-12);
    for (int shift = 0; shift <= DETAIL_REACH; shift++) {
        copy(face, shift, other);
        assert_true(similarity(face, other) > 0.97);
    }
    copy(face, 6, other);
    assert_true(similarity(face, other) < 0.8);
    for (int i = 0; i < PIXELS; i++)
        other[i] = (uint8_t)(255 - face[i]);
    assert_true(similarity(face, other) < 0.5);
    mirror(face, other);
    struct details a, b, mirrored;
    details_make(face, &a);
    details_make(other, &b);
    details_mirror(&b, &mirrored);
    assert_memory_equal(&a, &mirrored, sizeof a);
}

/* Images without content are like nothing, themselves included. */
static void test_blank(void **state)
{
    (void)state;
    uint8_t face[PIXELS], blank[PIXELS], spot[PIXELS];
    struct sketch sketch;
    draw(1, 3, face);
    memset(blank, 120, sizeof blank);
    memset(spot, 120, sizeof spot);
    spot[FACE_SIZE * 24 + 24] = 121;
    assert_true(similarity(face, blank) == 0);
    assert_true(similarity(blank, blank) == 0);
    assert_true(similarity(spot, spot) == 0);
    sketch_make(spot, &sketch);
    for (int i = 0; i < SKETCH_HALF; i++)
        assert_true(sketch.even[i] == 0 && sketch.odd[i] == 0);
}

/* Stripes that only the wide blur removes: values by hand. */
static void test_details(void **state)
{
    (void)state;
    uint8_t pixels[PIXELS];
    struct details details;
    memset(pixels, 100, sizeof pixels);
    pixels[FACE_SIZE * 24 + 24] = 149; /* 49 more: the tent has it times 7 * 7 of 49 * 49 */
    details_make(pixels, &details);
    const int16_t *at = details.values + FACE_SIZE * 24 + 24;
    assert_int_equal(at[0], 49 * 4 - 16);         /* [1 2 1] twice: 4; 16 * 49 * 49/2401 */
    assert_int_equal(at[1], 49 * 2 - 14);         /* 16 * 42/49 = 13.7 */
    assert_int_equal(at[FACE_SIZE], 49 * 2 - 14); /* the same down */
    assert_int_equal(at[2], -11);                 /* 16 * 35/49 = 11.4 */
    assert_int_equal(at[7], 0);
    assert_int_equal(details.values[0], 0);
}

static double product(const float *a, const float *b)
{
    double sum = 0;
    for (int i = 0; i < SKETCH_HALF; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

static void test_sketch(void **state)
{
    (void)state;
    uint8_t a[PIXELS], b[PIXELS], mirrored[PIXELS];
    struct sketch x, y, z;
    const double norm = 2.0 * SKETCH_NORM * SKETCH_NORM;
    draw(1, 3, a);
    draw(2, 0, b);
    mirror(b, mirrored);
    sketch_make(a, &x);
    sketch_make(b, &y);
    sketch_make(mirrored, &z);
    double even = product(x.even, y.even), odd = product(x.odd, y.odd);
    assert_true(fabs(product(x.even, x.even) + product(x.odd, x.odd) - norm) < 0.002 * norm);
    assert_true(product(x.even, z.even) == even && product(x.odd, z.odd) == -odd);
    assert_true(even + odd < 0.8 * norm);
}

/* ---- many images ---- */

enum { MANY = 700, COPIES = 40 };

struct found {
    size_t n, last_b;
    bool seen[COPIES], mirrored[COPIES];
    double share;
};

static void note(void *user, const struct near_pair *pair)
{
    struct found *found = user;
    found->n++;
    assert_true(pair->a < pair->b && pair->similarity >= 0.97 && pair->similarity <= 1);
    if (pair->b == MANY - 1 - pair->a && pair->a < COPIES) {
        found->seen[pair->a] = true;
        found->mirrored[pair->a] = pair->mirrored;
    }
}

static void note_share(void *user, double share)
{
    ((struct found *)user)->share = share;
}

/* More images than a tile has: the last ones are copies of the first, every fourth mirrored. */
static void test_near_pairs(void **state)
{
    (void)state;
    uint8_t *pixels = malloc(MANY * PIXELS), turned[PIXELS];
    const uint8_t *images[MANY];
    for (size_t i = 0; i < MANY; i++) {
        images[i] = pixels + i * PIXELS;
        if (i < MANY - COPIES)
            draw(i, (int)(i % CLASSES), pixels + i * PIXELS);
    }
    for (size_t i = 0; i < COPIES; i++) {
        mirror(images[i], turned);
        copy(i % 4 == 0 ? turned : images[i], (int)i % 2, pixels + (MANY - 1 - i) * PIXELS);
    }
    for (int threads = 1; threads <= 3; threads += 2) {
        struct found found = {0};
        struct near_search search = {.images = images,
                                     .n = MANY,
                                     .least = 0.97,
                                     .mirror = true,
                                     .threads = threads,
                                     .found = note,
                                     .progress = note_share,
                                     .user = &found};
        struct error err;
        assert_int_equal(near_pairs_find(&search, &err), 0);
        assert_int_equal(found.n, COPIES);
        for (size_t i = 0; i < COPIES; i++)
            assert_true(found.seen[i] && found.mirrored[i] == (i % 4 == 0));
        assert_true(found.share == 1);
        found = (struct found){0};
        search.mirror = false;
        assert_int_equal(near_pairs_find(&search, &err), 0);
        assert_int_equal(found.n, COPIES * 3 / 4);
    }
    struct near_search none = {.n = 0, .least = 0.8, .threads = 1, .found = note};
    assert_int_equal(near_pairs_find(&none, NULL), 0);
    free(pixels);
}

/* ---- the stage ---- */

enum { TRAIN = 60, TEST = 20 };

static const size_t sizes[SPLITS] = {TRAIN, TEST, TEST};
static const int first_rows[SPLITS] = {0, 100, 200};

static uint8_t *image_of(struct images *images, size_t i)
{
    return (uint8_t *)images->pixels.data + i * PIXELS;
}

static void plant(struct images splits[SPLITS])
{
    struct images *train = &splits[SPLIT_TRAIN], *public = &splits[SPLIT_PUBLIC];
    struct images *private = &splits[SPLIT_PRIVATE];
    uint8_t *labels = train->labels.data, turned[PIXELS];
    /* identical: 10 three times with one label; 11 and 31 with two labels */
    memcpy(image_of(train, 20), image_of(train, 10), PIXELS);
    memcpy(image_of(train, 30), image_of(train, 10), PIXELS);
    labels[10] = labels[20] = labels[30] = 2;
    memcpy(image_of(train, 31), image_of(train, 11), PIXELS);
    labels[11] = 3;
    labels[31] = 4;
    /* near: 40 of 12, with another label; 41 mirrored of 13, with the same */
    copy(image_of(train, 12), 1, image_of(train, 40));
    labels[12] = 0;
    labels[40] = 5;
    mirror(image_of(train, 13), turned);
    copy(turned, 0, image_of(train, 41));
    labels[13] = labels[41] = 6;
    /* across: public 1 is train 10, public 2 near train 14, private 3 is train 15 and public 4,
     * private 5 near public 6 */
    memcpy(image_of(public, 1), image_of(train, 10), PIXELS);
    ((uint8_t *)public->labels.data)[1] = 2;
    copy(image_of(train, 14), 1, image_of(public, 2));
    ((uint8_t *)public->labels.data)[2] = labels[14] = 1;
    memcpy(image_of(private, 3), image_of(train, 15), PIXELS);
    memcpy(image_of(public, 4), image_of(train, 15), PIXELS);
    labels[15] = 0;
    ((uint8_t *)public->labels.data)[4] = 0;
    ((uint8_t *)private->labels.data)[3] = 1;
    copy(image_of(public, 6), 0, image_of(private, 5));
    /* blank: train 50 and 51 are equal, 52 isn't */
    memset(image_of(train, 50), 90, PIXELS);
    memset(image_of(train, 51), 90, PIXELS);
    memset(image_of(train, 52), 91, PIXELS);
    labels[50] = labels[51] = 0;
}

static int setup(void **state)
{
    if (scratch_setup(state) < 0)
        return -1;
    struct images splits[SPLITS] = {{0}};
    uint64_t drawn = 1000;
    for (int s = 0; s < SPLITS; s++) {
        size_t shape[] = {sizes[s], FACE_SIZE, FACE_SIZE};
        splits[s].n = sizes[s];
        if (array_make(&splits[s].pixels, ARRAY_U8, 3, shape, NULL) < 0 ||
            array_make(&splits[s].labels, ARRAY_U8, 1, shape, NULL) < 0 ||
            array_make(&splits[s].rows, ARRAY_I32, 1, shape, NULL) < 0)
            return -1;
        for (size_t i = 0; i < sizes[s]; i++) {
            draw(drawn++, (int)(i % CLASSES), image_of(&splits[s], i));
            ((uint8_t *)splits[s].labels.data)[i] = (uint8_t)(i % CLASSES);
            ((int32_t *)splits[s].rows.data)[i] = first_rows[s] + (int)i;
        }
    }
    plant(splits);
    int rc = images_write_set("set", "set.json", splits, NULL);
    images_free_set(splits);
    return rc;
}

static const char *const files[] = {"pairs.csv",  "within.csv",     "test_twins.csv",
                                    "twins.json", "near_pairs.png", "summary.json"};

static void find(const char *params, int threads)
{
    struct error err;
    int rc =
        run_job("find_duplicates", params, "\"images\":[{\"path\":\"set\"}]", "", threads, &err);
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

static const char usual[] = "\"similarity\":0.97";

/* The lines of pairs.csv without the similarities of near pairs. */
static void read_pairs(char *text, size_t size)
{
    FILE *file = fopen("pairs.csv", "r");
    assert_non_null(file);
    char line[200];
    size_t used = 0;
    while (fgets(line, sizeof line, file)) {
        char *last = strrchr(line, ',');
        assert_non_null(last);
        if (!strstr(line, "identical") && strncmp(line, "row", 3) != 0) {
            double value = strtod(last + 1, NULL);
            assert_true(value >= 0.97 && value <= 1);
            last[0] = '\n';
            last[1] = 0;
        }
        used += (size_t)snprintf(text + used, size - used, "%s", line);
        assert_true(used < size);
    }
    fclose(file);
}

static void test_pairs(void **state)
{
    (void)state;
    char text[4000];
    find(usual, 1);
    read_pairs(text, sizeof text);
    assert_string_equal(text, "row,split,emotion,of_row,of_split,of_emotion,match,similarity\n"
                              "20,train,fear,10,train,fear,identical,1.0000\n"
                              "30,train,fear,10,train,fear,identical,1.0000\n"
                              "31,train,sad,11,train,happy,identical,1.0000\n"
                              "40,train,surprise,12,train,angry,near\n"
                              "41,train,neutral,13,train,neutral,mirrored\n"
                              "51,train,angry,50,train,angry,identical,1.0000\n"
                              "101,public,fear,10,train,fear,identical,1.0000\n"
                              "102,public,disgust,14,train,disgust,near\n"
                              "104,public,angry,15,train,angry,identical,1.0000\n"
                              "203,private,disgust,15,train,angry,identical,1.0000\n"
                              "203,private,disgust,104,public,angry,identical,1.0000\n"
                              "205,private,surprise,106,public,neutral,near\n");
}

static void test_lists(void **state)
{
    (void)state;
    find(usual, 1);
    expect_text("within.csv", "row,emotion,why,of_row\n"
                              "11,happy,conflict,11\n"
                              "20,fear,duplicate,10\n"
                              "30,fear,duplicate,10\n"
                              "31,sad,conflict,11\n"
                              "51,angry,duplicate,50\n");
    expect_text("test_twins.csv", "row,emotion,public,private\n"
                                  "10,fear,identical,\n"
                                  "14,disgust,near,\n"
                                  "15,angry,identical,identical\n"
                                  "20,fear,identical,\n"
                                  "30,fear,identical,\n");
    json_t *json = json_load_file("twins.json", 0, NULL);
    json_t *expected = json_pack("{s:{s:i,s:[i,i,i]},s:{s:i,s:[i]}}", "public", "images", TEST,
                                 "with_twin", 1, 2, 4, "private", "images", TEST, "with_twin", 3);
    assert_true(json_equal(json, expected));
    json_decref(json);
    json_decref(expected);

    find("\"similarity\":0.97,\"near\":false,\"near_within\":true", 1);
    expect_text("within.csv", "row,emotion,why,of_row\n"
                              "11,happy,conflict,11\n"
                              "12,angry,conflict,12\n"
                              "20,fear,duplicate,10\n"
                              "30,fear,duplicate,10\n"
                              "31,sad,conflict,11\n"
                              "40,surprise,conflict,12\n"
                              "41,neutral,duplicate,13\n"
                              "51,angry,duplicate,50\n");
    expect_text("test_twins.csv", "row,emotion,public,private\n"
                                  "10,fear,identical,\n"
                                  "15,angry,identical,identical\n"
                                  "20,fear,identical,\n"
                                  "30,fear,identical,\n");
    json = json_load_file("twins.json", 0, NULL);
    expected = json_pack("{s:{s:i,s:[i,i]},s:{s:i,s:[i]}}", "public", "images", TEST, "with_twin",
                         1, 4, "private", "images", TEST, "with_twin", 3);
    assert_true(json_equal(json, expected));
    json_decref(json);
    json_decref(expected);

    find("\"similarity\":0.97,\"mirror\":false,\"near_within\":true", 1);
    char *data;
    size_t size;
    assert_int_equal(file_read("within.csv", 1 << 20, &data, &size, NULL), 0);
    assert_null(strstr(data, "\n41,"));
    free(data);
}

static json_int_t at(const json_t *json, const char *a, const char *b, const char *c)
{
    const json_t *value = json_object_get(json_object_get(json_object_get(json, a), b), c);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void test_summary(void **state)
{
    (void)state;
    find(usual, 1);
    json_t *json = json_load_file("summary.json", 0, NULL);
    const struct {
        const char *a, *b, *c;
        json_int_t value;
    } expected[] = {
        {"within_train", "identical", "groups", 3},
        {"within_train", "identical", "surplus", 4},
        {"within_train", "identical", "conflicting_groups", 1},
        {"within_train", "identical", "conflicting_rows", 2},
        {"within_train", "with_near", "groups", 5},
        {"within_train", "with_near", "surplus", 6},
        {"within_train", "with_near", "conflicting_groups", 2},
        {"within_train", "with_near", "conflicting_rows", 4},
        {"public_in_train", "identical", "images", 2},
        {"public_in_train", "identical", "same_label", 2},
        {"public_in_train", "with_near", "images", 3},
        {"public_in_train", "with_near", "same_label", 3},
        {"private_in_train", "identical", "images", 1},
        {"private_in_train", "identical", "same_label", 0},
        {"private_in_train", "with_near", "images", 1},
        {"private_in_public", "identical", "images", 1},
        {"private_in_public", "with_near", "images", 2},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(at(json, expected[i].a, expected[i].b, expected[i].c), expected[i].value);
    json_t *lists = json_object_get(json, "lists");
    assert_int_equal(json_integer_value(json_object_get(lists, "test_twins")), 5);
    assert_int_equal(json_integer_value(json_object_get(lists, "duplicate")), 3);
    assert_int_equal(json_integer_value(json_object_get(lists, "conflict")), 2);
    json_decref(json);
}

static void test_sheet(void **state)
{
    (void)state;
    find("\"similarity\":0.97,\"sheet_images\":4", 1);
    png_image png = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&png, "near_pairs.png"));
    png_image_free(&png);
    find("\"similarity\":1", 1); /* no near pairs */
    assert_true(png_image_begin_read_from_file(&png, "near_pairs.png"));
    png_image_free(&png);
}

/* Three threads give the same bytes in every file; the lists are what drop_rows and metrics read.
 */
static void test_threads(void **state)
{
    (void)state;
    enum { FILES = sizeof files / sizeof *files };
    char *data[FILES], *again;
    size_t size[FILES], n;
    find(usual, 1);
    for (int i = 0; i < FILES; i++)
        assert_int_equal(file_read(files[i], 1 << 22, &data[i], &size[i], NULL), 0);
    find(usual, 3);
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(file_read(files[i], 1 << 22, &again, &n, NULL), 0);
        assert_int_equal(n, size[i]);
        assert_memory_equal(again, data[i], n);
        free(again);
        free(data[i]);
    }
    struct error err;
    assert_int_equal(run_job("drop_rows", "",
                             "\"images\":[{\"path\":\"set\"}],\"rows\":[{\"path\":\"within.csv\"},"
                             "{\"path\":\"test_twins.csv\"}]",
                             "", 1, &err),
                     0);
    struct images kept;
    assert_int_equal(images_read("kept", SPLIT_TRAIN, &kept, &err), 0);
    assert_int_equal(kept.n, TRAIN - 8);
    images_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_similarity), cmocka_unit_test(test_blank),
        cmocka_unit_test(test_details),    cmocka_unit_test(test_sketch),
        cmocka_unit_test(test_near_pairs), cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_lists),      cmocka_unit_test(test_summary),
        cmocka_unit_test(test_sheet),      cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, setup, scratch_teardown);
}
