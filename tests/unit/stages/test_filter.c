/* filter_noise: measures of single images; detected faces against drawn ones; each rule on made-up
 * evidence; contact sheets; and the whole stage on a small drawn set with noise. */
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
#include "stages/drawn/drawn_face.h"
#include "stages/job.h"
#include "stages/noise/rules.h"

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
    uint8_t blank[PIXELS], halves[PIXELS], noise[PIXELS], stripes[PIXELS], ramp[PIXELS];
    memset(blank, 77, sizeof blank);
    noise_image(noise, 1);
    for (int i = 0; i < PIXELS; i++) {
        halves[i] = i % FACE_SIZE < FACE_SIZE / 2 ? 0 : 255;
        stripes[i] = i % FACE_SIZE % 8 == 0 ? 0 : 200;
        ramp[i] = (uint8_t)(4 * (i % FACE_SIZE));
    }
    struct tones t = image_tones(blank);
    assert_float_equal(t.entropy, 0, 1e-6);
    assert_float_equal(t.centre_entropy, 0, 1e-6);
    assert_float_equal(t.lines, 0, 1e-6);
    assert_float_equal(t.shades, 0, 1e-6);
    t = image_tones(halves);
    assert_float_equal(t.entropy, 1, 1e-6);
    assert_float_equal(t.centre_entropy, 1, 1e-6);
    assert_float_equal(t.lines, 0, 1e-6);  /* an edge isn't a line */
    assert_float_equal(t.shades, 0, 1e-6); /* nor is it a shade */
    t = image_tones(stripes);
    assert_float_equal(t.lines, 5 * 200.0 / 40, 1e-4); /* 5 dark columns of the inner 40 */
    assert_float_equal(t.shades, 0, 1e-6);
    t = image_tones(ramp);
    assert_float_equal(t.lines, 0, 1e-6);
    assert_float_equal(t.shades, 1, 1e-6); /* each neighbourhood spans 8 grey values */
    t = image_tones(noise);
    assert_true(t.entropy > 7.8 && t.entropy <= 8);
    assert_true(t.centre_entropy > 4.9 && t.centre_entropy <= 5);
}

/* ---- detection ---- */

/* The true face region of a drawn head, brows to chin, with the mouth closed: draw_brow puts the
 * upper edge of the brows 0.405 above the middle of the head, on average, and draw_skin the chin 1
 * below. */
static const double REGION = 1.405, REGION_MIDDLE = 0.3;

/* Draws heads of the neutral class, each at its place. */
static void draw_heads(uint8_t pixels[PIXELS], uint64_t seed, const struct head_position *heads,
                       int n)
{
    struct random r = random_start(seed, 0);
    struct canvas c = {0};
    drawn_background(&c, &r);
    for (int i = 0; i < n; i++)
        drawn_head(&c, &r, CLASSES - 1, 0, heads[i]);
    drawn_photograph(&c, &r, 0);
    canvas_bytes(&c, pixels);
}

static int detect(const uint8_t pixels[PIXELS], struct face_box boxes[MOST_FACES])
{
    struct face_finder *finder;
    struct error err;
    int found;
    assert_int_equal(face_finder_open(&finder, &err), 0);
    assert_int_equal(face_finder_detect(finder, pixels, boxes, MOST_FACES, &found, &err), 0);
    face_finder_close(finder);
    return found;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Box and true region of faces of one size: the typical ratio that rules.c divides by, and place.
 */
static void check_size(double scale)
{
    enum { N = 21 };
    double ratios[N];
    int near = 0;
    for (int i = 0; i < N; i++) {
        uint8_t pixels[PIXELS];
        struct face_box boxes[MOST_FACES];
        const struct head_position head = {22 + i % 5, 22 + i % 4, scale};
        draw_heads(pixels, (uint64_t)i, &head, 1);
        assert_true(detect(pixels, boxes) > 0);
        ratios[i] = boxes[0].size / (REGION * scale);
        double dx = boxes[0].x + boxes[0].size / 2 - head.x;
        double dy = boxes[0].y + boxes[0].size / 2 - head.y - REGION_MIDDLE * scale;
        near += hypot(dx, dy) < 0.3 * scale;
    }
    qsort(ratios, N, sizeof *ratios, by_value);
    assert_float_equal(ratios[N / 2], 1.14, 0.06);
    assert_true(near >= N - 2);
}

static void test_face_sizes(void **state)
{
    (void)state;
    check_size(14);
    check_size(17);
    check_size(22);
}

static void test_face_counts(void **state)
{
    (void)state;
    static const struct head_position heads[] = {{12, 24, 15}, {37, 24, 15}};
    int two = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        uint8_t pixels[PIXELS];
        struct face_box boxes[MOST_FACES];
        draw_heads(pixels, seed, heads, 2);
        int found = detect(pixels, boxes);
        two += found >= 2 && boxes[1].score >= -0.3F;
        for (int i = 1; i < found; i++)
            assert_true(boxes[i].score <= boxes[i - 1].score);
        const struct head_position one = {24, 24, 23};
        draw_heads(pixels, seed, &one, 1);
        found = detect(pixels, boxes);
        assert_true(found >= 1 && boxes[0].score > 0);
        assert_true(found == 1 || boxes[1].score < -0.3F);
    }
    assert_true(two >= 11);
}

