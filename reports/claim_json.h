/* A decided check as JSON, with its numbers and the words for the reader. */
#ifndef FERDAG_REPORTS_CLAIM_JSON_H
#define FERDAG_REPORTS_CLAIM_JSON_H

#include <jansson.h>
#include "reports/claim_check.h"

/* An item of "checks" as claims_decide describes it; the check must be decided (check_decide).
 * alpha is the level at which one comparison would have to be tested to be decided. NULL without
 * memory. */
json_t *claim_check_json(const struct check *c, double alpha);

#endif
