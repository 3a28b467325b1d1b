/* A double of cuDNN's graph API: descriptors, heuristics, plans and their execution, for
 * convolutions. It is built as a shared library, which ferdag opens by FERDAG_CUDNN; it uses the
 * cudart double and the `ref` backend of the program that opens it.
 *
 * Stricter than cuDNN: an attribute has the one type and count that ferdag needs; an engine that
 * ferdag must not use can't be executed; the workspace is filled with NaNs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"
#include "tests/double/cudnn_double.h"

/* ---- attributes ---- */

#define OPERATION(kind, x, w, y)                                                                   \
    {kind##_CONV_DESC, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},                                 \
        {x, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},                                            \
        {w, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},                                            \
        {y, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},                                            \
        {kind##_ALPHA, CUDNN_TYPE_FLOAT, 1, 1, true},                                              \
    {                                                                                              \
        kind##_BETA, CUDNN_TYPE_FLOAT, 1, 1, true                                                  \
    }

/* Attributes that can be set. Names are numbers; those of a descriptor type lie in a range. */
static const struct known {
    cudnnBackendAttributeName_t name;
    cudnnBackendAttributeType_t type;
    int64_t least, most;
    bool required;
} known[] = {
    {CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1, true},
    {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, 1, true},
    {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, 2, true},
    {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, 2, true},
    {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, 2, true},
    {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, 2, true},
    {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, 1, true},
    {CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, 1, true},
    {CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},
    {CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},
    {CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},
    {CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},
    OPERATION(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y),
    OPERATION(
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY),
    OPERATION(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY),
    {CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, 1, true},
    {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, 1, true},
    {CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, 1, true},
    {CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, DIMS, DIMS, true},
    {CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, DIMS, DIMS, true},
    {CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, 1, true},
    {CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, 1, false},
    {CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, OPERANDS, OPERANDS, true},
    {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, OPERANDS, OPERANDS, true},
    {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1, 1, true},
    {CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1, 1, false},
    {CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, 1, 100000, false},
};

/* Ranges of the names of each type of descriptor. */
static const struct range_of {
    cudnnBackendDescriptorType_t type;
    int first, last;
} ranges[] = {
    {CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, 100, 106},
    {CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, 200, 204},
    {CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, 300, 304},
    {CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, 400, 407},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, 700, 705},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, 706, 711},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, 712, 717},
    {CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, 800, 804},
    {CUDNN_BACKEND_TENSOR_DESCRIPTOR, 900, 913},
    {CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, 1000, 1003},
    {CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1300, 1308},
    {CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, 2700, 2702},
};

static const struct range_of *range_of(cudnnBackendDescriptorType_t type)
{
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (ranges[i].type == type)
            return &ranges[i];
    return NULL;
}

static size_t value_size(cudnnBackendAttributeType_t type)
{
    switch ((int)type) {
    case CUDNN_TYPE_CHAR:
        return 1;
    case CUDNN_TYPE_BOOLEAN:
        return sizeof(bool);
    case CUDNN_TYPE_INT64:
        return sizeof(int64_t);
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return sizeof(void *);
    default:
        return sizeof(int); /* enums, int32, float */
    }
}

const struct attribute *double_find(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
    for (size_t i = 0; i < d->attribute_count; i++)
        if (d->attributes[i].name == name)
            return &d->attributes[i];
    return NULL;
}

/* The first value of an attribute that is an int64 or an enum. */
static int64_t number(const struct descriptor *d, cudnnBackendAttributeName_t name)
{
    const struct attribute *a = double_find(d, name);
    if (a->type == CUDNN_TYPE_INT64)
        return *(const int64_t *)a->values;
    return *(const int *)a->values;
}

static struct descriptor *link_of(const struct descriptor *d, int name)
{
    return *(struct descriptor *const *)double_find(d, (cudnnBackendAttributeName_t)name)->values;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *descriptor)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    *descriptor = NULL;
    if (status)
        return status;
    if (!range_of(type))
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED, "descriptor type %d", (int)type);
    struct descriptor *d = calloc(1, sizeof *d);
    if (!d)
        return double_failed_cudnn(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
                                   "out of memory");
    d->type = type;
    double_count()->descriptors++;
    *descriptor = d;
    return CUDNN_STATUS_SUCCESS;
}

