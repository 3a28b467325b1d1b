/* The stages that render a file's tables: `tables` and `report`.
 *
 * The engine knows nothing of what a table means. It expands `${...}` in the sections tables,
 * claims, paper and report; makes the cells of every map that has rows and columns; finds every
 * reference "@stage.port" or "@stage.port:/json/pointer"; and hands the sections and every stage's
 * params as params, and what they refer to as inputs, to the kinds report_tables and report_pdf. */
#ifndef FERDAG_DAG_EXPERIMENT_TABLES_H
#define FERDAG_DAG_EXPERIMENT_TABLES_H

#include "dag/experiment/experiment.h"

/* Does nothing if the file has no tables, claims or report. */
int tables_add_stages(struct experiment *e);

#endif
