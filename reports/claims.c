/* See claims.h. A check becomes pairs of operands; each pair gets a result for our numbers, with
 * errors and gaps, and one for the paper's own numbers, as they stand. */
#include "reports/claims.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/number.h"
#include "reports/selector.h"
#include "reports/text.h"

enum result { HOLDS, FAILS, OPEN, MISSING, RESULTS };
static const char *const result_names[RESULTS] = {"holds", "fails", "open", "missing"};

/* Two numbers to compare: of one side, ours or the paper's. */
struct sides {
    bool known;
    double left, right;
    double error; /* of left - right: a standard error, or spreads of repeats; 0 if there is none */
};

struct rule {
    const char *name;
    bool pairs; /* compares pair by pair; else the check looks at all of them at once */
    enum result (*decide)(const struct sides *s, double by);
};

static enum result beyond(double excess, double error)
{
    if (fabs(excess) <= error)
        return error > 0 ? OPEN : FAILS; /* equal exact numbers: not above */
    return excess > 0 ? HOLDS : FAILS;
}

static enum result decide_above(const struct sides *s, double by)
{
    return beyond(s->left - s->right - by, s->error);
}

static enum result decide_below(const struct sides *s, double by)
{
    return beyond(s->right - s->left - by, s->error);
}

static enum result decide_reaches(const struct sides *s, double by)
{
    return s->left >= s->right - by - s->error ? HOLDS : FAILS;
}

static enum result decide_within(const struct sides *s, double by)
{
    return fabs(s->left - s->right) <= by ? HOLDS : FAILS;
}

static enum result decide_at_most(const struct sides *s, double by)
{
    return s->left <= s->right + by ? HOLDS : FAILS;
}

static const struct rule rules[] = {
    {"above", true, decide_above},
    {"below", true, decide_below},
    {"reaches", true, decide_reaches},
    {"within", true, decide_within},
    {"at_most", true, decide_at_most},
    {"mean", false, NULL},
    {"rank", false, NULL},
    {NULL, false, NULL},
};

