/* Tests of the doubles of cudart and cuDNN themselves: what they promise in cudart.h. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/double/cudart.h"
#include "tests/unit/need.h"

#define ok(call) assert_int_equal((call), cudaSuccess)

static int clean(void **state)
{
    (void)state;
    double_reset();
    return 0;
}

static cudaStream_t new_stream(void)
{
    cudaStream_t stream;
    ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    return stream;
}

static void *device_memory(size_t size)
{
    void *p;
    ok(cudaMalloc(&p, size));
    return p;
}

static uint8_t *pinned_memory(size_t size)
{
    void *p;
    ok(cudaHostAlloc(&p, size, cudaHostAllocDefault));
    return p;
}

/* ---- operations ---- */

struct addition {
    const int *from;
    int *to;
    int number, *released;
};

static void run_addition(void *data)
{
    const struct addition *a = data;
    *a->to = *a->from + a->number;
}

static void release_addition(void *data)
{
    struct addition *a = data;
    ++*a->released;
    free(a);
}

/* Queues *to = *from + number. */
static cudaError_t add(cudaStream_t stream, const int *from, int *to, int number, int *released)
{
    struct addition *a = malloc(sizeof *a);
    assert_non_null(a);
    *a = (struct addition){from, to, number, released};
    return double_enqueue(stream, run_addition, release_addition, a);
}

static void test_streams_run_late(void **state)
{
    cudaStream_t stream = new_stream(), other = new_stream();
    uint8_t *pinned = pinned_memory(8), host[4] = {1, 2, 3, 4};
    void *device = device_memory(4), *device2 = device_memory(4);
    (void)state;
    memset(pinned, 7, 8);
    /* From pageable memory: read at once. From pinned memory: when the copy runs. */
    ok(cudaMemcpyAsync(device, host, 4, cudaMemcpyHostToDevice, stream));
    ok(cudaMemcpyAsync(device2, pinned + 4, 4, cudaMemcpyHostToDevice, stream));
    memset(host, 9, 4);
    memset(pinned + 4, 8, 4);
    ok(cudaMemcpyAsync(pinned, device, 4, cudaMemcpyDeviceToHost, stream));
    assert_int_equal(pinned[0], 7);
    ok(cudaStreamSynchronize(other));
    assert_int_equal(pinned[0], 7);
    ok(cudaStreamSynchronize(stream));
    assert_memory_equal(pinned, "\1\2\3\4", 4);
    /* To pageable memory: the call waits. */
    ok(cudaMemcpyAsync(host, device2, 4, cudaMemcpyDeviceToHost, stream));
    assert_memory_equal(host, "\10\10\10\10", 4);
    ok(cudaMemsetAsync(device, 5, 3, stream));
    ok(cudaMemcpyAsync(host, device, 4, cudaMemcpyDeviceToHost, stream));
    assert_memory_equal(host, "\5\5\5\4", 4);
    assert_int_equal(double_leaks(false), 5);
    ok(cudaFree(device));
    ok(cudaFree(device2));
    ok(cudaFreeHost(pinned));
    ok(cudaStreamDestroy(stream));
    ok(cudaStreamDestroy(other));
    assert_int_equal(double_leaks(true), 0);
}

static void test_events(void **state)
{
    cudaStream_t stream = new_stream();
    cudaEvent_t event;
    uint8_t *pinned = pinned_memory(2);
    char *device = device_memory(2);
    (void)state;
    memset(pinned, 0, 2);
    ok(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    ok(cudaMemsetAsync(device, 3, 2, stream));
    ok(cudaMemcpyAsync(pinned, device, 1, cudaMemcpyDeviceToHost, stream));
    ok(cudaEventRecord(event, stream));
    ok(cudaMemcpyAsync(pinned + 1, device, 1, cudaMemcpyDeviceToHost, stream));
    ok(cudaEventSynchronize(event));
    assert_int_equal(pinned[0], 3);
    assert_int_equal(pinned[1], 0);
    ok(cudaEventSynchronize(event));
    assert_int_equal(pinned[1], 0);
    ok(cudaStreamSynchronize(stream));
    assert_int_equal(pinned[1], 3);
    ok(cudaEventDestroy(event));
}

/* ---- captures ---- */

static void begin_capture(cudaStream_t stream)
{
    ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
}

static cudaGraphExec_t end_capture(cudaStream_t stream)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    ok(cudaStreamEndCapture(stream, &graph));
    ok(cudaGraphInstantiate(&exec, graph, 0));
    ok(cudaGraphDestroy(graph));
    return exec;
}

