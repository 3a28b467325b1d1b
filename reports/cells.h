/* Tables as data: every cell with our number, the paper's, and the source of ours. Rows, columns
 * and references come from the YAML; no particular table is known here. */
#ifndef FERDAG_REPORTS_CELLS_H
#define FERDAG_REPORTS_CELLS_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "reports/sources.h"

/* Limits of one table. */
enum { CELLS_ROW_LIMIT = 500, CELLS_COLUMN_LIMIT = 60 };

/* Evaluates the `tables` section (as the engine expanded it: {id: {title, columns, rows, cells,
 * ...}}) against the sources and the `paper` section ({table: {row: {column: number}}}).
 *
 * Settings are of a row, else of its column, else of the table: scale, digits, unit and commas of
 * our number (multiplied by scale, decimals shown, "%", 28,709); paper_scale and paper_digits of
 * the paper's, where they differ. A row or column with sum: [a, -b] is the sum of others instead of
 * references.
 *
 * The uncertainty of a number comes from fields beside it in its source, not from its display: an
 * "accuracy" p with "n" has the "standard_error" sqrt(p (1 - p) / n); a "median" with
 * "first_quartile" and "third_quartile" has the "spread", its distance to the farther quartile.
 * Both are scaled as "ours" is. In a sum, standard errors add in squares, as of independent terms,
 * and spreads add up.
 *
 * On success *tables is a new array of {"id", "title", "note", "row_header", "columns": [{"id",
 * "label", "group"}], "rows": [{"id", "label", "group", "bold", "cells": [cell, one a column]}]}.
 * A cell has, where known: "ours" and "paper" (scaled), "difference" (ours as shown - paper), "n"
 * (number of images of an accuracy), "quartiles": [first, third] (of the repeats of a median),
 * "standard_error", "spread", "scale", "paper_n" (images that the paper's number is an accuracy
 * on), "text": {"ours", "paper", "difference"}, "digits", "unit", "source":
 * {"stage", "port", "key", "pointer"}, and "missing": why "ours" is not there, with the "detail" of
 * a file that can't be used. A cell without a reference, or a sum of such cells alone, has neither
 * "ours" nor "missing": see cells_is_ours.
 *
 * A cell is a reference or, over an axis such as the seeds of a training, a list with one for each
 * value of the axis, which the setting `over` ({axis: [value, ...]}) names. Then it has "over":
 * {"axis": "seed", "values": ["1", "2", "3"], "n": 3, "mean", "sd", "min", "max"}, scaled as
 * "ours", which is the mean. "sd" divides by n - 1 and is absent if n is 1. If n is above 1,
 * "sources" has all sources, each with "ours", and "text" also "mean", "sd", "min" and "max"; its
 * "ours" is "mean ± sd". If one number is missing, so is the cell, without "over"; "missing" and
 * "source" say which. A standard error is that of the mean accuracy on n images, without the
 * variance between the values of the axis; quartiles are averaged. A sum is over the axis that its
 * terms share.
 *
 * A cell that is an accuracy also has "outcomes", an array with one object for each value of the
 * axis, in its order, or one object without an axis: the object of the source that the accuracy is
 * in, with the strings "truth" and "predicted", each of n digits, one an image. "outcomes" is
 * absent if one of the objects lacks them. The objects belong to the sources' files and must not
 * be changed.
 * Returns 0, -EINVAL for a malformed section or source, -ENOMEM. */
int cells_evaluate(const json_t *tables_section, const json_t *paper, struct sources *sources,
                   json_t **tables, struct error *err);

/* Removes "outcomes" from all cells. To be called before the tables are written to a file: outcomes
 * are only for claims_decide. */
void cells_strip(json_t *tables);

/* Whether the cell is one that we measure, with a number or without; else it has no reference, and
 * at most a number of the paper. */
bool cells_is_ours(const json_t *cell);

/* Whether a number of the tables is the mean over several values of an axis. */
bool cells_have_means(const json_t *tables);

/* How many values of an axis the cell's number is the mean over; 0 without an axis. */
size_t cells_over_count(const json_t *cell);

/* The index of a name in an object, or -1. */
long cells_index(const json_t *object, const char *name);

/* A text in an object; "" if there is none. */
const char *cells_string(const json_t *object, const char *name);

#endif
