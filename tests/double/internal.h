/* What the files of the cudart double share. */
#ifndef FERDAG_TESTS_DOUBLE_INTERNAL_H
#define FERDAG_TESTS_DOUBLE_INTERNAL_H

#include <cuda_runtime_api.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* One lock for everything. It is recursive: an operation may call the double. */
void double_lock(void);
void double_unlock(void);

/* ---- failures.c ---- */

/* Counts a call and returns its injected or sticky error. Sets the last error of the thread. */
cudaError_t double_begin(const char *function);
/* Sets the last error of the thread, unless error is 0; returns it. */
cudaError_t double_error(cudaError_t error);
void double_failures_reset(void);

/* ---- memory.c ---- */
void double_memory_running(const char *operation); /* NULL: none */
void double_memory_close(void);                    /* after operations have run */
void double_memory_reset(void);
bool double_is_pinned(const void *p);

/* ---- devices.c ---- */
void double_devices_reset(void);
size_t double_device_memory(void);     /* of the current device, in bytes */
cudaError_t double_device_check(void); /* 0 if there are a driver and a device */

/* ---- streams.c ---- */

/* An operation in a stream or in a graph. */
struct operation {
    const char *name;
    void (*run)(void *data);
    void (*release)(void *data); /* or NULL */
    void *data;
    const void *pinned[2]; /* pinned memory that a copy uses, or NULL */
    size_t references;     /* by streams and graphs */
};

/* Queues a copy of *operation, or records it. Releases it if that isn't possible. */
cudaError_t double_queue(cudaStream_t stream, const struct operation *operation);
void double_stream_run(cudaStream_t stream); /* all that is queued */
void double_streams_run(void);               /* all operations of all streams */
/* For a call that isn't allowed during a capture: invalidates the capture of this thread and
 * returns cudaErrorStreamCaptureUnsupported, or returns 0. */
cudaError_t double_not_in_capture(void);
bool double_pinned_in_use(const void *block, size_t size);
void double_streams_reset(void);

#endif
