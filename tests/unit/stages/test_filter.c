/* filter_noise: measures of single images; ranks and each rule on made-up evidence; contact sheets;
 * and the whole stage on a small drawn set with noise. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/random.h"
#include "stages/noise/contact_sheet.h"
#include "stages/noise/faces.h"
#include "stages/data/formats.h"
#include "stages/noise/image_measures.h"
#include "stages/job.h"
#include "stages/noise/rules.h"
#include "kernels/math/pca.h"

enum { PIXELS = FACE_SIZE * FACE_SIZE };

/* ---- single images ---- */

static void noise_image(uint8_t pixels[PIXELS], uint64_t seed)
{
    struct random r = random_start(seed, 0);
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)random_below(&r, 256);
}

static void test_tones(void **state)
{
    (void)state;
    uint8_t blank[PIXELS], halves[PIXELS], noise[PIXELS], stripes[PIXELS];
    memset(blank, 77, sizeof blank);
    noise_image(noise, 1);
    for (int i = 0; i < PIXELS; i++) {
        halves[i] = i % FACE_SIZE < FACE_SIZE / 2 ? 0 : 255;
        stripes[i] = i % FACE_SIZE % 8 == 0 ? 0 : 200;
    }
    struct tones t = image_tones(blank);
    assert_float_equal(t.entropy, 0, 1e-6);
    assert_float_equal(t.centre_entropy, 0, 1e-6);
    assert_float_equal(t.lines, 0, 1e-6);
    assert_float_equal(t.flat, 1, 1e-6);
    t = image_tones(halves);
    assert_float_equal(t.entropy, 1, 1e-6);
    assert_float_equal(t.centre_entropy, 1, 1e-6);
    assert_float_equal(t.lines, 0, 1e-6); /* an edge isn't a line */
    assert_float_equal(t.flat, 38.0 / 40, 1e-6);
    t = image_tones(stripes);
    assert_float_equal(t.lines, 5 * 200.0 / 40, 1e-4); /* 5 dark columns of the inner 40 */
    assert_float_equal(t.flat, 25.0 / 40, 1e-6);       /* each changes itself and its neighbours */
    t = image_tones(noise);
    assert_true(t.entropy > 7.8 && t.entropy <= 8);
    assert_true(t.centre_entropy > 4.9 && t.centre_entropy <= 5);
}

static void test_shape(void **state)
{
    (void)state;
    uint8_t pixels[PIXELS];
    float shape[SHAPE_SIZE], brighter[SHAPE_SIZE], turned[SHAPE_SIZE];
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(2 * (i % FACE_SIZE));
    image_shape(pixels, shape);
    for (int i = 0; i < SHAPE_SIZE; i++) /* a ramp to the right has one direction: the first */
        assert_true(i % 8 == 0 ? shape[i] > 0.4 : shape[i] == 0);
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(pixels[i] + 100);
    image_shape(pixels, brighter);
    assert_memory_equal(shape, brighter, sizeof shape);
    for (int i = 0; i < PIXELS; i++)
        pixels[i] = (uint8_t)(2 * (i / FACE_SIZE));
    image_shape(pixels, turned);
    for (int i = 0; i < SHAPE_SIZE; i++)
        assert_true(i % 8 == 4 ? turned[i] > 0.4 : turned[i] == 0);
    memset(pixels, 9, sizeof pixels);
    image_shape(pixels, shape);
    for (int i = 0; i < SHAPE_SIZE; i++)
        assert_true(shape[i] == 0);
}

static void test_small(void **state)
{
    (void)state;
    uint8_t pixels[PIXELS];
    float small[SMALL_SIZE];
    noise_image(pixels, 2);
    image_small(pixels, small);
    double sum = 0, squares = 0;
    for (int i = 0; i < SMALL_SIZE; i++) {
        sum += small[i];
        squares += small[i] * small[i];
    }
    assert_true(fabs(sum) < 1e-3);
    assert_true(fabs(squares / SMALL_SIZE - 1) < 1e-4);
    memset(pixels, 200, sizeof pixels);
    image_small(pixels, small);
    for (int i = 0; i < SMALL_SIZE; i++)
        assert_true(small[i] == 0);
}

/* ---- principal components ---- */

enum { ROWS = 400, DIMS = 12 };

