/* One stage that must run: its folder, its job on the executor, its outputs, its result. */
#ifndef FERDAG_DAG_EXECUTION_H
#define FERDAG_DAG_EXECUTION_H

#include "dag/scheduler.h"

/* Starts a task, the lock on whose key is held. When the stage has ended, the task is settled and
 * the lock released. Both may happen before this function returns. */
void execution_start(struct scheduler *s, struct task *task, int lock);

/* Cancels all running stages: asks them to stop, or with `force` kills them. */
void execution_cancel_all(struct scheduler *s, bool force);

#endif
