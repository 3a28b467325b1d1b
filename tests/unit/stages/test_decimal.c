/* Numbers as text: the same characters as printf, the same bits as strtod. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/random.h"
#include "stages/data/decimal.h"

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static void same(float value)
{
    char ours[DECIMAL_SIZE], theirs[DECIMAL_SIZE], *end;
    size_t length = (size_t)(decimal_write(ours, value) - ours);
    assert_true(length < sizeof ours);
    ours[length] = 0;
    snprintf(theirs, sizeof theirs, "%.9g", (double)value);
    assert_string_equal(ours, theirs);
    double read = decimal_read(ours, &end), is = strtod(ours, NULL);
    assert_ptr_equal(end, ours + length);
    if (bits_of(read) != bits_of(is) || (float)read != value)
        fail_msg("%s is read as %.17g", ours, read);
}

static void floats(void **state)
{
    (void)state;
    static const float given[] = {
        0,           -0.0f,        1,           10,    0.1f,     0.5f,         0.0001f,
        0.00009999f, 999999936.0f, 1e9f,        1e10f, 9.999e8f, 123456792.0f, FLT_MAX,
        FLT_MIN,     1e-45f,       FLT_EPSILON, 1e22f, 1e-22f,   16777216,     0.00048828125f,
        1e8f,        99999992.0f,  1e-4f};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        same(given[i]);
        same(-given[i]);
        same(nextafterf(given[i], INFINITY) < INFINITY ? nextafterf(given[i], INFINITY) : 0);
        same(nextafterf(given[i], -INFINITY));
    }
    struct random r = random_start(51, 0);
    for (size_t i = 0; i < 300000; i++) {
        union {
            uint32_t bits;
            float value;
        } any = {.bits = (uint32_t)random_bits(&r)};
        if (isfinite(any.value))
            same(any.value);
        same((float)random_normal(&r));
        same((float)random_unit(&r) * 0.001f);
        same((float)random_below(&r, 100000) / 128); /* few digits, ends in 5 */
    }
}

static void texts(void **state)
{
    (void)state;
    static const char *const given[] = {"",
                                        "-",
                                        ".",
                                        "-.",
                                        "1",
                                        "1.",
                                        ".5",
                                        "-.5e1",
                                        "1e",
                                        "1e+",
                                        "1e5x",
                                        "1:2",
                                        "1.2.3",
                                        "0x1p3",
                                        "0x",
                                        "inf",
                                        "nan",
                                        "+1",
                                        " 1",
                                        "1e400",
                                        "1e-400",
                                        "1e22",
                                        "1e23",
                                        "1e-23",
                                        "00001",
                                        "1e0022",
                                        "1e00000000000000001",
                                        "123456789012345",
                                        "1234567890123456",
                                        "0.1234567890123456789",
                                        "9007199254740993",
                                        "1,5",
                                        "123456789012345e22",
                                        "123456789012345e-22",
                                        "-0",
                                        "0e5",
                                        "1E5",
                                        "1d5",
                                        "--1",
                                        "1-1"};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        char *ours, *theirs;
        double a = decimal_read(given[i], &ours), b = strtod(given[i], &theirs);
        if (ours != theirs || (bits_of(a) != bits_of(b) && !(isnan(a) && isnan(b))))
            fail_msg("'%s' is read as %.17g", given[i], a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(floats), cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
