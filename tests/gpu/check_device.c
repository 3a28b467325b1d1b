/* check_gpu: what the device is, and what happens when its memory is full. */
#include <cuda_runtime_api.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "kernels/backends/cuda/conv_plan.h"
#include "kernels/cuda/devices.h"
#include "tests/gpu/check.h"

static int show_properties(struct checks *checks, const void *item, struct error *err)
{
    struct cuda_device d;
    char driver[64], runtime[64];
    size_t available = 0, total = 0;
    (void)checks, (void)item;
    int e = cuda_device_get(0, &d, err);
    if (e)
        return e;
    if (cudaMemGetInfo(&available, &total) != cudaSuccess)
        return error_set(err, EIO, "cudaMemGetInfo failed");
    cuda_driver_version(driver, sizeof driver);
    cuda_runtime_version(runtime, sizeof runtime);
    printf("device: %s, compute capability %d.%d, %d multiprocessors, %.1f of %.1f GB free\n",
           d.name, d.major, d.minor, d.multiprocessors, (double)available / 1e9,
           (double)total / 1e9);
    printf("CUDA: driver %s, runtime %s\n", driver, runtime);
    return 0;
}

static int write_text(const char *path, const char *text, struct error *err)
{
    FILE *f = fopen(path, "w");
    bool wrong = !f || fputs(text, f) < 0 || fputc('\n', f) == EOF;
    if (f && fclose(f) != 0)
        wrong = true;
    return wrong ? error_errno(err, errno ? errno : EIO, "%s", path) : 0;
}

/* Writes the device as cuDNN describes it: tests of plans for devices that a machine lacks use such
 * a text. */
static int write_description(struct checks *checks, const void *item, struct error *err)
{
    static char text[65536];
    char path[512];
    struct cudnn cudnn = {0};
    struct conv_target target = {0};
    (void)item;
    int e = cudnn_open(&cudnn, err);
    if (e)
        return e;
    printf("cuDNN: %zu.%zu.%zu, %s\n", cudnn.version / 10000, cudnn.version / 100 % 100,
           cudnn.version % 100, cudnn.path);
    e = conv_target_current(&cudnn, &target, err);
    if (!e) {
        e = conv_target_text(&cudnn, &target, text, sizeof text, err);
        conv_target_free(&cudnn, &target);
    }
    cudnn_close(&cudnn);
    snprintf(path, sizeof path, "%s/device.json", checks->folder);
    if (!e)
        e = write_text(path, text, err);
    if (!e)
        printf("cuDNN's description of the device: %s\n", path);
    return e;
}

/* Asks for a tensor twice as large as the device's memory, then computes something. */
static int fill_memory(struct checks *checks, const void *item, struct error *err)
{
    struct side s;
    struct tensor *large = NULL;
    struct shape shape = {1, 64, 1, 1};
    size_t available = 0, total = 0;
    struct error refused = {""};
    (void)checks, (void)item;
    side_open(&s, "cuda", PRECISION_FP32);
    if (!s.failed && cudaMemGetInfo(&available, &total) != cudaSuccess)
        s.failed = error_set(&s.err, EIO, "cudaMemGetInfo failed");
    if (!s.failed) {
        int e = s.b->tensor(s.d, TENSOR_PLAIN, (struct shape){1, total / sizeof(float), 2, 1},
                            &large, &refused);
        if (e != -ENOMEM || !strstr(refused.text, "memory is full"))
            s.failed = error_set(&s.err, EINVAL, "a tensor of %.1f GB: code %d, text \"%s\"",
                                 2 * (double)total / 1e9, e, refused.text);
    }
    const struct draw ones = {1, 1, false};
    struct tensor *a = side_tensor(&s, TENSOR_ACTIVATION, shape, ones);
    struct tensor *sum = side_tensor(&s, TENSOR_ACTIVATION, shape, ones);
    TRY(&s, s.b->add(s.d, (struct range){0, 1, 1, 0}, a, a, sum, &s.err));
    side_keep(&s, "sum", sum, shape);
    for (size_t i = 0; !s.failed && i < s.results.items[0].count; i++)
        if (s.results.items[0].values[i] != 2)
            s.failed = error_set(&s.err, EINVAL, "1 + 1 is %g afterwards",
                                 (double)s.results.items[0].values[i]);
    int e = s.failed;
    if (e)
        *err = s.err;
    else
        printf("refused: %s\n", refused.text);
    side_close(&s);
    return e;
}

void check_device(struct checks *checks)
{
    check_run(checks, show_properties, NULL, "properties of the device");
    check_run(checks, write_description, NULL, "cuDNN and its description of the device");
    check_run(checks, fill_memory, NULL, "a tensor larger than the device's memory");
}
