/* A table of a document as lines of a page. */
#ifndef FERDAG_REPORTS_PDF_TABLE_H
#define FERDAG_REPORTS_PDF_TABLE_H

#include <stdbool.h>
#include "reports/document.h"
#include "base/text.h"

/* Adds title, heads, rows and note. Of a few sizes the text has the largest at which all columns
 * fit side by side. If none is small enough, wide columns of text are cut; if that isn't enough,
 * columns go into further blocks below. keep: the rows are on one page, or in blocks that fill a
 * page each; else they continue on further pages under a repeated head. */
void table_render(struct text *t, const struct doc_table *table, bool keep);

/* About how many points of a page it needs at its start. */
double table_height(const struct doc_table *table, bool keep);

#endif
