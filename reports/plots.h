/* The report's plots, drawn by gnuplot as one-page vector PDFs. */
#ifndef FERDAG_REPORTS_PLOTS_H
#define FERDAG_REPORTS_PLOTS_H

#include <jansson.h>
#include "base/error.h"

/* A line of a plot: x[i], y[i]. */
struct plot_line {
    const char *name;
    const double *x, *y;
    size_t n;
};

/* A title or name that is too wide is cut with an ellipsis.
 *
 * Lines over epochs, in a page of width x height points; the first line grey, the second in the
 * accent colour, further ones in others. Writes PATH (ending in .pdf) and beside it the gnuplot
 * script it came from. With no points at all it says in the frame why, in few words: `nothing`. */
int plot_curves(const char *path, const char *title, const char *x_label, const char *y_label,
                const struct plot_line *lines, size_t line_count, const char *nothing, double width,
                double height, struct error *err);

/* Whether it is a matrix that plot_confusion takes; -EINVAL, and what it should be, if not. */
int plot_check_matrix(const json_t *matrix, struct error *err);

/* A confusion matrix (JSON array of n arrays of n counts, [true][predicted], n at most 50): each
 * field shaded by its share of the row, with the count in it. names are n texts or NULL. */
int plot_confusion(const char *path, const char *title, const json_t *matrix, const json_t *names,
                   double width, double height, struct error *err);

/* Adds s as a string of gnuplot's own ("..."), so that nothing in it is read as anything else.
 * Where gnuplot takes the string for a format, as in a tic's label, each "%" must be given twice.
 */
struct text;
void plot_quote(struct text *t, const char *s);

#endif
