/* Reads an experiment file with what it includes, merged into one map.
 *
 * `include:` is a file or a list of files, relative to the file that it stands in. Later files win
 * over earlier ones and the including file over all: entry by entry for inputs, and at any depth
 * for the others, so that a file may change one param of a stage that it includes. Each file is
 * checked by the schema as it is; a file that can't be merged is -EINVAL. *misspelled: one of them
 * has a key that no file has. */
#ifndef FERDAG_DAG_EXPERIMENT_INCLUDE_H
#define FERDAG_DAG_EXPERIMENT_INCLUDE_H

#include "base/problems.h"
#include "dag/experiment/yaml.h"
#include "stages/param.h"

int include_read(struct arena *arena, const char *file, const struct param *schema,
                 struct node **root, bool *misspelled, struct problems *problems);

/* Sets the param at a dotted path, which must exist: what --set "path=value" does. */
int include_set(struct arena *arena, struct node *root, const char *setting,
                struct problems *problems);

/* The file's folder and '/', or "" for the current one. */
char *include_folder(struct arena *arena, const char *file);

#endif