/* Points near a plane in 12 dimensions, and the last point far from it. */
static void plane(float x[ROWS * DIMS], double a[ROWS], double b[ROWS])
{
    struct random r = random_start(3, 0);
    for (int i = 0; i < ROWS; i++) {
        a[i] = 5 * random_normal(&r);
        b[i] = 2 * random_normal(&r);
        for (int d = 0; d < DIMS; d++)
            x[i * DIMS + d] = (float)(7 + a[i] * (d % 2 ? 1 : -1) + b[i] * (d < 6 ? 1 : -1) +
                                      0.01 * random_normal(&r));
    }
    x[ROWS * DIMS - 1] += 3;
}

static void test_pca(void **state)
{
    (void)state;
    static float x[ROWS * DIMS];
    static double a[ROWS], b[ROWS], target[ROWS], predicted[ROWS];
    struct pca s;
    struct error err;
    plane(x, a, b);
    assert_int_equal(pca_fit(x, ROWS, DIMS, 8, 2, &s, &err), 0);
    for (int i = 0; i < ROWS - 1; i++)
        assert_true(s.distance[i] < 0.1);
    assert_true(s.distance[ROWS - 1] > 5);
    double rarity = 0;
    for (int i = 0; i < ROWS; i++)
        rarity += s.rarity[i];
    assert_true(fabs(rarity / ROWS - 2) < 0.01); /* two components of variance 1 */
    for (int i = 0; i < ROWS; i++)
        target[i] = 3 + a[i] - 2 * b[i];
    assert_int_equal(pca_regress(&s, 2, target, NULL, predicted, &err), 0);
    double before = 0, after = 0;
    for (int i = 0; i < ROWS; i++) {
        before += (target[i] - 3) * (target[i] - 3);
        after += (target[i] - predicted[i]) * (target[i] - predicted[i]);
    }
    assert_true(after < 0.05 * before);
    static uint8_t use[ROWS];
    assert_true(pca_regress(&s, 2, target, use, predicted, &err) < 0);
    pca_free(&s);
}

/* Equal rows: no component, no distance, and the mean is predicted. */
static void test_pca_flat(void **state)
{
    (void)state;
    static float x[ROWS * DIMS];
    static double target[ROWS], predicted[ROWS];
    struct pca s;
    struct error err;
    for (int i = 0; i < ROWS; i++)
        target[i] = i % 2;
    assert_int_equal(pca_fit(x, ROWS, DIMS, 8, 2, &s, &err), 0);
    assert_int_equal(s.k, 0);
    assert_int_equal(pca_regress(&s, 2, target, NULL, predicted, &err), 0);
    assert_true(s.distance[5] == 0 && predicted[5] == 0.5);
    pca_free(&s);
}

/* ---- rules ---- */

enum { MADE_UP = 1000 };

static float made_up[EVIDENCES][MADE_UP], windows[MADE_UP];
static uint8_t faces[MADE_UP];

/* A thousand images with equal evidence. */
static struct noise_evidence plain_evidence(void)
{
    struct noise_evidence e = {
        .n = MADE_UP, .window = windows, .predicted_window = windows, .faces = faces};
    for (int k = 0; k < EVIDENCES; k++) {
        e.values[k] = made_up[k];
        for (int i = 0; i < MADE_UP; i++)
            made_up[k][i] = 50;
    }
    for (int i = 0; i < MADE_UP; i++) {
        windows[i] = 48;
        faces[i] = 1;
    }
    return e;
}

static struct noise_settings usual_settings(void)
{
    struct noise_settings s = {
        .threshold = 1.5, .min_face = 24, .face_share = 0.7, .size_support = 6, .max_faces = 1};
    s.weights[NO_FACE][SUPPORT] = 2;
    s.weights[NO_FACE][ENTROPY] = 1;
    s.weights[DRAWING][LINES] = 1;
    s.weights[DRAWING][FLAT] = 1;
    return s;
}

static struct noise_verdict verdicts[MADE_UP];

static void judge_made_up(const struct noise_evidence *e, const struct noise_settings *s)
{
    struct error err;
    assert_int_equal(noise_judge(e, s, verdicts, &err), 0);
}

