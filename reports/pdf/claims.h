/* Claims of a document as lines of a page. */
#ifndef FERDAG_REPORTS_PDF_CLAIMS_H
#define FERDAG_REPORTS_PDF_CLAIMS_H

#include "reports/document.h"
#include "base/text.h"

void claims_render(struct text *t, const struct doc_claims *claims);

#endif
