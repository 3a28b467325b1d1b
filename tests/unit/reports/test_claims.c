/* The report's tables, and the claims that are decided from them. */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "reports/cells.h"
#include "reports/claim_check.h"
#include "reports/claim_pairs.h"
#include "reports/claims.h"
#include "reports/table_files.h"
#include "reports/json_pointer.h"
#include "reports/sources.h"
#include "stages/job.h"
#include "tests/unit/reports/small_report.h"

/* The tables of the small job, evaluated. */
static json_t *evaluate(void)
{
    struct error err = {""};
    json_t *root = json_pack("{s:{s:o}}", "inputs", "sources", parse(sources_json));
    json_t *section = parse(tables_json), *paper = parse(paper_json), *tables = NULL;
    struct job job = {.root = root};
    struct sources sources;
    sources_open(&sources, &job);
    int rc = cells_evaluate(section, paper, &sources, &tables, &err);
    if (rc < 0)
        fail_msg("%s", err.text);
    sources_close(&sources);
    json_decref(root);
    json_decref(section);
    json_decref(paper);
    return tables;
}

static void test_table(void **state)
{
    (void)state;
    json_t *tables = evaluate(), *table = json_array_get(tables, 0);
    struct text csv = {0}, md = {0};
    table_files_csv(&csv, table);
    table_files_markdown(&md, table, "A notice.");
    assert_string_equal(text_string(&csv),
                        "Model,\"Full, Public ours\",\"Full, Public paper\",\"Full, Public "
                        "difference\",\"Full, Private ours\","
                        "\"Full, Private paper\",\"Full, Private difference\",Rise ours,Rise "
                        "paper,Rise difference\n"
                        "Zed | one,71.23,70.00,+1.23,74.00,72.50,+1.50,2.77,2.50,+0.27\n"
                        "\"Ay, two\",65.00,68.00,-3.00,not a number,,,not a number,,\n"
                        "Gone,not run,60.00,,no such value,,,no such value,,\n"
                        "Theirs,,69.50,,,,,,,\n");
    assert_string_equal(
        text_string(&md),
        "# Table X: Accuracy, all (%)\n\n"
        "| Model | Full, Public: ours | paper | diff. | Full, Private: ours | paper | diff. | "
        "Rise: ours | paper | diff. |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n"
        "| Zed \\| one | 71.23 | 70.00 | +1.23 | 74.00 | 72.50 | +1.50 | 2.77 | 2.50 | +0.27 |\n"
        "| Ay, two | 65.00 | 68.00 | -3.00 | not a number |  |  | not a number |  |  |\n"
        "| Gone | not run | 60.00 |  | no such value |  |  | no such value |  |  |\n"
        "| Theirs |  | 69.50 |  |  |  |  |  |  |  |\n\nA notice.\n");
    const json_t *cell = json_pointer_find(table, "/rows/0/cells/0");
    assert_true(json_number_value(json_object_get(cell, "n")) == 3589);
    assert_string_equal(json_string_value(json_pointer_find(cell, "/source/key")),
                        "0123456789abcdef");
    assert_string_equal(json_string_value(json_pointer_find(cell, "/source/pointer")),
                        "/public/accuracy");
    text_free(&csv);
    text_free(&md);
    json_decref(tables);
}

/* Evaluates the tables of a section with other sources; takes ownership of the section. */
static json_t *evaluate_own(json_t *section, const char *sources_text)
{
    struct error err = {""};
    json_t *root = json_pack("{s:{s:o}}", "inputs", "sources", parse(sources_text)), *tables = NULL;
    struct job job = {.root = root};
    struct sources sources;
    sources_open(&sources, &job);
    if (cells_evaluate(section, NULL, &sources, &tables, &err) < 0)
        fail_msg("%s", err.text);
    sources_close(&sources);
    json_decref(section);
    json_decref(root);
    return tables;
}

static double cell_number(const json_t *tables, const char *pointer)
{
    return json_number_value(json_pointer_find(json_array_get(tables, 0), pointer));
}

