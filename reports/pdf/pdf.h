/* Makes a PDF that gropdf can place. */
#ifndef FERDAG_REPORTS_PDF_PDF_H
#define FERDAG_REPORTS_PDF_PDF_H

#include "base/error.h"

/* Rewrites a small PDF (as cairo makes it) in the oldest form: object streams unpacked, comments
 * gone, one classic table of offsets, no dates. What it shows stays the same. At most 64 MB and
 * 100,000 objects. -EINVAL if the file is no such PDF. */
int pdf_make_plain(const char *path, struct error *err);

#endif
