/* Which GPUs of an executor are free, in hundredths of each. A stage takes a part of one GPU or
 * some whole ones, and keeps them until it ends. */
#ifndef FERDAG_DAG_GPU_POOL_H
#define FERDAG_DAG_GPU_POOL_H

#include <stdbool.h>
#include "dag/executors/executor.h"
#include "dag/experiment/experiment.h"

struct gpu_pool {
    int count;             /* INT_MAX: no limit, and nothing is counted */
    int used[GPUS_ON_JOB]; /* hundredths */
};

/* Takes `wanted` hundredths: up to 100 of one GPU, above that of wanted / 100 whole ones. A part is
 * taken from the GPU with the least room that suffices, so that whole ones stay free; of equal ones
 * from the first. Returns false, with the pool unchanged, if there is no room. 0 always fits. */
bool gpu_pool_take(struct gpu_pool *pool, int wanted, struct job_gpus *gpus);

/* Gives back what gpu_pool_take has given. */
void gpu_pool_give(struct gpu_pool *pool, const struct job_gpus *gpus);

/* How many stages that take `wanted` hundredths the pool has room for when it is empty; 0: any
 * number. */
int gpu_pool_stages(const struct gpu_pool *pool, int wanted);

/* The hundredths that a stage takes where there are `available` GPUs and the run has that backend:
 * what the file says or, where it says nothing and the stage computes on a GPU, what its kind says.
 * `optional` is one if there is one and the stage is a program. */
int gpu_wanted(const struct stage *stage, const char *backend, int available);

#endif
