/* A table of a document as lines of a page. */
#ifndef FERDAG_REPORTS_PDF_TABLE_H
#define FERDAG_REPORTS_PDF_TABLE_H

#include <stdbool.h>
#include "reports/document.h"
#include "reports/text.h"

/* Title, heads, rows with numbers aligned, and the note. The text is as large as lets all columns
 * stand side by side, within limits. Beyond these, wide columns of text are cut, and if that isn't
 * enough, the columns go into further blocks below. keep: the rows stay on one page, or else in
 * blocks of as many as a page holds; without it they go over pages under a repeated head. */
void table_render(struct text *t, const struct doc_table *table, bool keep);

/* About how many points of a page it needs at its start. */
double table_height(const struct doc_table *table, bool keep);

#endif