static int read_int(const int *device, cudaStream_t stream)
{
    int value = -1;
    ok(cudaMemcpyAsync(&value, device, sizeof value, cudaMemcpyDeviceToHost, stream));
    return value;
}

static void test_graph_runs_when_launched(void **state)
{
    cudaStream_t stream = new_stream();
    int *number = device_memory(sizeof *number), zero = 0, released = 0;
    enum cudaStreamCaptureStatus status;
    (void)state;
    ok(cudaMemcpyAsync(number, &zero, sizeof zero, cudaMemcpyHostToDevice, stream));
    begin_capture(stream);
    ok(cudaStreamIsCapturing(stream, &status));
    assert_int_equal(status, cudaStreamCaptureStatusActive);
    ok(add(stream, number, number, 10, &released));
    ok(add(stream, number, number, 1, &released));
    cudaGraphExec_t exec = end_capture(stream);
    assert_int_equal(read_int(number, stream), 0);
    ok(cudaGraphLaunch(exec, stream));
    ok(cudaGraphLaunch(exec, stream));
    assert_int_equal(released, 0);
    assert_int_equal(double_counts().launches, 2 + 4);
    ok(cudaGraphLaunch(exec, stream));
    ok(cudaGraphExecDestroy(exec)); /* while a launch is queued */
    assert_int_equal(released, 0);
    assert_int_equal(read_int(number, stream), 33);
    assert_int_equal(released, 2);
}

static cudaError_t call_malloc(cudaStream_t stream, void *block)
{
    void *p;
    (void)stream, (void)block;
    return cudaMalloc(&p, 16);
}

static cudaError_t call_free(cudaStream_t stream, void *block)
{
    (void)stream;
    return cudaFree(block);
}

static cudaError_t call_host_alloc(cudaStream_t stream, void *block)
{
    void *p;
    (void)stream, (void)block;
    return cudaHostAlloc(&p, 16, cudaHostAllocDefault);
}

static cudaError_t call_synchronize(cudaStream_t stream, void *block)
{
    (void)block;
    return cudaStreamSynchronize(stream);
}

static cudaError_t call_device_synchronize(cudaStream_t stream, void *block)
{
    (void)stream, (void)block;
    return cudaDeviceSynchronize();
}

static cudaError_t call_legacy_copy(cudaStream_t stream, void *block)
{
    char host[1];
    (void)stream;
    return cudaMemcpy(host, block, 1, cudaMemcpyDeviceToHost);
}

static cudaError_t call_legacy_memset(cudaStream_t stream, void *block)
{
    (void)stream;
    return cudaMemsetAsync(block, 0, 1, NULL);
}

static void test_calls_not_allowed_in_a_capture(void **state)
{
    static const struct {
        cudaError_t (*call)(cudaStream_t stream, void *block);
        cudaError_t error;
    } calls[] = {
        {call_malloc, cudaErrorStreamCaptureUnsupported},
        {call_free, cudaErrorStreamCaptureUnsupported},
        {call_host_alloc, cudaErrorStreamCaptureUnsupported},
        {call_synchronize, cudaErrorStreamCaptureUnsupported},
        {call_device_synchronize, cudaErrorStreamCaptureUnsupported},
        {call_legacy_copy, cudaErrorStreamCaptureUnsupported},
        {call_legacy_memset, cudaErrorStreamCaptureImplicit},
    };
    cudaStream_t stream = new_stream();
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int *block = device_memory(64), released = 0;
        cudaGraph_t graph;
        begin_capture(stream);
        assert_int_equal(calls[i].call(stream, block), calls[i].error);
        assert_int_equal(cudaGetLastError(), calls[i].error);
        assert_int_equal(add(stream, block, block, 1, &released),
                         cudaErrorStreamCaptureInvalidated);
        assert_int_equal(released, 1);
        assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
        assert_null(graph);
        ok(cudaStreamSynchronize(stream)); /* the stream can be used again */
    }
    assert_int_equal(double_counts().graphs, 0);
}

/* ---- memory ---- */

/* Runs `act` in a child process. Returns its status, as waitpid; *text is what it wrote to stderr.
 */
