/* ingest_csv on good and bad files: every kind of damage is reported with line, column and
 * expectation. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "stages/data/csv_faces.h"
#include "stages/job.h"
#include "stages/data/stratify.h"

enum { PIXELS = FACE_SIZE * FACE_SIZE };

/* A growing text. */
struct text {
    char *bytes;
    size_t size;
};

static void add(struct text *t, const char *bytes, size_t size)
{
    t->bytes = realloc(t->bytes, t->size + size + 1);
    assert_non_null(t->bytes);
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = 0;
}

static void add_string(struct text *t, const char *s)
{
    add(t, s, strlen(s));
}

/* `count` pixels; number i is (first + i) % 256. */
static void add_pixels(struct text *t, int first, int count)
{
    char number[8];
    for (int i = 0; i < count; i++) {
        snprintf(number, sizeof number, i ? " %d" : "%d", (first + i) % 256);
        add_string(t, number);
    }
}

/* In a pattern, P is a full row of pixels, S one too few, M one too many, L a very long line; \1 is
 * a NUL; all else stands for itself. */
static struct text expand(const char *pattern)
{
    struct text t = {0};
    add(&t, "", 0);
    for (const char *p = pattern; *p; p++) {
        if (*p == 'P' && p[1] != 'u' && p[1] != 'r')
            add_pixels(&t, 0, PIXELS);
        else if (*p == 'S')
            add_pixels(&t, 0, PIXELS - 1);
        else if (*p == 'M')
            add_pixels(&t, 0, PIXELS + 1);
        else if (*p == 'L')
            for (int i = 0; i < CSV_MAX_LINE; i++)
                add(&t, "7 ", 2);
        else
            add(&t, *p == '\1' ? "\0" : p, 1);
    }
    return t;
}

