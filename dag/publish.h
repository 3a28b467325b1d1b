/* Puts the report where people look: out/EXPERIMENT/report.pdf, tables/..., plots/... */
#ifndef FERDAG_DAG_PUBLISH_H
#define FERDAG_DAG_PUBLISH_H

#include "dag/plan.h"

/* Brings the outputs of `tables` and `report`, so far as they have results, into out/EXPERIMENT in
 * the current folder. A file is replaced, whole, only if it differs; a folder there is the
 * program's own, and what the stage didn't write is removed from it. *report is the PDF's path
 * (arena), or NULL. */
int publish_report(struct plan *plan, const char **report, struct error *err);

#endif
