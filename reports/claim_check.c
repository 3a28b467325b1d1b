/* See claim_check.h. A check becomes pairs of operands; each pair gets a result for our numbers,
 * with their errors and gaps, and one for the paper's own numbers. */
#include "reports/claim_check.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/claim_pairs.h"
#include "reports/number.h"
#include "base/text.h"

static const char *const result_names[CHECK_RESULTS] = {"holds", "fails", "open", "missing"};

struct tally {
    size_t count[CHECK_RESULTS], paper_holds, paper_of;
    json_t *comparisons;
};

struct rule {
    const char *name, *members; /* see claim_check_members */
    /* Of one pair; NULL: the check looks at all of them together, with `compare`. */
    enum check_result (*decide)(const struct sides *s, double margin);
    void (*compare)(const json_t *check, const struct cell_pairs *pairs, struct tally *t);
};

/* ---- results of one pair ---- */

static enum check_result beyond(double excess, double error)
{
    if (fabs(excess) <= error)
        return error > 0 ? CHECK_OPEN : CHECK_FAILS; /* equal exact numbers: not above */
    return excess > 0 ? CHECK_HOLDS : CHECK_FAILS;
}

static enum check_result decide_above(const struct sides *s, double margin)
{
    return beyond(s->left - s->right - margin, s->error);
}

static enum check_result decide_below(const struct sides *s, double margin)
{
    return beyond(s->right - s->left - margin, s->error);
}

static enum check_result decide_reaches(const struct sides *s, double margin)
{
    return s->left >= s->right - margin - s->error ? CHECK_HOLDS : CHECK_FAILS;
}

static enum check_result decide_within(const struct sides *s, double margin)
{
    return fabs(s->left - s->right) <= margin ? CHECK_HOLDS : CHECK_FAILS;
}

static enum check_result decide_at_most(const struct sides *s, double margin)
{
    return s->left <= s->right + margin ? CHECK_HOLDS : CHECK_FAILS;
}

/* ---- words for a comparison ---- */

static void add_label(struct text *t, const json_t *of)
{
    const char *group = cells_string(of, "group");
    text_print(t, "%s%s%s", group, *group ? ", " : "", cells_string(of, "label"));
}

/* What distinguishes the pair from the others of the check: "ResNet18, Full data set, Public". */
static void add_name(struct text *t, const struct cell_pair *p)
{
    add_label(t, p->left_varies ? p->left.row : p->right.row);
    if (p->columns_vary) {
        text_add(t, ", ");
        add_label(t, p->left.column);
    }
}

static void add_number(struct text *t, double x, int digits, bool sign)
{
    char number[NUMBER_SIZE];
    number_format(number, x, digits, sign, false);
    text_add(t, number);
}

/* The number, or why there is none. */
static void add_side(struct text *t, double x, const char *missing, int digits)
{
    if (missing)
        text_add(t, missing);
    else
        add_number(t, x, digits, false);
}

/* "67.35 against 65.00 (+2.35 ± 1.12)", with the reasons in place of sides that are missing. */
static void add_sides(struct text *t, const struct sides *s, const char *left_missing,
                      const char *right_missing, int digits)
{
    bool same = left_missing && right_missing && strcmp(left_missing, right_missing) == 0;
    add_side(t, s->left, left_missing, digits);
    if (same)
        return;
    text_add(t, " against ");
    add_side(t, s->right, right_missing, digits);
    if (!s->known)
        return;
    text_add(t, " (");
    add_number(t, number_round(s->left, digits) - number_round(s->right, digits), digits, true);
    if (s->error > 0) {
        text_add(t, " \u00b1 ");
        add_number(t, s->error, digits, false);
    }
    text_add(t, ")");
}

static json_t *comparison_json(const struct cell_pair *p, const struct operand *a,
                               const struct operand *b, const struct sides *ours,
                               const struct sides *paper, enum check_result result,
                               enum check_result paper_result)
{
    struct text name = {0}, own = {0}, theirs = {0};
    int digits = (int)json_integer_value(json_object_get(p->left.cell, "digits"));
    add_name(&name, p);
    add_sides(&own, ours, a->missing, b->missing, digits);
    if (paper->known)
        add_sides(&theirs, paper, NULL, NULL, digits);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "text", text_string(&name), "ours",
                  text_string(&own), "paper", text_string(&theirs), "result", result_names[result],
                  "paper_result", paper_result == CHECK_MISSING ? "" : result_names[paper_result]);
    text_free(&name);
    text_free(&own);
    text_free(&theirs);
    return json;
}

