/* See claim_check.h. Every check asks whether left - right lies in a range; they differ in the
 * range and in how many of the comparisons must hold. */
#include "reports/claim_check.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"

const char *const check_result_names[CHECK_RESULTS] = {"holds", "fails", "open", "missing"};

/* ---- the table of checks ---- */

const char claim_check_names[] = "above|below|reaches|within|at_most|mean|rank";

/* A bound of the range: sign times margin, infinite, or a member of the check. */
static const struct rule {
    const char *name, *members; /* see claim_check_members */
    double low, high;           /* times margin; infinite: no bound */
    bool open;
    bool mean; /* one comparison, of the mean of all pairs, between min and max */
    bool rank; /* above the others, but for top - 1 */
} rules[] = {
    {"above", "right! margin at_least majority", 1, INFINITY, true, false, false},
    {"below", "right! margin at_least majority", -INFINITY, -1, true, false, false},
    {"reaches", "right margin at_least majority", -1, INFINITY, false, false, false},
    {"within", "right! margin! at_least majority", -1, 1, false, false, false},
    {"at_most", "right! margin at_least majority", -INFINITY, 1, false, false, false},
    {"mean", "right! min! max!", 0, 0, false, true, false},
    {"rank", "among! top!", 1, INFINITY, true, false, true},
    {0},
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

static struct range range_of(const struct rule *rule, const json_t *check)
{
    double margin = json_number_value(json_object_get(check, "margin"));
    if (rule->mean)
        return (struct range){json_number_value(json_object_get(check, "min")),
                              json_number_value(json_object_get(check, "max")), false};
    return (struct range){isinf(rule->low) ? rule->low : rule->low * margin,
                          isinf(rule->high) ? rule->high : rule->high * margin, rule->open};
}

static size_t needed(const struct rule *rule, const json_t *check, size_t n)
{
    const json_t *least = json_object_get(check, "at_least");
    size_t top = (size_t)json_integer_value(json_object_get(check, "top"));
    if (rule->rank) /* at most top - 1 of the others are not below it */
        return n + 1 > top ? n + 1 - top : 0;
    if (json_is_integer(least) && json_integer_value(least) >= 0)
        return (size_t)json_integer_value(least);
    return json_is_true(json_object_get(check, "majority")) ? n / 2 + 1 : n;
}

/* ---- evidence ---- */

static void set_p(struct comparison *c, enum author author, const struct range *range)
{
    double inside, outside;
    c->p[author] = c->adjusted[author] = NAN;
    if (!evidence_is_tested(&c->evidence[author]))
        return;
    evidence_p(&c->evidence[author], range, &inside, &outside);
    c->p[author] = c->adjusted[author] = fmin(1, 2 * fmin(inside, outside));
    c->inside[author] = inside < outside;
}

static int compare_pair(struct comparison *c, const struct cell_pair *pair,
                        const struct range *range, struct error *err)
{
    int rc = 0;
    c->pair = pair;
    for (int k = 0; k < AUTHORS && rc == 0; k++) {
        c->sides[k] = pair_sides(pair, (enum author)k);
        rc = evidence_make(&c->sides[k].left, &c->sides[k].right, &c->evidence[k], err);
        if (rc == 0)
            set_p(c, (enum author)k, range);
    }
    return rc;
}

/* The mean of all pairs: the operands are collected into one comparison. */
static int compare_mean(struct check *c, struct error *err)
{
    size_t n = c->pairs.n;
    struct comparison *mean = &c->comparisons[0];
    struct operand *sides = malloc(2 * n * sizeof *sides);
    int rc = sides ? 0 : error_set(err, ENOMEM, "out of memory");
    for (int k = 0; k < AUTHORS && rc == 0; k++) {
        for (size_t i = 0; i < n; i++) {
            struct sides one = pair_sides(&c->pairs.items[i], (enum author)k);
            sides[i] = one.left;
            sides[n + i] = one.right;
            if (!mean->sides[k].left_missing)
                mean->sides[k].left_missing =
                    one.left_missing ? one.left_missing : one.right_missing;
        }
        rc = evidence_make_mean(sides, sides + n, n, &mean->evidence[k], err);
        if (rc == 0)
            set_p(mean, (enum author)k, &c->range);
    }
    free(sides);
    return rc;
}

int check_open(struct check *c, const json_t *check, const json_t *tables, struct error *err)
{
    const char *name = cells_string(check, "check");
    const struct rule *rule = find_rule(name);
    *c = (struct check){.json = check,
                        .informational = json_is_true(json_object_get(check, "informational"))};
    if (!rule)
        return error_set(err, EINVAL, "unknown check '%s' (expected one of %s)", name,
                         claim_check_names);
    int rc = pairs_make(check, tables, &c->pairs, err);
    if (rc < 0)
        return rc;
    c->range = range_of(rule, check);
    c->n = rule->mean ? 1 : c->pairs.n;
    c->needed = needed(rule, check, c->n);
    c->comparisons = calloc(c->n, sizeof *c->comparisons);
    if (!c->comparisons)
        return error_set(err, ENOMEM, "out of memory");
    if (rule->mean)
        return compare_mean(c, err);
    for (size_t i = 0; i < c->n && rc == 0; i++)
        rc = compare_pair(&c->comparisons[i], &c->pairs.items[i], &c->range, err);
    return rc;
}

void check_close(struct check *c)
{
    for (size_t i = 0; c->comparisons && i < c->n; i++)
        for (int k = 0; k < AUTHORS; k++)
            evidence_free(&c->comparisons[i].evidence[k]);
    free(c->comparisons);
    pairs_free(&c->pairs);
    *c = (struct check){0};
}

/* ---- results ---- */

static enum check_result decide(const struct comparison *c, enum author author,
                                const struct range *range, double level)
{
    const struct evidence *e = &c->evidence[author];
    if (e->form == EVIDENCE_NONE)
        return CHECK_MISSING;
    if (evidence_is_tested(e))
        return !(c->adjusted[author] <= level) ? CHECK_OPEN
               : c->inside[author]             ? CHECK_HOLDS
                                               : CHECK_FAILS;
    int place = evidence_place(e, range);
    return place > 0 ? CHECK_HOLDS : place < 0 ? CHECK_FAILS : CHECK_OPEN;
}

size_t check_count(const struct check *c, enum author author, enum check_result result)
{
    size_t count = 0;
    for (size_t i = 0; i < c->n; i++)
        count += c->comparisons[i].result[author] == result;
    return count;
}

/* The result of the check as soon as the comparisons that have one force it. */
static enum check_result sum_up(const struct check *c, enum author author)
{
    size_t holds = check_count(c, author, CHECK_HOLDS);
    if (check_count(c, author, CHECK_MISSING) == c->n)
        return CHECK_MISSING;
    if (holds >= c->needed)
        return CHECK_HOLDS;
    if (c->n - check_count(c, author, CHECK_FAILS) < c->needed)
        return CHECK_FAILS;
    return check_count(c, author, CHECK_MISSING) ? CHECK_MISSING : CHECK_OPEN;
}

void check_decide(struct check *c, double level)
{
    for (int k = 0; k < AUTHORS; k++) {
        for (size_t i = 0; i < c->n; i++)
            c->comparisons[i].result[k] =
                decide(&c->comparisons[i], (enum author)k, &c->range, level);
        c->result[k] = sum_up(c, (enum author)k);
    }
}

/* ---- what would decide it ---- */

struct cost {
    size_t number;
    bool inside;
};

static int cheaper_first(const void *a, const void *b)
{
    const struct cost *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

/* The smallest number at which enough of the open comparisons are decided, each as it tends. */
static size_t smallest_number(const struct check *c, double alpha,
                              size_t (*number)(const struct evidence *, const struct range *,
                                               double))
{
    size_t holds = check_count(c, OURS, CHECK_HOLDS), fails = check_count(c, OURS, CHECK_FAILS);
    size_t open = 0, result = SIZE_MAX;
    struct cost *costs = calloc(c->n, sizeof *costs);
    for (size_t i = 0; costs && i < c->n; i++) {
        const struct comparison *one = &c->comparisons[i];
        if (one->result[OURS] == CHECK_OPEN && evidence_is_tested(&one->evidence[OURS]))
            costs[open++] =
                (struct cost){number(&one->evidence[OURS], &c->range, alpha), one->inside[OURS]};
    }
    if (open > 0)
        qsort(costs, open, sizeof *costs, cheaper_first);
    for (size_t i = 0; i < open && result == SIZE_MAX; i++) {
        holds += costs[i].inside;
        fails += !costs[i].inside;
        if (holds >= c->needed || c->n - fails < c->needed) {
            result = costs[i].number;
            break;
        }
    }
    free(costs);
    return result;
}

size_t check_images_to_decide(const struct check *c, double alpha)
{
    return smallest_number(c, alpha, evidence_images_to_decide);
}

size_t check_seeds_to_decide(const struct check *c, double alpha)
{
    return smallest_number(c, alpha, evidence_seeds_to_decide);
}
