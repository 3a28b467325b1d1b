/* Checks the parts of an experiment file that name cells of tables: claims and the headline. */
#ifndef FERDAG_REPORTS_CHECK_NAMED_CELLS_H
#define FERDAG_REPORTS_CHECK_NAMED_CELLS_H

#include <jansson.h>
#include <stdbool.h>
#include "base/problems.h"

/* Checks claims and headline of the params of report_tables (see check_sections.h), as far as the
 * tables that they refer to are known. unsure: numbers of the paper may be missing or wrong. */
void check_named_cells(const json_t *params, bool unsure, struct problems *problems);

/* Whether the rows and columns of a table are known. */
bool check_table_is_known(const json_t *table);
/* Whether nothing was left out of a map because it was wrong. */
bool check_is_whole(const json_t *map);

#endif