static const struct claim_setting faithful = {true, true, ""}, smaller = {true, false, ""},
                                  drawn = {false, true, "drawn"};

/* The result of a check over the tables: "holds", "open", ... */
static const char *result_of(const json_t *tables, const char *check_text)
{
    static char result[16];
    struct error err = {""};
    json_t *section = json_pack("{s:{s:[o]}}", "c", "checks", parse(check_text)), *claims = NULL;
    if (claims_decide(section, tables, &faithful, &claims, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(result, sizeof result, "%s",
             json_string_value(json_pointer_find(json_array_get(claims, 0), "/checks/0/result")));
    json_decref(claims);
    json_decref(section);
    return result;
}

/* ---- claims ---- */

/* The verdict on a claim with one check. */
static void expect_verdict(const char *check, const char *smaller_settings,
                           const struct claim_setting *setting, const char *verdict,
                           const char *result)
{
    char text[1024];
    struct error err = {""};
    json_t *tables = evaluate(), *claims = NULL;
    snprintf(text, sizeof text, "{\"c\": {\"smaller_settings\": \"%s\", \"checks\": [%s]}}",
             smaller_settings, check);
    json_t *section = parse(text);
    if (claims_decide(section, tables, setting, &claims, &err) < 0)
        fail_msg("%s: %s", check, err.text);
    const json_t *claim = json_array_get(claims, 0);
    assert_string_equal(cells_string(claim, "verdict"), verdict);
    assert_string_equal(json_string_value(json_pointer_find(claim, "/checks/0/result")), result);
    json_decref(claims);
    json_decref(section);
    json_decref(tables);
}

static void test_claims(void **state)
{
    (void)state;
    /* z 71.23, a 65.00, error of the difference 1.10 points */
    const char *z_above_a =
        "{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": \"t/a/public\"}";
    expect_verdict(z_above_a, "neutral", &faithful, "reproduced", "holds");
    expect_verdict(z_above_a, "neutral", &drawn, "not decided", "holds");
    expect_verdict("{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": \"t/a/public\", "
                   "\"margin\": 6}",
                   "neutral", &faithful, "not decided", "open");
    expect_verdict("{\"check\": \"above\", \"left\": \"t/a/public\", \"right\": \"t/z/public\"}",
                   "neutral", &faithful, "not reproduced", "fails");
    expect_verdict("{\"check\": \"below\", \"left\": \"t/a/public\", \"right\": \"t/z/public\", "
                   "\"margin\": 2}",
                   "neutral", &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"above\", \"left\": \"t/z/public\", \"right\": \"t/*/public\"}",
                   "neutral", &faithful, "not run", "missing");
    expect_verdict("{\"check\": \"reaches\", \"left\": \"t/z|a/public\"}", "neutral", &faithful,
                   "not reproduced", "fails");
    expect_verdict("{\"check\": \"reaches\", \"left\": \"t/z|a/public\"}", "harder", &smaller,
                   "not decided", "fails");
    /* z is 1.23 points, 1.6 standard errors, above 70, and a 3.8 below 68 */
    expect_verdict("{\"check\": \"reaches\", \"left\": \"t/z|a/public\", \"at_least\": 1}",
                   "harder", &faithful, "not decided", "open");
    expect_verdict(
        "{\"check\": \"reaches\", \"left\": \"t/z|a/public\", \"at_least\": 1, \"margin\": 1}",
        "harder", &faithful, "reproduced", "holds");
    expect_verdict(
        "{\"check\": \"within\", \"left\": \"t/z/public\", \"right\": 71, \"margin\": 0.5}",
        "neutral", &faithful, "not decided", "open");
    expect_verdict(
        "{\"check\": \"within\", \"left\": \"t/z/public\", \"right\": 71, \"margin\": 3}",
        "neutral", &faithful, "reproduced", "holds");
    expect_verdict(
        "{\"check\": \"within\", \"left\": \"t/z/public\", \"right\": 74, \"margin\": 0.5}",
        "neutral", &faithful, "not reproduced", "fails");
    expect_verdict("{\"check\": \"at_most\", \"left\": \"t/z/public\", \"right\": 71}", "neutral",
                   &faithful, "not decided", "open");
    expect_verdict("{\"check\": \"at_most\", \"left\": \"t/z/public\", \"right\": 69}", "neutral",
                   &faithful, "not reproduced", "fails");
    /* the mean, 2.77, has an error of 1.05 */
    expect_verdict("{\"check\": \"mean\", \"left\": \"t/z/private\", \"right\": \"t/z/public\", "
                   "\"min\": 1, \"max\": 2}",
                   "neutral", &faithful, "not decided", "open");
    expect_verdict("{\"check\": \"mean\", \"left\": \"t/z/private\", \"right\": \"t/z/public\", "
                   "\"min\": 0, \"max\": 6}",
                   "neutral", &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"mean\", \"left\": \"t/z/private\", \"right\": \"t/z/public\", "
                   "\"min\": 6, \"max\": 7}",
                   "neutral", &faithful, "not reproduced", "fails");
    expect_verdict("{\"check\": \"rank\", \"left\": \"t/a/public\", \"among\": "
                   "\"t/z|a|theirs/public\", \"top\": 3}",
                   "neutral", &faithful, "reproduced", "holds");
    expect_verdict("{\"check\": \"rank\", \"left\": \"t/a/public\", \"among\": "
                   "\"t/z|a|theirs/public\", \"top\": 2}",
                   "neutral", &faithful, "not reproduced", "fails");
    expect_verdict("{\"check\": \"above\", \"left\": \"t/a/public\", \"right\": \"t/z/public\", "
                   "\"informational\": true}",
                   "neutral", &faithful, "not decided", "fails");
}

/* Numbers of others alone don't test our run: they reproduce no claim, and a check that compares
 * only such numbers is refused. */
static void test_claims_without_ours(void **state)
{
    (void)state;
    static const char *const checks[] = {
        "{\"check\": \"above\", \"left\": \"t/theirs/public\", \"right\": 60}",
        "{\"check\": \"below\", \"left\": \"t/theirs/public\", \"right\": \"t/others/public\"}",
        "{\"check\": \"reaches\", \"left\": \"t/theirs/public\"}",
        "{\"check\": \"within\", \"left\": \"t/theirs/public\", \"right\": 70, \"margin\": 1}",
        "{\"check\": \"at_most\", \"left\": \"t/theirs/public\", \"right\": 80}",
        ("{\"check\": \"mean\", \"left\": \"t/others/public\", \"right\": \"t/theirs/public\", "
         "\"min\": 0, \"max\": 9}"),
        ("{\"check\": \"rank\", \"left\": \"t/others/public\", \"among\": \"t/theirs/public\", "
         "\"top\": 2}"),
        "{\"check\": \"above\", \"left\": \"t/both/public\", \"right\": 60}",
    };
    json_t *section = parse("{\"t\": {\"columns\": {\"public\": {}}, \"rows\": {\"theirs\": {}, "
                            "\"others\": {}, \"both\": {\"sum\": [\"theirs\", \"others\"]}}, "
                            "\"cells\": {\"theirs\": {\"public\": null}}}}");
    json_t *paper =
        parse("{\"t\": {\"theirs\": {\"public\": 69.5}, \"others\": {\"public\": 70}}}");
    json_t *tables = NULL;
    struct sources none = {0};
    struct error err = {""};
    assert_int_equal(cells_evaluate(section, paper, &none, &tables, &err), 0);
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        json_t *check = parse(checks[i]);
        size_t count;
        assert_string_equal(result_of(tables, checks[i]), "missing");
        assert_int_equal(pairs_count(check, tables, &count, &err), -ENODATA);
        assert_non_null(strstr(err.text, "ours"));
        json_decref(check);
    }
    json_decref(tables);
    json_decref(paper);
    json_decref(section);
}

/* Narrow nets are fast, so that they are fast enough doesn't show that the paper's are. */
static void test_claims_that_are_easier(void **state)
{
    (void)state;
    const char *holds = "{\"check\": \"at_most\", \"left\": \"t/z/public\", \"right\": 74}";
    const char *fails = "{\"check\": \"at_most\", \"left\": \"t/z/public\", \"right\": 69}";
    expect_verdict(holds, "easier", &faithful, "reproduced", "holds");
    expect_verdict(holds, "easier", &smaller, "not decided", "holds");
    expect_verdict(fails, "easier", &smaller, "not reproduced", "fails");
}

static void test_bad_claims(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"c\": {\"checks\": [{\"check\": \"abov\", \"left\": \"t/z/public\", \"right\": 1}]}}",
        "{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"t/z\", \"right\": 1}]}}",
        "{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"t/q/public\", \"right\": 1}]}}",
        "{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"u/z/public\", \"right\": 1}]}}",
        ("{\"c\": {\"checks\": [{\"check\": \"above\", \"left\": \"t/z/rise|x\", \"right\": "
         "\"t/z/rise\"}]}}"),
        "{\"c\": {\"checks\": []}}",
        "{\"c\": 3}",
    };
    json_t *tables = evaluate();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error err = {""};
        json_t *section = parse(bad[i]), *claims = NULL;
        assert_int_equal(claims_decide(section, tables, &faithful, &claims, &err), -EINVAL);
        assert_null(claims);
        assert_true(strncmp(err.text, "claims.c", 8) == 0);
        json_decref(section);
    }
    json_decref(tables);
}