/* The descriptor counts as destroyed also if the call fails. */
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    struct descriptor *d = descriptor;
    if (!d)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no descriptor");
    for (size_t i = 0; i < d->attribute_count; i++)
        free(d->attributes[i].values);
    free(d);
    double_count()->descriptors--;
    return status;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void *values)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    struct descriptor *d = descriptor;
    if (status)
        return status;
    if (!d || !values)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no descriptor or values");
    const struct range_of *range = range_of(d->type);
    const struct known *k = known, *end = known + sizeof known / sizeof *known;
    while (k < end && k->name != name)
        k++;
    if (k == end || (int)name < range->first || (int)name > range->last)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM,
                                   "descriptor type %d has no attribute %d to set", (int)d->type,
                                   (int)name);
    if (d->finalized)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "attribute %d of a finalized descriptor",
                                   (int)name);
    if (type != k->type)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "type of attribute %d",
                                   (int)name);
    if (count < k->least || count > k->most)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "count of attribute %d", (int)name);
    struct attribute *a = (struct attribute *)(uintptr_t)double_find(d, name);
    if (!a)
        a = &d->attributes[d->attribute_count++];
    free(a->values);
    size_t size = (size_t)count * value_size(type);
    *a = (struct attribute){name, type, count, malloc(size + 1)};
    if (!a->values)
        return double_failed_cudnn(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED,
                                   "out of memory");
    memcpy(a->values, values, size);
    ((char *)a->values)[size] = '\0';
    return CUDNN_STATUS_SUCCESS;
}

/* ---- finalize ---- */

static cudnnStatus_t finalize_tensor(struct descriptor *d)
{
    struct tensor_values *t = &d->tensor;
    const struct attribute *virtual = double_find(d, CUDNN_ATTR_TENSOR_IS_VIRTUAL);
    t->type = (cudnnDataType_t)number(d, CUDNN_ATTR_TENSOR_DATA_TYPE);
    t->id = number(d, CUDNN_ATTR_TENSOR_UNIQUE_ID);
    t->alignment = number(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
    memcpy(t->dims, double_find(d, CUDNN_ATTR_TENSOR_DIMENSIONS)->values, sizeof t->dims);
    memcpy(t->strides, double_find(d, CUDNN_ATTR_TENSOR_STRIDES)->values, sizeof t->strides);
    if (t->type != CUDNN_DATA_FLOAT && t->type != CUDNN_DATA_BFLOAT16)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "data type of a tensor");
    if (virtual && *(bool *)virtual->values)
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED, "a virtual tensor");
    if (t->alignment < 2 || (t->alignment & (t->alignment - 1)))
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "alignment of a tensor");
    for (int i = 0; i < DIMS; i++)
        if (t->dims[i] < 1 || t->strides[i] < 1)
            return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "dimension or stride below 1");
    /* NHWC: channels are adjacent, and no two values have the same address. */
    if (t->strides[1] != 1 || t->strides[3] < t->dims[1] ||
        t->strides[2] < t->dims[3] * t->strides[3] || t->strides[0] < t->dims[2] * t->strides[2])
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED_LAYOUT, "strides that aren't NHWC");
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_convolution(struct descriptor *d)
{
    const int64_t *strides = double_find(d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)->values;
    const int64_t *before = double_find(d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)->values;
    const int64_t *after = double_find(d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS)->values;
    const int64_t *dilations = double_find(d, CUDNN_ATTR_CONVOLUTION_DILATIONS)->values;
    if (number(d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT)
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE,
                                   "sums that aren't float32");
    if (number(d, CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION)
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED,
                                   "a convolution with a mirrored kernel");
    if (number(d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) != 2 || dilations[0] != 1 ||
        dilations[1] != 1 || strides[0] < 1 || strides[0] != strides[1] || before[0] < 0 ||
        before[0] != before[1] || before[0] != after[0] || before[0] != after[1])
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "sizes of a convolution");
    d->convolution.stride = strides[0];
    d->convolution.pad = before[0];
    return CUDNN_STATUS_SUCCESS;
}

