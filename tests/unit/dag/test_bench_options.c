/* Code that the training benches share: the options that choose a net, and one training step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "tests/bench/training.h"

static bool give(int option, const char *value, struct net_spec *spec)
{
    char text[16];
    snprintf(text, sizeof text, "%s", value);
    optarg = text;
    bool taken = training_option(option, spec);
    optarg = NULL;
    return taken;
}

static void test_options(void **state)
{
    (void)state;
    struct net_spec spec = training_standard;
    assert_true(give('m', "resnext29", &spec) && spec.model == NET_RESNEXT29);
    assert_true(give('w', "4", &spec) && spec.width == 4);
    assert_true(give('b', "8", &spec) && spec.batch == 8);
    assert_true(give('s', "32", &spec) && spec.image_size == 32);
    assert_true(give('p', "fp32", &spec) && spec.precision == PRECISION_FP32);
    assert_true(give('p', "bf16", &spec) && spec.precision == PRECISION_BF16);
    assert_false(give('m', "resnet19", &spec));
    assert_false(give('q', "", &spec));
}

static void test_step(void **state)
{
    (void)state;
    struct training t = {.spec = training_standard}, bad = {.spec = training_standard};
    struct error err = {""};
    t.spec.width = 4;
    t.spec.batch = 8;
    assert_int_equal(training_begin(&t, &err), 0);
    for (int i = 0; t.labels && i < t.spec.batch; i++)
        assert_true(t.labels[i] < t.spec.classes);
    assert_true(t.pixels && t.pixels[0] != t.pixels[1]);
    assert_int_equal(training_step(&t, &err), 0);
    training_end(&t);
    bad.spec.width = 0;
    assert_true(training_begin(&bad, &err) < 0);
    training_end(&bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_options), cmocka_unit_test(test_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
