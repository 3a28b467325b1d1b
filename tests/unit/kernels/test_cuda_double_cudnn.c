/* Tests of the double of cuDNN by the backend's own plans (conv_plan.h): results equal those of the
 * `ref` backend, engines that must not be used aren't chosen, and wrong descriptors are refused. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/backends/cuda/conv_plan.h"
#include "kernels/math/bf16.h"
#include "tests/double/cudart.h"
#include "tests/double/libraries.h"
#include "tests/unit/need.h"

static struct cudnn cudnn;
static struct conv_target target;
static cudaStream_t stream;
static cudnnHandle_t handle;

static int open_all(void **state)
{
    struct error err = {0};
    (void)state;
    double_reset();
    if (cudnn_open(&cudnn, &err) || conv_target_current(&cudnn, &target, &err)) {
        print_error("%s\n", err.text);
        return -1;
    }
    return cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) || cudnn.Create(&handle) ||
           cudnn.SetStream(handle, stream);
}

static int close_all(void **state)
{
    (void)state;
    conv_target_free(&cudnn, &target);
    cudnn.Destroy(handle);
    cudnn_close(&cudnn);
    cudaStreamDestroy(stream);
    return 0;
}

static const struct conv_spec specs[] = {
    {.in = 3, .out = 5, .kernel = 3, .stride = 1, .pad = 1, .groups = 1, .height = 6, .width = 5},
    {.in = 4, .out = 6, .kernel = 3, .stride = 2, .pad = 1, .groups = 2, .height = 7, .width = 6},
    {.in = 2, .out = 8, .kernel = 1, .stride = 2, .pad = 0, .groups = 1, .height = 5, .width = 5},
    {.in = 32, .out = 32, .kernel = 3, .stride = 1, .pad = 1, .groups = 2, .height = 3, .width = 3},
};
enum { SPECS = sizeof specs / sizeof *specs, IMAGES = 2 };

/* ---- tensors ---- */

static struct shape shape_of(const struct conv_spec *s, int operand)
{
    size_t height = (s->height + 2 * s->pad - s->kernel) / s->stride + 1;
    size_t width = (s->width + 2 * s->pad - s->kernel) / s->stride + 1;
    return (struct shape[]){{IMAGES, s->in, s->height, s->width},
                            {s->out, s->in / s->groups, s->kernel, s->kernel},
                            {IMAGES, s->out, height, width}}[operand];
}

static size_t count(struct shape s)
{
    return s.n * s.c * s.h * s.w;
}

/* Index in NHWC order of value i in NCHW order. */
static size_t nhwc(struct shape s, size_t i)
{
    size_t w = i % s.w, h = i / s.w % s.h, c = i / s.w / s.h % s.c, n = i / s.w / s.h / s.c;
    return ((n * s.h + h) * s.w + w) * s.c + c;
}

/* Small whole numbers: products and sums of them are exact in bf16 and float32. */
static float *numbers(struct shape s, unsigned seed)
{
    float *v = malloc(count(s) * sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; i < count(s); i++) {
        seed = seed * 1103515245U + 12345U;
        v[i] = (float)((int)(seed >> 16 & 3) - 1);
    }
    return v;
}

static void *upload(struct shape s, const float *values, enum value_type type)
{
    size_t size = type == VALUE_BF16 ? 2 : 4;
    char *host = malloc(count(s) * size);
    void *device;
    assert_non_null(host);
    for (size_t i = 0; i < count(s); i++)
        if (type == VALUE_BF16)
            ((uint16_t *)host)[nhwc(s, i)] = bf16_narrow(values[i]);
        else
            ((float *)host)[nhwc(s, i)] = values[i];
    assert_int_equal(cudaMalloc(&device, count(s) * size), cudaSuccess);
    assert_int_equal(cudaMemcpyAsync(device, host, count(s) * size, cudaMemcpyHostToDevice, stream),
                     cudaSuccess);
    free(host);
    return device;
}

static void download(struct shape s, const void *device, enum value_type type, float *values)
{
    size_t size = type == VALUE_BF16 ? 2 : 4;
    char *host = malloc(count(s) * size);
    assert_non_null(host);
    assert_int_equal(cudaMemcpyAsync(host, device, count(s) * size, cudaMemcpyDeviceToHost, stream),
                     cudaSuccess);
    for (size_t i = 0; i < count(s); i++)
        values[i] = type == VALUE_BF16 ? bf16_widen(((uint16_t *)host)[nhwc(s, i)])
                                       : ((float *)host)[nhwc(s, i)];
    free(host);
}

