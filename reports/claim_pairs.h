/* Which cells a check of a claim compares, and the numbers on both sides. */
#ifndef FERDAG_REPORTS_CLAIM_PAIRS_H
#define FERDAG_REPORTS_CLAIM_PAIRS_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "reports/evidence.h"
#include "reports/selector.h"

/* Our numbers and the paper's. */
enum author { OURS, PAPERS, AUTHORS };

/* The numbers that a pair compares, by one author. */
struct sides {
    struct operand left, right;
    const char *left_missing, *right_missing; /* why one of ours isn't known; else NULL */
};

struct cell_pair {
    struct selected left, right;
    bool right_number; /* right is a number */
    bool paper_number; /* ... the paper's of the left cell */
    double number;
    bool left_varies,
        columns_vary; /* over the pairs of the check: what the pair's name must hold */
};

struct cell_pairs {
    struct cell_pair *items;
    size_t n, size;
    bool failed;
};

/* The pairs of a check (see claims.h) over the tables that cells_evaluate made. The caller frees
 * with pairs_free, also after an error: -EINVAL if the cells don't exist or give no pair, -ENOMEM.
 */
int pairs_make(const json_t *check, const json_t *tables, struct cell_pairs *pairs,
               struct error *err);
void pairs_free(struct cell_pairs *pairs);

/* How many pairs a check compares. Errors of pairs_make; -ENODATA, with *count set, if a pair has
 * no number of ours on either side. */
int pairs_count(const json_t *check, const json_t *tables, size_t *count, struct error *err);

/* The numbers of a pair. Ours are known only if one of the cells is ours to measure: numbers of
 * others alone decide nothing about this run. */
struct sides pair_sides(const struct cell_pair *p, enum author author);

#endif
