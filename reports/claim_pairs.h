/* Which cells a check of a claim compares, and what is known of their numbers. */
#ifndef FERDAG_REPORTS_CLAIM_PAIRS_H
#define FERDAG_REPORTS_CLAIM_PAIRS_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "reports/selector.h"

/* One side of a comparison. */
struct operand {
    bool ours_known, paper_known;
    bool is_ours; /* to measure: not a number, nor a cell that only the paper has */
    double ours, paper;
    double variance;     /* of ours: its standard error, squared */
    double spread;       /* of ours: its distance to the farther quartile of the repeats */
    const char *missing; /* why ours is not known */
};

/* Two numbers to compare, both ours or both the paper's. */
struct sides {
    bool known;
    double left, right;
    double error; /* of left - right: a standard error, or spreads of repeats; 0 if there is none */
};

struct cell_pair {
    struct selected left, right;
    bool right_number; /* right is a number, or the paper's number of left */
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

void pair_operands(const struct cell_pair *p, struct operand *a, struct operand *b);
/* Known only if one of them is ours: others' numbers in place of ours decide nothing about this
 * run.
 */
struct sides pair_our_sides(const struct operand *a, const struct operand *b);
struct sides pair_paper_sides(const struct operand *a, const struct operand *b);
/* Why our sides aren't known. */
const char *pair_missing(const struct operand *a, const struct operand *b);

#endif
