/* The engines of a device's convolutions: cuDNN's first that fits, one that was listed, or the
 * fastest.
 *
 * To find the fastest, all engines that conv_plan.h allows are timed on the operands of the pass
 * that needs the convolution. What they write is overwritten by the run that follows. As in later
 * passes, an engine runs from a CUDA graph, so that the time of the calls doesn't count; one that
 * can't be recorded is left out. The engines take turns, because the clock rate of a device changes
 * with load and temperature, and the median of the turns counts. An engine finds in the device's
 * cache what the run before has left there: the operands, as far as they fit. In a training step
 * most of them come from memory, so the times are somewhat lower than there, for all engines. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "kernels/backends/cuda/cuda.h"

enum { TURNS = 5, MOST_RUNS = 20, MOST_CONTENDERS = 64, ENGINE_SIZE = 64 };

static const double turn_seconds = 1e-3; /* of one engine, roughly */
static const double gain = 0.02;         /* another engine than the first must be faster by this */
static const double much_slower = 3;     /* times the first, and jitter: not timed further */
static const double jitter = 2e-4;       /* seconds, of a single measurement */

/* An engine of a convolution. */
struct engine {
    char convolution[CONV_NAME_SIZE]; /* conv_problem_name */
    struct conv_engine place;         /* list, index, id and parts */
    char text[ENGINE_SIZE];           /* of place */
    char first[ENGINE_SIZE];          /* the first that fits; "" if the engine was listed */
    double seconds, first_seconds;
    struct engine *next;
};

/* ---- texts ---- */

static const char *const list_names[] = {"mode_A", "fallback"};

static void print_place(const struct conv_engine *place, char text[ENGINE_SIZE])
{
    snprintf(text, ENGINE_SIZE, "%s %zu engine %" PRId64 " parts %zu", list_names[place->fallback],
             place->index, place->id, place->parts);
}

/* Returns whether the text is one that print_place writes. */
static bool read_place(const char *text, struct conv_engine *place)
{
    char list[12], again[ENGINE_SIZE];
    *place = (struct conv_engine){0};
    if (sscanf(text, "%11s %6zu engine %12" SCNd64 " parts %4zu", list, &place->index, &place->id,
               &place->parts) != 4)
        return false;
    place->fallback = strcmp(list, list_names[1]) == 0;
    print_place(place, again);
    return strcmp(text, again) == 0;
}

/* ---- the list ---- */

