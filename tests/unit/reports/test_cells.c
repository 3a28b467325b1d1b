/* Cells over an axis: mean, deviation, reasons, sums, outcomes, and how tables show them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "base/text.h"
#include "reports/cells.h"
#include "reports/json_pointer.h"
#include "reports/table_files.h"
#include "stages/job.h"
#include "tests/unit/scratch_folder.h"

static json_t *parse(const char *text)
{
    json_error_t where;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &where);
    if (!json)
        fail_msg("test's own JSON, line %d, column %d: %s", where.line, where.column, where.text);
    return json;
}

/* The files s.1, s.2, ... are results of the stages s/1, s/2, ...; one that doesn't exist wasn't
 * run. */
static json_t *sources_list(void)
{
    json_t *list = json_array();
    for (int i = 1; i <= 8; i++) {
        char stage[20], path[20], key[20];
        snprintf(stage, sizeof stage, "s/%d", i);
        snprintf(path, sizeof path, "s.%d", i);
        snprintf(key, sizeof key, "key%d", i);
        json_t *entry = json_pack("{s:s, s:s}", "stage", stage, "port", "m");
        FILE *file = fopen(path, "r");
        if (file) {
            json_object_set_new(entry, "path", json_string(path));
            json_object_set_new(entry, "key", json_string(key));
            fclose(file);
        } else {
            json_object_set_new(entry, "missing", json_true());
        }
        json_array_append_new(list, entry);
    }
    return list;
}

/* The first table of a section; NULL with *err set. */
static json_t *evaluate(const char *section_text, struct error *err)
{
    json_t *root = json_pack("{s:{s:o}}", "inputs", "sources", sources_list()), *tables = NULL;
    json_t *section = parse(section_text), *paper = parse("{\"t\": {\"r\": {\"a\": 70}}}");
    struct job job = {.root = root};
    struct sources sources;
    sources_open(&sources, &job);
    int rc = cells_evaluate(section, paper, &sources, &tables, err);
    sources_close(&sources);
    json_decref(root);
    json_decref(section);
    json_decref(paper);
    return rc < 0 ? NULL : tables;
}

static json_t *table_of(const char *section)
{
    struct error err = {""};
    json_t *tables = evaluate(section, &err);
    if (!tables)
        fail_msg("%s", err.text);
    return tables;
}

static double number(const json_t *tables, const char *pointer)
{
    const json_t *value = json_pointer_find(json_array_get(tables, 0), pointer);
    if (!json_is_number(value))
        fail_msg("no number at %s", pointer);
    return json_number_value(value);
}

static const char *text(const json_t *tables, const char *pointer)
{
    const char *value = json_string_value(json_pointer_find(json_array_get(tables, 0), pointer));
    return value ? value : "(none)";
}

static void near(double a, double b)
{
    if (!(fabs(a - b) < 1e-9))
        fail_msg("%.17g is not %.17g", a, b);
}

#define SEEDS(LIST) "\"over\": {\"seed\": [" LIST "]}"
#define ONE_ROW(LIST, CELL)                                                                        \
    "{\"t\": {\"scale\": 100, " SEEDS(LIST) ", \"columns\": {\"a\": {}}, \"rows\": {\"r\": {}}, "  \
                                            "\"cells\": {\"r\": {\"a\": " CELL "}}}}"

static const char three[] =
    ONE_ROW("\"1\", \"2\", \"3\"", "[\"@s/1.m:/p/accuracy\", \"@s/2.m:/p/accuracy\", "
                                   "\"@s/3.m:/p/accuracy\"]");