static void test_no_faces(void **state)
{
    (void)state;
    uint8_t pixels[PIXELS];
    struct face_box boxes[MOST_FACES];
    memset(pixels, 200, sizeof pixels);
    assert_int_equal(detect(pixels, boxes), 0);
    noise_image(pixels, 1);
    assert_true(detect(pixels, boxes) == 0 || boxes[0].score < -1);
}

/* ---- rules ---- */

enum { MADE_UP = 1000 };

static float made_up[EVIDENCES][MADE_UP], sizes[MADE_UP], scores[MADE_UP][MOST_FACES];

/* A thousand images with one large face each. Their evidence is 48, 49, 50, 51 or 52: the median is
 * 50, the median absolute deviation 1. */
static struct noise_evidence plain_evidence(void)
{
    struct noise_evidence e = {.n = MADE_UP, .face = sizes, .scores = scores};
    for (int k = 0; k < EVIDENCES; k++) {
        e.values[k] = made_up[k];
        for (int i = 0; i < MADE_UP; i++)
            made_up[k][i] = (float)(48 + i % 5);
    }
    for (int i = 0; i < MADE_UP; i++) {
        sizes[i] = 48;
        scores[i][0] = 1;
        for (int k = 1; k < MOST_FACES; k++)
            scores[i][k] = FACE_LEAST_SCORE;
    }
    return e;
}

static struct noise_settings usual_settings(void)
{
    return (struct noise_settings){.threshold = 2.5, .min_face = 24, .max_faces = 1};
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
    const float step = 1 / 1.4826F; /* robust standard deviations */
    judge_made_up(&e, &s);
    for (int i = 0; i < MADE_UP; i++) {
        const struct noise_verdict *v = &verdicts[i];
        float low = fmaxf(0, 2 - (float)(i % 5)), high = fmaxf(0, (float)(i % 5) - 2);
        assert_float_equal(v->scores[NO_FACE], low * step / 2.5F, 1e-5);
        assert_float_equal(v->scores[DRAWING], (2 * low + high) / 3 * step / 2.5F, 1e-5);
        assert_float_equal(v->scores[SMALL_FACE], 24 * 1.14F / 48, 1e-5);
        assert_float_equal(v->scores[SEVERAL_FACES], 0, 1e-6);
        assert_float_equal(v->face, 48 / 1.14F, 1e-4);
        assert_true(v->score < 1);
    }
}

/* Only row i differs, and only it is removed, by this rule. */
static void test_rules_one_by_one(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    const float step = 1.4826F;
    made_up[DETECTION][10] = 50 - 4 * step; /* (3 * 4 + 3 + 0) / 5 = 3 */
    made_up[ENTROPY][10] = 50 - 3 * step;
    made_up[SHADES][10] = 50;
    made_up[LINES][20] = 50 + 100 * step; /* counts as 7.5: (7.5 + 1.5 + 0) / 3 = 3 */
    made_up[SHADES][20] = 50 - 1.5F * step;
    made_up[CENTRE_ENTROPY][20] = 50;
    sizes[30] = 27; /* 27 / 1.14 = 23.7 */
    sizes[31] = 29; /* 25: kept */
    scores[40][1] = 0.2F;
    sizes[40] = 20; /* of one of the two; isn't judged */
    scores[41][1] = -0.35F;
    judge_made_up(&e, &s);
    const struct {
        int row;
        enum noise_rule rule;
        double score;
    } expected[] = {{10, NO_FACE, 3 / 2.5},
                    {20, DRAWING, 3 / 2.5},
                    {30, SMALL_FACE, 24 * 1.14 / 27},
                    {40, SEVERAL_FACES, 1.5}};
    int removed = 0;
    for (int i = 0; i < MADE_UP; i++)
        removed += verdicts[i].score >= 1;
    assert_int_equal(removed, 4);
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
        const struct noise_verdict *v = &verdicts[expected[k].row];
        assert_int_equal(v->rule, expected[k].rule);
        assert_float_equal(v->score, expected[k].score, 1e-4);
    }
    assert_float_equal(verdicts[41].scores[SEVERAL_FACES], 0.95, 1e-5);
}