static void test_rules_plain(void **state)
{
    (void)state;
    struct noise_evidence e = plain_evidence();
    struct noise_settings s = usual_settings();
    judge_made_up(&e, &s);
    for (int i = 0; i < MADE_UP; i++) {
        assert_float_equal(verdicts[i].scores[NO_FACE], 0, 1e-6);
        assert_float_equal(verdicts[i].scores[DRAWING], 0, 1e-6);
        assert_float_equal(verdicts[i].scores[SMALL_FACE], 24 / (0.7F * 48), 1e-5);
        assert_float_equal(verdicts[i].scores[SEVERAL_FACES], 0.5, 1e-6);
        assert_true(verdicts[i].score < 1);
    }
}

/* Only row i differs, and only it is removed, by this rule. */
static void test_rules_one_by_one(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    made_up[SUPPORT][10] = 0;
    made_up[ENTROPY][10] = 1;
    made_up[LINES][20] = 99;
    made_up[FLAT][20] = 99;
    windows[30] = 34; /* 0.7 * 34 = 23.8 */
    windows[31] = 35; /* 24.5: kept */
    faces[40] = 2;
    judge_made_up(&e, &s);
    const struct {
        int row;
        enum noise_rule rule;
        double score;
    } expected[] = {{10, NO_FACE, 3 / 1.5},
                    {20, DRAWING, 3 / 1.5},
                    {30, SMALL_FACE, 24 / 23.8},
                    {40, SEVERAL_FACES, 1}};
    int gone = 0;
    for (int i = 0; i < MADE_UP; i++)
        gone += verdicts[i].score >= 1;
    assert_int_equal(gone, 4);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(verdicts[expected[k].row].rule, expected[k].rule);
        assert_float_equal(verdicts[expected[k].row].score, expected[k].score, 1e-4);
    }
    assert_true(verdicts[31].score < 1);
}

/* A face region of exactly min_face is kept. */
static void test_rules_exact_size(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    s.face_share = 0.5;
    windows[30] = 48;
    windows[31] = nextafterf(48, 0);
    judge_made_up(&e, &s);
    assert_true(verdicts[30].face == 24);
    assert_true(verdicts[30].score < 1);
    assert_true(verdicts[31].face < 24);
    assert_true(verdicts[31].score >= 1);
}

static void test_rules_settings(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    windows[30] = 34;
    made_up[SUPPORT][31] = 5; /* too few windows for a reliable size */
    windows[31] = 20;
    faces[40] = 2;
    s.min_face = 20;
    s.max_faces = 2;
    judge_made_up(&e, &s);
    assert_true(verdicts[30].score < 1);
    assert_true(verdicts[40].score < 1);
    s.min_face = 24;
    judge_made_up(&e, &s);
    assert_true(verdicts[30].score >= 1);
    assert_float_equal(verdicts[31].scores[SMALL_FACE], 0, 1e-6);
    assert_float_equal(verdicts[31].face, 0, 1e-6);
    s.min_face = 0;
    s.threshold = 2.5;
    judge_made_up(&e, &s);
    assert_true(verdicts[30].score < 1);
}

/* Equal values share a rank: the most unusual tenth of the set has rarity 1. */
static void test_ranks_of_equals(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    for (int i = 0; i < MADE_UP / 10; i++)
        made_up[LINES][i * 10] = made_up[FLAT][i * 10] = 80;
    judge_made_up(&e, &s);
    for (int i = 0; i < MADE_UP; i++)
        assert_float_equal(verdicts[i].scores[DRAWING], (i % 10 ? 0 : 1 / 1.5F), 1e-5);
}

/* ---- contact sheets ---- */

