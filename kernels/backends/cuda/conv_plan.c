/* See conv_plan.h. A plan is made in three steps: a graph of one operation; the engines that cuDNN
 * proposes for it (struct choice); the first of them that fits and that cuDNN accepts. */
#include "kernels/backends/cuda/conv_plan_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef cudnnBackendDescriptor_t descriptor;

enum {
    MOST_PARTS = 8, /* more groups aren't split: each part is one launch or more */
    MOST_NOTES = 32,
    NAME_SIZE = CONV_NAME_SIZE
};

/* An engine that cuDNN proposes. */
struct candidate {
    descriptor config;
    struct conv_engine engine;
    bool low_precision_sums;
    bool refused; /* by cuDNN, when a plan was made of it */
};

/* A list of cuDNN's heuristics. */
struct list {
    bool asked;
    struct candidate *candidates;
    size_t count;
};

static const cudnnBackendHeurMode_t list_modes[] = {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK};
enum { LISTS = sizeof list_modes / sizeof *list_modes };

/* Which of the engines that fit is wanted: the first; the first behind an engine; that engine. */
enum wanted { FIRST, NEXT, LISTED };

/* A graph and the engines for it, while a plan is being made. `code` is the first error: after one,
 * the functions below do nothing. */
struct choice {
    const struct cudnn *cudnn;
    const struct conv_target *target;
    struct conv_plan *plan;
    descriptor graph;
    struct list lists[LISTS];
    char refusal[NAME_SIZE]; /* why cuDNN refused the last engine, or "" */
    enum wanted wanted;
    const struct conv_engine *given; /* NEXT, LISTED */
    bool passed;                     /* NEXT: the given engine was met */
    int code;
    struct error *err;
};

/* What an engine has to have. */
enum demand { TENSOR_CORES, TENSOR_CORES_COMPILED, ANY, ANY_COMPILED, DEMANDS };

/* ---- texts ---- */

static size_t out_size(const struct conv_spec *spec, size_t size)
{
    return (size + 2 * spec->pad - spec->kernel) / spec->stride + 1;
}

void conv_problem_name(const struct conv_problem *problem, char *text, size_t size)
{
    static const char *const directions[CONV_DIRECTIONS] = {"forward", "gradient of the input",
                                                            "gradient of the weights"};
    const struct conv_spec *spec = &problem->spec;
    char groups[32] = "";
    if (spec->groups > 1)
        snprintf(groups, sizeof groups, ", %zu groups", spec->groups);
    snprintf(text, size,
             "convolution %zu -> %zu, %zux%zu, stride %zu, pad %zu%s, of %zu images of %zux%zu, "
             "%s, %s",
             spec->in, spec->out, spec->kernel, spec->kernel, spec->stride, spec->pad, groups,
             problem->n, spec->height, spec->width, directions[problem->direction],
             problem->type == VALUE_BF16 ? "bf16" : "fp32");
}

/* ---- descriptors ---- */

/* Records the first error. */
static void check(struct choice *choice, cudnnStatus_t status)
{
    if (status == CUDNN_STATUS_SUCCESS || choice->code)
        return;
    char name[NAME_SIZE];
    conv_problem_name(&choice->plan->problem, name, sizeof name);
    choice->code = cudnn_failed(choice->cudnn, status, name, choice->err);
}

static descriptor create(struct choice *choice, cudnnBackendDescriptorType_t type)
{
    descriptor made = NULL;
    if (!choice->code)
        check(choice, choice->cudnn->BackendCreateDescriptor(type, &made));
    return choice->code ? NULL : made;
}

/* Creates a descriptor that lives as long as the plan. */
static descriptor create_kept(struct choice *choice, cudnnBackendDescriptorType_t type)
{
    struct conv_plan *plan = choice->plan;
    if (!choice->code && plan->kept_count == MOST_DESCRIPTORS)
        choice->code = error_set(choice->err, EOVERFLOW, "too many descriptors in a plan");
    descriptor made = create(choice, type);
    if (made)
        plan->kept[plan->kept_count++] = made;
    return made;
}

static void destroy(const struct cudnn *cudnn, descriptor *gone)
{
    if (*gone)
        cudnn->BackendDestroyDescriptor(*gone);
    *gone = NULL;
}

static void set(struct choice *choice, descriptor of, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (!choice->code)
        check(choice, choice->cudnn->BackendSetAttribute(of, name, type, count, values));
}

static void set_descriptor(struct choice *choice, descriptor of, cudnnBackendAttributeName_t name,
                           descriptor value)
{
    set(choice, of, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value);
}

