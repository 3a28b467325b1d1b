/* The folder of a stage: created before the stage runs; its outputs are stored in the cache after.
 */
#ifndef FERDAG_DAG_FOLDER_H
#define FERDAG_DAG_FOLDER_H

#include "dag/plan.h"

/* Creates the folder of a new attempt with job.json, links to the inputs, and links to the outputs
 * of finished stages that the stage may continue from. The checkpoint of an interrupted attempt is
 * moved into it, but not for kinds with open ports, whose programs may not expect one, nor for
 * forced tasks. *folder is malloc'd. */
int folder_prepare(const struct plan *plan, const struct task *task, char **folder,
                   struct error *err);

/* Moves the outputs and the log of the stage into the blob store, fills result->outputs and
 * result->log, and writes the record of the result, whose other members the caller has set. Uses
 * neither plan nor index, so it may run on another thread. -ENOENT: a required output is missing.
 */
int folder_gather(struct blob_writer *writer, const char *folder, const struct stage *stage,
                  struct result *result, struct error *err);

/* Stores log.txt only. */
int folder_store_log(struct blob_writer *writer, const char *folder, struct digest *log,
                     struct error *err);

#endif
