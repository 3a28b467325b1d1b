/* Devices of the cudart double. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"
#include "tests/double/internal.h"

enum { DEVICES = 16 };
#define DEFAULT_DEVICES "NVIDIA H200:90:132:139"

static struct device_text {
    char name[64];
    int capability, multiprocessors;
    double gib;
    int index; /* before CUDA_VISIBLE_DEVICES */
} devices[DEVICES];
static int device_count = -1; /* -1: the environment hasn't been read */
static int driver;            /* 0: none */
static size_t memory;         /* of double_set_memory; 0: as the device's text says */
static _Thread_local int current;

static int all_devices(struct device_text *all)
{
    const char *text = getenv("FERDAG_DOUBLE_DEVICES");
    int n = 0;
    for (text = text ? text : DEFAULT_DEVICES; *text && n < DEVICES; n++) {
        struct device_text *d = &all[n];
        int length = 0;
        d->index = n;
        if (sscanf(text, "%63[^:]:%d:%d:%lf%n", d->name, &d->capability, &d->multiprocessors,
                   &d->gib, &length) != 4) {
            fprintf(stderr, "double of cudart: can't read FERDAG_DOUBLE_DEVICES at '%s'\n", text);
            abort();
        }
        text += length + (text[length] == ';');
    }
    return n;
}

/* Devices after CUDA_VISIBLE_DEVICES, which ends at its first invalid number. */
static void read_devices(void)
{
    struct device_text all[DEVICES];
    const char *visible = getenv("CUDA_VISIBLE_DEVICES"), *version = getenv("FERDAG_DOUBLE_DRIVER");
    int n = all_devices(all);
    driver = !version ? CUDART_VERSION : strcmp(version, "none") == 0 ? 0 : atoi(version);
    if (!visible) {
        memcpy(devices, all, sizeof all);
        device_count = n;
        return;
    }
    for (device_count = 0; device_count < DEVICES;) {
        char *end;
        long i = strtol(visible, &end, 10);
        if (end == visible || i < 0 || i >= n)
            return;
        devices[device_count++] = all[i];
        if (*end != ',')
            return;
        visible = end + 1;
    }
}

void double_devices_reset(void)
{
    device_count = -1;
    memory = 0;
    current = 0;
}

/* Drivers of the runtime's major version or later can be used. */
cudaError_t double_device_check(void)
{
    double_lock();
    if (device_count < 0)
        read_devices();
    double_unlock();
    if (driver / 1000 < CUDART_VERSION / 1000)
        return double_error(cudaErrorInsufficientDriver);
    return double_error(device_count ? cudaSuccess : cudaErrorNoDevice);
}

size_t double_device_memory(void)
{
    if (memory)
        return memory;
    return (size_t)(devices[current].gib * 1024 * 1024 * 1024);
}

void double_set_memory(size_t bytes)
{
    memory = bytes;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    cudaError_t error = double_begin(__func__);
    if (error)
        return error;
    double_device_check();
    cudaGetLastError();
    *version = driver;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    cudaError_t error = double_begin(__func__);
    if (!error)
        *version = CUDART_VERSION;
    return error;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    cudaError_t error = double_begin(__func__);
    *count = 0;
    if (error || (error = double_device_check()))
        return error;
    *count = device_count;
    return cudaSuccess;
}

static cudaError_t begin_with_device(const char *function, int device)
{
    cudaError_t error = double_begin(function);
    if (error || (error = double_device_check()))
        return error;
    return double_error(device < 0 || device >= device_count ? cudaErrorInvalidDevice
                                                             : cudaSuccess);
}

/* Fields that any program may read. Reserved fields are 0. */
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    cudaError_t error = begin_with_device("cudaGetDeviceProperties", device);
    if (error)
        return error;
    const struct device_text *d = &devices[device];
    memset(properties, 0, sizeof *properties);
    snprintf(properties->name, sizeof properties->name, "%s", d->name);
    properties->uuid.bytes[15] = (char)d->index;
    properties->totalGlobalMem = memory ? memory : (size_t)(d->gib * 1024 * 1024 * 1024);
    properties->sharedMemPerBlock = 48 << 10;
    properties->sharedMemPerMultiprocessor = 228 << 10;
    properties->regsPerBlock = 65536;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->major = d->capability / 10;
    properties->minor = d->capability % 10;
    properties->multiProcessorCount = d->multiprocessors;
    properties->pciBusID = d->index + 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    cudaError_t error = begin_with_device(__func__, device);
    if (error)
        return error;
    const struct device_text *d = &devices[device];
    switch ((int)attribute) {
    case cudaDevAttrMultiProcessorCount:
        *value = d->multiprocessors;
        break;
    case cudaDevAttrComputeCapabilityMajor:
        *value = d->capability / 10;
        break;
    case cudaDevAttrComputeCapabilityMinor:
        *value = d->capability % 10;
        break;
    case cudaDevAttrMaxThreadsPerBlock:
        *value = 1024;
        break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = 48 << 10;
        break;
    case cudaDevAttrWarpSize:
        *value = 32;
        break;
    default:
        fprintf(stderr, "double of cudart: attribute %d isn't implemented\n", (int)attribute);
        return double_error(cudaErrorInvalidValue);
    }
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    cudaError_t error = begin_with_device(__func__, device);
    if (!error)
        current = device;
    return error;
}

cudaError_t cudaGetDevice(int *device)
{
    cudaError_t error = begin_with_device(__func__, 0);
    if (!error)
        *device = current;
    return error;
}
