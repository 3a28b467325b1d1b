/* Rewrites an experiment file of format 1 for format 2: names of keys, kinds and params that the
 * tables say were others (`was`), and nothing else, so that comments and layout stay. */
#ifndef FERDAG_DAG_MIGRATE_MIGRATE_H
#define FERDAG_DAG_MIGRATE_MIGRATE_H

#include "base/problems.h"
#include "base/arena.h"

/* One file that was looked at. */
struct migrated {
    const char *file;
    size_t changes, by_hand; /* made, and left to the user */
};

/* Rewrites the file and those that it includes, as far as they are of format 1; one that doesn't
 * say its format has that of the file that includes it. *files lists them (arena). What must be
 * done by hand is added to problems as warnings. -EINVAL: one of them can't be read or may not be
 * written, as problems say, and none was changed. */
int migrate_file(struct arena *arena, const char *file, struct migrated **files, size_t *count,
                 struct problems *problems, struct error *err);

#endif
