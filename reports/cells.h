/* Tables as data: every cell with our number, the paper's, and where ours came from. Nothing here
 * knows which table it is; the YAML names rows, columns and references. */
#ifndef FERDAG_REPORTS_CELLS_H
#define FERDAG_REPORTS_CELLS_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "reports/sources.h"

/* Of one table. */
enum { CELLS_ROW_LIMIT = 500, CELLS_COLUMN_LIMIT = 60 };

/* Evaluates the `tables` section (as the engine expanded it: {id: {title, columns, rows, cells,
 * ...}}) against the sources and the `paper` section ({table: {row: {column: number}}}).
 *
 * Settings of a table, column or row (a row's win, then a column's) are scale, digits, unit and
 * commas of our number (x scale, decimals shown, "%", 28,709); paper_scale and paper_digits of the
 * paper's, where they differ; and of a column or row sum, [a, -b]: the sum of others instead of a
 * reference.
 *
 * How uncertain a number is comes from its source, whatever it is shown as: "standard_error" of an
 * accuracy p with "n" beside it, sqrt(p (1 - p) / n); "spread" of a "median" with "first_quartile"
 * and "third_quartile" beside it, the distance to the farther one. Both are scaled as "ours". In a
 * sum standard errors add in squares, as if its terms were independent, and spreads add up.
 *
 * On success *tables is a new array of {"id", "title", "note", "row_header", "columns": [{"id",
 * "label", "group"}], "rows": [{"id", "label", "group", "bold", "cells": [cell, one a column]}]}.
 * A cell has, where known: "ours" and "paper" (scaled), "difference" (ours as shown - paper), "n"
 * (how many images an accuracy is over: "n" beside an "accuracy" in its file), "quartiles": [first,
 * third] of the repeats that it is the median of (beside a "median"), "standard_error", "spread",
 * "text": {"ours", "paper", "difference"}, "digits", "unit", "source": {"stage", "port", "key",
 * "pointer"}, and "missing": why there is no "ours" where there should be one, with the "detail" of
 * a file that can't be used. A cell without a
 * reference, or a sum of such cells alone, has neither "ours" nor "missing": see cells_is_ours.
 * Returns 0, -EINVAL for a malformed section or source, -ENOMEM. */
int cells_evaluate(const json_t *tables_section, const json_t *paper, struct sources *sources,
                   json_t **tables, struct error *err);

/* Whether the cell is ours to measure, be its number there or missing; else it has no reference,
 * and may hold a number of the paper alone. */
bool cells_is_ours(const json_t *cell);

/* The place of a name in an object, or -1. */
long cells_place(const json_t *object, const char *name);

/* A text of an object, or "" */
const char *cells_string(const json_t *object, const char *name);

#endif
