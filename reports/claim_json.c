/* See claim_json.h. */
#include "reports/claim_json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "reports/cells.h"
#include "reports/number.h"

static const double INTERVAL_LEVEL = 0.95;

/* ---- names ---- */

static void add_label(struct text *t, const json_t *of)
{
    const char *group = cells_string(of, "group");
    text_print(t, "%s%s%s", group, *group ? ", " : "", cells_string(of, "label"));
}

/* What distinguishes the pair from the others of the check: "ResNet18, Full data set, Public". */
static void add_name(struct text *t, const struct check *c, const struct comparison *one)
{
    const struct cell_pair *p = one->pair;
    if (!p) {
        text_print(t, "mean of %zu differences", c->pairs.n);
        return;
    }
    add_label(t, p->left_varies ? p->left.row : p->right.row);
    if (p->columns_vary) {
        text_add(t, ", ");
        add_label(t, p->left.column);
    }
}

/* ---- numbers ---- */

static void add_number(struct text *t, double x, int digits, bool sign)
{
    char number[NUMBER_SIZE];
    number_format(number, x, digits, sign, false);
    text_add(t, number);
}

/* The number, or why there is none. */
static void add_side(struct text *t, const struct operand *side, const char *missing, int digits)
{
    if (missing)
        text_add(t, missing);
    else
        add_number(t, side->shown, digits, false);
}

/* "[0.91, 3.79]", or what else is known of the error. */
static void add_error(struct text *t, const struct evidence *e, int digits)
{
    if (evidence_is_tested(e)) {
        struct interval x = evidence_interval(e, INTERVAL_LEVEL);
        text_add(t, " [");
        add_number(t, x.low, digits, false);
        text_add(t, ", ");
        add_number(t, x.high, digits, false);
        text_add(t, "]");
    } else if (e->spread > 0) {
        text_add(t, " \u00b1 ");
        add_number(t, e->spread, digits, false);
    }
}

/* "67.35 − 65.00 = +2.35 [0.91, 3.79]", or with the reasons in place of sides that are missing "not
 * run against 65.00". The difference is that of the numbers as shown. */
static void add_sides(struct text *t, const struct sides *s, const struct evidence *e, int digits)
{
    const char *left = s->left_missing, *right = s->right_missing;
    add_side(t, &s->left, left, digits);
    if (left && right && strcmp(left, right) == 0)
        return;
    text_add(t, e->form == EVIDENCE_NONE ? " against " : " \u2212 ");
    add_side(t, &s->right, right, digits);
    if (e->form == EVIDENCE_NONE)
        return;
    text_add(t, " = ");
    add_number(t, number_round(e->left, digits) - number_round(e->right, digits), digits, true);
    add_error(t, e, digits);
}

static void add_mean(struct text *t, const struct comparison *one, enum author author)
{
    const struct evidence *e = &one->evidence[author];
    const char *missing = one->sides[author].left_missing;
    if (e->form == EVIDENCE_NONE) {
        text_add(t, author == OURS && missing ? missing : "");
        return;
    }
    add_number(t, e->left, 2, true);
    add_error(t, e, 2);
}

static void add_numbers(struct text *t, const struct comparison *one, enum author author)
{
    const struct cell_pair *p = one->pair;
    if (!p)
        add_mean(t, one, author);
    else if (author == OURS || one->evidence[author].form != EVIDENCE_NONE)
        add_sides(t, &one->sides[author], &one->evidence[author],
                  (int)json_integer_value(json_object_get(p->left.cell, "digits")));
}

/* ---- one comparison ---- */

/* Numbers of the test by one author, with a prefix before their names. */
static int add_test(json_t *json, const struct comparison *one, enum author author,
                    const char *prefix)
{
    char name[40];
    const struct evidence *e = &one->evidence[author];
    int rc = 0;
    if (e->form == EVIDENCE_NONE)
        return 0;
    snprintf(name, sizeof name, "%sdifference", prefix);
    rc |= json_object_set_new(json, name, json_real(e->left - e->right));
    snprintf(name, sizeof name, "%smethod", prefix);
    rc |= json_object_set_new(json, name, json_string(evidence_names[e->form]));
    if (!evidence_is_tested(e))
        return rc;
    struct interval x = evidence_interval(e, INTERVAL_LEVEL);
    snprintf(name, sizeof name, "%sp", prefix);
    rc |= json_object_set_new(json, name, json_real(one->p[author]));
    snprintf(name, sizeof name, "%sp_adjusted", prefix);
    rc |= json_object_set_new(json, name, json_real(one->adjusted[author]));
    snprintf(name, sizeof name, "%sinterval", prefix);
    if (isfinite(x.low) && isfinite(x.high))
        rc |= json_object_set_new(json, name, json_pack("[f,f]", x.low, x.high));
    if (author == OURS)
        rc |= json_object_set_new(json, "seeds", json_integer((json_int_t)e->seeds));
    return rc;
}

