/* Streams, captures and graphs of the cudart double. A stream is a list of operations that run when
 * the program waits. A capture collects operations in a graph; a launch queues one operation that
 * runs all of the graph. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"
#include "tests/double/internal.h"

struct operation {
    const char *name;
    void (*run)(void *data);
    void (*release)(void *data);
    void *data;
    const void *pinned[2]; /* pinned memory that a copy uses, or NULL */
    size_t references;     /* by streams and graphs */
};

struct list {
    struct operation **items;
    size_t count, capacity;
};

/* The runtime's own handle types. A cudaGraph_t and a cudaGraphExec_t both point to a list. */
struct CUstream_st {
    struct list queue, captured;
    enum cudaStreamCaptureStatus capture;
    enum cudaStreamCaptureMode mode;
    pthread_t capturer;
    bool non_blocking;
    struct CUstream_st *next;
};

struct CUgraph_st {
    struct list list;
};

struct CUgraphExec_st {
    struct list list;
    size_t references; /* by the program and by queued launches */
};

/* Recorded in a stream: the operation that marks the place. */
struct CUevent_st {
    struct CUstream_st *stream; /* NULL: not recorded, or the work before it has run */
    const struct operation *mark;
};

static struct CUstream_st legacy; /* stream 0 */
static struct CUstream_st *streams;

static void *allocate(void *old, size_t size)
{
    void *p = realloc(old, size);
    if (!p) {
        fprintf(stderr, "double of cudart: out of host memory\n");
        abort();
    }
    return p;
}

static void unreference(struct operation *o)
{
    if (--o->references)
        return;
    if (o->release)
        o->release(o->data);
    free(o);
}

static void append(struct list *list, struct operation *o)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->items = allocate(list->items, list->capacity * sizeof *list->items);
    }
    list->items[list->count++] = o;
    o->references++;
}

static void clear(struct list *list)
{
    for (size_t i = 0; i < list->count; i++)
        unreference(list->items[i]);
    free(list->items);
    *list = (struct list){0};
}

static struct CUstream_st *find_stream(cudaStream_t handle)
{
    if (!handle)
        return &legacy;
    struct CUstream_st *s = streams;
    while (s && s != handle)
        s = s->next;
    return s;
}

/* Runs the first n operations of a stream. */
static void run_first(struct CUstream_st *s, size_t n)
{
    struct list *queue = &s->queue;
    if (!n)
        return;
    double_memory_access(true);
    for (size_t i = 0; i < n; i++) {
        double_memory_running(queue->items[i]->name);
        queue->items[i]->run(queue->items[i]->data);
        unreference(queue->items[i]);
    }
    double_memory_running(NULL);
    double_memory_access(false);
    queue->count -= n;
    memmove(queue->items, queue->items + n, queue->count * sizeof *queue->items);
}

static void run_queue(struct CUstream_st *s)
{
    run_first(s, s->queue.count);
}

void double_streams_run(void)
{
    run_queue(&legacy);
    for (struct CUstream_st *s = streams; s; s = s->next)
        run_queue(s);
}

bool double_pinned_in_use(const void *block, size_t size)
{
    for (struct CUstream_st *s = streams; s; s = s->next)
        for (size_t i = 0; i < s->queue.count; i++)
            for (size_t k = 0; k < 2; k++) {
                const char *p = s->queue.items[i]->pinned[k];
                if (p && p >= (const char *)block && p < (const char *)block + size)
                    return true;
            }
    return false;
}

/* The stream that the calling thread captures, or one that another thread captures in global mode.
 */
static struct CUstream_st *captured(void)
{
    for (struct CUstream_st *s = streams; s; s = s->next)
        if (s->capture != cudaStreamCaptureStatusNone &&
            (s->mode == cudaStreamCaptureModeGlobal || pthread_equal(s->capturer, pthread_self())))
            return s;
    return NULL;
}

bool double_capturing(void)
{
    double_lock();
    bool yes = captured() != NULL;
    double_unlock();
    return yes;
}

cudaError_t double_not_in_capture(void)
{
    cudaError_t error = cudaSuccess;
    double_lock();
    struct CUstream_st *s = captured();
    if (s && s->mode != cudaStreamCaptureModeRelaxed) {
        s->capture = cudaStreamCaptureStatusInvalidated;
        error = cudaErrorStreamCaptureUnsupported;
    }
    double_unlock();
    return double_error(error);
}

