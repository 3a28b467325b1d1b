/* Text for groff: any string becomes printable text and nothing else, and how wide it will be. */
#ifndef FERDAG_REPORTS_PDF_TROFF_H
#define FERDAG_REPORTS_PDF_TROFF_H

#include <stdbool.h>
#include "reports/text.h"

/* Adds s so that groff prints it: no escape, request, tab or line end survives, and everything
 * beyond ASCII becomes a named character, so the result is ASCII on one line that can also stand
 * in an escape's '...'. A "-" that signs a number becomes a minus, and very long words get places
 * where a line may break. A line that starts with it still needs "\&" in front. */
void troff_text(struct text *t, const char *s);

/* As troff_text, with places where a line may break after "/", "." and "_". */
void troff_path(struct text *t, const char *s);

/* Its width in Helvetica (regular or bold), in thousandths of the size; for laying out tables. */
double troff_width(const char *s, bool bold);

/* How many bytes of s are no wider than `limit` thousandths: all of them, or as many whole
 * characters as leave room for an ellipsis. */
size_t troff_fits(const char *s, bool bold, double limit);

/* Adds s cut with an ellipsis so that it is no wider than `limit` thousandths. */
void troff_fitted(struct text *t, const char *s, bool bold, double limit);

/* Adds s for PDF's own strings (document title, outline): ASCII letters, digits and safe marks. */
void troff_outline(struct text *t, const char *s);

#endif
