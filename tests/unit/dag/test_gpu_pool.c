/* Which GPUs stages get, and what their processes see of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "dag/gpu_pool.h"
#include "stages/gpus.h"

/* "0,2", or "-" if there is no room. */
static void take(struct gpu_pool *pool, int wanted, struct job_gpus *gpus, char text[64])
{
    size_t n = 0;
    snprintf(text, 64, "-");
    if (!gpu_pool_take(pool, wanted, gpus))
        return;
    text[0] = 0;
    for (int i = 0; i < gpus->count; i++)
        n += (size_t)snprintf(text + n, 64 - n, "%s%d", i ? "," : "", gpus->numbers[i]);
}

/* Stages that start one after another and stay. */
static void stages_get_gpus(void **state)
{
    enum { STAGES = 8 };
    static const struct {
        int gpus;
        int wanted[STAGES];        /* hundredths */
        const char *given[STAGES]; /* NULL: the end */
    } cases[] = {
        {8, {100, 100, 100, 100, 100, 100, 100, 100}, {"0", "1", "2", "3", "4", "5", "6", "7"}},
        {2, {100, 100, 100, 0}, {"0", "1", "-", ""}},
        {2, {25, 25, 25, 25, 25, 100}, {"0", "0", "0", "0", "1", "-"}},
        {2, {25, 100, 50, 25, 1}, {"0", "1", "0", "0", "-"}},
        {3, {50, 60, 40, 50}, {"0", "1", "1", "0"}}, /* the least room that suffices */
        {4, {100, 200, 200, 100}, {"0", "1,2", "-", "3"}},
        {4, {30, 300, 70}, {"0", "1,2,3", "0"}},
        {1, {200}, {"-"}},
        {0, {0, 1}, {"", "-"}},
        {2, {99, 2, 1}, {"0", "1", "0"}},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct gpu_pool pool = {.count = cases[c].gpus};
        for (int i = 0; i < STAGES && cases[c].given[i]; i++) {
            struct job_gpus gpus;
            char text[64];
            take(&pool, cases[c].wanted[i], &gpus, text);
            if (strcmp(text, cases[c].given[i]) != 0)
                fail_msg("case %zu, stage %d: %s", c, i, text);
        }
    }
}

static void what_was_given_comes_back(void **state)
{
    struct gpu_pool pool = {.count = 3};
    struct job_gpus part = {0}, two = {0}, all = {0};
    (void)state;
    assert_true(gpu_pool_take(&pool, 40, &part) && gpu_pool_take(&pool, 200, &two));
    assert_true(two.share == 100 && part.share == 40);
    assert_false(gpu_pool_take(&pool, 300, &all));
    gpu_pool_give(&pool, &all); /* nothing was taken */
    gpu_pool_give(&pool, &part);
    assert_false(gpu_pool_take(&pool, 300, &all));
    gpu_pool_give(&pool, &two);
    assert_true(gpu_pool_take(&pool, 300, &all));
    assert_int_equal(all.count, 3);
}

static void stages_at_once_are_counted(void **state)
{
    struct gpu_pool pool = {.count = 5, .used = {100, 30}}, any = {.count = INT_MAX};
    (void)state;
    assert_int_equal(gpu_pool_stages(&pool, 100), 5);
    assert_int_equal(gpu_pool_stages(&pool, 200), 2);
    assert_int_equal(gpu_pool_stages(&pool, 30), 15);
    assert_int_equal(gpu_pool_stages(&pool, 0), 0);
    assert_int_equal(gpu_pool_stages(&any, 100), 0);
}

static void an_executor_without_limit_gives_any_number(void **state)
{
    struct gpu_pool pool = {.count = INT_MAX};
    struct job_gpus gpus;
    (void)state;
    assert_true(gpu_pool_take(&pool, 800, &gpus) && gpu_pool_take(&pool, 800, &gpus));
    assert_int_equal(gpus.count, 8);
    gpu_pool_give(&pool, &gpus);
    assert_false(gpu_pool_take(&pool, 100 * (GPUS_ON_JOB + 1), &gpus));
}

