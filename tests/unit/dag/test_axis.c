/* dag/experiment/: an integer as the values of a variable in `for` and `over`, and the references
 * of cells over a variable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/problems.h"
#include "dag/experiment/experiment.h"
#include "reports/json_pointer.h"
#include "tests/unit/scratch_folder.h"

enum { TEXT = 4000 };

/* Loads an experiment with one matrix, "m", whose variable s has the given values, and with more
 * text behind it. The problems' lines are in `said`. */
static int try(struct experiment *e, const char *values, const char *more, const char *setting,
               char said[TEXT])
{
    char yaml[TEXT];
    struct problems problems = {0};
    size_t used = 0;
    snprintf(yaml, sizeof yaml,
             "ferdag: 2\nparams: {one: 1, n: 3, list: ['${one}', 5]}\nstages:\n"
             "  m: {for: {s: %s}, kind: command, out: {o: o.json}, with: {run: '${s}'}}\n%s",
             values, more);
    scratch_put("x.yaml", yaml);
    said[0] = 0;
    int rc = experiment_load(e, "x.yaml", &setting, setting ? 1 : 0, &problems);
    for (size_t i = 0; i < problems.count; i++) {
        struct error line = {""};
        problems_print(&problems.items[i], &line);
        if (!problems.items[i].warning && used + strlen(line.text) + 2 < TEXT)
            used += (size_t)snprintf(said + used, TEXT - used, "%s\n", line.text);
    }
    problems_free(&problems);
    return rc;
}

/* The names of the stages, with spaces between them. */
static void names_are(const char *values, const char *setting, const char *expected)
{
    struct experiment e;
    char said[TEXT], names[TEXT] = "";
    if (try(&e, values, "", setting, said) < 0)
        fail_msg("%s: %s", values, said);
    for (size_t i = 0, used = 0; i < e.stage_count; i++)
        used +=
            (size_t)snprintf(names + used, TEXT - used, "%s%s", i ? " " : "", e.stages[i]->name);
    assert_string_equal(names, expected);
    experiment_free(&e);
}

static void an_integer_means_one_to_n(void **state)
{
    (void)state;
    names_are("3", NULL, "m/1 m/2 m/3");
    names_are("1", NULL, "m/1");
    names_are("'${n}'", NULL, "m/1 m/2 m/3");
    names_are("'${n}'", "n=2", "m/1 m/2");
    names_are("'${n}'", "n=[4, 7]", "m/4 m/7");
    names_are("'${list}'", NULL, "m/1 m/5");
    names_are("'${list}'", "list=2", "m/1 m/2");
    names_are("[3]", NULL, "m/3");
    struct experiment e;
    char said[TEXT];
    assert_int_equal(try(&e, "3", "", NULL, said), 0);
    assert_string_equal(
        json_string_value(json_object_get(experiment_stage(&e, "m/2")->params, "run")), "2");
    experiment_free(&e);
}

static void wrong_integers_are_one_error(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "0", "-1", "2.5", "1e3", "10001", "99999999999999999999", "full", "true"};
    struct experiment e;
    char said[TEXT], expected[TEXT], setting[40];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(try(&e, wrong[i], "", NULL, said), -EINVAL);
        snprintf(expected, sizeof expected,
                 "x.yaml:4:16: stages.m.for.s: expected a list, or an integer n from 1 to 10000 "
                 "for 1 to n, not '%s'\n",
                 wrong[i]);
        assert_string_equal(said, expected);
        /* Of a param that several variables have: once, where the param is. */
        snprintf(setting, sizeof setting, "n=%s", wrong[i]);
        assert_int_equal(
            try(&e, "'${n}'",
                "  k: {for: {s: '${n}'}, kind: command, out: {o: o}, with: {run: x}}\n", setting,
                said),
            -EINVAL);
        snprintf(expected, sizeof expected,
                 "--set n:1:1: n: expected a list, or an integer n from 1 to 10000 for 1 to n, not "
                 "'%s'\n",
                 wrong[i]);
        assert_string_equal(said, expected);
    }
    assert_int_equal(try(&e, "'3'", "", NULL, said), -EINVAL);
    assert_string_equal(said,
                        "x.yaml:4:16: stages.m.for.s: expected a list, or an integer n from 1 "
                        "to 10000 for 1 to n, not the text '3'\n");
    assert_int_equal(try(&e, "'${n}'", "", "n=[1, 1]", said), -EINVAL);
    assert_string_equal(said, "--set n:1:5: n: '1' is given twice\n");
    assert_int_equal(try(&e, "[1, 1]", "", NULL, said), -EINVAL);
    assert_string_equal(said, "x.yaml:4:20: for: '1' is given twice\n");
}

/* The value at a place in the expanded table t. */
static const json_t *table_value(const struct experiment *e, const char *pointer)
{
    const json_t *tables = json_object_get(experiment_stage(e, "tables")->params, "tables");
    return json_pointer_find(json_object_get(tables, "t"), pointer);
}

static const char *table_text(const struct experiment *e, const char *pointer)
{
    const char *text = json_string_value(table_value(e, pointer));
    return text ? text : "(none)";
}