static void a_cell_is_the_mean_over_an_axis(void **state)
{
    (void)state;
    scratch_put("s.1", "{\"p\": {\"accuracy\": 0.70, \"n\": 100}}");
    scratch_put("s.2", "{\"p\": {\"accuracy\": 0.72, \"n\": 100}}");
    scratch_put("s.3", "{\"p\": {\"accuracy\": 0.77, \"n\": 100}}");
    json_t *t = table_of(three);
    near(number(t, "/rows/0/cells/0/ours"), 73);
    near(number(t, "/rows/0/cells/0/difference"), 3);
    near(number(t, "/rows/0/cells/0/over/mean"), 73);
    near(number(t, "/rows/0/cells/0/over/sd"), sqrt((9. + 1 + 16) / 2));
    near(number(t, "/rows/0/cells/0/over/min"), 70);
    near(number(t, "/rows/0/cells/0/over/max"), 77);
    near(number(t, "/rows/0/cells/0/over/n"), 3);
    near(number(t, "/rows/0/cells/0/standard_error"), 100 * sqrt(0.73 * 0.27 / 100));
    assert_string_equal(text(t, "/rows/0/cells/0/over/axis"), "seed");
    assert_string_equal(text(t, "/rows/0/cells/0/over/values/2"), "3");
    assert_string_equal(text(t, "/rows/0/cells/0/source/key"), "key1");
    assert_string_equal(text(t, "/rows/0/cells/0/sources/2/key"), "key3");
    near(number(t, "/rows/0/cells/0/sources/2/ours"), 77);
    assert_null(json_pointer_find(json_array_get(t, 0), "/rows/0/cells/0/outcomes"));
    struct text csv = {0}, md = {0};
    table_files_csv(&csv, json_array_get(t, 0));
    table_files_markdown(&md, json_array_get(t, 0), "");
    assert_string_equal(text_string(&csv), "row,a ours,a paper,a difference,a sd,a min,a max,a n\n"
                                           "r,73.00,70.00,+3.00,3.61,70.00,77.00,3\n");
    assert_non_null(strstr(text_string(&md), "| r | 73.00 ± 3.61 | 70.00 | +3.00 |"));
    assert_non_null(
        strstr(text_string(&md), "Mean ± standard deviation of 3 runs (seeds 1, 2, 3)."));
    text_free(&csv);
    text_free(&md);
    json_decref(t);
}

/* One value looks as a cell without an axis. */
static void one_value_has_no_deviation(void **state)
{
    (void)state;
    scratch_put("s.1", "{\"p\": {\"accuracy\": 0.7123, \"n\": 3589}}");
    json_t *t = table_of(ONE_ROW("\"1\"", "[\"@s/1.m:/p/accuracy\"]"));
    json_t *plain = table_of(ONE_ROW("\"1\"", "\"@s/1.m:/p/accuracy\""));
    struct text a = {0}, b = {0};
    table_files_csv(&a, json_array_get(t, 0));
    table_files_csv(&b, json_array_get(plain, 0));
    assert_string_equal(text_string(&a), text_string(&b));
    assert_string_equal(text_string(&a), "row,a ours,a paper,a difference\nr,71.23,70.00,+1.23\n");
    json_t *cell = (json_t *)json_pointer_find(json_array_get(t, 0), "/rows/0/cells/0");
    assert_null(json_pointer_find(cell, "/over/sd"));
    assert_null(json_object_get(cell, "sources"));
    near(number(t, "/rows/0/cells/0/over/n"), 1);
    json_object_del(cell, "over");
    assert_true(json_equal(t, plain));
    text_free(&a);
    text_free(&b);
    json_decref(t);
    json_decref(plain);
}

