/* Shared by tests of stages with features: a stage's folder with job.json and made-up features, and
 * a run of the stage in it. */
#ifndef FERDAG_TESTS_UNIT_FEATURE_STAGE_H
#define FERDAG_TESTS_UNIT_FEATURE_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/file.h"
#include "base/random.h"
#include "stages/data/formats.h"
#include "stages/job.h"
#include "tests/unit/run_job.h"

enum { D = 6, TRAIN = 140, TEST = 35 };

static char folder[] = "/tmp/ferdag-features-XXXXXX";

static inline int enter(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static inline int leave(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

/* Clusters at distance 1; labels 0 to 6 in turn. */
static inline void make_split(struct features *f, size_t n, size_t d, uint64_t stream)
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

static inline void put(const char *name, enum split split, const struct features *f)
{
    struct error err = {""};
    assert_int_equal(features_write(name, split, f, &err), 0);
}

/* Writes all three splits, with d columns, into the folder of that name. */
static inline void put_features(const char *name, size_t d)
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
                              "\"features\":\"fused\",\"layout\":\"layout.json\","
                              "\"summary\":\"summary.json\",\"importance\":\"importance.npy\"";

static inline int run_stage(const char *kind, const char *params, const char *inputs, int threads,
                            struct error *err)
{
    return run_job(kind, params, inputs, OUTPUTS, threads, err);
}

static inline void expect_success(const char *kind, const char *params, const char *inputs,
                                  int threads)
{
    struct error err;
    int rc = run_stage(kind, params, inputs, threads, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

static inline void expect_error(const char *kind, const char *params, const char *inputs,
                                const char *says)
{
    struct error err;
    assert_true(run_stage(kind, params, inputs, 1, &err) < 0);
    if (!strstr(err.text, says))
        fail_msg("%s: '%s' doesn't say '%s'", kind, err.text, says);
}

static inline double number(const char *path, const char *name)
{
    json_t *json = json_load_file(path, 0, NULL);
    json_t *value = json_object_get(json, name);
    assert_true(json_is_number(value));
    double x = json_number_value(value);
    json_decref(json);
    return x;
}

#endif
