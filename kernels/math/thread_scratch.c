/* See thread_scratch.h. */
#include "kernels/math/thread_scratch.h"

#include <errno.h>
#include <omp.h>
#include <stdlib.h>

enum { CACHE_LINE = 64 };

int thread_scratch_make(struct thread_scratch *scratch, int threads, size_t bytes)
{
    size_t size, total;
    *scratch = (struct thread_scratch){0};
    if (__builtin_add_overflow(bytes, CACHE_LINE, &size))
        return -ENOMEM;
    size = size / CACHE_LINE * CACHE_LINE;
    if (__builtin_mul_overflow(size, (size_t)threads, &total))
        return -ENOMEM;
    *scratch = (struct thread_scratch){aligned_alloc(CACHE_LINE, total), size};
    return scratch->memory ? 0 : -ENOMEM;
}

void thread_scratch_free(struct thread_scratch *scratch)
{
    free(scratch->memory);
    *scratch = (struct thread_scratch){0};
}

void *thread_scratch_mine(const struct thread_scratch *scratch)
{
    return scratch->memory + (size_t)omp_get_thread_num() * scratch->size;
}
