/* Streams, captures and graphs of the cudart double. A stream is a list of operations that run when
 * the program waits. A capture collects operations in a graph; a launch queues one operation that
 * runs all of the graph. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"
#include "tests/double/internal.h"

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
    for (size_t i = 0; i < n; i++) {
        double_memory_running(queue->items[i]->name);
        queue->items[i]->run(queue->items[i]->data);
        unreference(queue->items[i]);
    }
    double_memory_running(NULL);
    double_memory_close();
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

cudaError_t double_queue(cudaStream_t handle, const struct operation *values)
{
    struct operation *o = allocate(NULL, sizeof *o);
    cudaError_t error = cudaSuccess;
    *o = *values;
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
    double_count()->launches++;
    return double_queue(
        stream,
        &(struct operation){.name = "a kernel", .run = run, .release = release, .data = data});
}

void double_stream_run(cudaStream_t stream)
{
    double_lock();
    run_queue(find_stream(stream));
    double_unlock();
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
    double_lock();
    struct CUstream_st *s = find_stream(stream);
    error = double_queue(stream, &(struct operation){.name = "an event", .run = run_nothing});
    if (!error)
        *event = (struct CUevent_st){s, s->queue.items[s->queue.count - 1]};
    double_unlock();
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
    double_lock();
    exec->references++;
    double_count()->replayed++;
    for (size_t i = 0; i < exec->list.count; i++)
        double_count()->launches += strcmp(exec->list.items[i]->name, "a kernel") == 0;
    error = double_queue(
        stream, &(struct operation){
                    .name = "a graph", .run = run_exec, .release = release_exec, .data = exec});
    double_unlock();
    return error;
}

void double_streams_reset(void)
{
    while (streams)
        remove_stream(streams);
    clear(&legacy.queue);
}