static const struct rule *find_rule(const char *name)
{
    for (const struct rule *r = rules; r->name; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    return NULL;
}

/* ---- operands ---- */

struct operand {
    bool ours_known, paper_known;
    bool is_ours; /* to measure: not a number, nor a cell that only the paper has */
    double ours, paper;
    double variance;     /* of ours: its standard error, squared */
    double spread;       /* of ours: how far the farther quartile of the repeats lies from it */
    const char *missing; /* why ours is not known */
};

static struct operand cell_operand(const struct selected *s)
{
    struct operand o = {.is_ours = cells_is_ours(s->cell)};
    const json_t *ours = json_object_get(s->cell, "ours"),
                 *paper = json_object_get(s->cell, "paper");
    if (json_is_number(paper)) {
        o.paper_known = true;
        o.paper = json_number_value(paper);
    }
    if (json_is_number(ours)) {
        o.ours_known = true;
        o.ours = json_number_value(ours);
        double error = json_number_value(json_object_get(s->cell, "standard_error"));
        o.variance = error * error;
        o.spread = json_number_value(json_object_get(s->cell, "spread"));
    } else if (!o.is_ours && o.paper_known) {
        o.ours_known = true; /* published by others: nothing for us to run */
        o.ours = o.paper;
    } else {
        const char *missing = cells_string(s->cell, "missing");
        o.missing = *missing ? missing : "no number";
    }
    return o;
}

/* Known only if one of them is ours: others' numbers, put in for ours, say nothing of our run. */
static struct sides our_sides(const struct operand *a, const struct operand *b)
{
    bool known = a->ours_known && b->ours_known && (a->is_ours || b->is_ours);
    return (struct sides){known, a->ours, b->ours,
                          sqrt(a->variance + b->variance) + a->spread + b->spread};
}

/* Why our_sides knows nothing. */
static const char *why_missing(const struct operand *a, const struct operand *b)
{
    return a->missing ? a->missing : b->missing ? b->missing : "not ours";
}

static struct sides paper_sides(const struct operand *a, const struct operand *b)
{
    return (struct sides){a->paper_known && b->paper_known, a->paper, b->paper, 0};
}

/* ---- pairs ---- */

struct pair {
    struct selected left, right;
    bool right_number; /* right is a number, or the paper's number of left */
    double number;
    bool left_varies, columns_vary; /* over the pairs of the check: what its name must tell */
};

struct pairs {
    struct pair *items;
    size_t n, room;
    bool failed;
};

static void add_pair(struct pairs *p, struct pair pair)
{
    if (p->n == p->room) {
        size_t room = p->room ? 2 * p->room : 32;
        struct pair *items = realloc(p->items, room * sizeof *items);
        if (!items) {
            p->failed = true;
            return;
        }
        p->items = items;
        p->room = room;
    }
    p->items[p->n++] = pair;
}

static bool matched(const struct selection *left, const struct selection *right, size_t i, size_t j)
{
    const struct selected *a = &left->items[i], *b = &right->items[j];
    if (a->cell == b->cell)
        return false;
    if (left->many_rows && right->many_rows && strcmp(a->row_id, b->row_id) != 0)
        return false;
    return !(left->many_columns && right->many_columns && strcmp(a->column_id, b->column_id) != 0);
}

static int make_pairs(const json_t *check, const json_t *tables, struct pairs *pairs,
                      struct error *err)
{
    const json_t *right_value =
        json_object_get(check, json_object_get(check, "among") ? "among" : "right");
    struct selection left = {0}, right = {0};
    int rc = selector_find(tables, cells_string(check, "left"), &left, err);
    if (rc == 0 && json_is_string(right_value))
        rc = selector_find(tables, json_string_value(right_value), &right, err);
    for (size_t i = 0; rc == 0 && i < left.n; i++) {
        if (json_is_string(right_value)) {
            for (size_t j = 0; j < right.n; j++)
                if (matched(&left, &right, i, j))
                    add_pair(pairs, (struct pair){.left = left.items[i],
                                                  .right = right.items[j],
                                                  .left_varies = left.many_rows,
                                                  .columns_vary = left.many_columns});
        } else {
            const json_t *number =
                right_value ? right_value : json_object_get(left.items[i].cell, "paper");
            if (json_is_number(number))
                add_pair(pairs, (struct pair){.left = left.items[i],
                                              .right_number = true,
                                              .number = json_number_value(number),
                                              .left_varies = true,
                                              .columns_vary = true});
        }
    }
    selector_free(&left);
    selector_free(&right);
    if (rc == 0 && pairs->failed)
        rc = error_set(err, ENOMEM, "out of memory");
    if (rc == 0 && pairs->n == 0)
        rc = error_set(err, EINVAL, "nothing to compare");
    return rc;
}

static void pair_operands(const struct pair *p, struct operand *a, struct operand *b)
{
    *a = cell_operand(&p->left);
    *b = p->right_number ? (struct operand){.ours_known = true,
                                            .paper_known = true,
                                            .ours = p->number,
                                            .paper = p->number}
                         : cell_operand(&p->right);
}

/* ---- words for a comparison ---- */

static void add_label(struct text *t, const json_t *of)
{
    const char *group = cells_string(of, "group");
    text_print(t, "%s%s%s", group, *group ? ", " : "", cells_string(of, "label"));
}

/* What tells this pair from the check's others: "ResNet18, Full data set, Public". */
static void add_name(struct text *t, const struct pair *p)
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

/* Shows "67.35 against 65.00 (+2.35 ± 1.12)". The last two say why a side isn't there. */
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

static json_t *comparison_json(const struct pair *p, const struct operand *a,
                               const struct operand *b, const struct sides *ours,
                               const struct sides *paper, enum result result,
                               enum result paper_result)
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
                  "paper_result", paper_result == MISSING ? "" : result_names[paper_result]);
    text_free(&name);
    text_free(&own);
    text_free(&theirs);
    return json;
}

/* ---- checks ---- */

struct tally {
    size_t count[RESULTS], paper_holds, paper_of;
    json_t *comparisons;
};