static void test_sheet(void **state)
{
    (void)state;
    enum { N = SHEET_COLUMNS + 3 };
    static uint8_t images[N][PIXELS];
    static struct sheet_cell cells[N];
    for (int i = 0; i < N; i++) {
        noise_image(images[i], (uint64_t)i);
        cells[i].pixels = images[i];
        snprintf(cells[i].caption, sizeof cells[i].caption, "NF %d", i % 100);
    }
    struct error err;
    assert_int_equal(sheet_write("sheet.png", cells, N, &err), 0);
    png_image png = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&png, "sheet.png"));
    png.format = PNG_FORMAT_GRAY;
    assert_int_equal(png.width, 2 + SHEET_COLUMNS * 50);
    assert_int_equal(png.height, 2 + 2 * 57);
    uint8_t *canvas = malloc(PNG_IMAGE_SIZE(png));
    assert_non_null(canvas);
    assert_true(png_image_finish_read(&png, NULL, canvas, 0, NULL));
    for (int i = 0; i < N; i++) {
        const uint8_t *at =
            canvas + (2 + i / SHEET_COLUMNS * 57) * (int)png.width + 2 + i % SHEET_COLUMNS * 50;
        for (int y = 0; y < FACE_SIZE; y++)
            assert_memory_equal(at + y * (int)png.width, images[i] + y * FACE_SIZE, FACE_SIZE);
        int ink = 0;
        for (int y = FACE_SIZE; y < FACE_SIZE + 7; y++)
            for (int x = 0; x < FACE_SIZE; x++)
                ink += at[y * (int)png.width + x] == 0;
        assert_true(ink > 20 && ink < 80); /* a caption of four or five letters */
    }
    free(canvas);
    assert_int_equal(sheet_write("empty.png", NULL, 0, &err), 0);
    assert_true(sheet_write("large.png", cells, SHEET_MAX_IMAGES + 1, &err) < 0);
    assert_int_equal(access("large.png", F_OK), -1);
}

/* ---- the stage ---- */

static int run_stage(const char *kind_name, const char *params, const char *inputs, int threads,
                     struct error *err)
{
    char *text = format_string(
        "{\"stage\":\"s\",\"kind\":\"%s\",\"key\":\"00\",\"params\":{%s},\"inputs\":{%s},"
        "\"outputs\":{},\"threads\":%d,\"backend\":\"auto\"}",
        kind_name, params, inputs, threads);
    assert_non_null(text);
    assert_int_equal(file_write("job.json", text, strlen(text), err), 0);
    free(text);
    struct job job;
    const struct kind *kind = kind_find(kind_name);
    assert_int_equal(job_open(&job, kind, err), 0);
    *err = (struct error){""};
    int rc = kind->run(&job, err);
    job_close(&job);
    return rc;
}

/* Draws 250 training faces with noise among them, into the folder `set`. */
static void make_set(void)
{
    struct error err;
    assert_int_equal(run_stage("synthetic_faces",
                               "\"train\":250,\"public\":30,\"private\":30,\"noise\":0.06", "", 1,
                               &err),
                     0);
    assert_int_equal(run_stage("ingest_csv", "", "\"csv\":[{\"path\":\"faces.csv\"}]", 1, &err), 0);
    assert_int_equal(rename("images", "set"), 0);
}

/* One row in twenty is noise here, too many for the default threshold, which depends on ranks. */
static const char usual[] = "\"threshold\":1";
static const char set_input[] = "\"images\":[{\"path\":\"set\"}]";
static const char *const files[] = {"kept/train_images.npy",
                                    "kept/train_rows.npy",
                                    "kept/public_images.npy",
                                    "kept/private_images.npy",
                                    "kept/counts.json",
                                    "counts.json",
                                    "removed.csv",
                                    "scores.csv",
                                    "summary.json",
                                    "sheets/removed.png",
                                    "sheets/nearly_removed.png"};

enum { FILES = sizeof files / sizeof *files };

static char *read_whole(const char *path, size_t *size)
{
    struct error err;
    char *data;
    assert_int_equal(file_read(path, 1 << 26, &data, size, &err), 0);
    return data;
}

