/* Reads an experiment file and the files that it includes, merged into one map.
 *
 * `include:` is a file or a list of files, relative to the including file. A later file overrides
 * an earlier one, and the including file overrides all: entry by entry for inputs, at any depth
 * for other sections, so that a file can change one param of a stage that it includes. */
#ifndef FERDAG_DAG_EXPERIMENT_INCLUDE_H
#define FERDAG_DAG_EXPERIMENT_INCLUDE_H

#include "base/problems.h"
#include "dag/experiment/yaml.h"
#include "stages/param.h"

/* Reads and merges; *root belongs to the arena. Each file is checked against the schema before it
 * is merged, and every error is added to problems. *misspelled: a file has an unknown key.
 * Returns 0, or -EINVAL if a file could not be read or merged. */
int include_read(struct arena *arena, const char *file, const struct param *schema,
                 struct node **root, bool *misspelled, struct problems *problems);

/* Applies a --set "path=value" to root: replaces the param at the dotted path, which must exist.
 * Returns 0, or -EINVAL with an error added to problems. */
int include_set(struct arena *arena, struct node *root, const char *setting,
                struct problems *problems);

/* The folder of a file, with '/' at its end; "" for the current folder. */
char *include_folder(struct arena *arena, const char *file);

#endif
