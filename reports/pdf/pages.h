/* The sections of report.pdf, in order. Each adds its groff source to the document. */
#ifndef FERDAG_REPORTS_PDF_PAGES_H
#define FERDAG_REPORTS_PDF_PAGES_H

#include <jansson.h>
#include "base/error.h"
#include "reports/sources.h"
#include "reports/text.h"

struct report {
    const json_t *cells;   /* cells.json, from report_tables */
    const json_t *section; /* the experiment's section `report` */
    struct sources sources;
    const json_t *stages; /* job.json's list of all stages of the run, or NULL */
    const char *plots;    /* folder for plots and pictures, there already */
    struct text page;     /* groff source so far */
};

/* Title, what was run, key numbers, the claims in one line each, settings beside the paper's. */
void pages_front(struct report *r);
/* All tables. */
int pages_tables(struct report *r, struct error *err);
/* Contact sheets, learning curves, confusion matrices: makes their files too. */
int pages_figures(struct report *r, struct error *err);
/* Every claim with its rule and the numbers that decided. */
void pages_claims(struct report *r);
/* Where each number came from: stages, keys, params, times; then every cell's own source. */
void pages_provenance(struct report *r);

/* The notice that numbers aren't comparable with the paper, or "". */
const char *pages_notice(const struct report *r);

#endif
