/* The GPUs of this machine that stages may use, and the environment variable that gives a process
 * some of them. A GPU has a number: its place among those that CUDA shows this process. */
#ifndef FERDAG_STAGES_GPUS_H
#define FERDAG_STAGES_GPUS_H

#include "base/error.h"

enum { GPUS_LIMIT = 64 }; /* more GPUs of one machine are left unused */

/* Names the GPUs that a process sees, in CUDA's order. CUDA reads it when it starts. */
#define GPUS_VARIABLE "CUDA_VISIBLE_DEVICES"

/* Number of GPUs that this process sees, at most GPUS_LIMIT. If it is 0, `why` (may be NULL) has
 * the reason: no CUDA in this build, no driver, no GPU ... */
int gpus_count(struct error *why);

/* The value of GPUS_VARIABLE that makes exactly the GPUs numbers[0] to numbers[count - 1] visible
 * to a child process, as its GPUs 0 to count - 1. `outer` is the value in this process, or NULL if
 * it isn't set. "" if count is 0. The caller frees the text. NULL: a number is above those that
 * `outer` has. */
char *gpus_variable(const char *outer, const int *numbers, int count);

/* Restricts this process to the GPUs in a list: "0,2", UUIDs as `nvidia-smi -L` prints them, or
 * "none". Sets GPUS_VARIABLE, so it must come before any other use of CUDA. Returns 0, or -EINVAL
 * if the list is malformed or names a GPU that can't be used. */
int gpus_select(const char *list, struct error *err);

#endif
