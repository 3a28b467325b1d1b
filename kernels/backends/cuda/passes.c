/* The queue and the passes of the `cuda` backend. The first pass of a kind and size runs directly:
 * it builds plans and allocates memory. The second one is recorded as a CUDA graph, which all later
 * ones replay. What changes from pass to pass (position in the queue, learning rate) lies in device
 * memory, in a struct pass_state that a small kernel sets before each pass. */
#include <errno.h>
#include <stdlib.h>
#include "kernels/backends/cuda/cuda.h"

int cuda_queue(struct device *device, const struct image_set *set, const struct crop *crops,
               const uint8_t *labels, size_t n, struct error *err)
{
    int e = cuda_grow(device, &device->crops, n * sizeof *crops, err);
    if (!e && labels)
        e = cuda_grow(device, &device->labels, n, err);
    if (!e)
        e = cuda_check(cudaMemcpyAsync(device->crops.memory, crops, n * sizeof *crops,
                                       cudaMemcpyHostToDevice, device->stream),
                       "copying crops to the device", err);
    if (!e && labels)
        e = cuda_check(cudaMemcpyAsync(device->labels.memory, labels, n, cudaMemcpyHostToDevice,
                                       device->stream),
                       "copying labels to the device", err);
    if (!e)
        device->queued = set;
    return e;
}

/* The recording of a kind and size, made if there is none. */
static struct recording *find_recording(struct device *device, const struct pass *pass)
{
    struct recording *r = device->recordings;
    while (r && (r->kind != pass->kind || r->n != pass->n))
        r = r->next;
    if (r)
        return r;
    r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    *r = (struct recording){.kind = pass->kind, .n = pass->n, .next = device->recordings};
    device->recordings = r;
    return r;
}

static int set_state(struct device *device, const struct pass *pass, struct error *err)
{
    const struct image_set *set = device->queued;
    const struct pass_state state = {
        .crops = device->crops.memory,
        .labels = device->labels.memory,
        .pixels = set ? set->pixels : NULL,
        .levels = set ? set->levels : NULL,
        .size = set ? (uint32_t)set->size : 0,
        .first = (uint32_t)pass->first,
        .lr = (float)pass->sgd.lr,
        .momentum = (float)pass->sgd.momentum,
        .weight_decay = (float)pass->sgd.weight_decay,
        .clip = (float)pass->sgd.clip,
        .label_smoothing = (float)pass->label_smoothing,
    };
    int e = 0;
    if (!device->state) {
        void *memory;
        e = cuda_memory(device, sizeof *device->state, &memory, err);
        if (!e)
            device->state = memory;
    }
    return e ? e
             : cuda_check(launch_set_pass(device->state, &state, device->stream), "starting a pass",
                          err);
}

int cuda_pass_begin(struct device *device, const struct pass *pass, bool *replayed,
                    struct error *err)
{
    struct recording *r = find_recording(device, pass);
    if (!r)
        return error_set(err, ENOMEM, "out of memory");
    int e = set_state(device, pass, err);
    *replayed = !e && r->exec;
    if (!e && r->exec)
        e = cuda_check(cudaGraphLaunch(r->exec, device->stream), "starting a recorded pass", err);
    else if (!e && r->ran) {
        /* Thread-local: other threads of the process may use the device meanwhile. */
        e = cuda_check(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal),
                       "recording a pass", err);
        device->capturing = !e;
    }
    device->pass = *pass;
    device->recording = e ? NULL : r;
    return e;
}

/* Ends a capture: makes a graph of what it recorded, and launches it for the first time. */
static int end_capture(struct device *device, bool failed, struct error *err)
{
    struct recording *r = device->recording;
    cudaGraph_t graph = NULL;
    struct error own = {0}, *report = failed ? &own : err; /* keep the first error */
    device->capturing = false;
    int e = cuda_check(cudaStreamEndCapture(device->stream, &graph), "recording a pass", report);
    if (!e && !failed)
        e = cuda_check(cudaGraphInstantiate(&r->exec, graph, 0), "making a graph", err);
    if (e)
        r->exec = NULL;
    if (graph)
        cudaGraphDestroy(graph);
    if (!e && !failed)
        e = cuda_check(cudaGraphLaunch(r->exec, device->stream), "starting a recorded pass", err);
    return failed ? 0 : e;
}

int cuda_pass_end(struct device *device, bool failed, struct error *err)
{
    int e = 0;
    if (!device->recording)
        return 0;
    if (device->capturing)
        e = end_capture(device, failed, err);
    else if (!failed)
        device->recording->ran = true;
    device->recording = NULL;
    return e;
}

void cuda_passes_free(struct device *device)
{
    while (device->recordings) {
        struct recording *r = device->recordings;
        device->recordings = r->next;
        if (r->exec)
            cudaGraphExecDestroy(r->exec);
        free(r);
    }
}

int cuda_crop(struct device *device, struct tensor *images, struct error *err)
{
    images->bias = NULL;
    return cuda_check(launch_crop(device->state, device->pass.n, images->shape.w, images->data,
                                  images->type, device->stream),
                      "cropping images", err);
}