static void finalize(struct choice *choice, descriptor made)
{
    if (!choice->code)
        check(choice, choice->cudnn->BackendFinalize(made));
}

/* Returns how many values cuDNN wrote to `values`. */
static int64_t get(struct choice *choice, descriptor of, cudnnBackendAttributeName_t name,
                   cudnnBackendAttributeType_t type, int64_t count, void *values)
{
    int64_t written = 0;
    if (!choice->code)
        check(choice, choice->cudnn->BackendGetAttribute(of, name, type, count, &written, values));
    return choice->code ? 0 : written;
}

/* ---- the graph ---- */

/* A tensor in NHWC order whose pixels are `pitch` values apart. */
static descriptor make_tensor(struct choice *choice, int64_t id, const int64_t dims[4],
                              int64_t pitch, int64_t alignment)
{
    /* n, c, h, w */
    const int64_t strides[4] = {dims[2] * dims[3] * pitch, 1, dims[3] * pitch, pitch};
    cudnnDataType_t type =
        choice->plan->problem.type == VALUE_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
    descriptor made = create_kept(choice, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set(choice, made, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(choice, made, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    set(choice, made, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    set(choice, made, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(choice, made, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    finalize(choice, made);
    return made;
}

static descriptor make_convolution(struct choice *choice)
{
    const struct conv_spec *spec = &choice->plan->problem.spec;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT; /* of the sums */
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t size = 2, stride = (int64_t)spec->stride, pad = (int64_t)spec->pad;
    const int64_t strides[2] = {stride, stride}, pads[2] = {pad, pad}, ones[2] = {1, 1};
    descriptor made = create_kept(choice, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    set(choice, made, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    set(choice, made, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(choice, made, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &size);
    set(choice, made, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, ones);
    set(choice, made, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, strides);
    set(choice, made, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    set(choice, made, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pads);
    finalize(choice, made);
    return made;
}

/* Descriptor and attributes of the operation of a direction. */
static const struct operation {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t convolution, alpha, beta, tensors[TENSORS];
} operations[CONV_DIRECTIONS] = {
    [CONV_FORWARD] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                      CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                      {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y}},
    [CONV_INPUT_GRADIENT] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                             {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY}},
    [CONV_WEIGHT_GRADIENT] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                              {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY}},
};

/* The largest power of two, at most ALIGNMENT, that divides the step between parts. */
static int64_t alignment_of(size_t step)
{
    int64_t alignment = ALIGNMENT;
    while (step % (size_t)alignment)
        alignment /= 2;
    return alignment;
}

/* Makes the graph of one of `parts` parts of the convolution: the channels of some groups. The part
 * is a view of the whole tensors. */
static void make_graph(struct choice *choice, size_t parts)
{
    struct conv_plan *plan = choice->plan;
    const struct conv_problem *problem = &plan->problem;
    const struct conv_spec *spec = &problem->spec;
    const struct operation *operation = &operations[problem->direction];
    const size_t in = spec->in / parts, out = spec->out / parts, k = spec->kernel;
    const size_t group_in = spec->in / spec->groups, value = problem->type == VALUE_BF16 ? 2 : 4;
    const int64_t dims[TENSORS][4] = {
        [X] = {(int64_t)problem->n, (int64_t)in, (int64_t)spec->height, (int64_t)spec->width},
        [WEIGHTS] = {(int64_t)out, (int64_t)group_in, (int64_t)k, (int64_t)k},
        [Y] = {(int64_t)problem->n, (int64_t)out, (int64_t)out_size(spec, spec->height),
               (int64_t)out_size(spec, spec->width)},
    };
    const size_t pitches[TENSORS] = {spec->in, group_in, spec->out};
    plan->engine.parts = parts;
    plan->steps[X] = parts > 1 ? in * value : 0;
    plan->steps[WEIGHTS] = parts > 1 ? out * k * k * group_in * value : 0;
    plan->steps[Y] = parts > 1 ? out * value : 0;

    const float one = 1, zero = 0;
    descriptor convolution = make_convolution(choice), tensors[TENSORS];
    for (int i = 0; i < TENSORS; i++)
        tensors[i] = make_tensor(choice, tensor_ids[i], dims[i], (int64_t)pitches[i],
                                 alignment_of(plan->steps[i]));
    descriptor made = create_kept(choice, operation->type);
    set_descriptor(choice, made, operation->convolution, convolution);
    for (int i = 0; i < TENSORS; i++)
        set_descriptor(choice, made, operation->tensors[i], tensors[i]);
    set(choice, made, operation->alpha, CUDNN_TYPE_FLOAT, 1, &one);
    set(choice, made, operation->beta, CUDNN_TYPE_FLOAT, 1, &zero);
    finalize(choice, made);
    choice->graph = create_kept(choice, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set_descriptor(choice, choice->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, made);
    finalize(choice, choice->graph);
}

/* ---- engines ---- */

static void read_notes(struct choice *choice, descriptor engine, struct candidate *candidate)
{
    cudnnBackendNumericalNote_t numerical[MOST_NOTES];
    cudnnBackendBehaviorNote_t behavior[MOST_NOTES];
    int64_t count = get(choice, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                        MOST_NOTES, numerical);
    struct conv_engine *found = &candidate->engine;
    found->deterministic = true;
    for (int64_t i = 0; i < count && i < MOST_NOTES; i++) {
        found->deterministic &= numerical[i] != CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
        found->tensor_cores |= numerical[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
        found->down_converts |= numerical[i] == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
        found->transforms |= numerical[i] == CUDNN_NUMERICAL_NOTE_WINOGRAD ||
                             numerical[i] == CUDNN_NUMERICAL_NOTE_FFT;
        candidate->low_precision_sums |=
            numerical[i] == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION;
    }
    count = get(choice, engine, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, CUDNN_TYPE_BEHAVIOR_NOTE,
                MOST_NOTES, behavior);
    for (int64_t i = 0; i < count && i < MOST_NOTES; i++)
        found->compiled |= behavior[i] == CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
}

static void read_engine(struct choice *choice, struct candidate *candidate)
{
    descriptor engine = create(choice, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    get(choice, candidate->config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
        engine ? &engine : NULL);
    get(choice, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &candidate->engine.id);
    read_notes(choice, engine, candidate);
    destroy(choice->cudnn, &engine);
}

static void read_results(struct choice *choice, descriptor heuristics, struct list *list,
                         bool fallback)
{
    int64_t count = get(choice, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                        CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, NULL);
    if (choice->code || count <= 0)
        return;
    descriptor *configs = calloc((size_t)count, sizeof *configs);
    list->candidates = calloc((size_t)count, sizeof *list->candidates);
    if (!configs || !list->candidates) {
        choice->code = error_set(choice->err, ENOMEM, "out of memory");
        free(configs);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        configs[i] = create(choice, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    int64_t written = get(choice, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                          CUDNN_TYPE_BACKEND_DESCRIPTOR, count, configs);
    for (int64_t i = 0; i < count; i++) {
        struct candidate *candidate = &list->candidates[list->count++];
        candidate->config = configs[i];
        candidate->engine.fallback = fallback;
        candidate->engine.index = (size_t)i;
        if (i < written)
            read_engine(choice, candidate);
        else
            candidate->refused = true;
    }
    free(configs);
}

/* Asks for a list, unless that was done before. A list that cuDNN can't make is empty. */
static void ask(struct choice *choice, int index)
{
    struct list *list = &choice->lists[index];
    if (list->asked || choice->code)
        return;
    list->asked = true;
    descriptor heuristics = create(choice, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set_descriptor(choice, heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, choice->graph);
    set(choice, heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1,
        &list_modes[index]);
    set_descriptor(choice, heuristics, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP,
                   choice->target->properties);
    if (!choice->code) {
        cudnnStatus_t status = choice->cudnn->BackendFinalize(heuristics);
        if (status / 1000 * 1000 == CUDNN_STATUS_NOT_SUPPORTED)
            choice->cudnn->GetLastErrorString(choice->refusal, sizeof choice->refusal);
        else {
            check(choice, status);
            read_results(choice, heuristics, list, list_modes[index] == CUDNN_HEUR_MODE_FALLBACK);
        }
    }
    destroy(choice->cudnn, &heuristics);
}

static bool fits(const struct conv_problem *problem, const struct candidate *candidate,
                 enum demand demand)
{
    const struct conv_engine *engine = &candidate->engine;
    if (candidate->refused || !engine->deterministic || candidate->low_precision_sums)
        return false;
    if (problem->type == VALUE_F32 && (engine->tensor_cores || engine->down_converts))
        return false;
    bool cores = demand == TENSOR_CORES || demand == TENSOR_CORES_COMPILED;
    bool compiled = demand == TENSOR_CORES_COMPILED || demand == ANY_COMPILED;
    return (engine->tensor_cores || !cores) && (!engine->compiled || compiled);
}

/* Errors of the machine, not of an engine: another engine would give other results, because
 * something else went wrong. */
static bool is_failure(cudnnStatus_t status)
{
    int category = status / 1000 * 1000;
    return category == CUDNN_STATUS_NOT_INITIALIZED / 1000 * 1000 ||
           category == CUDNN_STATUS_EXECUTION_FAILED ||
           status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
           status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
}

/* Makes the plan of a candidate. Returns whether that worked. */
static bool try_candidate(struct choice *choice, struct candidate *candidate)
{
    struct conv_plan *plan = choice->plan;
    descriptor made = create(choice, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set_descriptor(choice, made, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, candidate->config);
    set_descriptor(choice, made, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, choice->target->properties);
    int64_t workspace = 0;
    if (!choice->code) {
        cudnnStatus_t status = choice->cudnn->BackendFinalize(made);
        if (is_failure(status))
            check(choice, status);
        else if (status != CUDNN_STATUS_SUCCESS) {
            choice->cudnn->GetLastErrorString(choice->refusal, sizeof choice->refusal);
            candidate->refused = true;
        } else
            get(choice, made, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                &workspace);
    }
    if (!choice->code && !candidate->refused && (size_t)workspace > CONV_PLAN_WORKSPACE) {
        snprintf(choice->refusal, sizeof choice->refusal, "workspace of %lld bytes",
                 (long long)workspace);
        candidate->refused = true;
    }
    if (choice->code || candidate->refused || plan->kept_count + 2 > MOST_DESCRIPTORS) {
        destroy(choice->cudnn, &made);
        return false;
    }
    size_t parts = plan->engine.parts;
    plan->engine = candidate->engine;
    plan->engine.workspace = (size_t)workspace;
    plan->engine.parts = parts;
    plan->kept[plan->kept_count++] = candidate->config;
    plan->kept[plan->kept_count++] = plan->plan = made;
    candidate->config = NULL;
    return true;
}

/* Whether a candidate that fits is the wanted one, or one of them. */
static bool is_wanted(struct choice *choice, const struct conv_engine *engine)
{
    const struct conv_engine *given = choice->given;
    bool same = given && given->fallback == engine->fallback && given->index == engine->index &&
                given->id == engine->id && given->parts == choice->plan->engine.parts;
    if (choice->wanted == NEXT && !choice->passed) {
        choice->passed = same;
        return false;
    }
    return choice->wanted != LISTED || same;
}

/* Sets the plan from the first candidate that fits and is wanted. Returns whether there is one. */
static bool choose(struct choice *choice, enum demand demand)
{
    if (choice->passed) /* by a stricter demand, which the engines behind it must meet too */
        return false;
    for (int i = 0; i < LISTS; i++) {
        ask(choice, i);
        struct list *list = &choice->lists[i];
        for (size_t j = 0; j < list->count && !choice->code; j++)
            if (fits(&choice->plan->problem, &list->candidates[j], demand) &&
                is_wanted(choice, &list->candidates[j].engine) &&
                try_candidate(choice, &list->candidates[j]))
                return true;
    }
    return false;
}

/* ---- plans ---- */

static void choice_close(struct choice *choice)
{
    for (int i = 0; i < LISTS; i++) {
        struct list *list = &choice->lists[i];
        for (size_t j = 0; j < list->count; j++)
            destroy(choice->cudnn, &list->candidates[j].config);
        free(list->candidates);
    }
}

/* Makes a graph for `parts` parts, without a plan. */
static int choice_open(struct choice *choice, const struct cudnn *cudnn,
                       const struct conv_target *target, const struct conv_problem *problem,
                       size_t parts, struct error *err)
{
    *choice = (struct choice){.cudnn = cudnn, .target = target, .err = err, .wanted = FIRST};
    choice->plan = calloc(1, sizeof *choice->plan);
    if (!choice->plan)
        return choice->code = error_set(err, ENOMEM, "out of memory");
    choice->plan->cudnn = cudnn;
    choice->plan->problem = *problem;
    make_graph(choice, parts);
    return choice->code;
}

/* No engine: replaces the error, if there is one, by a text with the remedy. */
static int none(struct choice *choice)
{
    const struct conv_problem *problem = &choice->plan->problem;
    const struct cudnn *cudnn = choice->cudnn;
    char name[NAME_SIZE], device[NAME_SIZE];
    conv_problem_name(problem, name, sizeof name);
    conv_target_name(cudnn, choice->target, device, sizeof device);
    choice->refusal[sizeof choice->refusal - 1] = 0;
    return error_set(
        choice->err, ENOTSUP,
        "cuDNN %zu.%zu.%zu has no deterministic engine on %s for %s%s%s%s: %s",
        cudnn->version / 10000, cudnn->version / 100 % 100, cudnn->version % 100, device, name,
        *choice->refusal ? " (" : "", choice->refusal, *choice->refusal ? ")" : "",
        problem->type == VALUE_BF16 ? "use a width that is a multiple of 8, or precision: fp32"
                                    : "use --backend cpu");
}

/* Tries a convolution by parts, one for each group. Returns whether `whole` got that plan. */
static bool choose_split(struct choice *whole)
{
    struct conv_plan *plan = whole->plan;
    size_t groups = plan->problem.spec.groups;
    if (whole->code || whole->passed || groups < 2 || groups > MOST_PARTS)
        return false;
    struct choice split;
    int code = choice_open(&split, plan->cudnn, whole->target, &plan->problem, groups, whole->err);
    split.wanted = whole->wanted;
    split.given = whole->given;
    bool found = !code && choose(&split, TENSOR_CORES);
    whole->passed = split.passed;
    if (found) {
        whole->plan = split.plan;
        split.plan = plan;
    } else if (split.code != -ENOTSUP)
        whole->code = split.code;
    choice_close(&split);
    conv_plan_free(split.plan);
    return found;
}

static int check_problem(const struct conv_problem *problem, struct error *err)
{
    const struct conv_spec *spec = &problem->spec;
    char name[NAME_SIZE];
    conv_problem_name(problem, name, sizeof name);
    if (!problem->n || !spec->in || !spec->out || !spec->kernel || !spec->stride || !spec->groups ||
        spec->in % spec->groups || spec->out % spec->groups ||
        spec->height + 2 * spec->pad < spec->kernel || spec->width + 2 * spec->pad < spec->kernel)
        return error_set(err, EINVAL, "%s: impossible sizes", name);
    return 0;
}

/* `given` isn't there, or doesn't fit. */
static int not_listed(struct choice *choice)
{
    char name[NAME_SIZE];
    conv_problem_name(&choice->plan->problem, name, sizeof name);
    return error_set(choice->err, ENOENT,
                     "%s: engine %lld isn't at place %zu of cuDNN's list, or can't be used", name,
                     (long long)choice->given->id, choice->given->index);
}

static int build(const struct cudnn *cudnn, const struct conv_target *target,
                 const struct conv_problem *problem, enum wanted wanted,
                 const struct conv_engine *given, struct conv_plan **plan, struct error *err)
{
    *plan = NULL;
    int code = check_problem(problem, err);
    if (code)
        return code;
    struct choice choice;
    bool found = false;
    code = choice_open(&choice, cudnn, target, problem, 1, err);
    choice.wanted = wanted;
    choice.given = given;
    if (!code && problem->type == VALUE_BF16)
        found = choose(&choice, TENSOR_CORES) || choose_split(&choice) ||
                choose(&choice, TENSOR_CORES_COMPILED);
    if (!code && !found)
        found = choose(&choice, ANY) || choose(&choice, ANY_COMPILED);
    code = choice.code;
    if (choice.plan && (code == -ENOTSUP || (!code && !found && wanted == FIRST)))
        code = none(&choice);
    else if (choice.plan && !code && !found && wanted == LISTED)
        code = not_listed(&choice);
    choice_close(&choice);
    if (code || !found)
        conv_plan_free(choice.plan);
    else
        *plan = choice.plan;
    return code;
}

int conv_plan_build(const struct cudnn *cudnn, const struct conv_target *target,
                    const struct conv_problem *problem, struct conv_plan **plan, struct error *err)
{
    return build(cudnn, target, problem, FIRST, NULL, plan, err);
}

int conv_plan_build_next(const struct cudnn *cudnn, const struct conv_target *target,
                         const struct conv_problem *problem, const struct conv_engine *engine,
                         struct conv_plan **plan, struct error *err)
{
    return build(cudnn, target, problem, NEXT, engine, plan, err);
}

int conv_plan_build_listed(const struct cudnn *cudnn, const struct conv_target *target,
                           const struct conv_problem *problem, const struct conv_engine *engine,
                           struct conv_plan **plan, struct error *err)
{
    return build(cudnn, target, problem, LISTED, engine, plan, err);
}

void conv_plan_free(struct conv_plan *plan)
{
    if (!plan)
        return;
    while (plan->kept_count)
        destroy(plan->cudnn, &plan->kept[--plan->kept_count]);
    free(plan);
}

struct conv_engine conv_plan_engine(const struct conv_plan *plan)
{
    return plan->engine;
}
