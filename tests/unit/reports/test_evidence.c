/* Which test compares two cells, and what it finds: against figures that were computed apart from
 * this program (R's binom.test and mcnemar.test, or by hand, as each comment says). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "reports/cells.h"
#include "reports/claims.h"
#include "reports/evidence.h"
#include "reports/json_pointer.h"

enum { IMAGES = 200 };

/* Outcomes of one seed: image i has class i % 7; images of [from, to) are wrong. */
static json_t *outcome(int from, int to)
{
    char truth[IMAGES + 1] = "", predicted[IMAGES + 1] = "";
    for (int i = 0; i < IMAGES; i++) {
        truth[i] = (char)('0' + i % 7);
        predicted[i] = (char)('0' + (i % 7 + (i >= from && i < to)) % 7);
    }
    return json_pack("{s:s, s:s}", "truth", truth, "predicted", predicted);
}

static struct operand accuracy(json_t *outcomes, double wrong, double scale)
{
    return (struct operand){.known = true,
                            .shown = scale * (1 - wrong / IMAGES),
                            .scale = scale,
                            .n = IMAGES,
                            .seeds = json_array_size(outcomes),
                            .outcomes = outcomes};
}

static void expect_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.12g, expected %.12g", value, expected);
}

static const struct range positive = {0, INFINITY, true};

/* The left is wrong on 20 images, the right on 40, both on 10: 30 against 10 discordant. R's
 * binom.test(30, 40, .5, "greater") gives 0.001110716, and the other tail 0.9996603. */
static void same_images_are_paired(void **state)
{
    (void)state;
    json_t *left = json_pack("[o]", outcome(0, 20)), *right = json_pack("[o]", outcome(10, 50));
    static const double scales[] = {0.01, 1, 100};
    for (int i = 0; i < 3; i++) {
        double scale = scales[i];
        struct operand a = accuracy(left, 20, scale), b = accuracy(right, 40, scale);
        struct evidence e;
        struct error err;
        double inside, outside;
        assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
        assert_int_equal(e.form, EVIDENCE_PAIRED);
        assert_int_equal(e.paired.left_only, 30);
        assert_int_equal(e.paired.right_only, 10);
        evidence_p(&e, &positive, &inside, &outside);
        expect_near(inside, 0.0011107, 1e-7);
        expect_near(outside, 0.9996603, 1e-7);
        struct interval x = evidence_interval(&e, 0.95);
        assert_true(x.low > 0.03 * scale && x.low < 0.1 * scale && x.high < 0.2 * scale);
        evidence_free(&e);
    }
    json_decref(left);
    json_decref(right);
}

/* Other images, fewer images, or no outcomes: independent accuracies. */
static void other_images_are_not_paired(void **state)
{
    (void)state;
    json_t *left = json_pack("[o]", outcome(0, 20)), *right = json_pack("[o]", outcome(10, 50));
    json_t *item = json_array_get(right, 0);
    struct operand a = accuracy(left, 20, 100), b = accuracy(right, 40, 100);
    struct evidence e;
    struct error err;
    char text[IMAGES + 1];
    snprintf(text, sizeof text, "%s", cells_string(item, "truth"));
    text[5] = text[5] == '0' ? '1' : '0';
    json_object_set_new(item, "truth", json_string(text));
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_INDEPENDENT);
    assert_int_equal(e.independent.left_correct, 180);
    assert_int_equal(e.independent.right_correct, 160);
    text[IMAGES - 1] = 0;
    json_object_set_new(item, "truth", json_string(text));
    json_object_set_new(item, "predicted", json_string(text));
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_INDEPENDENT);
    b.outcomes = NULL;
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_INDEPENDENT);
    b.n = 0;
    b.shown = 80;
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_SINGLE);
    json_decref(left);
    json_decref(right);
}

/* A constant on either side: z = (0.9 - 0.8) / sqrt(0.8 * 0.2 / 200) = 3.5355, one-sided
 * p = 0.00020348 (pnorm). */
static void constants_on_either_side(void **state)
{
    (void)state;
    struct operand a = accuracy(NULL, 20, 100), b = {.known = true, .shown = 80, .scale = 100};
    struct range negative = {-INFINITY, 0, true};
    struct evidence e;
    struct error err;
    double inside, outside;
    a.seeds = b.seeds = 1;
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    evidence_p(&e, &positive, &inside, &outside);
    expect_near(inside, 0.00020348, 1e-8);
    struct interval x = evidence_interval(&e, 0.95); /* prop.test, minus 0.8 */
    expect_near(x.low, 5.0594, 1e-4);
    expect_near(x.high, 13.4330, 1e-4);
    assert_int_equal(evidence_make(&b, &a, &e, &err), 0);
    evidence_p(&e, &negative, &inside, &outside);
    expect_near(inside, 0.00020348, 1e-8);
    x = evidence_interval(&e, 0.95);
    expect_near(x.low, -13.4330, 1e-4);
    expect_near(x.high, -5.0594, 1e-4);
    b.shown = 120; /* no share */
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    evidence_p(&e, &positive, &inside, &outside);
    assert_true(inside > 0.99 && outside < 0.01);
}

