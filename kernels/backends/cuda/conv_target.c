/* Devices for which plans are built. See conv_plan.h. */
#include "kernels/backends/cuda/conv_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 2048 };

/* Creates the properties from one attribute. */
static int make_target(const struct cudnn *cudnn, struct conv_target *target,
                       cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                       int64_t count, const void *values, struct error *err)
{
    target->properties = NULL;
    cudnnStatus_t status =
        cudnn->BackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &target->properties);
    if (!status)
        status = cudnn->BackendSetAttribute(target->properties, name, type, count, values);
    if (!status)
        status = cudnn->BackendFinalize(target->properties);
    int code = status ? cudnn_failed(cudnn, status, "properties of the GPU", err) : 0;
    if (code)
        conv_target_free(cudnn, target);
    return code;
}

int conv_target_current(const struct cudnn *cudnn, struct conv_target *target, struct error *err)
{
    int device = 0;
    target->properties = NULL;
    cudaError_t status = cudaGetDevice(&device);
    if (status != cudaSuccess)
        return error_set(err, ENODEV, "no CUDA device: %s", cudaGetErrorString(status));
    int32_t id = device;
    return make_target(cudnn, target, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1, &id,
                       err);
}

int conv_target_json(const struct cudnn *cudnn, const char *json, struct conv_target *target,
                     struct error *err)
{
    return make_target(cudnn, target, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                       (int64_t)strlen(json), json, err);
}

void conv_target_free(const struct cudnn *cudnn, struct conv_target *target)
{
    if (target->properties)
        cudnn->BackendDestroyDescriptor(target->properties);
    target->properties = NULL;
}

int conv_target_text(const struct cudnn *cudnn, const struct conv_target *target, char *text,
                     size_t size, struct error *err)
{
    int64_t length = 0;
    cudnnStatus_t status =
        cudnn->BackendGetAttribute(target->properties, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                   CUDNN_TYPE_CHAR, 0, &length, NULL);
    if (!status && (length < 0 || (size_t)length >= size))
        return error_set(err, ENOSPC, "the GPU's properties have %lld bytes", (long long)length);
    if (!status)
        status = cudnn->BackendGetAttribute(target->properties,
                                            CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                            CUDNN_TYPE_CHAR, length, &length, text);
    if (status)
        return cudnn_failed(cudnn, status, "properties of the GPU", err);
    text[length] = 0;
    return 0;
}

void conv_target_name(const struct cudnn *cudnn, const struct conv_target *target, char *text,
                      size_t size)
{
    char json[TEXT_SIZE];
    snprintf(text, size, "this GPU");
    if (conv_target_text(cudnn, target, json, sizeof json, NULL))
        return;
    char name[64] = "a GPU";
    const char *field = strstr(json, "\"deviceName\"");
    if (field)
        sscanf(field, "\"deviceName\" : \"%63[^\"]", name);
    field = strstr(json, "\"deviceVer\"");
    unsigned version = 0;
    if (field)
        sscanf(field, "\"deviceVer\" : %u", &version);
    snprintf(text, size, "%s (sm_%u)", name, version / 10);
}