/* Operands by direction, in the order of enum operand. */
static cudnnStatus_t finalize_operation(struct descriptor *d, enum direction direction)
{
    static const struct {
        int convolution, alpha, beta, operands[OPERANDS];
    } names[] = {
        [FORWARD] = {702, 700, 701, {704, 703, 705}},
        [INPUT_GRADIENT] = {708, 706, 707, {710, 709, 711}},
        [WEIGHT_GRADIENT] = {714, 712, 713, {716, 715, 717}},
    };
    const struct descriptor *convolution = link_of(d, names[direction].convolution);
    float alpha =
        *(float *)double_find(d, (cudnnBackendAttributeName_t)names[direction].alpha)->values;
    float beta =
        *(float *)double_find(d, (cudnnBackendAttributeName_t)names[direction].beta)->values;
    if (convolution->type != CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "not a convolution");
    d->convolution = convolution->convolution;
    d->convolution.direction = direction;
    for (int i = 0; i < OPERANDS; i++) {
        const struct descriptor *tensor = link_of(d, names[direction].operands[i]);
        if (tensor->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR)
            return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE, "not a tensor");
        d->convolution.tensors[i] = tensor->tensor;
    }
    if (alpha != 1 || beta != 0)
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED, "alpha or beta of a convolution");
    const char *wrong = double_check_convolution(&d->convolution);
    return wrong ? double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "%s", wrong)
                 : CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_heuristics(struct descriptor *d)
{
    const struct descriptor *graph = link_of(d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    int64_t mode = number(d, CUDNN_ATTR_ENGINEHEUR_MODE);
    if (mode != CUDNN_HEUR_MODE_A && mode != CUDNN_HEUR_MODE_FALLBACK)
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED, "mode of heuristics");
    d->convolution = graph->convolution;
    d->engine_count =
        double_engines(&d->convolution, mode == CUDNN_HEUR_MODE_FALLBACK, d->engines, ENGINES);
    return d->engine_count
               ? CUDNN_STATUS_SUCCESS
               : double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED, "no engine for a graph");
}

static cudnnStatus_t finalize_plan(struct descriptor *d)
{
    const struct descriptor *config = link_of(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    if (config->type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE,
                                   "not an engine's configuration");
    if (double_capturing()) /* it would load kernels */
        return double_failed_cudnn(CUDNN_STATUS_INTERNAL_ERROR,
                                   "a plan is made while a stream is captured");
    d->convolution = config->convolution;
    d->engines[0] = config->engines[0];
    return d->engines[0].refused ? double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED,
                                                       "the engine doesn't support the shape")
                                 : CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize_device(struct descriptor *d)
{
    const struct attribute *id = double_find(d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID);
    const struct attribute *json = double_find(d, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION);
    struct cudaDeviceProp p;
    if (!id == !json)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "a device needs an id or a text");
    if (json) {
        snprintf(d->json, sizeof d->json, "%s", (const char *)json->values);
        return CUDNN_STATUS_SUCCESS;
    }
    if (cudaGetDeviceProperties(&p, *(const int *)id->values) != cudaSuccess)
        return double_failed_cudnn(CUDNN_STATUS_EXECUTION_FAILED_CUDART,
                                   "no properties of the device");
    snprintf(d->json, sizeof d->json,
             "{\"deviceName\" : \"%s\",\"deviceVer\" : %d,\"multiProcessorCount\" : %d,"
             "\"totalGlobalMem\" : %zu}",
             p.name, 100 * p.major + 10 * p.minor, p.multiProcessorCount, p.totalGlobalMem);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t finalize(struct descriptor *d)
{
    switch ((int)d->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return finalize_tensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
        return finalize_convolution(d);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        return finalize_operation(d, FORWARD);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return finalize_operation(d, INPUT_GRADIENT);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return finalize_operation(d, WEIGHT_GRADIENT);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        d->convolution = link_of(d, CUDNN_ATTR_OPERATIONGRAPH_OPS)->convolution;
        return CUDNN_STATUS_SUCCESS;
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        return finalize_heuristics(d);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        return finalize_plan(d);
    case CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR:
        return finalize_device(d);
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
        return CUDNN_STATUS_SUCCESS;
    default:
        return double_failed_cudnn(CUDNN_STATUS_NOT_SUPPORTED, "finalize of type %d", (int)d->type);
    }
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    struct descriptor *d = descriptor;
    if (status)
        return status;
    if (!d)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no descriptor");
    if (d->finalized)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "a descriptor is finalized twice");
    const struct range_of *range = range_of(d->type);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool own = (int)known[i].name >= range->first && (int)known[i].name <= range->last;
        const struct attribute *a = own ? double_find(d, known[i].name) : NULL;
        if (own && known[i].required && !a)
            return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "attribute %d isn't set",
                                       (int)known[i].name);
        if (a && a->type == CUDNN_TYPE_BACKEND_DESCRIPTOR &&
            (!link_of(d, (int)a->name) || !link_of(d, (int)a->name)->finalized))
            return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                                       "attribute %d is a descriptor that isn't finalized",
                                       (int)a->name);
    }
    status = finalize(d);
    d->finalized = status == CUDNN_STATUS_SUCCESS;
    return status;
}

