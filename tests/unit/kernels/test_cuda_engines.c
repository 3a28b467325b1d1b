/* The engines of the `cuda` backend (engines.c), on doubles of cudart and cuDNN: the fastest that
 * fits is chosen, a list is used as it was returned, what isn't one is refused, and each failure of
 * a call while engines are timed is reported and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cuda/cuda.h"
#include "tests/double/cudart.h"
#include "tests/double/libraries.h"

static const struct conv_spec plain = {
    .in = 2, .out = 4, .kernel = 3, .stride = 1, .pad = 1, .groups = 1, .height = 5, .width = 5};
/* Wide and grouped: the double has no tensor cores for it, but for its two parts. */
static const struct conv_spec grouped = {
    .in = 32, .out = 32, .kernel = 3, .stride = 1, .pad = 1, .groups = 2, .height = 3, .width = 3};

static struct device *open_device(enum precision precision)
{
    struct device *device = NULL;
    struct device_traits traits;
    struct error err = {""};
    if (backend_cuda.open(&device, &traits, 1, precision, &err))
        fail_msg("%s", err.text);
    return device;
}

/* Memory for any operand of the convolutions above, zeroed. */
static void *operand(struct device *device)
{
    void *memory;
    struct error err;
    const size_t bytes = 65536;
    assert_int_equal(cuda_memory(device, bytes, &memory, &err), 0);
    assert_int_equal(cudaMemsetAsync(memory, 0, bytes, device->stream), cudaSuccess);
    return memory;
}

static int make_plan(struct device *device, const struct conv_spec *spec,
                     enum conv_direction direction, struct conv_plan **plan, struct error *err)
{
    const struct conv_problem problem = {*spec, 2, device->type, direction};
    *plan = NULL;
    return cuda_engine_plan(device, &problem, operand(device), operand(device), operand(device),
                            plan, err);
}