static void count_pair(struct tally *t, enum result result, enum result paper_result,
                       json_t *comparison)
{
    t->count[result]++;
    if (paper_result != MISSING) {
        t->paper_of++;
        t->paper_holds += paper_result == HOLDS;
    }
    json_array_append_new(t->comparisons, comparison);
}

static void compare_pairs(const struct rule *rule, const struct pairs *pairs, double by,
                          struct tally *t)
{
    for (size_t i = 0; i < pairs->n; i++) {
        struct operand a, b;
        pair_operands(&pairs->items[i], &a, &b);
        struct sides ours = our_sides(&a, &b), paper = paper_sides(&a, &b);
        enum result result = ours.known ? rule->decide(&ours, by) : MISSING;
        enum result paper_result = paper.known ? rule->decide(&paper, by) : MISSING;
        count_pair(t, result, paper_result,
                   comparison_json(&pairs->items[i], &a, &b, &ours, &paper, result, paper_result));
    }
}

static json_t *plain_comparison(const char *text, const char *ours, const char *paper,
                                enum result result, enum result paper_result)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "text", text, "ours", ours, "paper", paper,
                     "result", result_names[result], "paper_result",
                     paper_result == MISSING ? "" : result_names[paper_result]);
}

/* The mean of left - right over all pairs. */
static void compare_mean(const json_t *check, const struct pairs *pairs, struct tally *t)
{
    double from = json_number_value(json_object_get(check, "min"));
    double to = json_number_value(json_object_get(check, "max"));
    double sum[2] = {0}, variance = 0;
    bool known[2] = {true, true};
    const char *missing = NULL; /* the first reason */
    for (size_t i = 0; i < pairs->n; i++) {
        struct operand a, b;
        pair_operands(&pairs->items[i], &a, &b);
        struct sides sides[2] = {our_sides(&a, &b), paper_sides(&a, &b)};
        for (int k = 0; k < 2; k++) {
            known[k] = known[k] && sides[k].known;
            sum[k] += sides[k].left - sides[k].right;
        }
        variance += sides[0].error * sides[0].error;
        if (!missing && !sides[0].known)
            missing = why_missing(&a, &b);
    }
    double n = (double)pairs->n, error = sqrt(variance) / n;
    enum result results[2] = {MISSING, MISSING};
    struct text shown[2] = {{0}, {0}};
    for (int k = 0; k < 2; k++) {
        double mean = sum[k] / n, outside = fmax(from - mean, mean - to);
        if (known[k]) {
            results[k] = outside <= 0 ? HOLDS : k == 0 && outside <= error ? OPEN : FAILS;
            add_number(&shown[k], mean, 2, true);
            if (k == 0 && error > 0) {
                text_add(&shown[k], " \u00b1 ");
                add_number(&shown[k], error, 2, false);
            }
        } else if (k == 0) {
            text_add(&shown[k], missing);
        }
    }
    struct text name = {0};
    text_print(&name, "mean of %zu differences", pairs->n);
    count_pair(t, results[0], results[1],
               plain_comparison(text_string(&name), text_string(&shown[0]), text_string(&shown[1]),
                                results[0], results[1]));
    text_free(&name);
    text_free(&shown[0]);
    text_free(&shown[1]);
}

/* 1 + how many of the others are above; the pairs are (left, each other). */
static void compare_rank(const json_t *check, const struct pairs *pairs, struct tally *t)
{
    size_t wanted = (size_t)json_integer_value(json_object_get(check, "top"));
    size_t rank[2] = {1, 1};
    bool known[2] = {true, true};
    const char *missing = NULL; /* the first reason */
    for (size_t i = 0; i < pairs->n; i++) {
        struct operand a, b;
        pair_operands(&pairs->items[i], &a, &b);
        struct sides sides[2] = {our_sides(&a, &b), paper_sides(&a, &b)};
        for (int k = 0; k < 2; k++) {
            known[k] = known[k] && sides[k].known;
            rank[k] += sides[k].right > sides[k].left;
        }
        if (!missing && !sides[0].known)
            missing = why_missing(&a, &b);
    }
    if (!pairs->n)
        return;
    enum result results[2];
    struct text shown[2] = {{0}, {0}};
    for (int k = 0; k < 2; k++) {
        results[k] = !known[k] ? MISSING : rank[k] <= wanted ? HOLDS : FAILS;
        if (known[k])
            text_print(&shown[k], "rank %zu of %zu", rank[k], pairs->n + 1);
        else if (k == 0)
            text_add(&shown[k], missing);
    }
    count_pair(t, results[0], results[1],
               plain_comparison(cells_string(pairs->items[0].left.row, "label"),
                                text_string(&shown[0]), text_string(&shown[1]), results[0],
                                results[1]));
    text_free(&shown[0]);
    text_free(&shown[1]);
}