/* One piece of evidence alone doesn't make a drawing, however unusual. */
static void test_rules_one_evidence(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    s.threshold = 2.6;
    made_up[LINES][2] = 1e6F; /* row 2 is 50 in all others */
    judge_made_up(&e, &s);
    assert_float_equal(verdicts[2].scores[DRAWING], 7.5F / 3 / 2.6F, 1e-5);
    assert_true(verdicts[2].score < 1);
}

/* A face of exactly the smallest size is kept; the next smaller one isn't. */
static void test_rules_exact_size(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    judge_made_up(&e, &s);
    s.min_face = (double)verdicts[30].face;
    sizes[31] = 47;
    judge_made_up(&e, &s);
    assert_true(verdicts[30].score < 1);
    assert_true(verdicts[31].score >= 1);
}

static void test_rules_settings(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    sizes[30] = 27;
    scores[31][0] = -0.1F; /* not surely a face: its size isn't reliable */
    sizes[31] = 20;
    sizes[32] = 0; /* none at all */
    scores[32][0] = FACE_LEAST_SCORE;
    scores[40][1] = scores[40][2] = 0.1F;
    s.min_face = 20;
    s.max_faces = 3;
    judge_made_up(&e, &s);
    assert_true(verdicts[30].score < 1);
    assert_true(verdicts[40].score < 1);
    s.max_faces = 2;
    judge_made_up(&e, &s);
    assert_true(verdicts[40].score >= 1);
    s.max_faces = MOST_FACES - 1;
    s.min_face = 24;
    judge_made_up(&e, &s);
    assert_true(verdicts[30].score >= 1);
    for (int i = 31; i <= 32; i++) {
        assert_float_equal(verdicts[i].scores[SMALL_FACE], 0, 1e-6);
        assert_float_equal(verdicts[i].face, 0, 1e-6);
    }
    s.min_face = 0;
    judge_made_up(&e, &s);
    assert_true(verdicts[30].score < 1);
}

/* Where more than half of the values are equal, the mean deviation counts; where all are, none. */
static void test_rules_equal_evidence(void **state)
{
    (void)state;
    struct noise_settings s = usual_settings();
    struct noise_evidence e = plain_evidence();
    for (int k = 0; k < EVIDENCES; k++)
        for (int i = 0; i < MADE_UP; i++)
            made_up[k][i] = 50;
    judge_made_up(&e, &s);
    for (int i = 0; i < MADE_UP; i++)
        assert_true(verdicts[i].scores[NO_FACE] == 0 && verdicts[i].scores[DRAWING] == 0);
    made_up[DETECTION][7] = 49;
    judge_made_up(&e, &s);
    assert_float_equal(verdicts[7].scores[NO_FACE], 3.0 / 5 * 7.5 / 2.5, 1e-4);
    struct noise_evidence none = {0};
    judge_made_up(&none, &s);
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
                               "\"train\":250,\"public\":30,\"private\":30,\"noise\":0.06,"
                               "\"difficulty\":0",
                               "", 1, &err),
                     0);
    assert_int_equal(run_stage("ingest_csv", "", "\"csv\":[{\"path\":\"faces.csv\"}]", 1, &err), 0);
    assert_int_equal(rename("images", "set"), 0);
}

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

enum planted { PLANTED_NOTHING, PLANTED_NOISE, PLANTED_SEVERAL };