/* What a stage takes, by its kind, `needs.gpu` and the backend. */
static void stages_want_gpus(void **state)
{
    static const struct {
        const char *kind;
        int gpu;
        bool optional;
        const char *backend;
        int available, wanted;
    } cases[] = {
        {"train_cnn", 0, false, "cpu", 8, 0},    {"train_cnn", 0, true, "cpu", 8, 0},
        {"train_cnn", 0, false, "cuda", 8, 100}, {"train_cnn", 0, true, "cuda", 8, 100},
        {"train_cnn", 25, false, "cuda", 8, 25}, {"train_cnn", 200, false, "cpu", 8, 200},
        {"train_cnn", 0, true, "cuda", 0, 100},  {"metrics", 0, true, "cuda", 8, 0},
        {"knn", 0, false, "cuda", 1, 20},        {"train_svm", 0, true, "cuda", 1, 20},
        {"train_svm", 0, true, "cpu", 1, 0},     {"command", 0, false, "cuda", 8, 0},
        {"command", 0, true, "cpu", 8, 100},     {"command", 0, true, "cpu", 0, 0},
        {"command", 50, false, "cpu", 0, 50},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct stage stage = {.kind = kind_find(cases[c].kind),
                              .gpu = cases[c].gpu,
                              .gpu_optional = cases[c].optional};
        int wanted = gpu_wanted(&stage, cases[c].backend, cases[c].available);
        if (wanted != cases[c].wanted)
            fail_msg("case %zu: %d", c, wanted);
    }
    struct stage stated = {.kind = kind_find("train_cnn"), .numerics = "cuda NVIDIA H200"};
    assert_int_equal(gpu_wanted(&stated, "cpu", 0), 100);
    stated.numerics = "cpu avx2";
    assert_int_equal(gpu_wanted(&stated, "cuda", 1), 0);
}

/* Numbers count among the GPUs that this process sees; the child's variable names those. */
static void numbers_are_mapped(void **state)
{
    static const struct {
        const char *outer;
        int numbers[3], count;
        const char *variable;
    } cases[] = {
        {NULL, {0}, 0, ""},
        {NULL, {0, 2}, 2, "0,2"},
        {"3,5,7", {0, 2}, 2, "3,7"},
        {"3,5,7", {1}, 1, "5"},
        {" 3 , GPU-1a-2b ,7", {0, 1}, 2, "3,GPU-1a-2b"},
        {"3", {1}, 1, NULL},
        {"", {0}, 1, NULL},
        {"3", {0}, 0, ""},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char *text = gpus_variable(cases[c].outer, cases[c].numbers, cases[c].count);
        if (!text != !cases[c].variable || (text && strcmp(text, cases[c].variable) != 0))
            fail_msg("case %zu: %s", c, text ? text : "NULL");
        free(text);
    }
}

static void wrong_lists_are_refused(void **state)
{
    static const struct {
        const char *list, *outer, *text;
    } cases[] = {
        {"x", NULL, "--gpus x: expected numbers or UUIDs of GPUs"},
        {"", NULL, "expected numbers of GPUs"},
        {"0,0", NULL, "0 is listed twice"},
        {"0,-1", NULL, "not '-1'"},
        {"1", "5", "1 isn't among the GPUs of CUDA_VISIBLE_DEVICES, '5'"},
        {"GPU-1a", "5", "GPU-1a isn't among the GPUs"},
        {"0000", NULL, "not '0000'"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct error err = {""};
        if (cases[c].outer)
            setenv(GPUS_VARIABLE, cases[c].outer, 1);
        else
            unsetenv(GPUS_VARIABLE);
        if (gpus_select(cases[c].list, &err) >= 0 || !strstr(err.text, cases[c].text))
            fail_msg("case %zu: %s", c, err.text);
    }
    unsetenv(GPUS_VARIABLE);
    assert_int_equal(gpus_select("none", NULL), 0);
    assert_string_equal(getenv(GPUS_VARIABLE), "");
    assert_int_equal(gpus_count(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_get_gpus),
        cmocka_unit_test(what_was_given_comes_back),
        cmocka_unit_test(stages_at_once_are_counted),
        cmocka_unit_test(an_executor_without_limit_gives_any_number),
        cmocka_unit_test(stages_want_gpus),
        cmocka_unit_test(numbers_are_mapped),
        cmocka_unit_test(wrong_lists_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