/* Runs the stage on a file in the current folder. */
static int ingest(const char *bytes, size_t size, const char *params, struct error *err)
{
    char *job_text =
        format_string("{\"stage\":\"full\",\"kind\":\"ingest_csv\",\"key\":\"00\",\"params\":{%s},"
                      "\"inputs\":{\"csv\":[{\"path\":\"csv\"}]},\"outputs\":{},"
                      "\"threads\":1,\"backend\":\"auto\"}",
                      params);
    assert_int_equal(file_write("csv", bytes, size, err), 0);
    assert_int_equal(file_write("job.json", job_text, strlen(job_text), err), 0);
    free(job_text);
    assert_int_equal(file_remove_tree("images", err), 0);
    struct job job;
    const struct kind *kind = kind_find("ingest_csv");
    assert_int_equal(job_open(&job, kind, err), 0);
    *err = (struct error){""};
    int rc = kind->run(&job, err);
    job_close(&job);
    return rc;
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *message;
    } cases[] = {
        {"", "csv:1:1: expected the header emotion,pixels,Usage, found an empty file"},
        {"emotion,pixels,Usage\n", "csv:2:1: expected rows after the header, found none"},
        {"emotion,pixels,Usage", "csv:2:1: expected rows after the header, found none"},
        {"emotion,pixels,Usage\n\n\n", "csv:4:1: expected rows after the header, found none"},
        {"0,P,Training\n", "csv:1:1: header: expected emotion,pixels,Usage, found '0'"},
        {"emotion,pixels\n0,P\n",
         "csv:1:1: header: expected emotion,pixels,Usage, found 'emotion'"},
        {"emotion,pixels,Usage\n0,S,Training\n",
         "csv:2:8224: pixels: expected 2304 values, found 2303"},
        {"emotion,pixels,Usage\n0,P,Training\n0,1 2 3,Training\n",
         "csv:3:8: pixels: expected 2304 values, found 3"},
        {"emotion,pixels,Usage\n0,1 2 3", "csv:2:8: pixels: expected 2304 values, found 3"},
        {"emotion,pixels,Usage\n0,,Training\n", "csv:2:3: pixels: expected 2304 values, found 0"},
        {"emotion,pixels,Usage\n0,M,Training\n",
         "csv:2:8228: pixels: expected 2304 values, found more"},
        {"emotion,pixels,Usage\n0,9 256 9,Training\n",
         "csv:2:5: pixels: expected 0 to 255 with one space between (value 2 of 2304), found '256 "
         "9'"},
        {"emotion,pixels,Usage\n0,1000 9,Training\n",
         "csv:2:3: pixels: expected 0 to 255 with one space between (value 1 of 2304), found '1000 "
         "9'"},
        {"emotion,pixels,Usage\n0,9 x 9,Training\n",
         "csv:2:5: pixels: expected 0 to 255 with one space between (value 2 of 2304), found 'x "
         "9'"},
        {"emotion,pixels,Usage\n0,9 -1,Training\n",
         "csv:2:5: pixels: expected 0 to 255 with one space between (value 2 of 2304), found '-1'"},
        {"emotion,pixels,Usage\n0,9  9,Training\n",
         "csv:2:5: pixels: expected 0 to 255 with one space between (value 2 of 2304), found ' 9'"},
        {"emotion,pixels,Usage\n0,9 \1 9,Training\n",
         "csv:2:5: pixels: expected 0 to 255 with one space between (value 2 of 2304), found byte "
         "0x00"},
        {"emotion,pixels,Usage\n7,P,Training\n", "csv:2:1: emotion: expected 0 to 6, found '7'"},
        {"emotion,pixels,Usage\n-1,P,Training\n", "csv:2:1: emotion: expected 0 to 6, found '-1'"},
        {"emotion,pixels,Usage\n10,P,Training\n",
         "csv:2:1: emotion: expected 0 to 6 and a comma, found '10'"},
        {"emotion,pixels,Usage\nhappy,P,Training\n",
         "csv:2:1: emotion: expected 0 to 6, found 'happy'"},
        {"emotion,pixels,Usage\n3", "csv:2:1: emotion: expected 0 to 6 and a comma, found '3'"},
        {"emotion,pixels,Usage\n\1\1\1\n", "csv:2:1: emotion: expected 0 to 6, found byte 0x00"},
        {"emotion,pixels,Usage\n0,P,training\n",
         "csv:2:8229: Usage: expected Training, PublicTest or PrivateTest, found 'training'"},
        {"emotion,pixels,Usage\n0,P,\n", "csv:2:8229: Usage: expected Training, PublicTest or "
                                         "PrivateTest, found the end of the line"},
        {"emotion,pixels,Usage\n0,P,Training,9\n",
         "csv:2:8229: Usage: expected Training, PublicTest or PrivateTest, found 'Training'"},
        {"emotion,pixels,Usage\n0,P\n",
         "csv:2:8228: pixels: expected a comma and the Usage, found the end of the line"},
        {"emotion,pixels,Usage\n0,\"P,Training\n",
         "csv:2:8229: pixels: expected a closing quote, found ',Training'"},
        {"emotion,pixels,Usage\n0,P,Training\n\n0,P,Training\n",
         "csv:3:1: expected a row, found an empty line"},
        {"emotion,pixels,Usage\n0,L,Training\n",
         "csv:2:16384: expected the end of the line, at most 16384 bytes"},
        {"\x7f\3\4\5", "csv:1:1: header: expected emotion,pixels,Usage, found byte 0x7f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct text t = expand(cases[i].pattern);
        struct error err;
        assert_true(ingest(t.bytes, t.size, "", &err) < 0);
        assert_string_equal(err.text, cases[i].message);
        assert_int_equal(access("images", F_OK), -1);
        free(t.bytes);
    }
}

static void check_pixels(const struct images *images, size_t row, int first)
{
    const uint8_t *pixels = (const uint8_t *)images->pixels.data + row * PIXELS;
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(pixels[i], (first + i) % 256);
}

/* Four rows of three splits, each with other pixels. */
static struct text good_csv(const char *newline, const char *quote, const char *last)
{
    static const char *const usages[] = {"Training", "PrivateTest", "Training", "PublicTest"};
    struct text t = {0};
    add_string(&t, "emotion,pixels,Usage");
    for (int i = 0; i < 4; i++) {
        char emotion[16];
        snprintf(emotion, sizeof emotion, "%d,", i + 3);
        add_string(&t, newline);
        add_string(&t, emotion);
        add_string(&t, quote);
        add_pixels(&t, 50 * i, PIXELS);
        add_string(&t, quote);
        add_string(&t, ",");
        add_string(&t, quote);
        add_string(&t, usages[i]);
        add_string(&t, quote);
    }
    add_string(&t, last);
    return t;
}

