/* A double of the CUDA runtime, for tests on machines without a device. It is linked in place of
 * cudart and implements the calls that ferdag makes. "Kernels" are host functions.
 *
 * Stricter than a device where a program could rely on luck:
 * - A stream runs late: its operations run when the program waits for the stream, not before.
 * - Device memory is filled with NaNs (bytes 0xFF), ends at a page that can't be accessed, and is
 *   accessible only while operations run: not to the host, and not after cudaFree. A fault prints
 *   the allocation and ends the program with SIGSEGV.
 * - A call that is not allowed during a capture fails and invalidates the capture.
 *
 * Copies behave as CUDA documents in "API synchronization behavior": cudaMemcpyAsync from pageable
 * memory reads its source before it returns; from pinned memory it reads when it runs. To pageable
 * memory it returns after the copy; to pinned memory before. A captured copy reads when it runs.
 * cudaFree waits for all streams, as on a device. cudaFreeHost must not be called while a queued
 * copy uses the block: that prints a line and aborts.
 *
 * Environment, for whole programs:
 * - FERDAG_DOUBLE_DEVICES: for each device name:compute capability:multiprocessors:GiB, such as
 *   "NVIDIA H200:90:132:139;NVIDIA H200:90:132:139". Default: one of these; empty: no device.
 *   CUDA_VISIBLE_DEVICES selects from them.
 * - FERDAG_DOUBLE_DRIVER: the version of the driver, such as 13000, or "none".
 * - FERDAG_DOUBLE_SLOW_ENGINE: runs of the engine of cuDNN with this number take 30 ms more.
 * - FERDAG_DOUBLE_FAIL: "cudaMalloc:12:2;..." means that the 12th call of cudaMalloc returns error
 *   2. The function "*" means all calls. */
#ifndef FERDAG_TESTS_DOUBLE_CUDART_H
#define FERDAG_TESTS_DOUBLE_CUDART_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Queues an operation on a stream, or records it while the stream is being captured. Takes `data`:
 * calls release(data) once, when nothing can run the operation any more, or before it returns an
 * error. `release` may be NULL. Counts as a call of "launch". */
cudaError_t double_enqueue(cudaStream_t stream, void (*run)(void *data),
                           void (*release)(void *data), void *data);

/* What the program owns at the moment, and what it has done since the start or double_reset. */
struct double_counts {
    size_t blocks, bytes, pinned; /* device memory; blocks of pinned memory */
    size_t streams, events, graphs, execs;
    size_t handles, descriptors;          /* of the doubles of cuDNN and cuBLAS */
    size_t calls;                         /* of all functions that can be made to fail */
    size_t launches;                      /* operations queued by double_enqueue, or in a graph */
    size_t convolutions;                  /* of them by cuDNN */
    unsigned long long convolution_bytes; /* that these read and write */
    size_t recorded, replayed;            /* graphs instantiated, graphs launched */
    size_t cold;                          /* convolutions first executed during a capture */
};
struct double_counts double_counts(void);

/* Number of objects that the program hasn't freed. With `print`, prints each kind to stderr. */
size_t double_leaks(bool print);

/* Frees everything, forgets failures and sticky errors, reads the environment again. */
void double_reset(void);

/* The n-th call (1: the next) of `function` from now on returns `error`. NULL means all functions
 * of all doubles; then those of cuDNN and cuBLAS return their own "internal error". Errors that are
 * sticky on a device are returned by all later calls. n = 0 removes all failures. */
void double_fail(const char *function, size_t n, int error);

/* True if a failure has happened since double_fail. Name of the function, or NULL. */
bool double_failed(const char **function);

/* Bytes of device memory in total. */
void double_set_memory(size_t bytes);

/* ---- for the doubles of libraries ---- */

/* Counts a call of a function; returns the error that it must return, or 0. `internal` is the
 * error for a failure of "all functions". */
int double_call(const char *function, int internal);

/* True while the calling thread captures a stream. */
bool double_capturing(void);

/* True if [p, p + bytes) lies in one live allocation of device memory. */
bool double_is_device(const void *p, size_t bytes);

/* Adds to counts. */
struct double_counts *double_count(void);

#ifdef __cplusplus
}
#endif

#endif
