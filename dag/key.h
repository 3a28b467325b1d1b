/* A stage's key: SHA-256 over a canonical text of all that decides its outputs.
 *
 * One fact a line, in an order that the YAML can't change:
 *   ferdag-key 1
 *   kind NAME VERSION
 *   param NAME JSON          each param but the keyless, sorted by name
 *   numerics TEXT            of kinds whose bits depend on backend and threads
 *   out PORT FILE            of open ports
 *   in NAME DIGEST           the content, not where it came from
 *   in NAME STAGE.PORT KEY DIGEST, or missing   of report kinds, which show where it came from */
#ifndef FERDAG_DAG_KEY_H
#define FERDAG_DAG_KEY_H

#include "dag/plan.h"

/* Fills task->key_text and task->key; all inputs must be settled. */
int key_make(const struct plan *plan, struct task *task, struct error *err);

#endif