/* What good_csv must give. */
static void check_good(void)
{
    static const struct {
        size_t n, row[2];
    } expected[SPLITS] = {{2, {0, 2}}, {1, {3}}, {1, {1}}};
    for (int s = 0; s < SPLITS; s++) {
        struct images images;
        struct error err;
        assert_int_equal(images_read("images", (enum split)s, &images, &err), 0);
        assert_int_equal(images.n, expected[s].n);
        for (size_t i = 0; i < images.n; i++) {
            size_t row = expected[s].row[i];
            assert_int_equal(((int32_t *)images.rows.data)[i], row);
            assert_int_equal(((uint8_t *)images.labels.data)[i], row + 3);
            check_pixels(&images, i, (int)row * 50);
        }
        images_free(&images);
    }
}

static void test_good_files(void **state)
{
    (void)state;
    static const struct {
        const char *newline, *quote, *last;
    } forms[] = {{"\n", "", "\n"},          {"\n", "", ""},     {"\r\n", "", "\r\n"},
                 {"\r\n", "", ""},          {"\n", "\"", "\n"}, {"\n", "", "\n\n\n"},
                 {"\r\n", "\"", "\r\n\r\n"}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct text t = good_csv(forms[i].newline, forms[i].quote, forms[i].last);
        struct error err;
        assert_int_equal(ingest(t.bytes, t.size, "", &err), 0);
        check_good();
        free(t.bytes);
    }
    char *counts;
    size_t size;
    struct error err;
    assert_int_equal(file_read("counts.json", 4096, &counts, &size, &err), 0);
    json_t *json = json_loads(counts, 0, NULL);
    json_t *expected =
        json_pack("{s:[iiiiiii], s:[iiiiiii], s:[iiiiiii]}", "train", 0, 0, 0, 1, 0, 1, 0, "public",
                  0, 0, 0, 0, 0, 0, 1, "private", 0, 0, 0, 0, 1, 0, 0);
    assert_true(json_equal(json, expected));
    json_decref(json);
    json_decref(expected);
    free(counts);
}

/* Any division of the file into blocks gives the same rows, or the same error. */
static void test_blocks(void **state)
{
    (void)state;
    struct text t = good_csv("\r\n", "\"", "");
    for (size_t block = 1; block < 3 * t.size; block = block * 3 + 1) {
        struct csv_faces faces;
        struct error err;
        assert_int_equal(csv_faces_begin(&faces, "csv", &err), 0);
        for (size_t at = 0; at < t.size; at += block) {
            size_t size = t.size - at < block ? t.size - at : block;
            char *copy = malloc(size); /* its own memory, so that sanitizers see reads past it */
            assert_non_null(copy);
            memcpy(copy, t.bytes + at, size);
            assert_int_equal(csv_faces_feed(&faces, copy, size, &err), 0);
            free(copy);
        }
        assert_int_equal(csv_faces_finish(&faces, &err), 0);
        assert_int_equal(faces.rows, 4);
        check_pixels(&faces.splits[SPLIT_TRAIN], 1, 100);
        check_pixels(&faces.splits[SPLIT_PUBLIC], 0, 150);
        check_pixels(&faces.splits[SPLIT_PRIVATE], 0, 50);
        csv_faces_free(&faces);
    }
    free(t.bytes);
}

/* ---- compressed files and archives ---- */

struct member {
    const char *name;
    const struct text *text;
};

/* Writes an archive of members to memory; a member without a name: no tar. */
static struct text pack(const struct member *members, size_t count, int filter)
{
    struct text packed = {.bytes = malloc(1 << 20)};
    struct archive *a = archive_write_new();
    archive_write_add_filter(a, filter);
    bool tar = members[0].name != NULL;
    assert_int_equal(tar ? archive_write_set_format_ustar(a) : archive_write_set_format_raw(a), 0);
    archive_write_set_bytes_in_last_block(a, 1);
    assert_int_equal(archive_write_open_memory(a, packed.bytes, 1 << 20, &packed.size), 0);
    for (size_t i = 0; i < count; i++) {
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, tar ? members[i].name : "x");
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_size(entry, (la_int64_t)members[i].text->size);
        assert_int_equal(archive_write_header(a, entry), 0);
        assert_int_equal(archive_write_data(a, members[i].text->bytes, members[i].text->size),
                         members[i].text->size);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(a), 0);
    archive_write_free(a);
    return packed;
}