/* How many pairs must hold. */
static size_t needed(const json_t *check, size_t n)
{
    const json_t *least = json_object_get(check, "at_least");
    if (json_is_integer(least) && json_integer_value(least) >= 0)
        return (size_t)json_integer_value(least);
    return json_is_true(json_object_get(check, "majority")) ? n / 2 + 1 : n;
}

static enum result sum_up(const struct tally *t, size_t need)
{
    if (t->count[MISSING])
        return MISSING;
    if (t->count[HOLDS] >= need)
        return HOLDS;
    return t->count[HOLDS] + t->count[OPEN] < need ? FAILS : OPEN;
}

static json_t *check_json(const json_t *check, const struct tally *t, size_t need,
                          enum result result)
{
    return json_pack("{s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "text",
                     cells_string(check, "text"), "informational",
                     json_is_true(json_object_get(check, "informational")), "result",
                     result_names[result], "holds", (json_int_t)t->count[HOLDS], "fails",
                     (json_int_t)t->count[FAILS], "open", (json_int_t)t->count[OPEN], "missing",
                     (json_int_t)t->count[MISSING], "needed", (json_int_t)need, "paper_holds",
                     (json_int_t)t->paper_holds, "paper_of", (json_int_t)t->paper_of, "comparisons",
                     t->comparisons);
}

/* What a check comes to: for our numbers, and whether the paper's own fail it. */
struct outcome {
    enum result result;
    bool paper_fails;
};

static int evaluate_check(const json_t *check, const json_t *tables, json_t **out,
                          struct outcome *outcome, struct error *err)
{
    const struct rule *rule = find_rule(cells_string(check, "check"));
    if (!rule)
        return error_set(
            err, EINVAL,
            "unknown check '%s' (expected above, below, reaches, within, at_most, mean or rank)",
            cells_string(check, "check"));
    struct pairs pairs = {0};
    int rc = make_pairs(check, tables, &pairs, err);
    struct tally tally = {.comparisons = json_array()};
    if (rc == 0) {
        if (rule->pairs)
            compare_pairs(rule, &pairs, json_number_value(json_object_get(check, "margin")),
                          &tally);
        else if (strcmp(rule->name, "mean") == 0)
            compare_mean(check, &pairs, &tally);
        else
            compare_rank(check, &pairs, &tally);
        size_t need = needed(check, rule->pairs ? pairs.n : 1);
        outcome->result = sum_up(&tally, need);
        outcome->paper_fails = tally.paper_of >= need && tally.paper_holds < need;
        *out = check_json(check, &tally, need, outcome->result);
        if (!*out)
            rc = error_set(err, ENOMEM, "out of memory");
    }
    json_decref(tally.comparisons);
    free(pairs.items);
    return rc;
}

/* The pair has a cell that is ours to measure. */
static int check_pair(const json_t *check, const struct pair *p, struct error *err)
{
    const struct selected *a = &p->left, *b = &p->right;
    const char *other = json_object_get(check, "among") ? "among" : "right";
    if (cells_is_ours(a->cell) || (!p->right_number && cells_is_ours(b->cell)))
        return 0;
    if (p->right_number)
        return error_set(err, ENODATA,
                         "left: %s/%s/%s is no number of ours: expected a cell with a reference "
                         "(cell: \"@stage.port:/pointer\")",
                         a->table_id, a->row_id, a->column_id);
    return error_set(err, ENODATA,
                     "left %s/%s/%s and %s %s/%s/%s: neither is a number of ours; one must be a "
                     "cell with a reference (cell: \"@stage.port:/pointer\")",
                     a->table_id, a->row_id, a->column_id, other, b->table_id, b->row_id,
                     b->column_id);
}

