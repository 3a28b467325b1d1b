/* Failures of the cudart double: the n-th call of a function returns an error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"
#include "tests/double/internal.h"

enum { RULES = 16 };

static struct rule {
    char function[64]; /* "*": all */
    size_t left;       /* calls until it fails; 0: it has failed, or the entry is free */
    int error;
} rules[RULES];

static cudaError_t sticky;
static bool read_environment;
static char failed[64];
static struct double_counts counts;
static _Thread_local cudaError_t last_error;
static pthread_mutex_t mutex;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void create_mutex(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void double_lock(void)
{
    pthread_once(&once, create_mutex);
    pthread_mutex_lock(&mutex);
}

void double_unlock(void)
{
    pthread_mutex_unlock(&mutex);
}

/* After these errors a context is lost: all later calls return them. */
static bool is_sticky(cudaError_t error)
{
    static const cudaError_t list[] = {
        cudaErrorECCUncorrectable,   cudaErrorIllegalAddress,
        cudaErrorLaunchTimeout,      cudaErrorLaunchFailure,
        cudaErrorHardwareStackError, cudaErrorIllegalInstruction,
        cudaErrorMisalignedAddress,  cudaErrorInvalidAddressSpace,
        cudaErrorInvalidPc,          cudaErrorAssert,
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i] == error)
            return true;
    return false;
}

static void add_rule(const char *function, size_t n, int error)
{
    for (size_t i = 0; i < RULES; i++)
        if (rules[i].left == 0) {
            snprintf(rules[i].function, sizeof rules[i].function, "%s", function);
            rules[i].left = n;
            rules[i].error = error;
            return;
        }
    fprintf(stderr, "double of cudart: too many failures\n");
    abort();
}

/* FERDAG_DOUBLE_FAIL="function:n:error;..." */
static void rules_from_environment(void)
{
    const char *text = getenv("FERDAG_DOUBLE_FAIL");
    read_environment = true;
    while (text && *text) {
        char function[64];
        size_t n;
        int error, length = 0;
        if (sscanf(text, "%63[^:]:%zu:%d%n", function, &n, &error, &length) != 3 || !n) {
            fprintf(stderr, "double of cudart: can't read FERDAG_DOUBLE_FAIL at '%s'\n", text);
            abort();
        }
        add_rule(function, n, error);
        text += length + (text[length] == ';');
    }
}

int double_call(const char *function, int internal)
{
    int error = 0;
    double_lock();
    if (!read_environment)
        rules_from_environment();
    counts.calls++;
    for (size_t i = 0; i < RULES; i++) {
        bool all = strcmp(rules[i].function, "*") == 0;
        if (!rules[i].left || (!all && strcmp(rules[i].function, function) != 0))
            continue;
        if (--rules[i].left == 0) {
            error = all && internal ? internal : rules[i].error;
            snprintf(failed, sizeof failed, "%s", function);
            if (!internal && is_sticky((cudaError_t)error))
                sticky = (cudaError_t)error;
        }
    }
    if (!error && sticky)
        error = internal ? internal : (int)sticky;
    double_unlock();
    return error;
}

void double_fail(const char *function, size_t n, int error)
{
    double_lock();
    if (!read_environment)
        rules_from_environment();
    *failed = '\0';
    if (n)
        add_rule(function ? function : "*", n, error);
    else
        memset(rules, 0, sizeof rules);
    double_unlock();
}

bool double_failed(const char **function)
{
    if (function)
        *function = *failed ? failed : NULL;
    return *failed != '\0';
}

cudaError_t double_error(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

cudaError_t double_begin(const char *function)
{
    return double_error((cudaError_t)double_call(function, 0));
}

struct double_counts *double_count(void)
{
    return &counts;
}

struct double_counts double_counts(void)
{
    return counts;
}

size_t double_leaks(bool print)
{
    const struct {
        const char *what;
        size_t n;
    } kinds[] = {{"blocks of device memory", counts.blocks},
                 {"blocks of pinned memory", counts.pinned},
                 {"streams", counts.streams},
                 {"events", counts.events},
                 {"graphs", counts.graphs},
                 {"executable graphs", counts.execs},
                 {"handles of libraries", counts.handles},
                 {"descriptors of cuDNN", counts.descriptors}};
    size_t total = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        total += kinds[i].n;
        if (print && kinds[i].n)
            fprintf(stderr, "double of cudart: %zu %s not freed\n", kinds[i].n, kinds[i].what);
    }
    return total;
}

void double_failures_reset(void)
{
    memset(rules, 0, sizeof rules);
    counts = (struct double_counts){0};
    sticky = last_error = cudaSuccess;
    *failed = '\0';
    read_environment = false;
}

void double_reset(void)
{
    double_lock();
    double_streams_reset();
    double_memory_reset();
    double_devices_reset();
    double_failures_reset();
    double_unlock();
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = sticky ? sticky : last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return sticky ? sticky : last_error;
}

static const struct {
    cudaError_t error;
    const char *name, *text;
} texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorStubLibrary, "cudaErrorStubLibrary", "CUDA driver is a stub library"},
    {cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources",
     "too many resources requested for launch"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable",
     "CUDA-capable device(s) is/are busy or unavailable"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream as it began"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const char *cudaGetErrorName(cudaError_t error)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error)
            return texts[i].name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].error == error)
            return texts[i].text;
    return "unrecognized error code";
}