/* Equal means are inside a range with two ends only if both one-sided tests say so. */
static void a_range_with_two_ends(void **state)
{
    (void)state;
    struct operand a = accuracy(NULL, 20, 100), b = accuracy(NULL, 20, 100);
    struct evidence e;
    struct error err;
    double inside, outside;
    a.seeds = b.seeds = 1;
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    evidence_p(&e, &(struct range){-2, 2, false}, &inside, &outside);
    assert_true(inside > 0.2 && outside > 0.2);
    evidence_p(&e, &(struct range){-20, 20, false}, &inside, &outside);
    assert_true(inside < 1e-4 && outside > 0.99);
    evidence_p(&e, &(struct range){20, 30, false}, &inside, &outside);
    assert_true(inside > 0.99 && outside < 1e-4);
}

/* Two seeds, left wrong on 20 and 24 images, right on 40 and 36. */
static void several_seeds_are_resampled(void **state)
{
    (void)state;
    json_t *left = json_pack("[o,o,o]", outcome(0, 20), outcome(0, 24), outcome(4, 26));
    json_t *right = json_pack("[o,o,o]", outcome(10, 50), outcome(10, 46), outcome(10, 48));
    struct operand a = accuracy(left, 22, 100), b = accuracy(right, 38, 100);
    struct evidence e;
    struct error err;
    double inside, outside;
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_SEEDS);
    assert_int_equal(e.seeds, 3);
    evidence_p(&e, &positive, &inside, &outside);
    assert_true(inside < 0.05 && outside > 0.9);
    struct interval x = evidence_interval(&e, 0.95);
    assert_true(x.low < 8 && x.high > 8 && x.low > -4 && x.high < 20);
    evidence_free(&e);
    b.seeds = 2; /* another number of seeds: standard errors and the deviation of seeds */
    b.deviation = 1;
    a.deviation = 1;
    assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_NORMAL);
    double variance = 1e4 * (.89 * .11 + .81 * .19) / IMAGES + 1. / 3 + 1. / 2;
    expect_near(e.standard_error, sqrt(variance), 1e-9);
    /* Satterthwaite: the images have no error, 1/3 has 2 degrees of freedom and 1/2 has one */
    expect_near(e.degrees, variance * variance / (1. / 9 / 2 + 1. / 4), 1e-6);
    json_decref(left);
    json_decref(right);
}