/* A mean over fewer values is never shown; the reason names the values. */
static void one_missing_value_is_enough(void **state)
{
    (void)state;
    static const struct {
        const char *two, *three, *missing, *stage;
    } cases[] = {
        {NULL, "{\"p\": {\"accuracy\": 1}}", "not run: seed 2", "s/2"},
        {NULL, NULL, "not run: seed 2, 3", "s/2"},
        {NULL, "{\"p\": {}}", "not run: seed 2", "s/2"},
        {"{\"p\": {\"accuracy\": 1}}", "{\"p\": {\"accuracy\": \"x\"}}", "not a number: seed 3",
         "s/3"},
        {"{\"p\": {\"accuracy\": 1}}", "no JSON", "not JSON: seed 3", "s/3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        remove("s.2");
        remove("s.3");
        scratch_put("s.1", "{\"p\": {\"accuracy\": 0.5, \"n\": 4}}");
        if (cases[i].two)
            scratch_put("s.2", cases[i].two);
        if (cases[i].three)
            scratch_put("s.3", cases[i].three);
        json_t *t = table_of(three);
        assert_string_equal(text(t, "/rows/0/cells/0/missing"), cases[i].missing);
        assert_string_equal(text(t, "/rows/0/cells/0/text/ours"), cases[i].missing);
        assert_string_equal(text(t, "/rows/0/cells/0/source/stage"), cases[i].stage);
        assert_null(json_pointer_find(json_array_get(t, 0), "/rows/0/cells/0/ours"));
        assert_null(json_pointer_find(json_array_get(t, 0), "/rows/0/cells/0/over"));
        json_decref(t);
    }
    remove("s.1");
    remove("s.2");
    remove("s.3");
    json_t *t = table_of(three);
    assert_string_equal(text(t, "/rows/0/cells/0/missing"), "not run");
    json_decref(t);
    t = table_of(ONE_ROW("\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\"",
                         "[\"@s/1.m:/p\", \"@s/2.m:/p\", \"@s/3.m:/p\", \"@s/4.m:/p\", "
                         "\"@s/5.m:/p\", \"@s/6.m:/p\", \"@s/7.m:/p\", \"@s/8.m:/p\"]"));
    assert_string_equal(text(t, "/rows/0/cells/0/missing"), "not run");
    json_decref(t);
    scratch_put("s.8", "{\"p\": 1}");
    t = table_of(ONE_ROW("\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\"",
                         "[\"@s/1.m:/p\", \"@s/2.m:/p\", \"@s/3.m:/p\", \"@s/4.m:/p\", "
                         "\"@s/5.m:/p\", \"@s/6.m:/p\", \"@s/7.m:/p\", \"@s/8.m:/p\"]"));
    assert_string_equal(text(t, "/rows/0/cells/0/missing"),
                        "not run: seed 1, 2, 3, 4, 5 and 2 more");
    json_decref(t);
    remove("s.8");
}

/* A sum is summed for each value, so its deviation is that of the sums. */
static void sums_have_a_deviation(void **state)
{
    (void)state;
    scratch_put("s.1", "{\"x\": 1, \"y\": 6, \"z\": 10}");
    scratch_put("s.2", "{\"x\": 3, \"y\": 4, \"z\": 10}");
    json_t *t = table_of("{\"t\": {" SEEDS(
        "\"1\", \"2\"") ", \"columns\": {\"a\": {}}, \"rows\": {"
                        "\"x\": {}, \"y\": {}, \"z\": {\"over\": {}}, \"s\": {\"sum\": [\"x\", "
                        "\"y\", \"-z\"]}, \"d\": {\"sum\": [\"x\", \"-y\"]}, \"o\": {\"over\": "
                        "{\"fold\": [\"1\", \"2\"]}}, \"m\": {\"sum\": [\"x\", \"o\"]}}, "
                        "\"cells\": {\"x\": {\"a\": [\"@s/1.m:/x\", \"@s/2.m:/x\"]}, \"y\": "
                        "{\"a\": [\"@s/1.m:/y\", \"@s/2.m:/y\"]}, \"z\": {\"a\": \"@s/1.m:/z\"}, "
                        "\"o\": {\"a\": [\"@s/1.m:/y\", \"@s/2.m:/y\"]}}}}");
    near(number(t, "/rows/3/cells/0/ours"), -3);
    near(number(t, "/rows/3/cells/0/over/sd"), 0);
    near(number(t, "/rows/4/cells/0/ours"), -3);
    near(number(t, "/rows/4/cells/0/over/min"), -5);
    near(number(t, "/rows/4/cells/0/over/sd"), sqrt(8));
    near(number(t, "/rows/6/cells/0/ours"), 7); /* other axes: the mean alone */
    assert_null(json_pointer_find(json_array_get(t, 0), "/rows/6/cells/0/over"));
    assert_null(json_pointer_find(json_array_get(t, 0), "/rows/2/cells/0/over"));
    json_decref(t);
}

/* Where a row and a column of sums cross. */
static void a_sum_of_sums_has_a_deviation(void **state)
{
    (void)state;
    scratch_put("s.1", "{\"x\": 1, \"y\": 6}");
    scratch_put("s.2", "{\"x\": 3, \"y\": 5}");
    json_t *t = table_of("{\"t\": {" SEEDS(
        "\"1\", \"2\"") ", \"columns\": {\"a\": {}, \"b\": {}, "
                        "\"ab\": {\"sum\": [\"a\", \"b\"]}}, \"rows\": {\"x\": {}, \"y\": {}, "
                        "\"s\": {\"sum\": [\"x\", \"y\"]}}, \"cells\": {\"x\": {\"a\": "
                        "[\"@s/1.m:/x\", \"@s/2.m:/x\"], \"b\": \"@s/1.m:/x\"}, \"y\": {\"a\": "
                        "[\"@s/1.m:/y\", \"@s/2.m:/y\"], \"b\": \"@s/1.m:/y\"}}}}");
    near(number(t, "/rows/2/cells/2/ours"), 14.5);
    near(number(t, "/rows/2/cells/2/over/min"), 14);
    near(number(t, "/rows/2/cells/2/over/max"), 15);
    assert_null(json_pointer_find(json_array_get(t, 0), "/rows/2/cells/1/over"));
    json_decref(t);
}

static void medians_are_averaged(void **state)
{
    (void)state;
    scratch_put("s.1", "{\"median\": 2, \"first_quartile\": 1, \"third_quartile\": 5}");
    scratch_put("s.2", "{\"median\": 4, \"first_quartile\": 3, \"third_quartile\": 5}");
    json_t *t = table_of(ONE_ROW("\"1\", \"2\"", "[\"@s/1.m:/median\", \"@s/2.m:/median\"]"));
    near(number(t, "/rows/0/cells/0/ours"), 300);
    near(number(t, "/rows/0/cells/0/quartiles/0"), 200);
    near(number(t, "/rows/0/cells/0/quartiles/1"), 500);
    near(number(t, "/rows/0/cells/0/spread"), 200);
    json_decref(t);
}

/* The outcomes of images are there only if each value of the axis has them, one digit an image. */
static void outcomes_are_kept_and_stripped(void **state)
{
    (void)state;
    static const char good[] =
        "{\"p\": {\"accuracy\": 0.5, \"n\": 4, \"truth\": \"0123\", \"predicted\": \"0132\"}}";
    static const char *const bad[] = {
        "{\"p\": {\"accuracy\": 0.5, \"n\": 4, \"truth\": \"0123\", \"predicted\": \"013\"}}",
        "{\"p\": {\"accuracy\": 0.5, \"n\": 4, \"truth\": \"0123\", \"predicted\": \"013x\"}}",
        "{\"p\": {\"accuracy\": 0.5, \"n\": 4, \"truth\": \"0123\"}}",
        "{\"p\": {\"accuracy\": 0.5, \"truth\": \"0123\", \"predicted\": \"0132\"}}",
        "{\"p\": {\"accuracy\": 0.5, \"n\": 4.5, \"truth\": \"0123\", \"predicted\": \"0132\"}}",
        "{\"p\": {\"accuracy\": 0.5, \"n\": 4, \"truth\": [0, 1, 2, 3], \"predicted\": \"0132\"}}",
    };
    static const char two[] =
        ONE_ROW("\"1\", \"2\"", "[\"@s/1.m:/p/accuracy\", \"@s/2.m:/p/accuracy\"]");
    scratch_put("s.1", good);
    scratch_put("s.2", good);
    json_t *t = table_of(two);
    assert_string_equal(text(t, "/rows/0/cells/0/outcomes/1/predicted"), "0132");
    cells_strip(t);
    assert_null(json_pointer_find(json_array_get(t, 0), "/rows/0/cells/0/outcomes"));
    json_decref(t);
    t = table_of(ONE_ROW("\"1\"", "\"@s/1.m:/p/accuracy\""));
    assert_string_equal(text(t, "/rows/0/cells/0/outcomes/0/truth"), "0123");
    json_decref(t);
    t = table_of(ONE_ROW("\"1\"", "\"@s/1.m:/p/n\""));
    assert_null(json_pointer_find(json_array_get(t, 0), "/rows/0/cells/0/outcomes"));
    json_decref(t);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        scratch_put("s.2", bad[i]);
        t = table_of(two);
        assert_null(json_pointer_find(json_array_get(t, 0), "/rows/0/cells/0/outcomes"));
        json_decref(t);
    }
}

