/* What can be found wrong with the sections tables, claims, paper and report before anything has
 * run: what passes can't fail later for a reason that was visible in the file. */
#ifndef FERDAG_REPORTS_CHECK_SECTIONS_H
#define FERDAG_REPORTS_CHECK_SECTIONS_H

#include <jansson.h>
#include "base/problems.h"

/* Checks the params of report_tables. Places are JSON pointers into params.
 *
 * Where something was found wrong by the tables of sections.h, the params hold the rest: null in
 * place of a wrong table, row, number or item, and a key "" in a map that lacks what was wrong.
 * `more_tables` then says that there may be tables that aren't there, `unsure` that numbers of the
 * paper may be missing, `incomplete` that a cell may be null since its reference was wrong. Nothing
 * is said of what hangs on that. */
void check_sections(const json_t *params, struct problems *problems);

#endif
