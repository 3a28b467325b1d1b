/* The log of a stage: of the running attempt, of its last failure or of its result. */
#ifndef FERDAG_DAG_STAGE_LOG_H
#define FERDAG_DAG_STAGE_LOG_H

#include "dag/plan.h"

enum stage_log {
    STAGE_LOG_NONE,    /* the stage has never run */
    STAGE_LOG_LOST,    /* it has run, but its log could not be stored */
    STAGE_LOG_CURRENT, /* of the task's key */
    STAGE_LOG_OLDER /* of another key: inputs or params have changed since, or the key isn't known
                     */
};

/* Finds the log. *path (malloc'd) is its file; NULL if there is none. */
enum stage_log stage_log_find(const struct plan *plan, const struct task *task, char **path);

/* At most `lines` lines from the end of a log, each with `before` in front, control characters
 * replaced and long lines cut. "" if there are none. malloc'd. */
char *stage_log_end(const char *path, int lines, const char *before);

#endif
