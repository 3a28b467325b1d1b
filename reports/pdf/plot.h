/* Plots, drawn by gnuplot as one-page vector PDFs that gropdf can place. */
#ifndef FERDAG_REPORTS_PDF_PLOT_H
#define FERDAG_REPORTS_PDF_PLOT_H

#include "base/error.h"
#include "reports/document.h"
#include "base/text.h"

/* Draws a plot in a page of width x height points: writes PATH (ending in .pdf) and beside it the
 * gnuplot script, ending in .gnuplot. The first line is grey, the second in the accent colour. A
 * title or name that is too wide is cut with an ellipsis. */
int plot_draw(const struct doc_plot *plot, const char *path, double width, double height,
              struct error *err);

/* Adds s as a quoted string of gnuplot's language, so that nothing in s acts as source. Where
 * gnuplot takes the string for a format, as in a tic's label, each "%" must be doubled before. */
void plot_quote(struct text *t, const char *s);

#endif
