/* Text for a terminal: widths, cuts, and what is removed. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <locale.h>
#include <string.h>
#include "base/display.h"

static int set_up(void **state)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    *state = uselocale(utf8);
    return utf8 ? 0 : -1;
}

static void widths(void **state)
{
    (void)state;
    assert_int_equal(display_width("abc"), 3);
    assert_int_equal(display_width("é…✓"), 3);
    assert_int_equal(display_width("中文"), 4);
    assert_int_equal(display_width("e\xcc\x81"), 1);  /* with a combining accent */
    assert_int_equal(display_width("a\xff\x01z"), 4); /* unprintable ones become "?" */
}

static void copies_whole_characters(void **state)
{
    char text[16];
    (void)state;
    assert_int_equal(display_copy(text, sizeof text, "a中文", 4), 3);
    assert_string_equal(text, "a中");
    assert_int_equal(display_copy(text, 4, "中文", 4), 2); /* no space for the second */
    assert_string_equal(text, "中");
    assert_int_equal(display_copy(text, sizeof text, "a\x1b\xff", 9), 3);
    assert_string_equal(text, "a??");
    assert_int_equal(display_copy(text, sizeof text, "abc", 0), 0);
    assert_string_equal(text, "");
}

static void shortens(void **state)
{
    static const struct {
        const char *name;
        size_t columns;
        const char *expected;
    } cases[] = {
        {"train/full/vgg19", 16, "train/full/vgg19"},
        {"train/full/vgg19", 15, "train/fu…/vgg19"},
        {"train/full/vgg19", 13, "train/…/vgg19"},
        {"train/full/vgg19", 12, "train/…vgg19"},
        {"train/full/vgg19", 9, "trai…gg19"},
        {"a/b/c/d/e", 8, "a/b…/d/e"},
        {"abcdefghij", 5, "ab…ij"},
        {"abcdefghij", 2, "a…"},
        {"abcdefghij", 1, "…"},
        {"abcdefghij", 0, ""},
        {"中文中文中文", 7, "中文…文"},
    };
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        display_shorten(text, sizeof text, cases[i].name, cases[i].columns, "…");
        assert_true(display_width(text) <= cases[i].columns);
        assert_string_equal(text, cases[i].expected);
    }
    display_shorten(text, 8, "train/full/vgg19", 15, "…"); /* a small memory limit */
    assert_true(strlen(text) < 8);
}

static void cleans(void **state)
{
    static const struct {
        const char *dirty, *clean;
    } cases[] = {
        {"plain text", "plain text"},
        {"\x1b[31mred\x1b[0m", "red"},
        {"\x1b]0;title\aafter", "after"},
        {"\x1b]8;;x\x1b\\link", "link"},
        {"\x1b(Bset", "set"},
        {"\x1b[2J\x1b[1;1Hhome", "home"},
        {"unfinished\x1b[31", "unfinished"},
        {"unfinished\x1b]0;title", "unfinished"},
        {"end\x1b", "end"},
        {"a\tb\rc\bd\x7f", "a bcd"},
        {"\xc2\x9b"
         "31m",
         "31m"},                                    /* CSI in one character */
        {"\xe2\x80\xaeright\xe2\x80\xac", "right"}, /* U+202E: right-to-left override */
        {"é\xff中\xe4\xb8", "é?中??"},
        {"e\xcc\x81", "e\xcc\x81"},
    };
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        display_clean(text, sizeof text, cases[i].dirty, strlen(cases[i].dirty));
        assert_string_equal(text, cases[i].clean);
    }
    display_clean(text, sizeof text, "a\0b", 3);
    assert_string_equal(text, "ab");
    display_clean(text, 4, "a中文", 7);
    assert_string_equal(text, "a");
}

static void to_ascii(void **state)
{
    char text[] = "é中a\xff…";
    (void)state;
    display_ascii(text);
    assert_string_equal(text, "??a??");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(widths),   cmocka_unit_test(copies_whole_characters),
        cmocka_unit_test(shortens), cmocka_unit_test(cleans),
        cmocka_unit_test(to_ascii),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