/* Times in us: medians 2, 3 and 2.5, with farther quartiles at distances of 0.1, 0.3 and 0.6. */
static void test_spread_of_times(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"batch\": {\"median\": 2e-6, \"first_quartile\": 1.95e-6, \"third_quartile\": 2.1e-6}}",
        "{\"batch\": {\"median\": 3e-6, \"first_quartile\": 2.7e-6, \"third_quartile\": 3.2e-6}}",
        "{\"batch\": {\"median\": 2.5e-6, \"first_quartile\": 1.9e-6, \"third_quartile\": "
        "2.6e-6}}"};
    char list[1024] = "", path[16];
    struct error err = {""};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "time.%d", i);
        write_text(path, texts[i]);
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used,
                 "%c{\"path\": \"%s\", \"stage\": \"s%d\", \"port\": \"timing\", \"key\": \"%d\", "
                 "\"kind\": \"knn\", \"seconds\": 1, \"params\": {}}%s",
                 i ? ',' : '[', path, i, i, i == 2 ? "]" : "");
    }
    json_t *root = json_pack("{s:{s:o}}", "inputs", "sources", parse(list)), *tables = NULL;
    json_t *section = parse("{\"t\": {\"scale\": 1e6, \"digits\": 2, \"columns\": {\"time\": {}},"
                            " \"rows\": {\"a\": {}, \"b\": {}, \"c\": {}},"
                            " \"cells\": {\"a\": {\"time\": \"@s0.timing:/batch/median\"},"
                            " \"b\": {\"time\": \"@s1.timing:/batch/median\"},"
                            " \"c\": {\"time\": \"@s2.timing:/batch/median\"}}}}");
    struct job job = {.root = root};
    struct sources sources;
    sources_open(&sources, &job);
    if (cells_evaluate(section, NULL, &sources, &tables, &err) < 0)
        fail_msg("%s", err.text);
    sources_close(&sources);
    static const struct {
        const char *left, *right, *result;
    } cases[] = {{"a", "b", "holds"}, {"b", "a", "fails"}, {"a", "c", "open"}, {"c", "b", "open"}};
    for (size_t i = 0; i < 4; i++) {
        char check[128];
        snprintf(check, sizeof check,
                 "{\"check\": \"below\", \"left\": \"t/%s/time\", \"right\": \"t/%s/time\"}",
                 cases[i].left, cases[i].right);
        assert_string_equal(result_of(tables, check), cases[i].result);
    }
    const json_t *quartile =
        json_pointer_find(json_array_get(tables, 0), "/rows/1/cells/0/quartiles/0");
    assert_true(json_number_value(quartile) > 2.69 && json_number_value(quartile) < 2.71);
    json_decref(tables);
    json_decref(section);
    json_decref(root);
}

