/* Renders a document as PDF, with groff; plots are drawn by gnuplot. */
#ifndef FERDAG_REPORTS_PDF_PDF_H
#define FERDAG_REPORTS_PDF_PDF_H

#include "base/error.h"
#include "reports/document.h"

/* Writes `path`, and plots and pictures as PDFs to the folder `figures`, which exists. The same
 * document gives the same bytes. Characters that the fonts lack are printed as "?", and named in
 * the log. -ENOENT if groff or gnuplot is not installed; other errors if they fail. */
int pdf_render(const struct document *doc, const char *path, const char *figures,
               struct error *err);

#endif