static void read_truth(enum planted planted[310])
{
    FILE *f = fopen("truth.csv", "r");
    assert_non_null(f);
    char line[200];
    assert_non_null(fgets(line, sizeof line, f));
    for (int row; fgets(line, sizeof line, f);) {
        assert_int_equal(sscanf(line, "%d,", &row), 1);
        assert_true(row >= 0 && row < 310);
        planted[row] = strstr(line, ",several_faces")  ? PLANTED_SEVERAL
                       : line[strlen(line) - 2] != ',' ? PLANTED_NOISE
                                                       : PLANTED_NOTHING;
    }
    fclose(f);
}

static void test_stage(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(run_stage("filter_noise", "", set_input, 1, &err), 0);
    enum planted planted[310] = {PLANTED_NOTHING};
    read_truth(planted);
    int there = 0, several = 0, hits = 0, several_hits = 0, false_alarms = 0;
    for (int i = 0; i < 310; i++) {
        there += planted[i] != PLANTED_NOTHING;
        several += planted[i] == PLANTED_SEVERAL;
    }
    FILE *f = fopen("removed.csv", "r");
    assert_non_null(f);
    char line[200], emotion[32], rule[32];
    assert_non_null(fgets(line, sizeof line, f));
    assert_string_equal(line, "row,emotion,rule,score\n");
    for (int row; fgets(line, sizeof line, f);) {
        double score;
        assert_int_equal(sscanf(line, "%d,%31[a-z],%31[a-z_],%lf", &row, emotion, rule, &score), 4);
        assert_true(score >= 1);
        hits += planted[row] != PLANTED_NOTHING;
        several_hits += planted[row] == PLANTED_SEVERAL && strcmp(rule, "several_faces") == 0;
        false_alarms += planted[row] == PLANTED_NOTHING;
    }
    fclose(f);
    assert_true(there >= 12 && several >= 3);
    assert_true(hits >=
                there - 2); /* two of three tiny faces are smaller than the detector looks for */
    assert_true(several_hits >= several - 1); /* the third is removed as small faces */
    assert_int_equal(false_alarms, 0);

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
    assert_int_equal(run_stage("filter_noise", "", set_input, 3, &err), 0);
    for (int i = 0; i < FILES; i++) {
        size_t n;
        char *again = read_whole(files[i], &n);
        assert_int_equal(n, size[i]);
        assert_memory_equal(again, data[i], n);
        free(again);
        free(data[i]);
    }
}

/* Each thread of the stage opens its own face finder, and all find the same. */
static void test_finders_at_once(void **state)
{
    (void)state;
    enum { N = 16 };
    static struct face_box boxes[N][MOST_FACES];
    uint8_t pixels[PIXELS];
    const struct head_position head = {24, 24, 20};
    int found[N], rc[N];
    draw_heads(pixels, 1, &head, 1);
#pragma omp parallel for num_threads(4) schedule(static, 1)
    for (int i = 0; i < N; i++) {
        struct face_finder *finder;
        struct error err;
        rc[i] = face_finder_open(&finder, &err);
        if (rc[i] == 0)
            rc[i] = face_finder_detect(finder, pixels, boxes[i], MOST_FACES, &found[i], &err);
        face_finder_close(finder);
    }
    for (int i = 0; i < N; i++) {
        assert_int_equal(rc[i], 0);
        assert_int_equal(found[i], found[0]);
        assert_memory_equal(boxes[i], boxes[0], sizeof boxes[0]);
    }
}

static void test_stage_errors(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(file_remove_tree("kept", &err), 0);
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
        cmocka_unit_test(test_face_sizes),
        cmocka_unit_test(test_face_counts),
        cmocka_unit_test(test_no_faces),
        cmocka_unit_test(test_rules_plain),
        cmocka_unit_test(test_rules_one_by_one),
        cmocka_unit_test(test_rules_one_evidence),
        cmocka_unit_test(test_rules_exact_size),
        cmocka_unit_test(test_rules_settings),
        cmocka_unit_test(test_rules_equal_evidence),
        cmocka_unit_test(test_sheet),
        cmocka_unit_test(test_stage),
        cmocka_unit_test(test_stage_threads),
        cmocka_unit_test(test_finders_at_once),
        cmocka_unit_test(test_stage_errors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    struct error err;
    return chdir("/") < 0 || file_remove_tree(folder, &err) < 0 ? 1 : failed;
}
