/* Copies and fills of the cudart double. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"
#include "tests/double/internal.h"

struct copy {
    void *to;
    const void *from; /* NULL: fill with `value` */
    size_t size;
    int value;
    bool staged; /* `from` is a copy of pageable memory, freed with the operation */
};

static void run_copy(void *data)
{
    const struct copy *c = data;
    if (c->from)
        memmove(c->to, c->from, c->size);
    else
        memset(c->to, c->value, c->size);
}

static void release_copy(void *data)
{
    struct copy *c = data;
    if (c->staged)
        free((void *)(uintptr_t)c->from);
    free(c);
}

static cudaError_t queue_copy(cudaStream_t stream, const char *name, const struct copy *values)
{
    struct copy *c = malloc(sizeof *c);
    if (!c)
        abort();
    *c = *values;
    return double_queue(
        stream,
        &(struct operation){.name = name,
                            .run = run_copy,
                            .release = release_copy,
                            .data = c,
                            .pinned = {double_is_pinned(c->to) ? c->to : NULL,
                                       c->from && double_is_pinned(c->from) ? c->from : NULL}});
}

static bool valid_copy(const void *to, const void *from, size_t size, enum cudaMemcpyKind kind)
{
    bool to_device = double_is_device(to, size), from_device = double_is_device(from, size);
    switch (kind) {
    case cudaMemcpyHostToDevice:
        return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
        return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
        return to_device && from_device;
    case cudaMemcpyDefault:
        return to_device || from_device;
    default:
        return false;
    }
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    cudaError_t error = double_begin(__func__);
    if (error || !size)
        return error;
    if (!valid_copy(to, from, size, kind))
        return double_error(cudaErrorInvalidValue);
    struct copy copy = {.to = to, .from = from, .size = size};
    bool capturing = double_capturing();
    bool from_pageable = !double_is_device(from, size) && !double_is_pinned(from);
    bool to_pageable = !double_is_device(to, size) && !double_is_pinned(to);
    if (from_pageable && !capturing) {
        void *stage = malloc(size);
        if (!stage)
            abort();
        copy.staged = true;
        copy.from = memcpy(stage, from, size);
    }
    error = queue_copy(stream, "a copy", &copy);
    if (!error && to_pageable && !capturing)
        double_stream_run(stream);
    return error;
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream)
{
    cudaError_t error = double_begin(__func__);
    if (error || !size)
        return error;
    if (!double_is_device(to, size))
        return double_error(cudaErrorInvalidValue);
    struct copy fill = {.to = to, .size = size, .value = value};
    return queue_copy(stream, "a memset", &fill);
}

/* Not for a thread that captures. Waits for the legacy stream only, so that a use of it shows. */
cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_not_in_capture()) || !size)
        return error;
    if (!valid_copy(to, from, size, kind))
        return double_error(cudaErrorInvalidValue);
    struct copy copy = {.to = to, .from = from, .size = size};
    error = queue_copy(NULL, "a copy", &copy);
    double_stream_run(NULL);
    return error;
}
