/* Rewrites an experiment file from format 1 to format 2. Only names of keys, kinds and params
 * change (those with `was` in the tables), so comments and layout stay. */
#ifndef FERDAG_DAG_MIGRATE_MIGRATE_H
#define FERDAG_DAG_MIGRATE_MIGRATE_H

#include "base/problems.h"
#include "base/arena.h"

/* The result for one file. */
struct migrated {
    const char *file;
    size_t changes, by_hand; /* made, and left for the user to make */
};

/* Rewrites a file and its includes, as far as they are in format 1. A file without a version has
 * that of the file that includes it. *files lists all of them (arena). Each change that must be
 * made by hand is added to problems as a warning. -EINVAL: a file can't be read or must not be
 * written (see problems), and none was changed. */
int migrate_file(struct arena *arena, const char *file, struct migrated **files, size_t *count,
                 struct problems *problems, struct error *err);

#endif