/* Takes o. */
static cudaError_t queue_or_record(cudaStream_t handle, struct operation *o)
{
    cudaError_t error = cudaSuccess;
    o->references = 1;
    double_lock();
    struct CUstream_st *s = find_stream(handle), *other = captured();
    if (!s) {
        error = cudaErrorInvalidResourceHandle;
    } else if (s == &legacy && other) {
        other->capture = cudaStreamCaptureStatusInvalidated;
        error = cudaErrorStreamCaptureImplicit;
    } else if (s->capture == cudaStreamCaptureStatusInvalidated) {
        error = cudaErrorStreamCaptureInvalidated;
    } else {
        append(s->capture == cudaStreamCaptureStatusActive ? &s->captured : &s->queue, o);
    }
    unreference(o);
    double_unlock();
    return double_error(error);
}

cudaError_t double_enqueue(cudaStream_t stream, void (*run)(void *data),
                           void (*release)(void *data), void *data)
{
    cudaError_t error = double_begin("launch");
    if (error) {
        if (release)
            release(data);
        return error;
    }
    struct operation *o = allocate(NULL, sizeof *o);
    *o = (struct operation){"a kernel", run, release, data, {NULL, NULL}, 0};
    double_count()->launches++;
    return queue_or_record(stream, o);
}

/* ---- copies ---- */

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

static struct operation *copy_operation(const char *name, struct copy values)
{
    struct operation *o = allocate(NULL, sizeof *o);
    struct copy *c = allocate(NULL, sizeof *c);
    *c = values;
    *o = (struct operation){name, run_copy, release_copy, c, {NULL, NULL}, 0};
    if (double_is_pinned(c->to))
        o->pinned[0] = c->to;
    if (!c->staged && c->from && double_is_pinned(c->from))
        o->pinned[1] = c->from;
    return o;
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
        copy.staged = true;
        copy.from = memcpy(allocate(NULL, size), from, size);
    }
    error = queue_or_record(stream, copy_operation("a copy", copy));
    if (!error && to_pageable && !capturing) {
        double_lock();
        run_queue(find_stream(stream));
        double_unlock();
    }
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
    return queue_or_record(stream, copy_operation("a memset", fill));
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
    error = queue_or_record(NULL, copy_operation("a copy", copy));
    double_lock();
    run_queue(&legacy);
    double_unlock();
    return error;
}

/* ---- streams ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_device_check()))
        return error;
    if (flags & ~(unsigned)cudaStreamNonBlocking)
        return double_error(cudaErrorInvalidValue);
    struct CUstream_st *s = allocate(NULL, sizeof *s);
    *s = (struct CUstream_st){.non_blocking = flags == cudaStreamNonBlocking};
    double_lock();
    s->next = streams;
    streams = s;
    double_count()->streams++;
    double_unlock();
    *stream = s;
    return cudaSuccess;
}

static void remove_stream(struct CUstream_st *s)
{
    struct CUstream_st **link = &streams;
    while (*link != s)
        link = &(*link)->next;
    *link = s->next;
    clear(&s->queue);
    clear(&s->captured);
    free(s);
    double_count()->streams--;
}

/* Work that is queued is still run, as on a device; the stream counts as destroyed also if the call
 * fails. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaError_t error = double_begin(__func__);
    double_lock();
    struct CUstream_st *s = stream ? find_stream(stream) : NULL;
    if (!s) {
        error = error ? error : cudaErrorInvalidResourceHandle;
    } else {
        if (!error)
            run_queue(s);
        remove_stream(s);
    }
    double_unlock();
    return double_error(error);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    cudaError_t error = double_begin(__func__);
    if (error)
        return error;
    double_lock();
    struct CUstream_st *s = find_stream(stream);
    if (!s) {
        error = cudaErrorInvalidResourceHandle;
    } else if (s->capture != cudaStreamCaptureStatusNone) {
        s->capture = cudaStreamCaptureStatusInvalidated;
        error = cudaErrorStreamCaptureUnsupported;
    } else {
        run_queue(s);
    }
    double_unlock();
    return double_error(error);
}

cudaError_t cudaDeviceSynchronize(void)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_device_check()) || (error = double_not_in_capture()))
        return error;
    double_lock();
    double_streams_run();
    double_unlock();
    return cudaSuccess;
}

/* ---- events ---- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_device_check()))
        return error;
    if (flags & ~(unsigned)(cudaEventDisableTiming | cudaEventBlockingSync))
        return double_error(cudaErrorInvalidValue);
    *event = allocate(NULL, sizeof **event);
    **event = (struct CUevent_st){0};
    double_count()->events++;
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaError_t error = double_begin(__func__);
    if (!event)
        return double_error(cudaErrorInvalidResourceHandle);
    double_count()->events--;
    free(event);
    return error;
}

static void run_nothing(void *data)
{
    (void)data;
}

/* Not for streams that are being captured: ferdag records none there. */
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_not_in_capture()))
        return error;
    struct operation *o = allocate(NULL, sizeof *o);
    *o = (struct operation){"an event", run_nothing, NULL, NULL, {NULL, NULL}, 0};
    error = queue_or_record(stream, o);
    if (!error)
        *event = (struct CUevent_st){find_stream(stream), o};
    return error;
}

