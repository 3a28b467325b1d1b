/* See claims.h. All comparisons of a claim are made before one is decided, since Holm's method
 * looks at all their p-values. */
#include "reports/claims.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/claim_check.h"
#include "reports/claim_json.h"
#include "reports/statistics.h"

static const double STANDARD_LEVEL = 0.05;

/* The checks of a claim. */
struct checks {
    struct check *items;
    size_t n;
    double level;
    size_t tests; /* comparisons of ours that Holm's method counts */
};

struct verdict {
    const char *verdict, *reason;
};

static bool any(const struct checks *c, enum check_result result)
{
    for (size_t i = 0; i < c->n; i++)
        if (!c->items[i].informational && c->items[i].result[OURS] == result)
            return true;
    return false;
}

static struct verdict verdict_of(const struct checks *c, const json_t *claim,
                                 const struct claim_setting *setting)
{
    const char *smaller = cells_string(claim, "smaller_settings");
    bool harder = strcmp(smaller, "harder") == 0, easier = strcmp(smaller, "easier") == 0;
    if (!setting->comparable)
        return (struct verdict){"not decided", setting->incomparable};
    if (any(c, CHECK_FAILS) && harder && !setting->paper_settings)
        return (struct verdict){"not decided",
                                "it falls short, but with smaller settings than the paper's"};
    if (any(c, CHECK_FAILS))
        return (struct verdict){"not reproduced", "a check fails"};
    if (any(c, CHECK_MISSING))
        return (struct verdict){"not run", "numbers are missing"};
    if (any(c, CHECK_OPEN))
        return (struct verdict){"not decided", "a difference could be chance"};
    if (!any(c, CHECK_HOLDS))
        return (struct verdict){"not decided", "no check decides it"};
    if (easier && !setting->paper_settings)
        return (struct verdict){"not decided",
                                "it holds, but smaller settings than the paper's make that easier"};
    return (struct verdict){"reproduced", "every check holds"};
}

/* ---- Holm's method over the comparisons of a claim ---- */

/* Whether the comparison counts as a test: also one that is missing, since it would be one. */
static bool counts(const struct comparison *c, enum author author)
{
    return evidence_is_tested(&c->evidence[author]) ||
           (author == OURS && c->evidence[author].form == EVIDENCE_NONE);
}

/* Copies the p-values of all tests to p, or back to `adjusted` of their comparisons. Returns their
 * number. */
static size_t move_p(struct check *checks, size_t n, bool informational, enum author author,
                     double *p, bool back)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct check *c = &checks[i];
        for (size_t k = 0; k < c->n && c->informational == informational; k++) {
            struct comparison *one = &c->comparisons[k];
            if (!counts(one, author))
                continue;
            if (back)
                one->adjusted[author] = p[count];
            else if (p)
                p[count] = isnan(one->p[author]) ? 1 : one->p[author];
            count++;
        }
    }
    return count;
}

/* Adjusts the comparisons of some checks together. */
static int adjust_group(struct check *checks, size_t n, bool informational, enum author author,
                        size_t *count, struct error *err)
{
    *count = move_p(checks, n, informational, author, NULL, false);
    double *p = malloc((*count + 1) * sizeof *p);
    if (!p)
        return error_set(err, ENOMEM, "out of memory");
    move_p(checks, n, informational, author, p, false);
    int rc = holm_adjust(p, *count, p, err);
    if (rc == 0)
        move_p(checks, n, informational, author, p, true);
    free(p);
    return rc;
}

/* Those that decide together; each that informs by itself. */
static int adjust(struct checks *c, struct error *err)
{
    int rc = 0;
    for (int k = 0; k < AUTHORS && rc == 0; k++) {
        size_t count = 0;
        rc = adjust_group(c->items, c->n, false, (enum author)k, &count, err);
        if (k == OURS)
            c->tests = count;
        for (size_t i = 0; i < c->n && rc == 0; i++)
            rc = adjust_group(&c->items[i], 1, true, (enum author)k, &count, err);
    }
    return rc;
}

/* ---- a claim ---- */

static int open_checks(struct checks *c, const json_t *claim, const json_t *tables,
                       struct error *err)
{
    const json_t *list = json_object_get(claim, "checks"), *level = json_object_get(claim, "level");
    size_t n = json_array_size(list);
    *c =
        (struct checks){.level = json_is_number(level) ? json_number_value(level) : STANDARD_LEVEL};
    if (n == 0)
        return error_set(err, EINVAL, "expected a list of checks");
    c->items = calloc(n, sizeof *c->items);
    if (!c->items)
        return error_set(err, ENOMEM, "out of memory");
    int rc = 0;
    while (rc == 0 && c->n < n) {
        rc = check_open(&c->items[c->n], json_array_get(list, c->n), tables, err);
        c->n++;
        if (rc < 0)
            error_prefix(err, "check %zu", c->n);
    }
    if (rc == 0)
        rc = adjust(c, err);
    for (size_t i = 0; rc == 0 && i < c->n; i++)
        check_decide(&c->items[i], c->level);
    return rc;
}

static void close_checks(struct checks *c)
{
    for (size_t i = 0; i < c->n; i++)
        check_close(&c->items[i]);
    free(c->items);
}

/* The paper's own numbers contradict the claim. */
static bool paper_fails(const struct checks *c)
{
    for (size_t i = 0; i < c->n; i++)
        if (!c->items[i].informational && c->items[i].result[PAPERS] == CHECK_FAILS &&
            check_count(&c->items[i], PAPERS, CHECK_MISSING) < c->items[i].n)
            return true;
    return false;
}

static int claim_json(const char *id, const json_t *claim, size_t number, const struct checks *c,
                      const struct claim_setting *setting, json_t **out, struct error *err)
{
    struct verdict v = verdict_of(c, claim, setting);
    const char *title = cells_string(claim, "title");
    json_t *checks = json_array();
    double alpha = c->level / (double)(c->tests > 0 ? c->tests : 1);
    int rc = 0;
    for (size_t i = 0; i < c->n; i++)
        rc |= json_array_append_new(checks, claim_check_json(&c->items[i], alpha));
    *out = rc < 0
               ? NULL
               : json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:f, s:I, s:O}", "id", id,
                           "number", (json_int_t)number, "title", *title ? title : id, "text",
                           cells_string(claim, "text"), "rule", cells_string(claim, "rule"), "note",
                           cells_string(claim, "note"), "verdict", v.verdict, "reason", v.reason,
                           "paper_fails", paper_fails(c), "level", c->level, "tests",
                           (json_int_t)c->tests, "checks", checks);
    json_decref(checks);
    return *out ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int decide_claim(const char *id, const json_t *claim, size_t number, const json_t *tables,
                        const struct claim_setting *setting, json_t **out, struct error *err)
{
    struct checks checks;
    int rc = open_checks(&checks, claim, tables, err);
    if (rc == 0)
        rc = claim_json(id, claim, number, &checks, setting, out, err);
    close_checks(&checks);
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