/* Accuracies 0.700, 0.706 and 0.735 over 3589 images, each of error 0.0076, and a median 2 with a
 * farther quartile 0.3 off: the same data gives the same results in every scale, unit and digits.
 */
static void test_display_decides_nothing(void **state)
{
    static const double scales[] = {1, 100, 1000, 0.01};
    static const char *const units[] = {"", "%", "points"};
    static const struct {
        const char *check, *left, *right, *result;
    } cases[] = {{"above", "b", "a", "open"},        {"above", "c", "a", "holds"},
                 {"above", "a", "c", "fails"},       {"below", "a", "b", "open"},
                 {"reaches", "a", "b", "open"},      {"reaches", "a", "c", "fails"},
                 {"above", "both", "a", "holds"},    {"above", "rise", "none", "open"},
                 {"above", "more", "none", "holds"}, {"above", "late", "m", "open"}};
    (void)state;
    write_text(
        "shares.json",
        "{\"a\": {\"accuracy\": 0.700, \"n\": 3589}, \"b\": {\"accuracy\": 0.706, \"n\": 3589},"
        " \"c\": {\"accuracy\": 0.735, \"n\": 3589}, \"zero\": 0,"
        " \"m\": {\"median\": 2, \"first_quartile\": 1.9, \"third_quartile\": 2.3},"
        " \"l\": {\"median\": 2.2, \"first_quartile\": 2.1, \"third_quartile\": 2.2}}");
    for (size_t i = 0; i < 4 * 3 * 3; i++) {
        char section[1500], check[200];
        snprintf(
            section, sizeof section,
            "{\"t\": {\"scale\": %g, \"unit\": \"%s\", \"digits\": %d, \"columns\": {\"x\": {}},"
            " \"rows\": {\"a\": {}, \"b\": {}, \"c\": {}, \"m\": {}, \"late\": {}, \"none\": {},"
            "  \"both\": {\"sum\": [\"a\", \"c\"]}, \"rise\": {\"sum\": [\"b\", \"-a\"]},"
            "  \"more\": {\"sum\": [\"c\", \"-a\"]}},"
            " \"cells\": {\"a\": {\"x\": \"@s.o:/a/accuracy\"}, \"b\": {\"x\": "
            "\"@s.o:/b/accuracy\"},"
            "  \"c\": {\"x\": \"@s.o:/c/accuracy\"}, \"m\": {\"x\": \"@s.o:/m/median\"},"
            "  \"late\": {\"x\": \"@s.o:/l/median\"}, \"none\": {\"x\": \"@s.o:/zero\"}}}}",
            scales[i % 4], units[i / 4 % 3], (int)(i / 12) * 3);
        json_t *tables =
            evaluate_own(parse(section), "[{\"path\": \"shares.json\", \"stage\": \"s\", "
                                         "\"port\": \"o\", \"key\": \"1\", \"kind\": \"k\"}]");
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            snprintf(check, sizeof check,
                     "{\"check\": \"%s\", \"left\": \"t/%s/x\", \"right\": \"t/%s/x\"}",
                     cases[k].check, cases[k].left, cases[k].right);
            const char *result = result_of(tables, check);
            if (strcmp(result, cases[k].result) != 0)
                fail_msg("%s, at scale %g and unit '%s': %s", check, scales[i % 4],
                         units[i / 4 % 3], result);
        }
        json_decref(tables);
    }
}

