/* One check of a claim: the pairs of cells that it compares, the evidence on each, and the result
 * of each and of the check. claims.h describes checks and how they decide. */
#ifndef FERDAG_REPORTS_CLAIM_CHECK_H
#define FERDAG_REPORTS_CLAIM_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "reports/claim_pairs.h"
#include "reports/evidence.h"

enum check_result { CHECK_HOLDS, CHECK_FAILS, CHECK_OPEN, CHECK_MISSING, CHECK_RESULTS };

extern const char *const check_result_names[CHECK_RESULTS]; /* "holds", "fails", ... */

/* The names of all checks, as "one|two". */
extern const char claim_check_names[];
/* The members that a check takes besides text, informational and left, separated by spaces, with a
 * "!" after those that it must have; NULL if there is no such check. */
const char *claim_check_members(const char *name);

/* What is compared once: a pair of cells, or of a mean all pairs of the check. */
struct comparison {
    const struct cell_pair *pair; /* NULL: the mean of all pairs */
    struct sides sides[AUTHORS];  /* of a mean only why it's missing */
    struct evidence evidence[AUTHORS];
    double p[AUTHORS];        /* two-sided; NAN: not tested */
    double adjusted[AUTHORS]; /* p, adjusted by Holm's method over the claim */
    bool inside[AUTHORS];     /* the difference is rather inside the range than outside */
    enum check_result result[AUTHORS];
};

struct check {
    const json_t *json;
    bool informational;
    struct range range; /* in which left - right must lie */
    struct cell_pairs pairs;
    struct comparison *comparisons;
    size_t n, needed; /* comparisons, and how many must hold */
    enum check_result result[AUTHORS];
};

/* Collects the evidence of a check over the tables that cells_evaluate made. The caller frees it
 * with check_close, also after an error: -EINVAL for a malformed check, -ENOMEM. */
int check_open(struct check *c, const json_t *check, const json_t *tables, struct error *err);
void check_close(struct check *c);

/* Sets the results, from `adjusted`: a comparison holds or fails if adjusted <= level. */
void check_decide(struct check *c, double level);

/* How many comparisons have a result. */
size_t check_count(const struct check *c, enum author author, enum check_result result);

/* How many images, or seeds, would decide the check if all differences stayed as they are, each
 * tested at alpha. SIZE_MAX: no number, or not known. */
size_t check_images_to_decide(const struct check *c, double alpha);
size_t check_seeds_to_decide(const struct check *c, double alpha);

#endif
