/* A PNG as a page of PDF, so that groff can place it. */
#ifndef FERDAG_REPORTS_PDF_PICTURE_PAGE_H
#define FERDAG_REPORTS_PDF_PICTURE_PAGE_H

#include "base/error.h"

/* Writes a one-page PDF that shows a PNG (see picture_read), pixels unblurred. The page is `width`
 * points wide, but no higher than `height`; *shown_width and *shown_height are its size. Same PNG,
 * same bytes. Errors of picture_read, or that of writing the PDF. */
int picture_to_pdf(const char *png, const char *pdf, double width, double height,
                   double *shown_width, double *shown_height, struct error *err);

#endif
