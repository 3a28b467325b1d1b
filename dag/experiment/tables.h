/* Adds the stages that render a file's tables: `tables` and `report`.
 *
 * The engine does not interpret a table. It expands `${...}` in the sections tables, claims, paper
 * and report; makes the cells of every map that has rows and columns; and finds every reference
 * "@stage.port" or "@stage.port:/json/pointer". The kinds report_tables and report_pdf get the
 * sections and all stages' params as params, and the referenced outputs as inputs. */
#ifndef FERDAG_DAG_EXPERIMENT_TABLES_H
#define FERDAG_DAG_EXPERIMENT_TABLES_H

#include "dag/experiment/experiment.h"

/* Does nothing if the file has no tables, claims or report. -EINVAL: an error was added to the
 * experiment's problems. */
int tables_add_stages(struct experiment *e);

#endif