static void lists_fit_their_axis(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        ONE_ROW("\"1\"", "[\"@s/1.m:/p\", \"@s/2.m:/p\"]"),
        ONE_ROW("\"1\", \"2\"", "[\"@s/1.m:/p\", null]"),
        ONE_ROW("\"1\", 2", "[\"@s/1.m:/p\", \"@s/2.m:/p\"]"),
        ONE_ROW("", "[]"),
        "{\"t\": {\"columns\": {\"a\": {}}, \"rows\": {\"r\": {}}, \"cells\": {\"r\": {\"a\": "
        "[\"@s/1.m:/p\"]}}}}",
        "{\"t\": {\"over\": {\"x\": [\"1\"], \"y\": [\"1\"]}, \"columns\": {\"a\": {}}, \"rows\": "
        "{\"r\": {}}, \"cells\": {\"r\": {\"a\": [\"@s/1.m:/p\"]}}}}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error err = {""};
        if (evaluate(wrong[i], &err))
            fail_msg("accepted: %s", wrong[i]);
        assert_non_null(strstr(err.text, "tables.t: cell r/a: expected "));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_cell_is_the_mean_over_an_axis, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(one_value_has_no_deviation, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(one_missing_value_is_enough, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(sums_have_a_deviation, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_sum_of_sums_has_a_deviation, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(medians_are_averaged, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(outcomes_are_kept_and_stripped, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(lists_fit_their_axis, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
