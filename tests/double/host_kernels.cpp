/* Runs the kernels of the `cuda` backend on the host, block after block.
 *
 * The threads of a block are coroutines (ucontext to start one, setjmp and longjmp to switch), one
 * after another up to the next barrier, in an order that changes from barrier to barrier: so a
 * missing barrier gives wrong results. A kernel without barriers is a plain loop. With
 * ThreadSanitizer they are threads of the system, so that a missing barrier is reported as a race.
 */
#define FERDAG_HOST_KERNELS
#undef _FORTIFY_SOURCE /* its longjmp refuses to change the stack */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "kernels/backends/cuda/device_code.h"
#include "tests/double/cudart.h"
#include "tests/double/host_kernels.h"

#ifdef __has_feature
#define FEATURE(name) __has_feature(name)
#else
#define FEATURE(name) 0
#endif
#if defined(__SANITIZE_THREAD__) || FEATURE(thread_sanitizer)
#define SYSTEM_THREADS 1
#else
#define SYSTEM_THREADS 0
#endif
#if defined(__SANITIZE_ADDRESS__) || FEATURE(address_sanitizer)
#include <sanitizer/common_interface_defs.h>
#define SANITIZED_STACKS 1
#else
#define SANITIZED_STACKS 0
#endif

enum { MOST_KERNELS = 64, MOST_SHARED = 8, STACK_BYTES = 256 << 10 };

thread_local struct host_thread *host_thread;

/* A launch that waits in its stream. */
struct call {
    struct launch_shape shape;
    std::function<void()> thread;
};

/* What runs at the moment: one launch at a time in the whole program. */
static struct {
    pthread_mutex_t lock; /* of the launch */
    const struct call *call;
    bool reverse;
    struct launch_count counts[MOST_KERNELS];
    size_t kernels;
    pthread_mutex_t shared_lock;
    const void *shared[MOST_SHARED]; /* what the block has filled with NaN */
    size_t shared_count;
} host = {PTHREAD_MUTEX_INITIALIZER, nullptr, false, {}, 0, PTHREAD_MUTEX_INITIALIZER, {}, 0};

static void fail(const char *text)
{
    fprintf(stderr, "host kernels: %s: %s\n", host.call ? host.call->shape.name : "", text);
    abort();
}

/* ---- the interface of the kernels ---- */

void host_shared(void *memory, size_t bytes)
{
    pthread_mutex_lock(&host.shared_lock);
    size_t i = 0;
    while (i < host.shared_count && host.shared[i] != memory)
        i++;
    if (i == MOST_SHARED)
        fail("too many arrays of shared memory");
    if (i == host.shared_count) {
        memset(memory, 0xFF, bytes);
        host.shared[host.shared_count++] = memory;
    }
    pthread_mutex_unlock(&host.shared_lock);
}

/* Block i of the launch, in the order of `reverse`. */
static dim3 block_of(size_t i)
{
    const dim3 grid = host.call->shape.grid;
    const size_t blocks = (size_t)grid.x * grid.y, at = host.reverse ? blocks - 1 - i : i;
    return dim3((unsigned)(at % grid.x), (unsigned)(at / grid.x));
}

static void begin_thread(struct host_thread *t, unsigned thread, size_t block)
{
    t->grid = host.call->shape.grid;
    t->block = block_of(block);
    t->thread = thread;
}

#if SYSTEM_THREADS

static pthread_barrier_t barrier;

void host_barrier()
{
    if (!host.call->shape.barriers)
        fail("a barrier in a kernel that was launched without");
    pthread_barrier_wait(&barrier);
}

static pthread_barrier_t launched; /* by the threads and the program: a launch begins or ends */

/* One thread of each block in turn, in all launches. */
static void *run_thread(void *data)
{
    struct host_thread *self = (struct host_thread *)data;
    host_thread = self;
    for (;;) {
        pthread_barrier_wait(&launched);
        const dim3 grid = host.call->shape.grid;
        for (size_t b = 0; b < (size_t)grid.x * grid.y; b++) {
            begin_thread(self, self->thread, b);
            host.call->thread();
            pthread_barrier_wait(&barrier);
            if (self->thread == 0)
                host.shared_count = 0;
            pthread_barrier_wait(&barrier);
        }
        pthread_barrier_wait(&launched);
    }
    return nullptr;
}

/* The threads stay for the next launch: they take long to start. */
static void start_threads(struct host_thread *threads)
{
    pthread_barrier_init(&barrier, nullptr, THREADS);
    pthread_barrier_init(&launched, nullptr, THREADS + 1);
    for (unsigned t = 0; t < THREADS; t++) {
        pthread_t id;
        threads[t].thread = t;
        if (pthread_create(&id, nullptr, run_thread, &threads[t]) != 0 || pthread_detach(id) != 0)
            fail("can't start a thread");
    }
}

static void run_grid(struct launch_count *count)
{
    static struct host_thread threads[THREADS];
    static bool started;
    if (!started)
        start_threads(threads);
    started = true;
    host.shared_count = 0;
    for (struct host_thread &t : threads)
        t.read = t.written = 0;
    pthread_barrier_wait(&launched);
    pthread_barrier_wait(&launched);
    for (const struct host_thread &t : threads) {
        count->bytes_read += t.read;
        count->bytes_written += t.written;
    }
}

#else

/* A coroutine. It runs one CUDA thread, says that it is done, and waits for the next. */
struct coroutine {
    struct host_thread thread;
    char *stack;
    bool done;
    bool started;
    void *fake_stack;
    ucontext_t context;
    jmp_buf where;
};

