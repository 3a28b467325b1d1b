/* What a stage printed: the log of the stage at work, of its last failure or of its result. */
#ifndef FERDAG_DAG_STAGE_LOG_H
#define FERDAG_DAG_STAGE_LOG_H

#include "dag/plan.h"

enum stage_log {
    STAGE_LOG_NONE,    /* the stage was never run */
    STAGE_LOG_LOST,    /* it was, but the log could not be kept */
    STAGE_LOG_CURRENT, /* of the task's key */
    STAGE_LOG_OLDER    /* of another key: inputs or params have changed since, or aren't known */
};

/* Which there is; *path (to be freed) is its file, NULL for the first two. */
enum stage_log stage_log_find(const struct plan *plan, const struct task *task, char **path);

/* The last lines of a log, at most `lines` of them, each on a line that begins with `before`;
 * control characters replaced, long lines cut. "" if there are none. To be freed. */
char *stage_log_end(const char *path, int lines, const char *before);

#endif
