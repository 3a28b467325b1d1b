/* Checks the sections tables, claims, paper and report before anything has run. What passes can't
 * fail later for a reason that was in the file. */
#ifndef FERDAG_REPORTS_CHECK_SECTIONS_H
#define FERDAG_REPORTS_CHECK_SECTIONS_H

#include <jansson.h>
#include "base/problems.h"

/* Checks the params of report_tables. Places are JSON pointers into params.
 *
 * What is wrong by the tables of sections.h was reported before, and the params hold the rest: null
 * in place of a wrong table, row, number or item, and a key "" in a map from which something wrong
 * was left out. Then `more_tables` is true if tables may be missing, `unsure` if numbers of the
 * paper may be missing, `incomplete` if a cell may be null because its reference was wrong. Errors
 * that may follow from those alone are not reported. */
void check_sections(const json_t *params, struct problems *problems);

#endif
