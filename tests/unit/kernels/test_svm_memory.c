/* Kernel values that don't fit into memory_mb lie in a file. Training and cross-validation must
 * give the same bytes, and the mapped file must not exceed the limit of memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/random.h"
#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/svm/spill.h"
#include "stages/data/formats.h"
#include "stages/job.h"
#include "tests/unit/run_job.h"

enum { D = 16, ROWS = 3000 };

static char folder[] = "/var/tmp/ferdag-memory-XXXXXX"; /* /tmp may be in memory */

/* Seven clusters, the first two of a thousand rows. */
static int draw(void **state)
{
    (void)state;
    struct random r = random_start(41, 0);
    struct error err = {""};
    struct features f = {.n = ROWS, .d = D};
    size_t shape[] = {ROWS, D};
    if (!mkdtemp(folder) || chdir(folder) < 0 || array_make(&f.x, ARRAY_F32, 2, shape, &err) < 0 ||
        array_make(&f.labels, ARRAY_U8, 1, shape, &err) < 0)
        return -1;
    for (size_t i = 0; i < ROWS; i++) {
        size_t c = i % 3 < 2 ? i % 3 : 2 + i / 3 % 5;
        ((uint8_t *)f.labels.data)[i] = (uint8_t)c;
        for (size_t j = 0; j < D; j++)
            ((float *)f.x.data)[i * D + j] = (float)(random_normal(&r) + (j == c ? 1.5 : 0));
    }
    int rc = features_write("features", SPLIT_TRAIN, &f, &err);
    features_free(&f);
    return rc;
}

static int leave(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

static const char OUTPUTS[] = "\"scores\":\"scores.json\",\"folds\":\"folds.npy\","
                              "\"best\":\"best.json\",\"model\":\"model\","
                              "\"timing\":\"timing.json\"";

static int run_stage(const char *kind, const char *params, int memory_mb, struct error *err)
{
    char *all = format_string("%s,\"memory_mb\":%d", params, memory_mb);
    assert_non_null(all);
    int rc = run_job(kind, all, "\"features\":[{\"path\":\"features\"}]", OUTPUTS, 2, err);
    free(all);
    return rc;
}

/* Too little disk space for the file is an error, not a signal. */
static void expect_no_room(const char *kind, const char *params, int memory_mb)
{
    struct error err;
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1 << 20;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int rc = run_stage(kind, params, memory_mb, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(rc, -ENOMEM);
    assert_non_null(strstr(err.text, "kernel values"));
}

/* Runs a stage with plenty and with little memory; its output must be the same. */
static void same_bytes(const char *kind, const char *params, int little_mb, const char *output)
{
    const int memory_mb[] = {3000, little_mb};
    char *bytes[2];
    size_t size[2];
    struct error err;
    expect_no_room(kind, params, little_mb); /* proves that a file is used */
    for (size_t i = 0; i < 2; i++) {
        int rc = run_stage(kind, params, memory_mb[i], &err);
        assert_string_equal(err.text, "");
        assert_int_equal(rc, 0);
        assert_int_equal(file_read(output, 1 << 24, &bytes[i], &size[i], &err), 0);
    }
    assert_int_equal(size[0], size[1]);
    assert_memory_equal(bytes[0], bytes[1], size[0]);
    free(bytes[0]);
    free(bytes[1]);
}

static void training_in_a_file(void **state)
{
    (void)state;
    same_bytes("train_svm", "\"kernel\":\"rbf\"", 52, "model");
    same_bytes("train_svm", "\"kernel\":\"linear\",\"c\":10", 52,
               "model"); /* Newton steps, shrinking */
    same_bytes("train_svm", "\"kernel\":\"sigmoid\"", 55, "model");
}

static void cross_validation_in_a_file(void **state)
{
    (void)state;
    same_bytes("cross_validate_svm",
               "\"kernel\":\"rbf\",\"c\":[0.1,1],\"gamma\":[0,0.01],\"folds\":3", 34,
               "scores.json");
    same_bytes("cross_validate_svm", "\"kernel\":\"sigmoid\",\"c\":1,\"folds\":2", 34,
               "scores.json");
}

static void too_little_even_so(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(run_stage("train_svm", "\"kernel\":\"rbf\"", 20, &err), -ENOMEM);
    assert_non_null(strstr(err.text, "with a file for the rest, but only 20.0 MB are allowed"));
    assert_int_equal(run_stage("cross_validate_svm", "\"kernel\":\"rbf\"", 20, &err), -ENOMEM);
    assert_non_null(strstr(err.text, "with a file for the rest, but only 20.0 MB are allowed"));
}

static size_t file_pages_kb(void)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    size_t kb = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "RssFile: %zu", &kb) == 1)
            break;
    fclose(f);
    return kb;
}

static void values_stay_in_the_file(void **state)
{
    (void)state;
    enum { COUNT = 1 << 22, STRETCH = 1 << 12 };
    struct spill spill;
    spill_open(&spill, open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), SPILL_LEAST);
    assert_true(spill.file >= 0);
    uint32_t *arrays[4];
    size_t before = file_pages_kb(), most = 0;
    for (size_t a = 0; a < 4; a++) {
        arrays[a] = spill_alloc(&spill, COUNT, sizeof *arrays[a]);
        assert_non_null(arrays[a]);
        for (size_t i = 0; i < COUNT; i++) {
            arrays[a][i] = (uint32_t)(i * 2654435761u + a);
            if (i % STRETCH == STRETCH - 1)
                spill_touch(&spill, 1, STRETCH * sizeof(uint32_t), SIZE_MAX);
            if (i % (1 << 16) == 0)
                most = file_pages_kb() > most ? file_pages_kb() : most;
        }
    }
    assert_true(most < before + SPILL_LEAST / 1024 + 1024);
    spill_free(&spill, arrays[1]);
    for (size_t a = 0; a < 4; a += a == 0 ? 2 : 1)
        for (size_t i = 0; i < COUNT; i++)
            if (arrays[a][i] != (uint32_t)(i * 2654435761u + a))
                fail_msg("item %zu of array %zu", i, a);
    assert_null(spill_alloc(&spill, SIZE_MAX / 2, 4));
    spill_close(&spill);
    spill_close(&spill);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_in_a_file),
        cmocka_unit_test(cross_validation_in_a_file),
        cmocka_unit_test(too_little_even_so),
        cmocka_unit_test(values_stay_in_the_file),
    };
    return cmocka_run_group_tests(tests, draw, leave);
}
