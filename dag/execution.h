/* One stage that must run: its folder, its process, its outputs, its result. */
#ifndef FERDAG_DAG_EXECUTION_H
#define FERDAG_DAG_EXECUTION_H

#include "dag/scheduler.h"

/* Starts a task whose key's lock is held; its end settles the task, gives the lock back and calls
 * run_start_ready. */
void execution_start(struct run *run, struct task *task, int lock);

/* Sends a signal to all that run. */
void execution_signal(struct run *run, int signal);

/* Whether that process is the one of a stage that runs. */
bool execution_owns(const struct run *run, pid_t pid);

/* Call some times a second. */
void execution_tick(struct run *run);

#endif
