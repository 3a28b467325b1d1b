/* One check of a claim, evaluated over the cells of the tables. */
#ifndef FERDAG_REPORTS_CLAIM_CHECK_H
#define FERDAG_REPORTS_CLAIM_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"

enum check_result { CHECK_HOLDS, CHECK_FAILS, CHECK_OPEN, CHECK_MISSING, CHECK_RESULTS };

/* The names of all checks, as "one|two". */
extern const char claim_check_names[];
/* The members that a check takes besides text, informational and left, separated by spaces, with a
 * "!" after those that it must have; NULL if there is no such check. */
const char *claim_check_members(const char *name);

struct check_outcome {
    enum check_result result;
    bool paper_fails; /* the paper's own numbers don't pass it */
};

/* Evaluates a check (see claims.h) over the tables that cells_evaluate made. On success *out is
 * new: an item of "checks" as claims_decide describes it. -EINVAL for a malformed check, -ENOMEM.
 */
int claim_check_evaluate(const json_t *check, const json_t *tables, json_t **out,
                         struct check_outcome *outcome, struct error *err);

#endif