static struct engine *add_engine(struct device *device, const char *convolution,
                                 const struct conv_engine *place, struct error *err)
{
    struct engine *e = calloc(1, sizeof *e);
    if (!e) {
        error_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    snprintf(e->convolution, sizeof e->convolution, "%s", convolution);
    e->place = *place;
    print_place(place, e->text);
    e->next = device->engines;
    device->engines = e;
    return e;
}

void cuda_engines_free(struct device *device)
{
    while (device->engines) {
        struct engine *e = device->engines;
        device->engines = e->next;
        free(e);
    }
}

int cuda_use_engines(struct device *device, const struct engine_choices *listed, struct error *err)
{
    device->times_engines = !listed;
    for (size_t i = 0; listed && i < listed->count; i++) {
        const struct engine_choice *choice = &listed->items[i];
        struct conv_engine place;
        if (strlen(choice->convolution) >= CONV_NAME_SIZE || !read_place(choice->engine, &place))
            return error_set(err, EINVAL,
                             "'%.200s' is no engine of '%.200s'; run choose_engines again",
                             choice->engine, choice->convolution);
        if (!add_engine(device, choice->convolution, &place, err))
            return -ENOMEM;
    }
    return 0;
}

int cuda_engines(struct device *device, struct engine_choice **choices, size_t *count,
                 struct error *err)
{
    size_t n = 0;
    for (const struct engine *e = device->engines; e; e = e->next)
        n++;
    *choices = calloc(n + 1, sizeof **choices);
    if (!*choices)
        return error_set(err, ENOMEM, "out of memory");
    *count = 0;
    for (const struct engine *e = device->engines; e; e = e->next)
        (*choices)[(*count)++] = (struct engine_choice){
            .convolution = e->convolution,
            .engine = e->text,
            .first = e->first,
            .seconds = e->seconds,
            .first_seconds = e->first_seconds,
        };
    return 0;
}

/* ---- timing ---- */

/* An engine that is timed. */
struct contender {
    struct conv_plan *plan;
    cudaGraphExec_t exec; /* some runs */
    double seconds[TURNS];
};

/* The engines of one convolution, and its operands. */
struct contest {
    struct device *device;
    const struct conv_problem *problem;
    void *x, *weights, *y;
    struct contender contenders[MOST_CONTENDERS]; /* the first that fits is the first */
    size_t count;
    int runs; /* of an engine in its turn */
    double first_seconds;
};

static int run_once(const struct contest *c, const struct conv_plan *plan, struct error *err)
{
    const struct device *d = c->device;
    return conv_plan_run(plan, d->handle, c->x, c->weights, c->y, d->workspace.memory, err);
}

/* Makes the workspace large enough for an engine. It at least doubles, because what cuda_grow
 * replaces stays allocated. */
static int grow_workspace(struct device *device, size_t bytes, struct error *err)
{
    size_t twice = 2 * device->workspace.size;
    if (bytes > device->workspace.size && bytes < twice)
        bytes = twice < CONV_PLAN_WORKSPACE ? twice : CONV_PLAN_WORKSPACE;
    return cuda_grow(device, &device->workspace, bytes, err);
}

/* Runs an engine twice, directly: the first run loads its kernels, the second is timed. */
static int try_run(const struct contest *c, const struct conv_plan *plan, double *seconds,
                   struct error *err)
{
    double before = 0;
    int e = 0;
    for (int i = 0; !e && i < 2; i++) {
        before = clock_monotonic();
        e = run_once(c, plan, err);
        if (!e)
            e = cuda_wait(c->device, err);
    }
    *seconds = clock_monotonic() - before;
    return e;
}

/* Records the runs of a turn. -ENOTSUP if the engine can't be recorded. */
static int record(const struct contest *c, struct contender *contender, struct error *err)
{
    cudaStream_t stream = c->device->stream;
    cudaGraph_t graph = NULL;
    int e = cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                       "recording a convolution", err);
    if (e)
        return e;
    for (int i = 0; !e && i < c->runs; i++)
        e = run_once(c, contender->plan, err);
    cudaError_t status = cudaStreamEndCapture(stream, &graph);
    if (status >= cudaErrorStreamCaptureUnsupported &&
        status <= cudaErrorStreamCaptureWrongThread) {
        (void)cudaGetLastError(); /* the error isn't sticky; clear it */
        e = error_set(err, ENOTSUP, "%s", cudaGetErrorString(status));
    } else if (!e)
        e = cuda_check(status, "recording a convolution", err);
    if (!e)
        e = cuda_check(cudaGraphInstantiate(&contender->exec, graph, 0), "making a graph", err);
    if (e)
        contender->exec = NULL;
    if (graph)
        cudaGraphDestroy(graph);
    return e;
}

/* Prepares an engine for its turns, and takes the plan. One that can't be recorded, or is much
 * slower than the first, is left out. */
static int enter(struct contest *c, struct conv_plan *plan, struct error *err)
{
    struct contender *contender = &c->contenders[c->count];
    double seconds = 0;
    *contender = (struct contender){.plan = plan};
    int e = grow_workspace(c->device, conv_plan_engine(plan).workspace, err);
    if (!e)
        e = try_run(c, plan, &seconds, err);
    if (!e && !c->count) {
        c->first_seconds = seconds;
        c->runs = seconds * MOST_RUNS < turn_seconds ? MOST_RUNS : (int)(turn_seconds / seconds);
        c->runs = c->runs < 1 ? 1 : c->runs;
    }
    if (!e && seconds <= much_slower * c->first_seconds + jitter)
        e = record(c, contender, err);
    if (contender->exec)
        c->count++;
    else
        conv_plan_free(plan);
    return e == -ENOTSUP ? 0 : e;
}

