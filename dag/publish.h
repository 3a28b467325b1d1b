/* Puts the report where people look: FOLDER/report.pdf, tables/..., plots/... */
#ifndef FERDAG_DAG_PUBLISH_H
#define FERDAG_DAG_PUBLISH_H

#include "dag/plan.h"

/* Whether the folder is there and can be written, or can be made: 0, or an error. */
int publish_check(const char *folder, struct error *err);

/* Brings the outputs of `tables` and `report`, so far as they have results, into the folder. A file
 * is replaced, whole, only if it differs. FOLDER/.ferdag-files lists what was brought, so that the
 * next time what isn't part of the report any more is removed, and nothing else. Of a stage that
 * has no result this time, what it brought before stays. *report is the PDF's path (arena), or
 * NULL. */
int publish_report(struct plan *plan, const char *folder, const char **report, struct error *err);

#endif
