/* Finds the file that an experiment's name stands for: a file here, or an installed experiment. */
#ifndef FERDAG_DAG_FIND_EXPERIMENT_H
#define FERDAG_DAG_FIND_EXPERIMENT_H

#include <stddef.h>
#include "base/error.h"

/* The path of the experiment that the user calls `name`: the file `name`, or else name.yaml; else,
 * if name has no '/', the installed experiment `name` or name.yaml. *path is malloc'd and belongs
 * to the caller. -ENOENT if there is none, with the nearest file or installed experiment and the
 * names of the installed ones in err; -EINVAL if name is empty. */
int find_experiment(const char *name, char **path, struct error *err);

/* The names, without .yaml, of the installed experiments, sorted: *names and each of them malloc'd.
 * Files that only serve to be included are left out. None, where nothing is installed. */
void find_installed(char ***names, size_t *count);

#endif