/* ---- what can be read ---- */

/* Copies values to the caller, at most `asked`; *count is the number that there is. */
static cudnnStatus_t give(const void *values, int64_t n, size_t size, int64_t asked, int64_t *count,
                          void *out)
{
    if (count)
        *count = n;
    if (out)
        memcpy(out, values, (size_t)(n < asked ? n : asked) * size);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t give_notes(const struct engine *e, int64_t asked, int64_t *count, void *out)
{
    cudnnBackendNumericalNote_t notes[3];
    int64_t n = 0;
    if (e->tensor_cores)
        notes[n++] = CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    if (e->down_converts)
        notes[n++] = CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
    if (!e->deterministic)
        notes[n++] = CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    return give(notes, n, sizeof *notes, asked, count, out);
}

/* Fills configurations, or an engine, that the caller has created. */
static cudnnStatus_t give_engines(const struct descriptor *d, int64_t asked, int64_t *count,
                                  void *out)
{
    struct descriptor **made = out;
    for (int64_t i = 0; made && i < asked && i < (int64_t)d->engine_count; i++) {
        if (!made[i])
            return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER,
                                       "no descriptor to fill");
        made[i]->convolution = d->convolution;
        made[i]->engines[0] = d->engines[i];
        made[i]->engine_count = 1;
        made[i]->finalized = true;
    }
    return give(NULL, (int64_t)d->engine_count, 0, 0, count, NULL);
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const descriptor,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t asked,
                                       int64_t *count, void *out)
{
    cudnnStatus_t status = double_begin_cudnn(__func__);
    const struct descriptor *d = descriptor;
    if (status)
        return status;
    if (!d)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no descriptor");
    if (!d->finalized)
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "attribute %d", (int)name);
    const cudnnBackendBehaviorNote_t compiled = CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION;
    const struct engine *e = &d->engines[0];
    switch (100 * (int)name + (int)type) {
    case 100 * CUDNN_ATTR_ENGINEHEUR_RESULTS + CUDNN_TYPE_BACKEND_DESCRIPTOR:
    case 100 * CUDNN_ATTR_ENGINECFG_ENGINE + CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return give_engines(d, asked, count, out);
    case 100 * CUDNN_ATTR_ENGINE_GLOBAL_INDEX + CUDNN_TYPE_INT64:
        return give(&e->id, 1, sizeof e->id, asked, count, out);
    case 100 * CUDNN_ATTR_ENGINE_NUMERICAL_NOTE + CUDNN_TYPE_NUMERICAL_NOTE:
        return give_notes(e, asked, count, out);
    case 100 * CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE + CUDNN_TYPE_BEHAVIOR_NOTE:
        return give(&compiled, e->compiled, sizeof compiled, asked, count, out);
    case 100 * CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE + CUDNN_TYPE_INT64:
        return give(&e->workspace, 1, sizeof e->workspace, asked, count, out);
    case 100 * CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION + CUDNN_TYPE_CHAR:
        return give(d->json, (int64_t)strlen(d->json), 1, asked, count, out);
    default:
        return double_failed_cudnn(CUDNN_STATUS_BAD_PARAM, "attribute %d can't be read", (int)name);
    }
}
