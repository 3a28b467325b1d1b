/* A PNG as a page of PDF, so that groff can place it. */
#ifndef FERDAG_REPORTS_PDF_PICTURE_H
#define FERDAG_REPORTS_PDF_PICTURE_H

#include "base/error.h"

/* Reads a PNG (at most 64 million pixels; grey stays grey, all else becomes RGB on white) and
 * writes a one-page PDF of width x height points that shows it, pixels unblurred. The page is as
 * wide as `width`, and no higher than `height`; *shown_width and *shown_height are what it became.
 * Same PNG, same bytes. -EINVAL if the file is no PNG or too large; another error if it can't be
 * read, or the PDF not written. */
int picture_to_pdf(const char *png, const char *pdf, double width, double height,
                   double *shown_width, double *shown_height, struct error *err);

#endif
