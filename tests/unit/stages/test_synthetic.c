/* Drawn faces: classes differ, the CSV has the format of FER2013, and the truth lists the noise
 * rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "stages/drawn/drawn_face.h"
#include "stages/job.h"

static char folder[] = "/tmp/test_synthetic.XXXXXX";

static void run_with(const char *params)
{
    struct error err = {""};
    char *text = format_string("{\"stage\":\"faces\",\"kind\":\"synthetic_faces\",\"key\":\"00\","
                               "\"params\":%s,\"inputs\":{},\"outputs\":{},\"threads\":2}",
                               params);
    assert_int_equal(file_write("job.json", text, strlen(text), &err), 0);
    free(text);
    struct job job;
    const struct kind *kind = kind_find("synthetic_faces");
    if (job_open(&job, kind, &err) < 0 || kind->run(&job, &err) < 0)
        fail_msg("%s", err.text);
    job_close(&job);
}

static char *read_text(const char *path, size_t *size)
{
    char *text;
    struct error err = {""};
    if (file_read(path, 64u << 20, &text, size, &err) < 0)
        fail_msg("%s", err.text);
    return text;
}

static void csv_has_the_layout_of_fer2013(void **state)
{
    (void)state;
    run_with("{\"train\":60,\"public\":14,\"private\":7,\"noise\":0.2}");
    size_t size;
    char *text = read_text("faces.csv", &size), *rest = text;
    int usage[3] = {0}, label[7] = {0}, rows = 0;
    assert_string_equal(strsep(&rest, "\n"), "emotion,pixels,Usage");
    for (char *line; (line = strsep(&rest, "\n")) && *line; rows++) {
        char *emotion = strsep(&line, ","), *pixels = strsep(&line, ",");
        assert_in_range(atoi(emotion), 0, 6);
        label[atoi(emotion)]++;
        int n = 0;
        for (char *p; (p = strsep(&pixels, " ")); n++)
            assert_in_range(atoi(p), 0, 255);
        assert_int_equal(n, 48 * 48);
        int split = strcmp(line, "Training") == 0 ? 0 : strcmp(line, "PublicTest") == 0 ? 1 : 2;
        assert_true(split < 2 || strcmp(line, "PrivateTest") == 0);
        usage[split]++;
    }
    assert_int_equal(rows, 81);
    assert_int_equal(usage[0], 60);
    assert_int_equal(usage[1], 14);
    assert_int_equal(usage[2], 7);
    for (int k = 0; k < 7; k++)
        assert_true(label[k] > 0);
    free(text);
}

static void truth_names_each_planted_row(void **state)
{
    (void)state;
    size_t size;
    char *text = read_text("truth.csv", &size), *rest = text;
    int rows = 0, noise = 0;
    assert_string_equal(strsep(&rest, "\n"), "row,usage,emotion,label,noise");
    for (char *line; (line = strsep(&rest, "\n")) && *line; rows++) {
        assert_int_equal(atoi(strsep(&line, ",")), rows);
        int training = strcmp(strsep(&line, ","), "Training") == 0;
        strsep(&line, ",");
        strsep(&line, ",");
        if (*line) {
            assert_true(training);
            noise++;
        }
    }
    assert_int_equal(rows, 81);
    assert_int_equal(noise, 12); /* 0.2 of 60 */
    free(text);
}

static void seed_decides_the_bytes(void **state)
{
    (void)state;
    size_t n[3];
    char *text[3];
    static const char *const params[3] = {"{\"train\":30,\"public\":7,\"private\":7,\"seed\":5}",
                                          "{\"train\":30,\"public\":7,\"private\":7,\"seed\":5}",
                                          "{\"train\":30,\"public\":7,\"private\":7,\"seed\":6}"};
    for (int i = 0; i < 3; i++) {
        run_with(params[i]);
        text[i] = read_text("faces.csv", &n[i]);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(text[0], text[1], n[0]);
    assert_true(n[0] != n[2] || memcmp(text[0], text[2], n[0]) != 0);
    for (int i = 0; i < 3; i++)
        free(text[i]);
}

/* The same person with another expression gives another image, and the open mouth of surprise is
 * darker than a neutral one. */
static void expressions_show(void **state)
{
    (void)state;
    double mouth[CLASSES];
    for (int class = 0; class < CLASSES; class ++) {
        mouth[class] = 0;
        for (uint64_t person = 0; person < 40; person++) {
            struct random r = random_start(9, person);
            struct canvas c = {0};
            drawn_background(&c, &r);
            drawn_head(&c, &r, class, 0, (struct head_position){24, 24, 24});
            for (int y = 36; y < 46; y++)
                for (int x = 20; x < 28; x++)
                    mouth[class] += (double)c.pixels[y * FACE_SIZE + x] / (40 * 80);
        }
    }
    assert_true(mouth[5] < .75 * mouth[6]); /* surprise, neutral */
    assert_true(mouth[0] > mouth[5]);
}

static void blur_keeps_the_mean(void **state)
{
    (void)state;
    struct canvas c = {0};
    c.pixels[24 * FACE_SIZE + 24] = 1;
    canvas_blur(&c, 1.5);
    double sum = 0;
    for (int i = 0; i < FACE_SIZE * FACE_SIZE; i++)
        sum += (double)c.pixels[i];
    assert_float_equal(sum, 1, 1e-5);
    assert_float_equal(c.pixels[24 * FACE_SIZE + 22], c.pixels[24 * FACE_SIZE + 26], 1e-7);
    assert_true(c.pixels[24 * FACE_SIZE + 24] < .2f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_has_the_layout_of_fer2013),
        cmocka_unit_test(truth_names_each_planted_row),
        cmocka_unit_test(seed_decides_the_bytes),
        cmocka_unit_test(expressions_show),
        cmocka_unit_test(blur_keeps_the_mean),
    };
    struct error err;
    if (!mkdtemp(folder) || chdir(folder) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return chdir("/") < 0 || file_remove_tree(folder, &err) < 0 ? 1 : failed;
}
