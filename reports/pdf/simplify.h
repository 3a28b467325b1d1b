/* Makes a PDF that gropdf can place. */
#ifndef FERDAG_REPORTS_PDF_SIMPLIFY_H
#define FERDAG_REPORTS_PDF_SIMPLIFY_H

#include "base/error.h"

/* Rewrites a small PDF (as cairo writes it) in the oldest form of the format: object streams are
 * unpacked, comments and dates removed, and there is one classic table of offsets. What it shows
 * stays the same. At most 64 MB and 100,000 objects. -EINVAL if the file is no such PDF. */
int pdf_simplify(const char *path, struct error *err);

#endif
