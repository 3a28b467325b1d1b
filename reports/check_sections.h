/* What can be found wrong with the sections tables, claims, paper and report before anything has
 * run: what passes can't fail later for a reason that was visible in the file. */
#ifndef FERDAG_REPORTS_CHECK_SECTIONS_H
#define FERDAG_REPORTS_CHECK_SECTIONS_H

#include <jansson.h>
#include "base/problems.h"

/* Checks the params of report_tables, which are right by the tables of sections.h and whose
 * references name outputs that exist. Places are JSON pointers into params.
 * With `incomplete` among them a cell may be null because its reference was wrong. */
void check_sections(const json_t *params, struct problems *problems);

#endif
