/* The report's small parts: pointers, numbers, escaping. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "reports/number.h"
#include "reports/table_files.h"
#include "reports/pdf/plot.h"
#include "reports/json_pointer.h"
#include "reports/markdown.h"
#include "reports/pdf/troff.h"
#include "tests/unit/reports/small_report.h"

/* ---- pointers ---- */

static void test_pointer(void **state)
{
    (void)state;
    json_t *root = parse("{\"a\": {\"b\": [10, [20, 30]], \"x/y\": 1, \"m~n\": 2, \"\": 3}}");
    static const struct {
        const char *pointer;
        int value; /* -1: none */
    } cases[] = {
        {"/a/b/0", 10},  {"/a/b/1/1", 30}, {"/a/x~1y", 1},
        {"/a/m~0n", 2},  {"/a/", 3},       {"/a/b/2", -1},
        {"/a/b/01", -1}, {"/a/b/-1", -1},  {"/a/b/", -1},
        {"/a/c", -1},    {"a/b", -1},      {"/a/m~2n", -1},
        {"/a/m~", -1},   {"/a/b/0/0", -1}, {"/a/b/99999999999", -1},
    };
    assert_ptr_equal(json_pointer_find(root, ""), root);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const json_t *found = json_pointer_find(root, cases[i].pointer);
        if (cases[i].value < 0)
            assert_null(found);
        else
            assert_int_equal(json_integer_value(found), cases[i].value);
    }
    json_decref(root);
}

/* ---- numbers ---- */

static void test_numbers(void **state)
{
    (void)state;
    char s[NUMBER_SIZE];
    static const struct {
        double x;
        int digits;
        bool sign, commas;
        const char *shown;
    } cases[] = {
        {71.736, 2, false, false, "71.74"},
        {-0.004, 2, true, false, "0.00"},
        {2.35, 2, true, false, "+2.35"},
        {-28, 0, true, false, "-28"},
        {28709, 0, false, true, "28,709"},
        {-1234567.5, 1, false, true, "-1,234,567.5"},
        {999, 0, false, true, "999"},
        {1e20, 2, false, true, "1.0e+20"},
        {NAN, 2, false, false, ""},
        {INFINITY, 2, true, false, ""},
        {0.5, 99, false, false, "0.500000000000"},
        {100, -3, false, false, "100"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        number_format(s, cases[i].x, cases[i].digits, cases[i].sign, cases[i].commas);
        assert_string_equal(s, cases[i].shown);
    }
    number_seconds(s, 0.417);
    assert_string_equal(s, "0.42 s");
    number_seconds(s, 250);
    assert_string_equal(s, "4 min 10 s");
    number_seconds(s, 59.7);
    assert_string_equal(s, "1 min 00 s");
    number_seconds(s, 7500);
    assert_string_equal(s, "2 h 05 min");
    number_bytes(s, 1536.0 * 1024 * 1024);
    assert_string_equal(s, "1.5 GiB");
    number_bytes(s, 700);
    assert_string_equal(s, "700 B");
}

/* ---- escaping ---- */

static void expect_text(void (*write)(struct text *, const char *), const char *from,
                        const char *to)
{
    struct text t = {0};
    write(&t, from);
    assert_false(t.failed);
    assert_string_equal(text_string(&t), to);
    text_free(&t);
}

static void test_escaping(void **state)
{
    (void)state;
    expect_text(troff_text, ".so /etc\\[f]\n'br", ".so /etc\\[rs][f] \\[cq]br");
    expect_text(troff_text, "a-b -3 (-4.5)", "a-b \\-3 (\\-4.5)");
    expect_text(troff_code, "sh -c 'head -3'", "sh -c \\[aq]head -3\\[aq]");
    expect_text(troff_text, "\"`^~", "\\[dq]\\[ga]\\[ha]\\[ti]");
    expect_text(troff_text, "na\u00efve \u6f22", "na\\[u00EF]ve \\[u6F22]");
    expect_text(troff_text, "bad\xff\xc3", "bad??");
    expect_text(troff_text, "\tx\x7f\x01", " x  ");
    expect_text(troff_text, "\xf4\x90\x80\x80", "????"); /* beyond Unicode */
    expect_text(troff_text, "\xed\xa0\x80", "???");      /* a surrogate */
    expect_text(plot_quote, "'it's `id` \"$x\" @y \\n\n",
                "\"'it's \\140id\\140 \\042$x\\042 \\100y \\134n \"");
    expect_text(plot_quote, "\u00e9\u2026\u6f22\xff", "\"\u00e9\u2026??\"");
    expect_text(csv_field, "plain", "plain");
    expect_text(csv_field, "a,\"b\"", "\"a,\"\"b\"\"\"");
    expect_text(csv_field, " lead", "\" lead\"");
    expect_text(csv_field, "two\nlines", "\"two\nlines\"");
    expect_text(csv_field, "bell\x07", "bell ");
    expect_text(markdown_text, "a|b*c_d<e>\n", "a\\|b\\*c\\_d\\<e\\> ");
    struct text t = {0};
    troff_fitted(&t, "a name that is far too long", false, 5000);
    assert_non_null(strstr(text_string(&t), "a name"));
    assert_null(strstr(text_string(&t), "long"));
    text_free(&t);
}

static void test_long_texts(void **state)
{
    (void)state;
    assert_int_equal(troff_fits("", false, 0), 0);
    assert_int_equal(troff_fits("ii", false, 444), 2);      /* 222 each */
    assert_int_equal(troff_fits("iiiiii", false, 1331), 1); /* the ellipsis takes 1000 */
    assert_int_equal(troff_fits("\u00e9\u00e9\u00e9\u00e9", false, 2200), 4);
    assert_int_equal((int)troff_width("-1-1", false), 584 + 556 + 333 + 556); /* minus, hyphen */
    expect_text(troff_text, "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",       /* 40 */
                "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW");
    expect_text(troff_text, "a WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW b",
                "a WWWWWWWWWWWWWWWWWWWW\\:WWWWWWWWWWWWWWWWWWWW\\:W b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointer),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_escaping),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