static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_BZIP2};

static void test_packed(void **state)
{
    (void)state;
    struct text good = good_csv("\n", "", "\n"), other = expand("a,b\n1,2\n");
    const struct member layouts[][3] = {
        {{NULL, &good}},
        {{"fer2013/README", &other}, {"fer2013/fer2013.csv", &good}, {"z.csv", &other}},
        {{"a.csv", &other}, {"fer2013/._fer2013.csv", &other}, {"fer2013/fer2013.csv", &good}},
        {{"notes.txt", &other}, {"faces.csv", &good}, {"later.csv", &other}},
    };
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++) {
            struct text packed = pack(layouts[l], layouts[l][0].name ? 3 : 1, filters[f]);
            struct error err;
            assert_int_equal(ingest(packed.bytes, packed.size, "", &err), 0);
            check_good();
            free(packed.bytes);
        }
    }
    struct text tar = pack(layouts[1], 3, ARCHIVE_FILTER_NONE);
    struct error err;
    assert_int_equal(ingest(tar.bytes, tar.size, "", &err), 0);
    check_good();
    free(tar.bytes);
    free(good.bytes);
    free(other.bytes);
}

/* A compressed file truncated anywhere is an error, and so is an archive without a CSV. */
static void test_packed_damage(void **state)
{
    (void)state;
    struct text good = good_csv("\n", "", "\n");
    struct error err;
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        struct member member = {NULL, &good};
        struct text packed = pack(&member, 1, filters[f]);
        for (size_t cut = 8; cut < packed.size; cut += packed.size / 7) {
            assert_true(ingest(packed.bytes, cut, "", &err) < 0);
            assert_int_equal(strncmp(err.text, "csv", 3), 0);
        }
        assert_true(ingest(packed.bytes, packed.size / 2, "", &err) < 0);
        assert_non_null(strstr(err.text, "truncated or damaged archive"));
        free(packed.bytes);
    }
    struct member nothing[] = {{"a.txt", &good}, {"b/c.json", &good}};
    struct text packed = pack(nothing, 2, ARCHIVE_FILTER_GZIP);
    assert_true(ingest(packed.bytes, packed.size, "", &err) < 0);
    assert_string_equal(err.text, "csv: no .csv file in the archive");
    free(packed.bytes);
    free(good.bytes);
}

/* ---- limit ---- */

/* A training split of 40 happy, 20 sad and 1 disgust, and half of that as a public one. */
static struct text classes_csv(void)
{
    static const struct {
        int label, train, public;
    } classes[] = {{3, 40, 20}, {4, 20, 10}, {1, 1, 1}};
    struct text t = {0}, pixels = {0};
    add_pixels(&pixels, 0, PIXELS);
    add_string(&t, "emotion,pixels,Usage\n");
    for (size_t c = 0; c < 3; c++) {
        for (int i = 0; i < classes[c].train + classes[c].public; i++) {
            char emotion[16];
            snprintf(emotion, sizeof emotion, "%d,", classes[c].label);
            add_string(&t, emotion);
            add(&t, pixels.bytes, pixels.size);
            add_string(&t, i < classes[c].train ? ",Training\n" : ",PublicTest\n");
        }
    }
    free(pixels.bytes);
    return t;
}

static void count_classes(enum split split, size_t counts[CLASSES], int32_t *last_rows, size_t *n)
{
    struct images images;
    struct error err;
    assert_int_equal(images_read("images", split, &images, &err), 0);
    memset(counts, 0, CLASSES * sizeof *counts);
    for (size_t i = 0; i < images.n; i++) {
        counts[((uint8_t *)images.labels.data)[i]]++;
        int32_t row = ((int32_t *)images.rows.data)[i];
        assert_true(i == 0 || row > ((int32_t *)images.rows.data)[i - 1]); /* the file's order */
        last_rows[i] = row;
    }
    *n = images.n;
    images_free(&images);
}