/* ---- checks ---- */

static void count_pair(struct tally *t, enum check_result result, enum check_result paper_result,
                       json_t *comparison)
{
    t->count[result]++;
    if (paper_result != CHECK_MISSING) {
        t->paper_of++;
        t->paper_holds += paper_result == CHECK_HOLDS;
    }
    json_array_append_new(t->comparisons, comparison);
}

static void compare_pairs(const struct rule *rule, const struct cell_pairs *pairs, double margin,
                          struct tally *t)
{
    for (size_t i = 0; i < pairs->n; i++) {
        struct operand a, b;
        pair_operands(&pairs->items[i], &a, &b);
        struct sides ours = pair_our_sides(&a, &b), paper = pair_paper_sides(&a, &b);
        enum check_result result = ours.known ? rule->decide(&ours, margin) : CHECK_MISSING;
        enum check_result paper_result = paper.known ? rule->decide(&paper, margin) : CHECK_MISSING;
        count_pair(t, result, paper_result,
                   comparison_json(&pairs->items[i], &a, &b, &ours, &paper, result, paper_result));
    }
}

/* ---- checks of all pairs together; index 0: our numbers, 1: the paper's ---- */

struct totals {
    bool known[2];
    double difference[2];       /* sums of left - right */
    double variance;            /* of our sum */
    size_t right_is_greater[2]; /* how many pairs */
    const char *missing;        /* the first reason why ours is not known */
};

static struct totals add_up(const struct cell_pairs *pairs)
{
    struct totals all = {.known = {true, true}};
    for (size_t i = 0; i < pairs->n; i++) {
        struct operand a, b;
        pair_operands(&pairs->items[i], &a, &b);
        struct sides sides[2] = {pair_our_sides(&a, &b), pair_paper_sides(&a, &b)};
        for (int k = 0; k < 2; k++) {
            all.known[k] = all.known[k] && sides[k].known;
            all.difference[k] += sides[k].left - sides[k].right;
            all.right_is_greater[k] += sides[k].right > sides[k].left;
        }
        all.variance += sides[0].error * sides[0].error;
        if (!all.missing && !sides[0].known)
            all.missing = pair_missing(&a, &b);
    }
    return all;
}

/* Counts the one comparison of such a check; shown is freed. */
static void count_totals(struct tally *t, const char *name, struct text shown[2],
                         const enum check_result results[2])
{
    json_t *comparison =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "text", name, "ours", text_string(&shown[0]),
                  "paper", text_string(&shown[1]), "result", result_names[results[0]],
                  "paper_result", results[1] == CHECK_MISSING ? "" : result_names[results[1]]);
    count_pair(t, results[0], results[1], comparison);
    text_free(&shown[0]);
    text_free(&shown[1]);
}

/* The mean of left - right over all pairs. */
static void compare_mean(const json_t *check, const struct cell_pairs *pairs, struct tally *t)
{
    double min = json_number_value(json_object_get(check, "min"));
    double max = json_number_value(json_object_get(check, "max"));
    struct totals all = add_up(pairs);
    double n = (double)pairs->n, errors[2] = {sqrt(all.variance) / n, 0};
    enum check_result results[2] = {CHECK_MISSING, CHECK_MISSING};
    struct text shown[2] = {{0}, {0}}, name = {0};
    for (int k = 0; k < 2; k++) {
        double mean = all.difference[k] / n, outside = fmax(min - mean, mean - max);
        if (!all.known[k])
            continue;
        results[k] = outside <= 0                     ? CHECK_HOLDS
                     : k == 0 && outside <= errors[k] ? CHECK_OPEN
                                                      : CHECK_FAILS;
        add_number(&shown[k], mean, 2, true);
        if (errors[k] > 0) {
            text_add(&shown[k], " \u00b1 ");
            add_number(&shown[k], errors[k], 2, false);
        }
    }
    if (!all.known[0])
        text_add(&shown[0], all.missing);
    text_print(&name, "mean of %zu differences", pairs->n);
    count_totals(t, text_string(&name), shown, results);
    text_free(&name);
}

