/* Escapes text for groff, so that nothing in it acts as source, and computes how wide it is. */
#ifndef FERDAG_REPORTS_PDF_TROFF_H
#define FERDAG_REPORTS_PDF_TROFF_H

#include <stdbool.h>
#include "base/text.h"

/* Adds s as text that groff prints. The result is ASCII on one line, without escapes, requests and
 * tabs of s, and can be part of an escape's '...'; characters beyond ASCII become \[uXXXX]. The "-"
 * of a number becomes a minus, and very long words may break. A line that starts with it still
 * needs
 * "\&" in front. */
void troff_text(struct text *t, const char *s);

/* The same for paths and commands, which must be unchanged when they are copied out of the PDF: "'"
 * and "-" stay as they are. A line may break after "/", "." and "_". */
void troff_code(struct text *t, const char *s);

/* The width of s in Helvetica (regular or bold), in thousandths of the size. Characters beyond
 * ASCII are estimated. */
double troff_width(const char *s, bool bold);

/* How many bytes of s fit into `limit` thousandths: all of them, or as many whole characters as fit
 * with an ellipsis after them. */
size_t troff_fits(const char *s, bool bold, double limit);

/* Adds s, cut with an ellipsis if it is wider than `limit` thousandths. */
void troff_fitted(struct text *t, const char *s, bool bold, double limit);

/* Adds s for strings of the PDF (title, outline): ASCII letters, digits and safe punctuation;
 * spaces for everything else. */
void troff_outline(struct text *t, const char *s);

#endif