/* The definition of the three directions: result is operand `out` of x, weights, y. */
static void convolve(const struct conv_spec *s, int out, float *v[3])
{
    struct shape y = shape_of(s, 2), w = shape_of(s, 1);
    memset(v[out], 0, count(shape_of(s, out)) * sizeof(float));
    for (size_t i = 0; i < count(y); i++)
        for (size_t k = 0; k < w.c * w.h * w.w; k++) {
            size_t yw = i % y.w, yh = i / y.w % y.h, o = i / y.w / y.h % y.c;
            size_t kw = k % w.w, kh = k / w.w % w.h, c = k / w.w / w.h;
            size_t xh = yh * s->stride + kh - s->pad, xw = yw * s->stride + kw - s->pad;
            size_t in = o / (s->out / s->groups) * w.c + c, n = i / y.w / y.h / y.c;
            if (xh >= s->height || xw >= s->width)
                continue;
            size_t x = ((n * s->in + in) * s->height + xh) * s->width + xw;
            size_t at = o * w.c * w.h * w.w + k;
            if (out == 2)
                v[2][i] += v[0][x] * v[1][at];
            else if (out == 0)
                v[0][x] += v[2][i] * v[1][at];
            else
                v[1][at] += v[2][i] * v[0][x];
        }
}

static struct conv_plan *build(const struct conv_problem *problem)
{
    struct error err = {0};
    struct conv_plan *plan = NULL;
    if (conv_plan_build(&cudnn, &target, problem, &plan, &err))
        fail_msg("%s", err.text);
    return plan;
}

static void test_convolutions_equal_their_definition(void **state)
{
    (void)state;
    for (int c = 0; c < SPECS * 2 * CONV_DIRECTIONS; c++) {
        static const int results[] = {2, 0, 1}; /* operand that a direction writes */
        const struct conv_problem p = {specs[c / 6], IMAGES, c % 2 ? VALUE_BF16 : VALUE_F32,
                                       (enum conv_direction)(c / 2 % 3)};
        int out = results[p.direction];
        struct error err = {0};
        struct conv_plan *plan = build(&p);
        void *device[3], *workspace = NULL;
        float *v[3];
        for (int i = 0; i < 3; i++) {
            v[i] = numbers(shape_of(&p.spec, i), (unsigned)(c + i));
            device[i] = upload(shape_of(&p.spec, i), v[i], p.type);
        }
        if (conv_plan_engine(plan).workspace)
            cudaMalloc(&workspace, conv_plan_engine(plan).workspace);
        if (conv_plan_run(plan, handle, device[0], device[1], device[2], workspace, &err))
            fail_msg("%s", err.text);
        float *got = malloc(count(shape_of(&p.spec, out)) * sizeof *got);
        assert_non_null(got);
        download(shape_of(&p.spec, out), device[out], p.type, got);
        convolve(&p.spec, out, v);
        assert_memory_equal(got, v[out], count(shape_of(&p.spec, out)) * sizeof *got);
        for (int i = 0; i < 3; i++) {
            cudaFree(device[i]);
            free(v[i]);
        }
        cudaFree(workspace);
        conv_plan_free(plan);
        free(got);
    }
    struct double_counts counts = double_counts();
    assert_int_equal(counts.blocks, 0);
    assert_int_equal(counts.descriptors, 1); /* the target */
}

static void test_choice_of_engines(void **state)
{
    (void)state;
    const struct conv_problem fp32 = {specs[0], IMAGES, VALUE_F32, CONV_FORWARD},
                              bf16 = {specs[0], IMAGES, VALUE_BF16, CONV_FORWARD},
                              grouped = {specs[3], IMAGES, VALUE_BF16, CONV_WEIGHT_GRADIENT};
    struct conv_plan *plan = build(&fp32);
    assert_int_equal(conv_plan_engine(plan).id, 205);
    conv_plan_free(plan);
    plan = build(&bf16);
    assert_int_equal(conv_plan_engine(plan).id, 106);
    assert_int_equal(conv_plan_engine(plan).workspace, 40000);
    conv_plan_free(plan);
    plan = build(&grouped); /* no tensor cores as a whole: one convolution a group */
    assert_int_equal(conv_plan_engine(plan).parts, 2);
    assert_true(conv_plan_engine(plan).tensor_cores);
    conv_plan_free(plan);
}