/* Enters all engines that fit. */
static int enter_all(struct contest *c, struct error *err)
{
    const struct device *d = c->device;
    struct conv_plan *plan;
    int e = conv_plan_build(&d->cudnn, &d->target, c->problem, &plan, err);
    while (!e && plan && c->count < MOST_CONTENDERS) {
        struct conv_engine engine = conv_plan_engine(plan);
        e = enter(c, plan, err);
        plan = NULL;
        if (!e)
            e = conv_plan_build_next(&d->cudnn, &d->target, c->problem, &engine, &plan, err);
    }
    conv_plan_free(plan);
    if (!e && !c->count)
        e = error_set(err, ENOTSUP, "cuDNN can't record any engine for a convolution");
    return e;
}

/* One turn of each engine; the first turn of all warms up. */
static int take_turns(struct contest *c, struct error *err)
{
    int e = 0;
    for (int turn = -1; !e && turn < TURNS; turn++)
        for (size_t i = 0; !e && i < c->count; i++) {
            double before = clock_monotonic();
            e = cuda_check(cudaGraphLaunch(c->contenders[i].exec, c->device->stream),
                           "timing a convolution", err);
            if (!e)
                e = cuda_wait(c->device, err);
            if (turn >= 0)
                c->contenders[i].seconds[turn] = (clock_monotonic() - before) / c->runs;
        }
    return e;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Sorts the times of each engine. Returns the place of the fastest, which is the first unless
 * another is clearly faster. */
static size_t fastest(struct contest *c)
{
    size_t best = 0;
    for (size_t i = 0; i < c->count; i++) {
        double *seconds = c->contenders[i].seconds;
        qsort(seconds, TURNS, sizeof *seconds, by_size);
        if (seconds[TURNS / 2] < c->contenders[best].seconds[TURNS / 2])
            best = i;
    }
    double limit = (1 - gain) * c->contenders[0].seconds[TURNS / 2];
    return c->contenders[best].seconds[TURNS / 2] < limit ? best : 0;
}

static int keep_fastest(struct contest *c, struct conv_plan **plan, struct error *err)
{
    struct contender *best = &c->contenders[fastest(c)], *first = &c->contenders[0];
    struct conv_engine engine = conv_plan_engine(best->plan), usual = conv_plan_engine(first->plan);
    char name[CONV_NAME_SIZE];
    conv_problem_name(c->problem, name, sizeof name);
    struct engine *kept = add_engine(c->device, name, &engine, err);
    if (!kept)
        return -ENOMEM;
    print_place(&usual, kept->first);
    kept->seconds = best->seconds[TURNS / 2];
    kept->first_seconds = first->seconds[TURNS / 2];
    *plan = best->plan;
    best->plan = NULL;
    return 0;
}

/* Builds the plan of the fastest engine, and adds that to the device's list. */
static int choose(struct device *device, const struct conv_problem *problem, void *x, void *weights,
                  void *y, struct conv_plan **plan, struct error *err)
{
    struct contest *c = calloc(1, sizeof *c);
    if (!c)
        return error_set(err, ENOMEM, "out of memory");
    *c = (struct contest){device, problem, x, weights, y, .runs = 1};
    int e = cuda_wait(device, err);
    if (!e)
        e = enter_all(c, err);
    if (!e)
        e = take_turns(c, err);
    if (!e)
        e = keep_fastest(c, plan, err);
    for (size_t i = 0; i < c->count; i++) {
        cudaGraphExecDestroy(c->contenders[i].exec);
        conv_plan_free(c->contenders[i].plan);
    }
    free(c);
    return e;
}

int cuda_engine_plan(struct device *device, const struct conv_problem *problem, void *x,
                     void *weights, void *y, struct conv_plan **plan, struct error *err)
{
    char name[CONV_NAME_SIZE];
    const struct engine *e = device->engines;
    conv_problem_name(problem, name, sizeof name);
    while (e && strcmp(e->convolution, name) != 0)
        e = e->next;
    if (!e && device->times_engines)
        return choose(device, problem, x, weights, y, plan, err);
    if (!e)
        return conv_plan_build(&device->cudnn, &device->target, problem, plan, err);
    int code =
        conv_plan_build_listed(&device->cudnn, &device->target, problem, &e->place, plan, err);
    if (code == -ENOENT)
        error_prefix(err,
                     "the listed engines are of another cuDNN or GPU; run choose_engines again");
    return code;
}
