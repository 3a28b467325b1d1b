/* See gpu_pool.h. */
#include "dag/gpu_pool.h"
#include "dag/key.h"

#include <limits.h>
#include <string.h>

/* The GPU with the least room for `share`, or -1. */
static int best_fit(const struct gpu_pool *pool, int share)
{
    int best = -1;
    for (int i = 0; i < pool->count; i++)
        if (GPU_WHOLE - pool->used[i] >= share && (best < 0 || pool->used[i] > pool->used[best]))
            best = i;
    return best;
}

bool gpu_pool_take(struct gpu_pool *pool, int wanted, struct job_gpus *gpus)
{
    *gpus = (struct job_gpus){
        .count = wanted > GPU_WHOLE ? wanted / GPU_WHOLE : wanted > 0,
        .share = wanted > GPU_WHOLE ? GPU_WHOLE : wanted,
    };
    if (pool->count == INT_MAX)
        return gpus->count <= GPUS_ON_JOB;
    for (int taken = 0; taken < gpus->count; taken++) {
        int place = taken < GPUS_ON_JOB ? best_fit(pool, gpus->share) : -1;
        if (place < 0) {
            gpus->count = taken;
            gpu_pool_give(pool, gpus);
            gpus->count = 0;
            return false;
        }
        pool->used[place] += gpus->share;
        gpus->numbers[taken] = place;
    }
    return true;
}

void gpu_pool_give(struct gpu_pool *pool, const struct job_gpus *gpus)
{
    if (pool->count == INT_MAX)
        return;
    for (int i = 0; i < gpus->count; i++)
        pool->used[gpus->numbers[i]] -= gpus->share;
}

int gpu_pool_stages(const struct gpu_pool *pool, int wanted)
{
    if (wanted == 0 || pool->count == INT_MAX)
        return 0;
    return wanted > GPU_WHOLE ? pool->count / (wanted / GPU_WHOLE)
                              : pool->count * (GPU_WHOLE / wanted);
}

int gpu_wanted(const struct stage *stage, const char *backend, int available)
{
    if (stage->gpu > 0)
        return stage->gpu;
    if (stage->kind->gpu && strcmp(stage_backend(stage, backend), "cuda") == 0)
        return stage->kind->gpu;
    return stage->gpu_optional && stage->kind->open_ports && available > 0 ? GPU_WHOLE : 0;
}