int claims_check_pairs(const json_t *check, const json_t *tables, size_t *count, struct error *err)
{
    struct pairs pairs = {0};
    int rc = make_pairs(check, tables, &pairs, err);
    for (size_t i = 0; rc == 0 && i < pairs.n; i++)
        rc = check_pair(check, &pairs.items[i], err);
    *count = pairs.n;
    free(pairs.items);
    return rc;
}

/* ---- verdicts ---- */

struct verdict {
    const char *verdict, *reason;
};

static struct verdict decide(const size_t count[RESULTS], const json_t *claim,
                             const struct claim_setting *setting)
{
    const char *smaller = cells_string(claim, "smaller_settings");
    bool harder = strcmp(smaller, "harder") == 0, easier = strcmp(smaller, "easier") == 0;
    if (!setting->comparable)
        return (struct verdict){"not decided", setting->incomparable};
    if (count[MISSING])
        return (struct verdict){"not decided", "numbers are missing"};
    if (count[FAILS] && harder && !setting->paper_settings)
        return (struct verdict){"not decided",
                                "it falls short, but with smaller settings than the paper's"};
    if (count[FAILS])
        return (struct verdict){"not reproduced", "a check fails"};
    if (count[OPEN])
        return (struct verdict){"not decided", "a difference lies within its error"};
    if (!count[HOLDS])
        return (struct verdict){"not decided", "no check decides it"};
    if (easier && !setting->paper_settings)
        return (struct verdict){"not decided",
                                "it holds, but smaller settings than the paper's make that easier"};
    return (struct verdict){"reproduced", "every check holds"};
}

static int decide_claim(const char *id, const json_t *claim, size_t number, const json_t *tables,
                        const struct claim_setting *setting, json_t **out, struct error *err)
{
    const json_t *list = json_object_get(claim, "checks");
    json_t *checks = json_array(), *check;
    size_t i, count[RESULTS] = {0};
    bool paper_fails = false;
    int rc = json_array_size(list) ? 0 : error_set(err, EINVAL, "expected a list of checks");
    json_array_foreach((json_t *)list, i, check)
    {
        json_t *json = NULL;
        struct outcome outcome = {MISSING, false};
        rc = evaluate_check(check, tables, &json, &outcome, err);
        if (rc < 0) {
            error_prefix(err, "check %zu", i + 1);
            break;
        }
        if (!json_is_true(json_object_get(check, "informational"))) {
            count[outcome.result]++;
            paper_fails = paper_fails || outcome.paper_fails;
        }
        json_array_append_new(checks, json);
    }
    if (rc == 0) {
        struct verdict v = decide(count, claim, setting);
        const char *title = cells_string(claim, "title");
        *out = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:O}", "id", id, "number",
                         (json_int_t)number, "title", *title ? title : id, "text",
                         cells_string(claim, "text"), "rule", cells_string(claim, "rule"), "note",
                         cells_string(claim, "note"), "verdict", v.verdict, "reason", v.reason,
                         "paper_fails", paper_fails, "checks", checks);
        if (!*out)
            rc = error_set(err, ENOMEM, "out of memory");
    }
    json_decref(checks);
    if (rc < 0)
        error_prefix(err, "claims.%s", id);
    return rc;
}

int claims_decide(const json_t *section, const json_t *tables, const struct claim_setting *setting,
                  json_t **claims, struct error *err)
{
    const char *id;
    json_t *claim, *out = NULL;
    size_t number = 0;
    *claims = json_array();
    json_object_foreach((json_t *)section, id, claim)
    {
        int rc = decide_claim(id, claim, ++number, tables, setting, &out, err);
        if (rc == 0 && json_array_append_new(*claims, out) < 0)
            rc = error_set(err, ENOMEM, "out of memory");
        if (rc < 0) {
            json_decref(*claims);
            *claims = NULL;
            return rc;
        }
    }
    return 0;
}
