/* The paper's claims, decided by statistical tests over the cells of the tables.
 *
 * A claim is {title, text, rule, level: 0.05, smaller_settings, checks: [check, ...]}. With
 * settings below the paper's, a claim whose smaller_settings is `harder` isn't decided if it fails,
 * and one with `easier` isn't decided if it holds. A check (see claim_check.c) is one of
 *
 *   {check: above, left: S, right: S, margin: 0}       left - right > margin, for every pair
 *   {check: below, left: S, right: S, margin: 0}       right - left > margin
 *   {check: reaches, left: S, right: S, margin: 0}     left - right >= -margin; without right: the
 *                                                      paper's number of the same cell
 *   {check: within, left: S, right: S, margin: 1}      |left - right| <= margin
 *   {check: at_most, left: S, right: S, margin: 0}     left - right <= margin
 *   {check: mean, left: S, right: S, min: 1, max: 2}   the mean of left - right lies in between
 *   {check: rank, left: S, among: S, top: 2}           left is above all of them but top - 1
 *
 * with `text` (one line for the reader), `at_least: k` or `majority: true` (how many pairs must
 * hold; else all), and `informational: true` (shown, but decides nothing). S is "table/row/column";
 * row and column may be "*" or "a|b|c", and where both sides name several, equal ones are paired.
 * `right` may be a number. A cell that only the paper has (another method's published result) is
 * compared as it is with one of ours; two such cells, or one and a number, decide nothing.
 *
 * Every check asks whether a difference, left - right, lies in a range. Its p-value is two-sided:
 * twice the smaller of the p-values of "it lies in the range" and "it lies outside", each a
 * one-sided test (two of them, TOST, for a range with two ends). So a comparison holds or fails
 * where an interval of confidence 1 - level lies wholly inside the range or wholly outside, and is
 * open otherwise. The p-values of all comparisons of a claim are adjusted by Holm's method, so that
 * the probability of any wrong result in the claim is at most `level`; those that are missing count
 * as p = 1. evidence.h says which test is used. Numbers without images, such as times, take no part
 * in that: they are open within the spread of their repeats, and else decided as they are.
 *
 * The same rules decide about the paper's own numbers, which have the error of the `paper_n` images
 * of their table. They can't be paired: the paper has no results for single images. */
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

/* Decides each claim of the section {id: claim}. tables is what cells_evaluate made, with the
 * outcomes of images. On success *claims is a new array of {"id", "number", "title", "text",
 * "rule", "note", "verdict": "reproduced" | "not reproduced" | "not decided" | "not run", "reason",
 * "paper_fails": whether the paper's own numbers fail a check that decides, "level", "tests": how
 * many comparisons Holm's method counts, "checks": [check]}. A claim with a failed check is not
 * reproduced, whatever else is missing.
 *
 * A check is {"text", "informational", "result": "holds" | "fails" | "open" | "missing", "holds",
 * "fails", "open", "missing", "needed", "paper_result", "paper_holds", "paper_fails", "paper_of",
 * "would_decide": "about 12,000 test images, at these differences" for an open check, or "",
 * "rank", "paper_rank": "rank 2 of 11" of a rank as measured, or "", "comparisons": [comparison]}.
 *
 * A comparison is {"text", "ours", "paper": the numbers in words, "result", "paper_result"} and,
 * where known, of our numbers and with "paper_" in front of the paper's: "difference", "method"; if
 * it was tested "p", "p_adjusted", "interval": [low, high] of the difference at 95 %, not adjusted;
 * and "seeds". Returns 0, -EINVAL for a malformed claim, -ENOMEM. */
int claims_decide(const json_t *section, const json_t *tables, const struct claim_setting *setting,
                  json_t **claims, struct error *err);

#endif
