/* The paper's claims, decided by checks over the cells of the tables.
 *
 * A claim is {title, text, rule, smaller_settings, checks: [check, ...]}. With settings below the
 * paper's, a claim whose smaller_settings is `harder` isn't decided if it fails, and one with
 * `easier` isn't decided if it holds. A check (see claim_check.c) is one of
 *
 *   {check: above, left: S, right: S, margin: 0}       left - right > margin, for every pair
 *   {check: below, left: S, right: S, margin: 0}       right - left > margin
 *   {check: reaches, left: S, right: S}                left is not below right by more than its
 *                                                      error; without right: the paper's number
 *   {check: within, left: S, right: S, margin: 1}      |left - right| <= margin
 *   {check: at_most, left: S, right: S}                left <= right; errors don't matter
 *   {check: mean, left: S, right: S, min: 1, max: 2}   the mean of left - right lies in between
 *   {check: rank, left: S, among: S, top: 2}           fewer than `top` of them are above left
 *
 * with `text` (one line for the reader), `at_least: k` or `majority: true` (how many pairs must
 * hold; else all), and `informational: true` (shown, but decides nothing). S is "table/row/column";
 * row and column may be "*" or "a|b|c", and where both sides name several, equal ones are paired.
 * `right` may be a number. A cell that only the paper has (another method's published result) is
 * compared as it is with one of ours; two such cells, or one and a number, decide nothing.
 *
 * Accuracies have a standard error and medians of repeated measurements a spread (cells.h), which
 * don't depend on scale and unit. In a difference, standard errors add in squares, and spreads add
 * up. above, below and mean are open (not decided) while the difference is within its standard
 * error and spread of the bound. */
#ifndef FERDAG_REPORTS_CLAIMS_H
#define FERDAG_REPORTS_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"

/* What all claims of an experiment depend on. */
struct claim_setting {
    bool comparable;          /* false: the data isn't the paper's, so no claim is decided */
    bool paper_settings;      /* false: settings below the paper's, see smaller_settings */
    const char *incomparable; /* the reason for the reader if comparable is false */
};

/* Decides each claim of the section {id: claim}. tables is what cells_evaluate made. On success
 * *claims is a new array of {"id", "number", "title", "text", "rule", "verdict": "reproduced" |
 * "not reproduced" | "not decided", "reason", "paper_fails": whether the paper's own numbers fail a
 * check that decides, "checks": [{"text", "informational", "result": "holds" | "fails" | "open" |
 * "missing", "holds", "fails", "open", "missing", "needed", "paper_holds", "paper_of",
 * "comparisons": [{"text", "ours", "paper", "result", "paper_result"}]}]}. Returns 0, -EINVAL for a
 * malformed claim, -ENOMEM. */
int claims_decide(const json_t *section, const json_t *tables, const struct claim_setting *setting,
                  json_t **claims, struct error *err);

#endif