/* Standard errors of a sum add in squares, spreads add up; twice the same cell has twice its
 * uncertainty. */
static void test_uncertain_sums(void **state)
{
    (void)state;
    write_text("sums.json",
               "{\"a\": {\"accuracy\": 0.5, \"n\": 100}, \"b\": {\"accuracy\": 0.5, \"n\": 25},"
               " \"m\": {\"median\": 2, \"first_quartile\": 1.9, \"third_quartile\": 2.25},"
               " \"odd\": {\"accuracy\": 70, \"n\": 100}, \"bare\": {\"accuracy\": 0.5}}");
    json_t *tables = evaluate_own(
        parse(
            "{\"t\": {\"scale\": -100, \"columns\": {\"a\": {}, \"b\": {}, \"m\": {}, "
            "\"odd\": {}, \"bare\": {}, \"sum\": {\"sum\": [\"a\", \"-b\", \"odd\"]}, "
            "\"twice\": {\"sum\": [\"a\", \"m\", \"a\", \"-m\", \"-m\", \"-m\"]}, "
            "\"nothing\": {\"sum\": [\"a\", \"-a\"]}}, \"rows\": {\"r\": {}}, \"cells\": {\"r\": {"
            "\"a\": \"@s.o:/a/accuracy\", \"b\": \"@s.o:/b/accuracy\", \"m\": \"@s.o:/m/median\","
            "\"odd\": \"@s.o:/odd/accuracy\", \"bare\": \"@s.o:/bare/accuracy\"}}}}"),
        "[{\"path\": \"sums.json\", \"stage\": \"s\", \"port\": \"o\", \"key\": \"1\"}]");
    static const double errors[] = {5, 10, 0, 0, 0, 11.18033988749895, 10, 0},
                        spreads[] = {0, 0, 25, 0, 0, 0, 50, 0};
    for (int i = 0; i < 8; i++) {
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/rows/0/cells/%d/standard_error", i);
        assert_true(fabs(cell_number(tables, pointer) - errors[i]) < 1e-9);
        snprintf(pointer, sizeof pointer, "/rows/0/cells/%d/spread", i);
        assert_true(fabs(cell_number(tables, pointer) - spreads[i]) < 1e-9);
    }
    json_decref(tables);
}

