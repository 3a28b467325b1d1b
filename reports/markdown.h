/* Renders a document as Markdown (CommonMark with tables). */
#ifndef FERDAG_REPORTS_MARKDOWN_H
#define FERDAG_REPORTS_MARKDOWN_H

#include "base/error.h"
#include "reports/document.h"
#include "base/text.h"

/* Writes `path`. Pictures are copied to the folder `figures` as PNGs; plots are links to the PDFs
 * that pdf_render leaves there. Links go to the folder's last name, so both lie in the same folder.
 */
int markdown_render(const struct document *doc, const char *path, const char *figures,
                    struct error *err);

/* The same as a text, without copying pictures. */
void markdown_write(struct text *t, const struct document *doc, const char *figures);

/* Adds s with the special characters of Markdown escaped, on one line. */
void markdown_text(struct text *t, const char *s);

#endif