static int in_child(void (*act)(void), char text[4096])
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* cmocka has handlers */
        signal(SIGSEGV, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        act();
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t n;
    while ((n = read(ends[0], text + length, 4095 - length)) > 0)
        length += (size_t)n;
    text[length] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void read_freed(void)
{
    static int released;
    cudaStream_t stream = new_stream();
    int *a = device_memory(64), *b = device_memory(64);
    cudaFree(a);
    add(stream, a, b, 1, &released);
    cudaStreamSynchronize(stream);
}

static void read_behind(void)
{
    static int released;
    cudaStream_t stream = new_stream();
    int *a = device_memory(256);
    add(stream, a + 64, a, 1, &released);
    cudaStreamSynchronize(stream);
}

static void read_by_host(void)
{
    volatile int *a = device_memory(64);
    if (*a == 1)
        _exit(1);
}

static void write_behind(void)
{
    static int released;
    cudaStream_t stream = new_stream();
    int *a = device_memory(20); /* a block of 256 bytes */
    add(stream, a, a + 5, 1, &released);
    cudaFree(a);
}

static void launch_with_freed(void)
{
    static int released;
    cudaStream_t stream = new_stream();
    int *a = device_memory(64), *b = device_memory(64);
    begin_capture(stream);
    add(stream, a, b, 1, &released);
    cudaGraphExec_t exec = end_capture(stream);
    cudaFree(a);
    cudaGraphLaunch(exec, stream);
    cudaStreamSynchronize(stream);
}

static void free_pinned_in_use(void)
{
    cudaStream_t stream = new_stream();
    uint8_t *pinned = pinned_memory(64);
    cudaMemcpyAsync(device_memory(64), pinned, 64, cudaMemcpyHostToDevice, stream);
    cudaFreeHost(pinned);
}

static void test_wrong_uses_of_memory_end_the_program(void **state)
{
    static const struct {
        void (*act)(void);
        int signal;
        const char *text;
    } cases[] = {
        {read_freed, SIGSEGV, "access to freed memory, by a kernel: block 0 of 64 bytes"},
        {read_behind, SIGSEGV, "access outside a block, by a kernel: block 0 of 256 bytes"},
        {read_by_host, SIGSEGV, "access to device memory by the host, by host code: block 0"},
        {write_behind, SIGABRT, "a write outside block 0 of 20 bytes, at byte 20"},
        {launch_with_freed, SIGSEGV, "access to freed memory, by a kernel: block 0"},
        {free_pinned_in_use, SIGABRT, "cudaFreeHost of a block that a queued copy uses"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[4096];
        int status = in_child(cases[i].act, text);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), cases[i].signal);
        if (!strstr(text, cases[i].text))
            fail_msg("no '%s' in '%s'", cases[i].text, text);
    }
}

static void test_memory_begins_as_nan(void **state)
{
    cudaStream_t stream = new_stream();
    float *memory = device_memory(3 * sizeof *memory), values[3] = {0};
    (void)state;
    assert_int_equal((uintptr_t)memory % 256, 0);
    ok(cudaMemcpyAsync(values, memory, sizeof values, cudaMemcpyDeviceToHost, stream));
    for (int i = 0; i < 3; i++)
        assert_true(values[i] != values[i]);
    /* Host memory that isn't in a block, and sizes that don't fit. */
    assert_int_equal(cudaMemcpyAsync(memory, values, 16, cudaMemcpyHostToDevice, stream),
                     cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpyAsync(values, memory, 4, cudaMemcpyHostToDevice, stream),
                     cudaErrorInvalidValue);
    assert_int_equal(cudaFree((char *)memory + 4), cudaErrorInvalidValue);
    assert_int_equal(cudaFree(values), cudaErrorInvalidValue);
    ok(cudaFree(memory));
    assert_int_equal(cudaFree(memory), cudaErrorInvalidValue);
    ok(cudaFree(NULL));
}

static void test_memory_is_limited(void **state)
{
    size_t available, total;
    void *a, *b;
    (void)state;
    double_set_memory(1000);
    ok(cudaMalloc(&a, 600));
    assert_int_equal(cudaMalloc(&b, 600), cudaErrorMemoryAllocation);
    ok(cudaMemGetInfo(&available, &total));
    assert_int_equal(available, 400);
    assert_int_equal(total, 1000);
    ok(cudaFree(a));
    ok(cudaMalloc(&b, 600));
}

/* ---- failures and devices ---- */