static void test_limit(void **state)
{
    (void)state;
    struct text t = classes_csv();
    static const struct {
        const char *params;
        size_t happy, sad, disgust, public;
    } cases[] = {
        {"\"max_train_rows\":0", 40, 20, 1, 31},    {"\"max_train_rows\":61", 40, 20, 1, 31},
        {"\"max_train_rows\":1000", 40, 20, 1, 31}, {"\"max_train_rows\":30", 19, 10, 1, 15},
        {"\"max_train_rows\":3", 1, 1, 1, 2},       {"\"max_train_rows\":1", 1, 0, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err;
        size_t counts[CLASSES], n;
        int32_t rows[100];
        assert_int_equal(ingest(t.bytes, t.size, cases[i].params, &err), 0);
        count_classes(SPLIT_TRAIN, counts, rows, &n);
        assert_int_equal(counts[3], cases[i].happy);
        assert_int_equal(counts[4], cases[i].sad);
        assert_int_equal(counts[1], cases[i].disgust);
        count_classes(SPLIT_PUBLIC, counts, rows, &n);
        assert_int_equal(n, cases[i].public);
    }
    free(t.bytes);
}

/* The same seed selects the same rows, another seed other rows; a larger subset contains the
 * smaller one. */
static void test_limit_seed(void **state)
{
    (void)state;
    struct text t = classes_csv();
    struct error err;
    size_t counts[CLASSES], n, larger_n;
    int32_t rows[3][100] = {{0}}, larger[100] = {0};
    static const char *const params[] = {"\"max_train_rows\":20,\"seed\":5",
                                         "\"max_train_rows\":20,\"seed\":5",
                                         "\"max_train_rows\":20,\"seed\":6"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ingest(t.bytes, t.size, params[i], &err), 0);
        count_classes(SPLIT_TRAIN, counts, rows[i], &n);
        assert_int_equal(n, 20);
    }
    assert_memory_equal(rows[0], rows[1], 20 * sizeof rows[0][0]);
    assert_memory_not_equal(rows[0], rows[2], 20 * sizeof rows[0][0]);
    assert_int_equal(ingest(t.bytes, t.size, "\"max_train_rows\":40,\"seed\":5", &err), 0);
    count_classes(SPLIT_TRAIN, counts, larger, &larger_n);
    for (size_t i = 0; i < n; i++) {
        bool there = false;
        for (size_t k = 0; k < larger_n; k++)
            there |= larger[k] == rows[0][i];
        assert_true(there);
    }
    free(t.bytes);
}

static void test_too_many_rows(void **state)
{
    (void)state;
    struct csv_faces faces;
    struct error err;
    struct text row = expand("2,P,Training\n");
    assert_int_equal(csv_faces_begin(&faces, "big.csv", &err), 0);
    assert_int_equal(csv_faces_feed(&faces, "emotion,pixels,Usage\n", 21, &err), 0);
    faces.rows = CSV_MAX_ROWS - 1; /* as if that many rows had been read */
    assert_int_equal(csv_faces_feed(&faces, row.bytes, row.size, &err), 0);
    assert_int_equal(csv_faces_feed(&faces, row.bytes, row.size, &err), -EFBIG);
    assert_string_equal(err.text, "big.csv:3:1: expected at most 400000 rows");
    csv_faces_free(&faces);
    free(row.bytes);
}

static void test_no_file(void **state)
{
    (void)state;
    struct error err;
    struct text t = good_csv("\n", "", "\n");
    assert_int_equal(ingest(t.bytes, t.size, "", &err), 0);
    free(t.bytes);
    assert_int_equal(unlink("csv"), 0);
    struct job job;
    assert_int_equal(job_open(&job, kind_find("ingest_csv"), &err), 0);
    assert_int_equal(job.kind->run(&job, &err), -ENOENT);
    assert_string_equal(err.text, "cannot open csv: No such file or directory");
    job_close(&job);
}

int main(void)
{
    char folder[] = "/tmp/ferdag_ingest_XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) < 0) {
        perror(folder);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),     cmocka_unit_test(test_good_files),
        cmocka_unit_test(test_blocks),        cmocka_unit_test(test_packed),
        cmocka_unit_test(test_packed_damage), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_seed),    cmocka_unit_test(test_too_many_rows),
        cmocka_unit_test(test_no_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    struct error err;
    return chdir("/") < 0 || file_remove_tree(folder, &err) < 0 ? 1 : failed;
}
