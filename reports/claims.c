/* See claims.h. */
#include "reports/claims.h"

#include <errno.h>
#include <string.h>
#include "reports/cells.h"
#include "reports/claim_check.h"

struct verdict {
    const char *verdict, *reason;
};

static struct verdict decide(const size_t count[CHECK_RESULTS], const json_t *claim,
                             const struct claim_setting *setting)
{
    const char *smaller = cells_string(claim, "smaller_settings");
    bool harder = strcmp(smaller, "harder") == 0, easier = strcmp(smaller, "easier") == 0;
    if (!setting->comparable)
        return (struct verdict){"not decided", setting->incomparable};
    if (count[CHECK_MISSING])
        return (struct verdict){"not decided", "numbers are missing"};
    if (count[CHECK_FAILS] && harder && !setting->paper_settings)
        return (struct verdict){"not decided",
                                "it falls short, but with smaller settings than the paper's"};
    if (count[CHECK_FAILS])
        return (struct verdict){"not reproduced", "a check fails"};
    if (count[CHECK_OPEN])
        return (struct verdict){"not decided", "a difference lies within its error"};
    if (!count[CHECK_HOLDS])
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
    size_t i, count[CHECK_RESULTS] = {0};
    bool paper_fails = false;
    int rc = json_array_size(list) ? 0 : error_set(err, EINVAL, "expected a list of checks");
    json_array_foreach((json_t *)list, i, check)
    {
        json_t *json = NULL;
        struct check_outcome outcome = {CHECK_MISSING, false};
        rc = claim_check_evaluate(check, tables, &json, &outcome, err);
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