/* The mean of two differences, each image by itself: d_i = (1 - 0 + 0 - 1) / 2 and so on. */
static void means_are_taken_for_each_image(void **state)
{
    (void)state;
    json_t *all[4];
    struct operand sides[4];
    static const int wrong[4][2] = {{0, 20}, {30, 60}, {10, 50}, {20, 70}};
    double sum = 0, squares = 0;
    for (int k = 0; k < 4; k++) {
        all[k] = json_pack("[o]", outcome(wrong[k][0], wrong[k][1]));
        sides[k] = accuracy(all[k], wrong[k][1] - wrong[k][0], 100);
    }
    for (int i = 0; i < IMAGES; i++) {
        int right[4];
        for (int k = 0; k < 4; k++)
            right[k] = i < wrong[k][0] || i >= wrong[k][1];
        double d = (right[0] - right[2] + right[1] - right[3]) / 2.;
        sum += d;
        squares += d * d;
    }
    struct evidence e;
    struct error err;
    assert_int_equal(evidence_make_mean(sides, sides + 2, 2, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_IMAGES);
    expect_near(e.left, 10, 1e-9);
    expect_near(e.sample.mean, sum / IMAGES, 1e-7);
    double variance = (squares - sum * sum / IMAGES) / (IMAGES - 1);
    expect_near(e.sample.deviation, sqrt(variance), 1e-6);
    evidence_free(&e);
    /* the second pair on other images: the two variances add up */
    json_t *other = json_deep_copy(all[1]), *others = json_deep_copy(all[3]);
    json_t *two[2] = {json_array_get(other, 0), json_array_get(others, 0)};
    for (int k = 0; k < 2; k++) {
        char digits[IMAGES + 1];
        for (int m = 0; m < 2; m++) { /* class c becomes c + 1 */
            const char *name = m ? "predicted" : "truth";
            snprintf(digits, sizeof digits, "%s", cells_string(two[k], name));
            for (int i = 0; i < IMAGES; i++)
                digits[i] = (char)('0' + (digits[i] - '0' + 1) % 7);
            json_object_set_new(two[k], name, json_string(digits));
        }
    }
    sides[1].outcomes = other;
    sides[3].outcomes = others;
    assert_int_equal(evidence_make_mean(sides, sides + 2, 2, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_NORMAL);
    double added = 0;
    for (int k = 0; k < 2; k++) { /* discordant images, and their difference */
        double total = 0, square = 0;
        for (int i = 0; i < IMAGES; i++) {
            int d = (i < wrong[k][0] || i >= wrong[k][1]) -
                    (i < wrong[k + 2][0] || i >= wrong[k + 2][1]);
            total += d;
            square += d * d;
        }
        added += (square - total * total / IMAGES) / (IMAGES - 1) / IMAGES;
    }
    expect_near(e.standard_error, 100 * sqrt(added) / 2, 1e-6);
    json_decref(other);
    json_decref(others);
    sides[1].outcomes = NULL;
    assert_int_equal(evidence_make_mean(sides, sides + 2, 2, &e, &err), 0);
    assert_int_equal(e.form, EVIDENCE_NORMAL);
    for (int k = 0; k < 4; k++)
        json_decref(all[k]);
}

/* Exactly one point apart is within one point, whatever binary fractions make of it. */
static void rounding_decides_nothing(void **state)
{
    (void)state;
    struct range within = {-1, 1, false}, below_it = {-INFINITY, -1, true};
    struct evidence e;
    struct error err;
    for (int i = 0; i < 1000; i++) {
        double x = 60 + i / 100.;
        struct operand a = {.known = true, .shown = x, .scale = 1, .seeds = 1};
        struct operand b = {.known = true, .shown = (6100 + i) / 100., .scale = 1, .seeds = 1};
        assert_int_equal(evidence_make(&a, &b, &e, &err), 0);
        assert_int_equal(e.form, EVIDENCE_EXACT);
        assert_int_equal(evidence_place(&e, &within), 1);
        assert_int_equal(evidence_place(&e, &below_it), -1);
    }
}

/* ---- claims over outcomes ---- */

/* A table of one column whose rows have outcomes. */
static json_t *table_of(json_t *rows[], const char *const ids[], size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:[o]}", "id", ids[i], "label", ids[i], "cells", rows[i]));
    return json_pack("[{s:s, s:s, s:[{s:s, s:s}], s:o}]", "id", "t", "title", "T", "columns", "id",
                     "x", "label", "X", "rows", list);
}

static json_t *cell_of(int from, int to)
{
    return json_pack("{s:s, s:i, s:f, s:f, s:i, s:[o]}", "column", "x", "digits", 2, "scale", 100.,
                     "ours", 100. * (1 - (to - from) / (double)IMAGES), "n", IMAGES, "outcomes",
                     outcome(from, to));
}

/* a is wrong on images 0 to 19, b on 10 to 49 and c on 4 to 28. */
static void holm_is_within_the_claim(void **state)
{
    (void)state;
    json_t *cells[3] = {cell_of(0, 20), cell_of(10, 50), cell_of(4, 29)};
    static const char *const ids[3] = {"a", "b", "c"};
    json_t *tables = table_of(cells, ids, 3), *claims = NULL;
    json_t *section =
        json_pack("{s:{s:[{s:s, s:s, s:s}]}, s:{s:[{s:s, s:s, s:s}]}}", "both", "checks", "check",
                  "above", "left", "t/a/x", "right", "t/b|c/x", "alone", "checks", "check", "above",
                  "left", "t/a/x", "right", "t/b/x");
    const struct claim_setting setting = {true, true, ""};
    struct error err = {""};
    if (claims_decide(section, tables, &setting, &claims, &err) < 0)
        fail_msg("%s", err.text);
    const json_t *both = json_array_get(claims, 0), *alone = json_array_get(claims, 1);
    const char *p = "/checks/0/comparisons/%d/p%s";
    char pointer[64];
    double values[4];
    for (int i = 0; i < 4; i++) {
        snprintf(pointer, sizeof pointer, p, i / 2, i % 2 ? "_adjusted" : "");
        values[i] = json_number_value(json_pointer_find(both, pointer));
    }
    expect_near(values[0], 2 * 0.0011107, 2e-7);
    expect_near(values[1], 4 * 0.0011107, 4e-7); /* the smaller of two, times 2 */
    /* c is wrong on 9 images where a is right, a on 4 where c is right: binom.test(9, 13) */
    expect_near(values[2], 0.2668457, 1e-6);
    expect_near(values[3], 0.2668457, 1e-6);
    assert_string_equal(cells_string(both, "verdict"), "not decided");
    assert_string_equal(cells_string(alone, "verdict"), "reproduced");
    assert_int_equal(json_integer_value(json_object_get(both, "tests")), 2);
    const char *decider = cells_string(json_pointer_find(both, "/checks/0"), "would_decide");
    assert_non_null(strstr(decider, "test images"));
    json_decref(claims);
    json_decref(section);
    json_decref(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_images_are_paired),
        cmocka_unit_test(other_images_are_not_paired),
        cmocka_unit_test(constants_on_either_side),
        cmocka_unit_test(a_range_with_two_ends),
        cmocka_unit_test(several_seeds_are_resampled),
        cmocka_unit_test(means_are_taken_for_each_image),
        cmocka_unit_test(rounding_decides_nothing),
        cmocka_unit_test(holm_is_within_the_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
