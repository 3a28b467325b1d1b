/* The kernels of the `cuda` backend as host code: what they have read and written, and the order in
 * which blocks run. A kernel runs when its stream reaches it (double_enqueue in cudart.h). */
#ifndef FERDAG_TESTS_DOUBLE_HOST_KERNELS_H
#define FERDAG_TESTS_DOUBLE_HOST_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What all launches of a kernel together did. Vectors of channels, which stay in the caches, and
 * the state of a pass aren't counted. */
struct launch_count {
    const char *name;
    size_t launches, bytes_read, bytes_written;
};

/* Returns the counts since the start or the last clear, one for each kernel, and sets *n to their
 * number. They are valid until the next launch. */
const struct launch_count *host_kernels_counts(size_t *n);
void host_kernels_clear_counts(void);

/* Blocks run in ascending order, or with `reverse` in descending order: results must not depend on
 * it. */
void host_kernels_reverse(bool reverse);

#ifdef __cplusplus
}
#endif

#endif
