/* Scratch memory for the threads of an OpenMP loop, allocated before the loop: a thread can't fail
 * in it, and there is one error to report. */
#ifndef FERDAG_KERNELS_MATH_THREAD_SCRATCH_H
#define FERDAG_KERNELS_MATH_THREAD_SCRATCH_H

#include <stddef.h>

struct thread_scratch {
    char *memory;
    size_t size; /* bytes of each thread's part, a multiple of a cache line */
};

/* Allocates `bytes` bytes, uninitialised, for each of `threads` threads. Returns 0 or -ENOMEM.
 * thread_scratch_free frees, also after an error. */
int thread_scratch_make(struct thread_scratch *scratch, int threads, size_t bytes);
void thread_scratch_free(struct thread_scratch *scratch);

/* The part of the calling thread in a parallel region of at most that many threads, aligned to a
 * cache line; outside of a region the first part. */
void *thread_scratch_mine(const struct thread_scratch *scratch);

#endif
