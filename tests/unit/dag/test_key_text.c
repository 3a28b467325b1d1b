/* Reading the lines of a key's text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "dag/key_text.h"

static void expect(const struct key_line *line, const char *name, const char *value)
{
    assert_int_equal(line->name_length, strlen(name));
    assert_memory_equal(line->name, name, strlen(name));
    assert_int_equal(line->value_length, strlen(value));
    assert_memory_equal(line->value, value, strlen(value));
}

static void names_have_one_word_or_two(void **state)
{
    const char *text = "ferdag-key 1\nkind knn 2\nparam k 5\n\nin images abc exec\nnumerics\nparam";
    struct key_line line;
    (void)state;
    assert_true(key_line_next(&text, &line));
    expect(&line, "ferdag-key", "1");
    assert_true(key_line_next(&text, &line));
    expect(&line, "kind", "knn 2");
    assert_true(key_line_next(&text, &line));
    expect(&line, "param k", "5");
    assert_true(key_line_next(&text, &line));
    expect(&line, "in images", "abc exec");
    assert_true(key_line_next(&text, &line));
    expect(&line, "numerics", "");
    assert_true(key_line_next(&text, &line));
    expect(&line, "param", "");
    assert_false(key_line_next(&text, &line));
}

static void a_line_is_found_by_its_whole_name(void **state)
{
    const char *text = "param epoch 1\nparam epochs 2\nparam epochs_more 3\nparam last\n";
    struct key_line line, other;
    (void)state;
    assert_true(key_line_find(text, "param epochs", 12, &line));
    expect(&line, "param epochs", "2");
    assert_false(key_line_find(text, "param ep", 8, &other));
    assert_true(key_line_find(text, "param last", 10, &other));
    expect(&other, "param last", "");
    assert_false(key_line_equal(&line, &other));
    assert_true(key_line_equal(&line, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_one_word_or_two),
        cmocka_unit_test(a_line_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