/* 1 + how many of the others are greater; the pairs are (left, each other). */
static void compare_rank(const json_t *check, const struct cell_pairs *pairs, struct tally *t)
{
    size_t top = (size_t)json_integer_value(json_object_get(check, "top"));
    struct totals all = add_up(pairs);
    enum check_result results[2] = {CHECK_MISSING, CHECK_MISSING};
    struct text shown[2] = {{0}, {0}};
    if (!pairs->n)
        return;
    for (int k = 0; k < 2; k++) {
        size_t rank = 1 + all.right_is_greater[k];
        if (!all.known[k])
            continue;
        results[k] = rank <= top ? CHECK_HOLDS : CHECK_FAILS;
        text_print(&shown[k], "rank %zu of %zu", rank, pairs->n + 1);
    }
    if (!all.known[0])
        text_add(&shown[0], all.missing);
    count_totals(t, cells_string(pairs->items[0].left.row, "label"), shown, results);
}

/* ---- the table of checks ---- */

const char claim_check_names[] = "above|below|reaches|within|at_most|mean|rank";

static const struct rule rules[] = {
    {"above", "right! margin at_least majority", decide_above, NULL},
    {"below", "right! margin at_least majority", decide_below, NULL},
    {"reaches", "right margin at_least majority", decide_reaches, NULL},
    {"within", "right! margin! at_least majority", decide_within, NULL},
    {"at_most", "right! margin at_least majority", decide_at_most, NULL},
    {"mean", "right! min! max!", NULL, compare_mean},
    {"rank", "among! top!", NULL, compare_rank},
    {NULL, NULL, NULL, NULL},
};

static const struct rule *find_rule(const char *name)
{
    for (const struct rule *r = rules; r->name; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

const char *claim_check_members(const char *name)
{
    const struct rule *rule = find_rule(name);
    return rule ? rule->members : NULL;
}

/* How many pairs must hold. */
static size_t needed(const json_t *check, size_t n)
{
    const json_t *least = json_object_get(check, "at_least");
    if (json_is_integer(least) && json_integer_value(least) >= 0)
        return (size_t)json_integer_value(least);
    return json_is_true(json_object_get(check, "majority")) ? n / 2 + 1 : n;
}

static enum check_result sum_up(const struct tally *t, size_t need)
{
    if (t->count[CHECK_MISSING])
        return CHECK_MISSING;
    if (t->count[CHECK_HOLDS] >= need)
        return CHECK_HOLDS;
    return t->count[CHECK_HOLDS] + t->count[CHECK_OPEN] < need ? CHECK_FAILS : CHECK_OPEN;
}

static json_t *check_json(const json_t *check, const struct tally *t, size_t need,
                          enum check_result result)
{
    return json_pack("{s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "text",
                     cells_string(check, "text"), "informational",
                     json_is_true(json_object_get(check, "informational")), "result",
                     result_names[result], "holds", (json_int_t)t->count[CHECK_HOLDS], "fails",
                     (json_int_t)t->count[CHECK_FAILS], "open", (json_int_t)t->count[CHECK_OPEN],
                     "missing", (json_int_t)t->count[CHECK_MISSING], "needed", (json_int_t)need,
                     "paper_holds", (json_int_t)t->paper_holds, "paper_of", (json_int_t)t->paper_of,
                     "comparisons", t->comparisons);
}

int claim_check_evaluate(const json_t *check, const json_t *tables, json_t **out,
                         struct check_outcome *outcome, struct error *err)
{
    const char *name = cells_string(check, "check");
    const struct rule *rule = find_rule(name);
    if (!rule)
        return error_set(err, EINVAL, "unknown check '%s' (expected one of %s)", name,
                         claim_check_names);
    struct cell_pairs pairs;
    int rc = pairs_make(check, tables, &pairs, err);
    struct tally tally = {.comparisons = json_array()};
    if (rc == 0) {
        if (rule->decide)
            compare_pairs(rule, &pairs, json_number_value(json_object_get(check, "margin")),
                          &tally);
        else
            rule->compare(check, &pairs, &tally);
        size_t need = needed(check, rule->decide ? pairs.n : 1);
        outcome->result = sum_up(&tally, need);
        outcome->paper_fails = tally.paper_of >= need && tally.paper_holds < need;
        *out = check_json(check, &tally, need, outcome->result);
        if (!*out)
            rc = error_set(err, ENOMEM, "out of memory");
    }
    json_decref(tally.comparisons);
    pairs_free(&pairs);
    return rc;
}
