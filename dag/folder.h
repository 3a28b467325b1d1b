/* A stage's folder: made before it runs, its outputs taken into the cache after. */
#ifndef FERDAG_DAG_FOLDER_H
#define FERDAG_DAG_FOLDER_H

#include "dag/plan.h"

/* Makes the folder of a new attempt with job.json, links to the inputs, and links to the outputs of
 * finished stages that it can continue from. The checkpoint of an attempt that was killed moves
 * along, but not for kinds with open ports, whose programs we can't know, nor for forced tasks.
 * *folder is malloc'd. */
int folder_prepare(const struct plan *plan, const struct task *task, char **folder,
                   struct error *err);

/* Moves the stage's outputs and log into the store, fills result->outputs and result->log, and
 * writes the record of the result, whose other members are set. Touches neither plan nor index: may
 * run on another thread. An output that isn't optional and isn't there is -ENOENT. */
int folder_gather(struct blob_writer *writer, const char *folder, const struct stage *stage,
                  struct result *result, struct error *err);

/* Stores log.txt alone. */
int folder_store_log(struct blob_writer *writer, const char *folder, struct digest *log,
                     struct error *err);

#endif
