/* The report's content: builds its document from what the stages found. The sentences of the report
 * are here, and nothing of how they look. */
#ifndef FERDAG_REPORTS_CONTENT_CONTENT_H
#define FERDAG_REPORTS_CONTENT_CONTENT_H

#include <jansson.h>
#include "base/error.h"
#include "reports/document.h"
#include "reports/sources.h"

struct content {
    const json_t *cells;   /* cells.json, from report_tables */
    const json_t *section; /* the experiment's section `report` */
    const json_t *stages;  /* job.json's list of all stages of the run, or NULL */
    struct sources sources;
};

/* The whole report. The caller closes *doc; it is NULL after an error, such as a result that can't
 * be read. */
int content_build(struct content *c, struct document **doc, struct error *err);

/* Its sections, in order. */
void content_front(struct document *doc, const struct content *c);
void content_tables(struct document *doc, const struct content *c);
int content_figures(struct document *doc, struct content *c, struct error *err);
void content_claims(struct document *doc, const struct content *c);
void content_provenance(struct document *doc, const struct content *c);

/* One table as cells_evaluate made it, without name and title; notice (may be "") comes before its
 * own note. For each column it has what is there of ours, the paper's and the difference. */
struct doc_table *content_table(struct document *doc, const json_t *table, const char *notice);

/* Every claim (as claims_decide made them) under a heading of that level. */
void content_claim_sections(struct document *doc, const json_t *claims, int level);

/* Anchor of a claim's heading. */
const char *content_claim_anchor(struct document *doc, const json_t *claim);
enum doc_verdict content_verdict(const json_t *claim);

#endif
