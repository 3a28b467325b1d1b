/* What the executor `local` and the process that it starts, `ferdag stage`, agree on besides the
 * lines in stages/progress_lines.h. */
#ifndef FERDAG_DAG_EXECUTORS_LOCAL_H
#define FERDAG_DAG_EXECUTORS_LOCAL_H

/* Descriptors that the process inherits. */
enum { STAGE_PROGRESS_FD = 3, STAGE_LOCK_FD = 4 };

#endif
