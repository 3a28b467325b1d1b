/* Rewrites an experiment file of format 1 for format 2: names of keys, kinds and params that the
 * tables say were others (`was`), and nothing else, so that comments and layout stay. */
#ifndef FERDAG_DAG_MIGRATE_H
#define FERDAG_DAG_MIGRATE_H

#include "base/problems.h"
#include "dag/arena.h"

/* One file that was looked at. */
struct migrated {
    const char *file;
    size_t changes;
};

/* Rewrites the file and those that it includes. *files lists them (arena). What must be done by
 * hand is added to problems as warnings. -EINVAL: one of them can't be read, and none was changed.
 */
int migrate_file(struct arena *arena, const char *file, struct migrated **files, size_t *count,
                 struct problems *problems, struct error *err);

#endif