static void same_file(const char *a, const char *b)
{
    size_t n, m;
    char *x = read_whole(a, &n), *y = read_whole(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* From the truth: whether each row is noise. */
static void read_truth(bool planted[310])
{
    FILE *f = fopen("truth.csv", "r");
    assert_non_null(f);
    char line[200];
    assert_non_null(fgets(line, sizeof line, f));
    for (int row; fgets(line, sizeof line, f);) {
        assert_int_equal(sscanf(line, "%d,", &row), 1);
        assert_true(row >= 0 && row < 310);
        planted[row] = line[strlen(line) - 2] != ',';
    }
    fclose(f);
}

static void test_stage(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(run_stage("filter_noise", usual, set_input, 1, &err), 0);
    bool planted[310] = {false};
    read_truth(planted);
    int there = 0, hits = 0, false_alarms = 0;
    for (int i = 0; i < 310; i++)
        there += planted[i];
    FILE *f = fopen("removed.csv", "r");
    assert_non_null(f);
    char line[200], emotion[32], rule[32];
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, "row,emotion,rule,score\n");
    for (int row; fgets(line, sizeof line, f);) {
        double score;
        assert_int_equal(sscanf(line, "%d,%31[a-z],%31[a-z_],%lf", &row, emotion, rule, &score), 4);
        assert_true(score >= 1);
        hits += planted[row];
        false_alarms += !planted[row];
    }
    fclose(f);
    assert_true(there >= 12);
    assert_true(hits * 10 >= there * 7);
    assert_true(false_alarms <= 4);

    struct images before, after;
    assert_int_equal(images_read("set", SPLIT_TRAIN, &before, &err), 0);
    assert_int_equal(images_read("kept", SPLIT_TRAIN, &after, &err), 0);
    assert_int_equal(before.n - after.n, hits + false_alarms);
    images_free(&before);
    images_free(&after);
    same_file("set/public_images.npy", "kept/public_images.npy");
    same_file("set/private_images.npy", "kept/private_images.npy");
    same_file("counts.json", "kept/counts.json");
}

/* Three threads give the same bytes in every file. */
static void test_stage_threads(void **state)
{
    (void)state;
    struct error err;
    char *data[FILES];
    size_t size[FILES];
    for (int i = 0; i < FILES; i++)
        data[i] = read_whole(files[i], &size[i]);
    assert_int_equal(run_stage("filter_noise", usual, set_input, 3, &err), 0);
    for (int i = 0; i < FILES; i++) {
        size_t n;
        char *again = read_whole(files[i], &n);
        assert_int_equal(n, size[i]);
        assert_memory_equal(again, data[i], n);
        free(again);
        free(data[i]);
    }
}

/* Each thread of the stage opens its own face finder. */
static void test_finders_opened_at_once(void **state)
{
    (void)state;
    const struct face_pass pass = {.cascade = "nowhere.xml"};
    int refused = 0;
#pragma omp parallel for num_threads(4) schedule(static, 1) reduction(+ : refused)
    for (int i = 0; i < 20000; i++) {
        struct face_finder *finder;
        struct error err;
        refused += face_finder_open(&finder, "nowhere", &pass, 1, &err) < 0 && !finder;
    }
    assert_int_equal(refused, 20000);
}

static void test_stage_errors(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(file_remove_tree("kept", &err), 0);
    assert_true(run_stage("filter_noise", "\"cascades\":\"nowhere\"", set_input, 2, &err) < 0);
    assert_string_equal(
        err.text, "cannot load the cascade nowhere/haarcascade_frontalface_alt2.xml: install the "
                  "package opencv-data, or set the param cascades to the folder that holds it");
    assert_true(run_stage("filter_noise", "\"threshold\":0.1,\"min_face\":48", set_input, 2, &err) <
                0);
    assert_non_null(strstr(err.text, "are noise by these rules; lower min_face"));
    assert_int_equal(access("kept", F_OK), -1);
    assert_true(run_stage("filter_noise", "", "\"images\":[{\"path\":\"nowhere\"}]", 1, &err) < 0);
    assert_non_null(strstr(err.text, "nowhere/train_images.npy"));
}

int main(void)
{
    char folder[] = "/tmp/ferdag_filter_XXXXXX";
    if (!mkdtemp(folder) || chdir(folder) < 0) {
        perror(folder);
        return 1;
    }
    make_set();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tones),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_small),
        cmocka_unit_test(test_pca),
        cmocka_unit_test(test_pca_flat),
        cmocka_unit_test(test_rules_plain),
        cmocka_unit_test(test_rules_one_by_one),
        cmocka_unit_test(test_rules_exact_size),
        cmocka_unit_test(test_rules_settings),
        cmocka_unit_test(test_ranks_of_equals),
        cmocka_unit_test(test_sheet),
        cmocka_unit_test(test_stage),
        cmocka_unit_test(test_stage_threads),
        cmocka_unit_test(test_finders_opened_at_once),
        cmocka_unit_test(test_stage_errors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    struct error err;
    return chdir("/") < 0 || file_remove_tree(folder, &err) < 0 ? 1 : failed;
}
