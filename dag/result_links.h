/* Links to the results of a run under the names and endings that their stages gave them:
 * FOLDER/results/STAGE/FILE, such as out/demo/results/train/full/vgg19/1/metrics.jsonl. */
#ifndef FERDAG_DAG_RESULT_LINKS_H
#define FERDAG_DAG_RESULT_LINKS_H

#include "dag/plan.h"

/* Makes FOLDER/results hold a link to each output that is current: of stages that were part of the
 * run and have a result, without the tables and the report, which are there as files. Links to
 * results that aren't current any more are removed. Of stages that were no part of this run they
 * stay. Other files that a user put there stay, also in a link's place. *any: there are links. */
int result_links_update(const struct plan *plan, const char *folder, bool *any, struct error *err);

#endif