static struct coroutine coroutines[THREADS];
static struct coroutine *current; /* NULL: the scheduler, or a kernel without barriers */
static struct {
    ucontext_t context;
    jmp_buf where;
    void *fake_stack;
    const void *stack;
    size_t stack_bytes;
} scheduler;

#if SANITIZED_STACKS

static void to_scheduler(struct coroutine *c)
{
    __sanitizer_start_switch_fiber(&c->fake_stack, scheduler.stack, scheduler.stack_bytes);
    swapcontext(&c->context, &scheduler.context);
    __sanitizer_finish_switch_fiber(c->fake_stack, &scheduler.stack, &scheduler.stack_bytes);
}

static void to_coroutine(struct coroutine *c)
{
    __sanitizer_start_switch_fiber(&scheduler.fake_stack, c->stack, STACK_BYTES);
    swapcontext(&scheduler.context, &c->context);
    __sanitizer_finish_switch_fiber(scheduler.fake_stack, nullptr, nullptr);
}

#else

static void to_scheduler(struct coroutine *c)
{
    if (_setjmp(c->where) == 0)
        _longjmp(scheduler.where, 1);
}

static void to_coroutine(struct coroutine *c)
{
    if (_setjmp(scheduler.where) != 0)
        return;
    if (c->started)
        _longjmp(c->where, 1);
    c->started = true;
    setcontext(&c->context);
}

#endif

static void run_coroutine()
{
#if SANITIZED_STACKS
    __sanitizer_finish_switch_fiber(nullptr, &scheduler.stack, &scheduler.stack_bytes);
#endif
    for (;;) {
        host.call->thread();
        current->done = true;
        to_scheduler(current);
    }
}

static void start_coroutines()
{
    char *stacks = (char *)mmap(nullptr, (size_t)THREADS * STACK_BYTES, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED)
        fail("out of memory");
    for (size_t i = 0; i < THREADS; i++) {
        struct coroutine *c = &coroutines[i];
        c->stack = stacks + i * STACK_BYTES;
        getcontext(&c->context);
        c->context.uc_stack.ss_sp = c->stack;
        c->context.uc_stack.ss_size = STACK_BYTES;
        c->context.uc_link = nullptr;
        makecontext(&c->context, run_coroutine, 0);
    }
}

void host_barrier()
{
    if (!current)
        fail("a barrier in a kernel that was launched without");
    to_scheduler(current);
}

/* Runs a block: each thread up to its next barrier, until all are done. */
static void run_block(size_t block)
{
    host.shared_count = 0;
    for (unsigned t = 0; t < THREADS; t++) {
        begin_thread(&coroutines[t].thread, t, block);
        coroutines[t].done = false;
    }
    for (unsigned phase = 0, done = 0; done == 0; phase++) {
        for (unsigned i = 0; i < THREADS; i++) {
            current = &coroutines[(phase % 2 != 0) != host.reverse ? THREADS - 1 - i : i];
            host_thread = &current->thread;
            to_coroutine(current);
            done += current->done;
        }
        if (done != 0 && done != THREADS)
            fail("threads have ended while others of the block wait at a barrier");
    }
    current = nullptr;
}

static void run_with_barriers(size_t blocks, struct launch_count *count)
{
    if (!coroutines[0].stack)
        start_coroutines();
    for (unsigned t = 0; t < THREADS; t++)
        coroutines[t].thread = {};
    for (size_t b = 0; b < blocks; b++)
        run_block(b);
    for (unsigned t = 0; t < THREADS; t++) {
        count->bytes_read += coroutines[t].thread.read;
        count->bytes_written += coroutines[t].thread.written;
    }
}

static void run_grid(struct launch_count *count)
{
    const size_t blocks = (size_t)host.call->shape.grid.x * host.call->shape.grid.y;
    struct host_thread self = {};
    if (host.call->shape.barriers) {
        run_with_barriers(blocks, count);
        return;
    }
    host_thread = &self;
    for (size_t b = 0; b < blocks; b++)
        for (unsigned t = 0; t < THREADS; t++) {
            begin_thread(&self, t, b);
            host.call->thread();
        }
    host_thread = nullptr;
    count->bytes_read += self.read;
    count->bytes_written += self.written;
}

#endif

/* ---- launches ---- */

static struct launch_count *count_of(const char *name)
{
    for (size_t i = 0; i < host.kernels; i++)
        if (strcmp(host.counts[i].name, name) == 0)
            return &host.counts[i];
    if (host.kernels == MOST_KERNELS)
        fail("too many kernels");
    host.counts[host.kernels] = {name, 0, 0, 0};
    return &host.counts[host.kernels++];
}

static void run(void *data)
{
    pthread_mutex_lock(&host.lock);
    host.call = (const struct call *)data;
    struct launch_count *count = count_of(host.call->shape.name);
    count->launches++;
    run_grid(count);
    host.call = nullptr;
    pthread_mutex_unlock(&host.lock);
}

static void release(void *data)
{
    delete (struct call *)data;
}

cudaError_t host_launch(const struct launch_shape &shape, cudaStream_t stream,
                        const std::function<void()> &thread)
{
    return double_enqueue(stream, run, release, new call{shape, thread});
}

const struct launch_count *host_kernels_counts(size_t *n)
{
    *n = host.kernels;
    return host.counts;
}

void host_kernels_clear_counts(void)
{
    host.kernels = 0;
}

void host_kernels_reverse(bool reverse)
{
    host.reverse = reverse;
}