static void test_nth_call_fails(void **state)
{
    const char *function;
    void *p;
    (void)state;
    double_fail("cudaMalloc", 2, cudaErrorMemoryAllocation);
    ok(cudaMalloc(&p, 16));
    assert_false(double_failed(NULL));
    assert_int_equal(cudaMalloc(&p, 16), cudaErrorMemoryAllocation);
    assert_true(double_failed(&function));
    assert_string_equal(function, "cudaMalloc");
    assert_int_equal(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
    assert_int_equal(cudaGetLastError(), cudaErrorMemoryAllocation);
    ok(cudaGetLastError());
    ok(cudaMalloc(&p, 16));
    double_fail(NULL, 3, cudaErrorUnknown);
    ok(cudaFree(p));
    new_stream();
    assert_int_equal(cudaMalloc(&p, 16), cudaErrorUnknown);
    /* A sticky error stays. */
    double_fail("cudaMalloc", 1, cudaErrorECCUncorrectable);
    assert_int_equal(cudaMalloc(&p, 16), cudaErrorECCUncorrectable);
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorECCUncorrectable);
    assert_int_equal(cudaGetLastError(), cudaErrorECCUncorrectable);
    assert_int_equal(cudaGetLastError(), cudaErrorECCUncorrectable);
}

/* What a call has freed counts as freed even if the call fails. */
static void test_failed_free_is_no_leak(void **state)
{
    cudaStream_t stream = new_stream();
    void *p = device_memory(16);
    (void)state;
    double_fail("cudaFree", 1, cudaErrorIllegalAddress);
    assert_int_equal(cudaFree(p), cudaErrorIllegalAddress);
    assert_int_equal(cudaStreamDestroy(stream), cudaErrorIllegalAddress);
    assert_int_equal(double_leaks(true), 0);
}

static void test_devices_of_environment(void **state)
{
    struct cudaDeviceProp p;
    int count, version;
    (void)state;
    setenv("FERDAG_DOUBLE_DEVICES", "Fast GPU:90:132:139;Old GPU:75:40:15.5;Third:100:148:180", 1);
    double_reset();
    ok(cudaGetDeviceCount(&count));
    assert_int_equal(count, 3);
    ok(cudaGetDeviceProperties(&p, 1));
    assert_string_equal(p.name, "Old GPU");
    assert_int_equal(p.major, 7);
    assert_int_equal(p.minor, 5);
    assert_int_equal(p.multiProcessorCount, 40);
    assert_true(p.totalGlobalMem == (size_t)31 << 29);
    setenv("CUDA_VISIBLE_DEVICES", "2,1,7,0", 1);
    double_reset();
    ok(cudaGetDeviceCount(&count));
    assert_int_equal(count, 2);
    ok(cudaGetDeviceProperties(&p, 0));
    assert_string_equal(p.name, "Third");
    assert_int_equal(cudaSetDevice(2), cudaErrorInvalidDevice);
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    double_reset();
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    unsetenv("CUDA_VISIBLE_DEVICES");
    setenv("FERDAG_DOUBLE_DRIVER", "11080", 1);
    double_reset();
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
    ok(cudaDriverGetVersion(&version));
    assert_int_equal(version, 11080);
    setenv("FERDAG_DOUBLE_DRIVER", "none", 1);
    double_reset();
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
    unsetenv("FERDAG_DOUBLE_DRIVER");
    unsetenv("FERDAG_DOUBLE_DEVICES");
    setenv("FERDAG_DOUBLE_FAIL", "cudaGetDeviceCount:2:100", 1);
    double_reset();
    ok(cudaGetDeviceCount(&count));
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
    unsetenv("FERDAG_DOUBLE_FAIL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_streams_run_late, clean),
        cmocka_unit_test_setup(test_events, clean),
        cmocka_unit_test_setup(test_graph_runs_when_launched, clean),
        cmocka_unit_test_setup(test_calls_not_allowed_in_a_capture, clean),
        cmocka_unit_test_setup(test_wrong_uses_of_memory_end_the_program, clean),
        cmocka_unit_test_setup(test_memory_begins_as_nan, clean),
        cmocka_unit_test_setup(test_memory_is_limited, clean),
        cmocka_unit_test_setup(test_nth_call_fails, clean),
        cmocka_unit_test_setup(test_failed_free_is_no_leak, clean),
        cmocka_unit_test_setup(test_devices_of_environment, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