static void a_cell_over_a_variable_is_a_list(void **state)
{
    (void)state;
    struct experiment e;
    char said[TEXT];
    static const char table[] = "tables:\n  t:\n    over: {s: '${n}'}\n"
                                "    columns: {a: {v: x}, b: {v: y, over: {s: ['2', '${one}']}}}\n"
                                "    rows: {r: {}, plain: {cell: '@m/1:/${v}'}, none: {over: ~},\n"
                                "           other: {over: {k: [3]}, cell: '@m/${k}:/k/${v}'}}\n"
                                "    cell: '@m/${s}:/${v}'\n";
    assert_int_equal(try(&e, "3", table, NULL, said), -EINVAL);
    assert_string_equal(said, "x.yaml:11:11: unknown param or variable 's'\n");
    char good[TEXT];
    snprintf(good, sizeof good, "%.*s: ~, cell: '@m/3:/n'},\n%s",
             (int)(strstr(table, ": ~}") - table), table, strstr(table, "           other"));
    if (try(&e, "3", good, NULL, said) < 0)
        fail_msg("%s", said);
    assert_string_equal(table_text(&e, "/over/s/2"), "3");
    assert_string_equal(table_text(&e, "/cells/r/a/0"), "@m/1.o:/x");
    assert_string_equal(table_text(&e, "/cells/r/a/2"), "@m/3.o:/x");
    assert_int_equal(json_array_size(table_value(&e, "/cells/r/b")), 2);
    assert_string_equal(table_text(&e, "/cells/r/b/0"), "@m/2.o:/y");
    assert_string_equal(table_text(&e, "/cells/r/b/1"), "@m/1.o:/y");
    assert_string_equal(table_text(&e, "/cells/plain/a"), "@m/1.o:/x");
    assert_string_equal(table_text(&e, "/cells/none/b"), "@m/3.o:/n");
    assert_string_equal(table_text(&e, "/cells/other/b/0"), "@m/3.o:/k/y");
    assert_int_equal(experiment_stage(&e, "tables")->input_count, 3);
    experiment_free(&e);
}

static void wrong_overs_are_errors(void **state)
{
    (void)state;
    static const struct {
        const char *over, *cell, *expected;
    } cases[] = {
        {"{s: 4}", "@m/${s}:/x", "x.yaml:10:11: unknown stage or input 'm/4' (did you mean"},
        {"{s: 3}", "@m/1:/x", "x.yaml:7:12: over: no cell uses '${s}'\n"},
        {"{s: 0}", "@m/${s}:/x", "x.yaml:7:15: tables.t.over.s: expected a list, or an integer n"},
        {"{s: '${list}', k: 2}", "@m/${s}:/x", "x.yaml:7:11: tables.t.over: 2 given; expected 1\n"},
        {"{}", "@m/${s}:/x", "x.yaml:7:11: tables.t.over: none given; expected 1\n"},
        {"3", "@m/${s}:/x", "x.yaml:7:11: tables.t.over: expected a map, not a scalar\n"},
        {"{s: [a/b]}", "@m/${s}:/x", "x.yaml:7:16: over: a value becomes part of a name;"},
        {"{s: '${nn}'}", "@m/${s}:/x", "x.yaml:7:15: unknown param 'nn'"},
        {"{s: [1, 1]}", "@m/${s}:/x", "x.yaml:7:19: over: '1' is given twice\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct experiment e;
        char more[TEXT], said[TEXT];
        snprintf(more, sizeof more,
                 "tables:\n  t:\n    over: %s\n    columns: {a: {}}\n    rows: {r: {}}\n"
                 "    cell: '%s'\n",
                 cases[i].over, cases[i].cell);
        assert_int_equal(try(&e, "3", more, NULL, said), -EINVAL);
        if (strncmp(said, cases[i].expected, strlen(cases[i].expected)) != 0 ||
            strchr(said, '\n') != said + strlen(said) - 1)
            fail_msg("%s: expected one error, '%s', got '%s'", cases[i].over, cases[i].expected,
                     said);
    }
}

static void a_star_in_the_report_is_the_first_match(void **state)
{
    (void)state;
    struct experiment e;
    char said[TEXT];
    static const char report[] =
        "report: {confusion_matrices: [{title: T, matrix: '@m/*.o:/confusion'}]}\n";
    if (try(&e, "[7, 2]", report, NULL, said) < 0)
        fail_msg("%s", said);
    const json_t *section = json_object_get(experiment_stage(&e, "report")->params, "report");
    assert_string_equal(
        json_string_value(json_pointer_find(section, "/confusion_matrices/0/matrix")),
        "@m/7.o:/confusion");
    experiment_free(&e);
    assert_int_equal(try(&e, "[7, 2]",
                         "report: {confusion_matrices: [{title: T, matrix: '@k/*.o:/c'}]}\n", NULL,
                         said),
                     -EINVAL);
    assert_non_null(strstr(said, "'k/*.o' names no stage"));
    assert_int_equal(try(&e, "[7, 2]",
                         "tables: {t: {columns: [a], rows: [r], cell: '@m/*.o:/c'}}\n", NULL, said),
                     -EINVAL);
    assert_non_null(strstr(said, "unknown stage or input 'm/*'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_integer_means_one_to_n, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(wrong_integers_are_one_error, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(a_cell_over_a_variable_is_a_list, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(wrong_overs_are_errors, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_star_in_the_report_is_the_first_match, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