/* A file that isn't JSON gives a missing number with the reason; one that can't be read is an
 * error. */
static void test_unusable_files(void **state)
{
    (void)state;
    static const char section_text[] =
        "{\"t\": {\"columns\": {\"x\": {}}, \"rows\": {\"a\": {}}, \"cells\": {\"a\": {\"x\": "
        "\"@s.o:/x\"}}}}";
    static const char source[] = "[{\"path\": \"none.json\", \"stage\": \"s\", \"port\": \"o\"}]";
    json_t *root = json_pack("{s:{s:o}}", "inputs", "sources", parse(source));
    json_t *section = parse(section_text), *tables = NULL;
    struct job job = {.root = root};
    struct sources sources;
    struct error err = {""};
    sources_open(&sources, &job);
    assert_int_equal(cells_evaluate(section, NULL, &sources, &tables, &err), -ENOENT);
    write_text("none.json", "{\"x\": 1");
    assert_int_equal(cells_evaluate(section, NULL, &sources, &tables, &err), 0);
    const json_t *cell = json_pointer_find(json_array_get(tables, 0), "/rows/0/cells/0");
    assert_string_equal(cells_string(cell, "missing"), "not JSON");
    assert_non_null(strstr(cells_string(cell, "detail"), "line 1, column 7: "));
    json_decref(tables);
    sources_close(&sources);
    json_decref(section);
    json_decref(root);
}

/* The list of names has exactly the checks. */
static void test_check_names(void **state)
{
    (void)state;
    char *names = strdup(claim_check_names), *rest = names, *name;
    size_t n = 0;
    assert_non_null(names);
    while ((name = strsep(&rest, "|"))) {
        if (!claim_check_members(name))
            fail_msg("there is no check '%s'", name);
        n++;
    }
    assert_int_equal(n, 7);
    assert_null(claim_check_members("aboves"));
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_claims),
        cmocka_unit_test(test_claims_without_ours),
        cmocka_unit_test(test_claims_that_are_easier),
        cmocka_unit_test(test_bad_claims),
        cmocka_unit_test(test_spread_of_times),
        cmocka_unit_test(test_display_decides_nothing),
        cmocka_unit_test(test_uncertain_sums),
        cmocka_unit_test(test_unusable_files),
        cmocka_unit_test(test_check_names),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