static json_t *comparison_json(const struct check *c, const struct comparison *one)
{
    struct text name = {0}, numbers[AUTHORS] = {{0}, {0}};
    bool paper = one->result[PAPERS] != CHECK_MISSING;
    add_name(&name, c, one);
    for (int k = 0; k < AUTHORS; k++)
        add_numbers(&numbers[k], one, (enum author)k);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "text", text_string(&name), "ours",
                             text_string(&numbers[OURS]), "paper", text_string(&numbers[PAPERS]),
                             "result", check_result_names[one->result[OURS]], "paper_result",
                             paper ? check_result_names[one->result[PAPERS]] : "");
    bool failed = name.failed || numbers[OURS].failed || numbers[PAPERS].failed;
    text_free(&name);
    text_free(&numbers[OURS]);
    text_free(&numbers[PAPERS]);
    if (!json || failed || add_test(json, one, OURS, "") < 0 ||
        add_test(json, one, PAPERS, "paper_") < 0) {
        json_decref(json);
        return NULL;
    }
    return json;
}

/* ---- a check ---- */

/* 12,345 as "about 12,000": the estimate has no more digits than that. */
static void add_about(struct text *t, size_t number)
{
    double x = (double)number, unit = 1;
    while (x / unit >= 100)
        unit *= 10;
    char shown[NUMBER_SIZE];
    number_format(shown, ceil(x / unit) * unit, 0, false, true);
    text_print(t, "about %s", shown);
}

/* What would decide an open check, if the differences stayed as they are. */
static void add_decider(struct text *t, const struct check *c, double alpha)
{
    if (c->result[OURS] != CHECK_OPEN)
        return;
    size_t images = check_images_to_decide(c, alpha), seeds = check_seeds_to_decide(c, alpha);
    if (images < SIZE_MAX) {
        add_about(t, images);
        text_add(t, " test images, at these differences");
    } else if (seeds < SIZE_MAX) {
        add_about(t, seeds);
        text_add(t, " seeds, at these differences");
    }
}

/* Where the left side stands among the others, as measured: "rank 2 of 11". */
static void add_rank(struct text *t, const struct check *c, enum author author)
{
    size_t rank = 1;
    for (size_t i = 0; i < c->n; i++) {
        const struct evidence *e = &c->comparisons[i].evidence[author];
        if (e->form == EVIDENCE_NONE)
            return;
        rank += e->right > e->left;
    }
    text_print(t, "rank %zu of %zu", rank, c->n + 1);
}

static json_t *comparisons_json(const struct check *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->n; i++) {
        if (json_array_append_new(list, comparison_json(c, &c->comparisons[i])) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *claim_check_json(const struct check *c, double alpha)
{
    json_t *comparisons = comparisons_json(c);
    if (!comparisons)
        return NULL;
    struct text decider = {0}, ranks[AUTHORS] = {{0}, {0}};
    add_decider(&decider, c, alpha);
    bool rank = strcmp(cells_string(c->json, "check"), "rank") == 0;
    for (int k = 0; rank && k < AUTHORS; k++)
        add_rank(&ranks[k], c, (enum author)k);
    size_t paper_of = c->n - check_count(c, PAPERS, CHECK_MISSING);
    json_t *json = json_pack(
        "{s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:o}", "text",
        cells_string(c->json, "text"), "informational", c->informational, "result",
        check_result_names[c->result[OURS]], "holds", (json_int_t)check_count(c, OURS, CHECK_HOLDS),
        "fails", (json_int_t)check_count(c, OURS, CHECK_FAILS), "open",
        (json_int_t)check_count(c, OURS, CHECK_OPEN), "missing",
        (json_int_t)check_count(c, OURS, CHECK_MISSING), "needed", (json_int_t)c->needed,
        "paper_result", paper_of ? check_result_names[c->result[PAPERS]] : "", "paper_holds",
        (json_int_t)check_count(c, PAPERS, CHECK_HOLDS), "paper_fails",
        (json_int_t)check_count(c, PAPERS, CHECK_FAILS), "paper_of", (json_int_t)paper_of,
        "would_decide", text_string(&decider), "rank", text_string(&ranks[OURS]), "paper_rank",
        text_string(&ranks[PAPERS]), "comparisons", comparisons);
    text_free(&decider);
    text_free(&ranks[OURS]);
    text_free(&ranks[PAPERS]);
    return json;
}
