/* See devices.h. */
#include "kernels/backends/devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifdef FERDAG_CUDA

#include "kernels/backends/cuda/cudnn.h"
#include "kernels/cuda/devices.h"
#include "kernels/math/cuda/cublas.h"

int devices_count(int *count, struct error *err)
{
    return cuda_device_count(count, err);
}

/* Appends to text, of which *used bytes are taken. */
static void append(char *text, size_t size, size_t *used, const char *line)
{
    if (*used < size)
        *used += (size_t)snprintf(text + *used, size - *used, "%s\n", line);
}

static void describe_devices(char *text, size_t size, size_t *used)
{
    char line[1200];
    struct error why = {""};
    struct cuda_device d;
    int count;
    if (cuda_device_count(&count, &why) < 0) {
        snprintf(line, sizeof line, "GPU: %s", why.text);
        append(text, size, used, line);
        return;
    }
    for (int i = 0; i < count; i++) {
        if (cuda_device_get(i, &d, &why) < 0)
            snprintf(line, sizeof line, "GPU %d: %s", i, why.text);
        else
            snprintf(line, sizeof line,
                     "GPU %d: %s, compute capability %d.%d, %d multiprocessors, %.1f GiB", i,
                     d.name, d.major, d.minor, d.multiprocessors, (double)d.memory / (1 << 30));
        append(text, size, used, line);
    }
}

int devices_products(char *text, size_t size, struct error *err)
{
    char cublas[64];
    int rc = cuda_devices_describe(text, size, err);
    if (rc == 0)
        rc = cublas_numerics(cublas, sizeof cublas, err);
    if (rc < 0)
        return rc;
    size_t used = strlen(text);
    int n = snprintf(text + used, size - used, " %s", cublas);
    return n < 0 || (size_t)n >= size - used
               ? error_set(err, ENOSPC, "the text of the GPU and cuBLAS is too long")
               : 0;
}

void devices_describe(char *text, size_t size)
{
    char line[5000], runtime[32], driver[32];
    size_t used = 0;
    struct error why = {""};
    struct cudnn cudnn = {0};
    struct cublas cublas;
    cuda_runtime_version(runtime, sizeof runtime);
    cuda_driver_version(driver, sizeof driver);
    snprintf(line, sizeof line, "CUDA: %s, driver for CUDA %s", runtime, driver);
    append(text, size, &used, line);
    describe_devices(text, size, &used);
    if (cudnn_open(&cudnn, &why) < 0)
        snprintf(line, sizeof line, "cuDNN: %s", why.text);
    else
        snprintf(line, sizeof line, "cuDNN: %zu.%zu.%zu, %s", cudnn.version / 10000,
                 cudnn.version / 100 % 100, cudnn.version % 100, cudnn.path);
    cudnn_close(&cudnn);
    append(text, size, &used, line);
    if (cublas_open(&cublas, &why) < 0)
        snprintf(line, sizeof line, "cuBLAS: %s", why.text);
    else
        snprintf(line, sizeof line, "cuBLAS: %d.%d.%d, %s", cublas.major, cublas.minor,
                 cublas.patch, cublas.path);
    append(text, size, &used, line);
}

#else

int devices_count(int *count, struct error *err)
{
    *count = 0;
    return error_set(err, ENODEV, "this ferdag was built without CUDA");
}

int devices_products(char *text, size_t size, struct error *err)
{
    int count;
    text[0] = 0;
    (void)size;
    return devices_count(&count, err);
}

void devices_describe(char *text, size_t size)
{
    snprintf(text, size, "CUDA: not in this build\n");
}

#endif