/* The engine that a device chooses by timing. */
static struct conv_engine timed(enum precision precision, const struct conv_spec *spec,
                                enum conv_direction direction)
{
    struct device *device = open_device(precision);
    struct conv_plan *plan;
    struct engine_choice *choices;
    struct error err = {""};
    size_t count;
    assert_int_equal(cuda_use_engines(device, NULL, &err), 0);
    if (make_plan(device, spec, direction, &plan, &err))
        fail_msg("%s", err.text);
    struct conv_engine engine = conv_plan_engine(plan);
    conv_plan_free(plan);
    assert_int_equal(cuda_engines(device, &choices, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_true(choices->seconds > 0 && choices->seconds <= choices->first_seconds);
    free(choices);
    backend_cuda.close(device);
    assert_int_equal(double_leaks(true), 0);
    return engine;
}

/* The double has two engines in bf16 that fit, and three in float32. The first is made slow, so
 * that another one wins. Of those that mustn't be used, some would be fast too. */
static void test_fastest(void **state)
{
    (void)state;
    for (int d = 0; d < CONV_DIRECTIONS; d++) {
        enum conv_direction direction = (enum conv_direction)d;
        setenv("FERDAG_DOUBLE_SLOW_ENGINE", "106", 1);
        assert_int_equal(timed(PRECISION_BF16, &plain, direction).id, 107);
        setenv("FERDAG_DOUBLE_SLOW_ENGINE", "107", 1);
        assert_int_equal(timed(PRECISION_BF16, &plain, direction).id, 106);
        setenv("FERDAG_DOUBLE_SLOW_ENGINE", "205", 1);
        struct conv_engine engine = timed(PRECISION_FP32, &plain, direction);
        assert_true(engine.id == 206 || engine.id == 302);
        assert_true(engine.deterministic && !engine.tensor_cores && !engine.down_converts);
    }
    unsetenv("FERDAG_DOUBLE_SLOW_ENGINE");
}

/* Engines of a convolution that is split compete with each other. */
static void test_fastest_of_parts(void **state)
{
    (void)state;
    setenv("FERDAG_DOUBLE_SLOW_ENGINE", "106", 1);
    struct conv_engine engine = timed(PRECISION_BF16, &grouped, CONV_WEIGHT_GRADIENT);
    unsetenv("FERDAG_DOUBLE_SLOW_ENGINE");
    assert_int_equal(engine.id, 107);
    assert_int_equal(engine.parts, 2);
    assert_true(engine.tensor_cores);
}

/* Makes the plan of a forward pass with one listed engine. Returns its number, or an error. */
static int64_t listed(const char *text, struct error *err)
{
    struct device *device = open_device(PRECISION_FP32);
    const struct conv_problem problem = {plain, 2, VALUE_F32, CONV_FORWARD};
    char name[CONV_NAME_SIZE];
    struct conv_plan *plan = NULL;
    conv_problem_name(&problem, name, sizeof name);
    const struct engine_choice choice = {.convolution = name, .engine = text, .first = ""};
    int64_t result = cuda_use_engines(device, &(struct engine_choices){&choice, 1}, err);
    if (!result)
        result = make_plan(device, &plain, CONV_FORWARD, &plan, err);
    if (!result)
        result = conv_plan_engine(plan).id;
    conv_plan_free(plan);
    backend_cuda.close(device);
    assert_int_equal(double_leaks(true), 0);
    return result;
}

static void test_listed(void **state)
{
    struct error err = {""};
    (void)state;
    assert_int_equal(listed("mode_A 4 engine 205 parts 1", &err), 205);
    assert_int_equal(listed("mode_A 5 engine 206 parts 1", &err), 206);
    assert_int_equal(listed("fallback 1 engine 302 parts 1", &err), 302);
    /* Another engine is there; one that isn't deterministic; that cuDNN refuses; none. */
    static const char *const others[] = {
        "mode_A 5 engine 205 parts 1", "mode_A 1 engine 202 parts 1", "mode_A 3 engine 204 parts 1",
        "fallback 1 engine 302 parts 2", "mode_A 999999 engine 1 parts 1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        err = (struct error){""};
        assert_int_equal(listed(others[i], &err), -ENOENT);
        if (!strstr(err.text, "run choose_engines again"))
            fail_msg("%s: %s", others[i], err.text);
    }
}

/* A convolution that the list lacks is computed as usual. */
static void test_not_listed(void **state)
{
    struct device *device = open_device(PRECISION_FP32);
    const struct engine_choice choice = {"convolution of nothing", "mode_A 5 engine 206 parts 1",
                                         "", 0, 0};
    struct conv_plan *plan;
    struct error err = {""};
    (void)state;
    assert_int_equal(cuda_use_engines(device, &(struct engine_choices){&choice, 1}, &err), 0);
    assert_int_equal(make_plan(device, &plain, CONV_FORWARD, &plan, &err), 0);
    assert_int_equal(conv_plan_engine(plan).id, 205);
    conv_plan_free(plan);
    backend_cuda.close(device);
}

static void test_malformed(void **state)
{
    static const char *const texts[] = {
        "",
        "mode_A",
        "mode_B 4 engine 205 parts 1",
        "mode_A 4 engine 205",
        "mode_A 4 engine 205 parts 1 ",
        " mode_A 4 engine 205 parts 1",
        "mode_A 04 engine 205 parts 1",
        "mode_A -4 engine 205 parts 1",
        "mode_A 4 engine 205 parts 1\n",
        "mode_A 99999999999999999999 engine 205 parts 1",
        "mode_A 4 engine 99999999999999999999 parts 1",
        "mode_A_and_a_very_long_name_of_a_list 4 engine 205 parts 1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct error err = {""};
        if (listed(texts[i], &err) != -EINVAL)
            fail_msg("'%s' was accepted: %s", texts[i], err.text);
    }
    struct device *device = open_device(PRECISION_FP32);
    char name[CONV_NAME_SIZE + 1];
    memset(name, 'x', CONV_NAME_SIZE);
    name[CONV_NAME_SIZE] = 0;
    const struct engine_choice choice = {name, "mode_A 4 engine 205 parts 1", "", 0, 0};
    assert_int_equal(cuda_use_engines(device, &(struct engine_choices){&choice, 1}, NULL), -EINVAL);
    backend_cuda.close(device);
}

/* Whether the n-th call fails at all, while engines are timed. */
static bool failure(size_t n)
{
    struct device *device = open_device(PRECISION_BF16);
    struct conv_plan *plan = NULL;
    struct error err = {""};
    const struct conv_problem problem = {plain, 2, device->type, CONV_FORWARD};
    void *x = operand(device), *weights = operand(device), *y = operand(device);
    assert_int_equal(cuda_use_engines(device, NULL, &err), 0);
    double_fail(NULL, n, cudaErrorLaunchFailure);
    int code = cuda_engine_plan(device, &problem, x, weights, y, &plan, &err);
    bool failed = double_failed(NULL);
    double_fail(NULL, 0, 0);
    if (code && (plan || !*err.text))
        fail_msg("call %zu: an error without a text, or with a plan", n);
    if (!code)
        assert_non_null(plan);
    conv_plan_free(plan);
    backend_cuda.close(device);
    if (double_leaks(true))
        fail_msg("leaks after a failure of call %zu", n);
    double_reset(); /* the error is sticky */
    return failed;
}

static void test_failures(void **state)
{
    size_t n = 1;
    (void)state;
    while (failure(n))
        n++;
    assert_true(n > 100);
}

int main(void)
{
    if (!double_use_libraries()) {
        print_error("the doubles of cuDNN and cuBLAS aren't built\n");
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fastest),   cmocka_unit_test(test_fastest_of_parts),
        cmocka_unit_test(test_listed),    cmocka_unit_test(test_not_listed),
        cmocka_unit_test(test_malformed), cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
