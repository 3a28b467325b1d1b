/* Finds the file that an experiment's name stands for: a file here, or an installed experiment. */
#ifndef FERDAG_DAG_FIND_EXPERIMENT_H
#define FERDAG_DAG_FIND_EXPERIMENT_H

#include <stddef.h>
#include "base/error.h"

/* The path of the experiment that the user calls `name`: the file `name` where there is one; else,
 * if name has no '/', the file name.yaml in the current folder; else the installed experiment
 * `name` or name.yaml. *path is malloc'd and belongs to the caller. -ENOENT if there is none, with
 * the names of the installed experiments in err. */
int find_experiment(const char *name, char **path, struct error *err);

/* The names, without .yaml, of the installed experiments, sorted: *names and each of them malloc'd.
 * Files that only serve to be included are left out. None, where nothing is installed. */
void find_installed(char ***names, size_t *count);

#endif
