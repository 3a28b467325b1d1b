/* A table of cells.json as lines of a page. */
#ifndef FERDAG_REPORTS_PDF_PAGE_TABLE_H
#define FERDAG_REPORTS_PDF_PAGE_TABLE_H

#include <jansson.h>
#include "base/error.h"
#include "reports/text.h"

/* Title, the table itself (ours, the paper's and the difference for each column, numbers aligned),
 * the notice and the table's own note below. Columns that don't fit beside each other at the
 * smallest size go into further blocks below; long tables break between rows with their head
 * repeated. */
int page_table(struct text *t, const json_t *table, const char *notice, struct error *err);

#endif