/* Runs the stream's operations up to the event. One that has been recorded and has run since is no
 * longer in the queue. */
cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_not_in_capture()))
        return error;
    double_lock();
    struct CUstream_st *s = event->stream;
    for (size_t i = 0; s && find_stream(s) && i < s->queue.count; i++)
        if (s->queue.items[i] == event->mark) {
            run_first(s, i + 1);
            break;
        }
    event->stream = NULL;
    double_unlock();
    return cudaSuccess;
}

/* ---- captures and graphs ---- */

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
    cudaError_t error = double_begin(__func__);
    if (error)
        return error;
    struct CUstream_st *s = find_stream(stream);
    if (!s)
        return double_error(cudaErrorInvalidResourceHandle);
    *status = s->capture;
    return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    cudaError_t error = double_begin(__func__);
    if (error)
        return error;
    double_lock();
    struct CUstream_st *s = find_stream(stream);
    if (!s) {
        error = cudaErrorInvalidResourceHandle;
    } else if (s == &legacy) {
        error = cudaErrorStreamCaptureUnsupported;
    } else if (s->capture != cudaStreamCaptureStatusNone) {
        error = cudaErrorIllegalState;
    } else {
        s->capture = cudaStreamCaptureStatusActive;
        s->mode = mode;
        s->capturer = pthread_self();
    }
    double_unlock();
    return double_error(error);
}

/* The capture ends also if the call fails. */
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    cudaError_t error = double_begin(__func__);
    *graph = NULL;
    double_lock();
    struct CUstream_st *s = find_stream(stream);
    if (!s) {
        error = error ? error : cudaErrorInvalidResourceHandle;
    } else if (s->capture == cudaStreamCaptureStatusNone) {
        error = error ? error : cudaErrorIllegalState;
    } else if (s->mode != cudaStreamCaptureModeRelaxed &&
               !pthread_equal(s->capturer, pthread_self())) {
        error = error ? error : cudaErrorStreamCaptureWrongThread;
    } else {
        if (!error && s->capture == cudaStreamCaptureStatusInvalidated)
            error = cudaErrorStreamCaptureInvalidated;
        s->capture = cudaStreamCaptureStatusNone;
        if (error) {
            clear(&s->captured);
        } else {
            *graph = allocate(NULL, sizeof **graph);
            (*graph)->list = s->captured;
            s->captured = (struct list){0};
            double_count()->graphs++;
        }
    }
    double_unlock();
    return double_error(error);
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    cudaError_t error = double_begin(__func__);
    if (error || (error = double_not_in_capture()))
        return error;
    if (!graph || flags)
        return double_error(cudaErrorInvalidValue);
    double_lock();
    struct CUgraphExec_st *e = allocate(NULL, sizeof *e);
    *e = (struct CUgraphExec_st){.references = 1};
    for (size_t i = 0; i < graph->list.count; i++)
        append(&e->list, graph->list.items[i]);
    double_count()->execs++;
    double_count()->recorded++;
    double_unlock();
    *exec = e;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    cudaError_t error = double_begin(__func__);
    if (!graph)
        return double_error(cudaErrorInvalidValue);
    double_lock();
    clear(&graph->list);
    free(graph);
    double_count()->graphs--;
    double_unlock();
    return error;
}

static void release_exec(void *data)
{
    struct CUgraphExec_st *e = data;
    if (--e->references)
        return;
    clear(&e->list);
    free(e);
}

static void run_exec(void *data)
{
    const struct CUgraphExec_st *e = data;
    for (size_t i = 0; i < e->list.count; i++) {
        double_memory_running(e->list.items[i]->name);
        e->list.items[i]->run(e->list.items[i]->data);
    }
}

/* A launch that is queued keeps the graph until it has run. */
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    cudaError_t error = double_begin(__func__);
    if (!exec)
        return double_error(cudaErrorInvalidValue);
    double_lock();
    release_exec(exec);
    double_count()->execs--;
    double_unlock();
    return error;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    cudaError_t error = double_begin(__func__);
    if (error)
        return error;
    if (!exec)
        return double_error(cudaErrorInvalidValue);
    struct operation *o = allocate(NULL, sizeof *o);
    *o = (struct operation){"a graph", run_exec, release_exec, exec, {NULL, NULL}, 0};
    double_lock();
    exec->references++;
    double_count()->replayed++;
    for (size_t i = 0; i < exec->list.count; i++)
        double_count()->launches += strcmp(exec->list.items[i]->name, "a kernel") == 0;
    error = queue_or_record(stream, o);
    double_unlock();
    return error;
}

void double_streams_reset(void)
{
    while (streams)
        remove_stream(streams);
    clear(&legacy.queue);
}
