/* Values of params from text and from JSON: types, ranges, defaults, messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "stages/kind.h"

static const struct param whole = {.name = "k", .type = PARAM_INT, .min = 1, .max = 9},
                          real = {.name = "c", .type = PARAM_REAL},
                          flag = {.name = "b", .type = PARAM_BOOL},
                          choice = {.name = "e", .type = PARAM_ENUM, .choices = "linear|rbf"},
                          size = {.name = "mem", .type = PARAM_SIZE},
                          name = {.name = "s", .type = PARAM_STRING, .max = 3},
                          list = {.name = "l", .type = PARAM_LIST};

static const struct {
    const struct param *param;
    const char *text;
    const char *value; /* as JSON */
    const char *error; /* instead */
} cases[] = {
    {&whole, "9", "9", NULL},
    {&whole, "0", NULL, "0 is out of range; expected 1 to 9"},
    {&whole, "10", NULL, "10 is out of range; expected 1 to 9"},
    {&whole, "1.5", NULL, "expected an integer, not '1.5'"},
    {&whole, "", NULL, "expected an integer, not ''"},
    {&whole, "9223372036854775808", NULL, "expected an integer, not '9223372036854775808'"},
    {&real, "-0", "0.0", NULL},
    {&real, "1e-3", "0.001", NULL},
    {&real, "0x10", NULL, "expected a number, not '0x10'"},
    {&real, "inf", NULL, "expected a number, not 'inf'"},
    {&flag, "true", "true", NULL},
    {&flag, "yes", NULL, "expected true or false, not 'yes'"},
    {&choice, "rbf", "\"rbf\"", NULL},
    {&choice, "linea", NULL,
     "unknown value 'linea' (did you mean 'linear'?); expected linear or rbf"},
    {&choice, "sigmoid|rbf", NULL, "unknown value 'sigmoid|rbf'; expected linear or rbf"},
    {&size, "1.5K", "1536", NULL},
    {&size, "2GiB", "2147483648", NULL},
    {&name, "abc", "\"abc\"", NULL},
    {&name, "12", "\"12\"", NULL},
    {&name, "abcd", NULL, "longer than 3 bytes"},
    {&list, "[1, 2]", "[1,2]", NULL},
    {&list, "{}", NULL, "expected a list, not '{}'"},
};

static void test_text(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {""};
        json_t *value;
        int rc = param_parse(cases[i].param, cases[i].text, &value, &err);
        if (cases[i].error) {
            assert_string_equal(err.text, cases[i].error);
            assert_true(rc < 0 && !value);
            continue;
        }
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        assert_int_equal(rc, 0);
        assert_string_equal(text, cases[i].value);
        free(text);
        json_decref(value);
    }
}

static void test_wrong_types(void **state)
{
    (void)state;
    const struct param *params[] = {&whole, &real, &flag, &choice, &size, &name, &list};
    for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
        struct error err = {""};
        json_t *null = json_null();
        assert_true(param_check(params[i], null, "null", &err) < 0);
        assert_non_null(strstr(err.text, "not 'null'"));
    }
}

/* Every default is a value that its own table allows. */
static void test_defaults(void **state)
{
    (void)state;
    for (size_t i = 0; kinds[i]; i++)
        for (const struct param *p = kinds[i]->params; p->name; p++) {
            struct error err = {""};
            json_t *value;
            if (p->standard && param_default(p, &value, &err) < 0)
                fail_msg("%s: %s: %s", kinds[i]->name, p->name, err.text);
            else if (p->standard)
                json_decref(value);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
