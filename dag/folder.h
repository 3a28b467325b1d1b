/* A stage's folder, CACHE/work/KEY: made before it runs, its outputs taken into the cache after. */
#ifndef FERDAG_DAG_FOLDER_H
#define FERDAG_DAG_FOLDER_H

#include "dag/plan.h"

/* Makes the folder with job.json and links to the inputs, and to the outputs of finished stages
 * that it can go on from. What a killed run of the same key left there stays, so that the stage can
 * go on from its checkpoint; kinds with open ports, whose programs we can't know, and forced tasks
 * start clean. *folder is malloc'd. */
int folder_prepare(const struct plan *plan, const struct task *task, char **folder,
                   struct error *err);

/* Makes a folder in CACHE/tmp with what a trial of the stage needs: the inputs and job.json.
 * *folder is malloc'd; the caller removes the folder. */
int folder_prepare_trial(const struct plan *plan, const struct task *task, char **folder,
                         struct error *err);

/* Moves the stage's outputs and log into the store, and fills result->outputs and result->log.
 * Touches neither plan nor index: may run on another thread. An output that isn't optional and
 * isn't there is -ENOENT. */
int folder_gather(const char *cache, const char *folder, const struct stage *stage,
                  struct result *result, struct error *err);

/* Stores log.txt alone. */
int folder_store_log(const char *cache, const char *folder, struct digest *log, struct error *err);

#endif