static void test_wrong_memory_is_refused(void **state)
{
    (void)state;
    const struct conv_problem p = {specs[0], IMAGES, VALUE_F32, CONV_FORWARD};
    struct conv_plan *plan = build(&p);
    struct error err = {0};
    void *device[3], *workspace;
    cudaMalloc(&workspace, conv_plan_engine(plan).workspace - 16);
    for (int i = 0; i < 3; i++)
        cudaMalloc(&device[i], count(shape_of(&p.spec, i)) * sizeof(float));
    assert_int_equal(conv_plan_run(plan, handle, device[0], device[1], device[2], workspace, &err),
                     -EIO);
    assert_non_null(strstr(err.text, "the workspace is smaller than the plan's"));
    cudaFree(workspace);
    cudaMalloc(&workspace, conv_plan_engine(plan).workspace);
    assert_int_equal(conv_plan_run(plan, handle, device[0], device[1], device[0], workspace, &err),
                     -EIO);
    assert_non_null(strstr(err.text, "one block of device memory"));
    conv_plan_free(plan);
}

static cudnnStatus_t tensor(const int64_t strides[4], int64_t alignment, bool complete)
{
    const int64_t dims[4] = {2, 3, 4, 5}, id = 1;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t d;
    cudnn.BackendCreateDescriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, &d);
    cudnn.BackendSetAttribute(d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
    cudnn.BackendSetAttribute(d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    cudnn.BackendSetAttribute(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    cudnn.BackendSetAttribute(d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    if (complete)
        cudnn.BackendSetAttribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    cudnnStatus_t status = cudnn.BackendFinalize(d);
    cudnn.BackendDestroyDescriptor(d);
    return status;
}

static void test_wrong_descriptors_are_refused(void **state)
{
    static const int64_t nhwc_strides[4] = {60, 1, 15, 3}, nchw_strides[4] = {60, 20, 5, 1};
    const int32_t wrong_type = 1;
    cudnnBackendDescriptor_t d;
    (void)state;
    assert_int_equal(tensor(nhwc_strides, 16, true), CUDNN_STATUS_SUCCESS);
    assert_int_equal(tensor(nchw_strides, 16, true), CUDNN_STATUS_NOT_SUPPORTED_LAYOUT);
    assert_int_equal(tensor(nhwc_strides, 3, true), CUDNN_STATUS_BAD_PARAM);
    assert_int_equal(tensor(nhwc_strides, 16, false), CUDNN_STATUS_BAD_PARAM);
    cudnn.BackendCreateDescriptor(CUDNN_BACKEND_TENSOR_DESCRIPTOR, &d);
    assert_int_equal(
        cudnn.BackendSetAttribute(d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT32, 1, &wrong_type),
        CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
    assert_int_equal(
        cudnn.BackendSetAttribute(d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 2, nhwc_strides),
        CUDNN_STATUS_BAD_PARAM);
    assert_int_equal(cudnn.BackendSetAttribute(d, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE,
                                               1, &wrong_type),
                     CUDNN_STATUS_BAD_PARAM);
    cudnn.BackendDestroyDescriptor(d);
}

/* Each call of cuDNN fails in turn while a plan is made: one error, and nothing is left. */
static void test_failures_while_a_plan_is_made(void **state)
{
    (void)state;
    const struct conv_problem p = {specs[1], IMAGES, VALUE_BF16, CONV_INPUT_GRADIENT};
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        struct error err = {0};
        struct conv_plan *plan = NULL;
        const char *function;
        double_fail(NULL, 0, 0);
        double_fail(NULL, n, cudaErrorUnknown);
        int code = conv_plan_build(&cudnn, &target, &p, &plan, &err);
        if (!double_failed(&function)) {
            assert_int_equal(code, 0);
            conv_plan_free(plan);
            break;
        }
        /* A failure to destroy isn't reported. */
        if (strcmp(function, "cudnnBackendDestroyDescriptor") != 0) {
            assert_int_equal(code, -EIO);
            assert_non_null(strstr(err.text, "convolution 4 -> 6"));
            failures++;
        }
        conv_plan_free(plan);
        assert_int_equal(double_counts().descriptors, 1); /* the target */
    }
    double_fail(NULL, 0, 0);
    assert_true(failures > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_convolutions_equal_their_definition, open_all,
                                        close_all),
        cmocka_unit_test_setup_teardown(test_choice_of_engines, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_wrong_memory_is_refused, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_wrong_descriptors_are_refused, open_all, close_all),
        cmocka_unit_test_setup_teardown(test_failures_while_a_plan_is_made, open_all, close_all),
    };
    if (!double_use_libraries()) {
        print_error("the doubles of cuDNN and cuBLAS aren't built\n");
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
