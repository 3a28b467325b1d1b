/* Copies the report out of the cache: FOLDER/report.pdf, tables/..., plots/... */
#ifndef FERDAG_DAG_PUBLISH_H
#define FERDAG_DAG_PUBLISH_H

#include "dag/plan.h"

/* 0 if the folder can be written to or can be created, else an error. */
int publish_check(const char *folder, struct error *err);

/* Copies the outputs of `tables` and `report` that have results into the folder. A file is replaced
 * only if it differs. FOLDER/.ferdag-files lists the copies; those that are no longer part of the
 * report are removed the next time, but not those of a stage that has no result this time. *report
 * is the path of the PDF (in the arena), or NULL. */
int publish_report(struct plan *plan, const char *folder, const char **report, struct error *err);

#endif
