/* What the tests of the cuda backend's kernels share: buffers with guards, runs that are repeated,
 * and the `ref` backend as the oracle. */
#ifndef FERDAG_TESTS_UNIT_KERNELS_CUDA_RUN_H
#define FERDAG_TESTS_UNIT_KERNELS_CUDA_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/backends/backend.h"
#include "kernels/backends/cuda/kernels.h"
#include "kernels/math/bf16.h"
#include "tests/double/host_kernels.h"

#ifdef __has_feature
#define FEATURE(name) __has_feature(name)
#else
#define FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || FEATURE(address_sanitizer)
enum { GUARD = 0 };
#else
enum { GUARD = 64 };
#endif
#if defined(__SANITIZE_THREAD__) || FEATURE(thread_sanitizer)
enum { MOST_VALUES = 600 }; /* of an activation: 256 threads of the system run each block */
#elif defined(__SANITIZE_ADDRESS__) || FEATURE(address_sanitizer)
enum { MOST_VALUES = 100000 };
#else
enum { MOST_VALUES = 1 << 30 };
#endif

#define U 0x1p-24
enum { MOST_BUFFERS = 48, LABEL = 200 };

/* ---- buffers: what would be device memory ---- */

struct buffer {
    const char *name; /* of a result; NULL: input */
    uint8_t *memory;
    size_t bytes, count;
    enum value_type type;
};

/* A run of some kernels: its buffers, in the order of creation. */
struct run {
    char label[LABEL];
    cudaStream_t stream;
    struct random random;
    size_t n;
    struct buffer buffer[MOST_BUFFERS];
    struct sums_scratch scratch;
};

#define MUST(run, call)                                                                            \
    do {                                                                                           \
        int code = (int)(call);                                                                    \
        if (code)                                                                                  \
            fail_msg("%s: %s returned %d", (run)->label, #call, code);                             \
    } while (0)

static inline void *buffer(struct run *r, const char *name, enum value_type type, size_t count)
{
    struct buffer *b = &r->buffer[r->n++];
    assert_true(r->n <= MOST_BUFFERS);
    *b = (struct buffer){name, NULL, count * (type == VALUE_BF16 ? 2 : 4), count, type};
    b->memory = malloc(b->bytes + 2 * GUARD);
    assert_non_null(b->memory);
    memset(b->memory, 0xFF, b->bytes + 2 * GUARD);
    return b->memory + GUARD;
}

static inline double value(enum value_type type, const void *values, size_t i)
{
    return type == VALUE_BF16 ? (double)bf16_widen(((const uint16_t *)values)[i])
                              : (double)((const float *)values)[i];
}

static inline void set(enum value_type type, void *values, size_t i, float v)
{
    if (type == VALUE_BF16)
        ((uint16_t *)values)[i] = bf16_narrow(v);
    else
        ((float *)values)[i] = v;
}

/* An input with `steps` values in steps of 1/16 from `low` up. */
static inline void *input(struct run *r, enum value_type type, size_t count, float low,
                          uint64_t steps)
{
    void *v = buffer(r, NULL, type, count);
    for (size_t i = 0; i < count; i++)
        set(type, v, i, low + (float)random_below(&r->random, steps) / 16);
    return v;
}

static inline float *vector(struct run *r, size_t count, float low, uint64_t steps)
{
    return input(r, VALUE_F32, count, low, steps);
}

static inline void make_scratch(struct run *r, size_t channels)
{
    r->scratch.values = buffer(r, NULL, VALUE_F32, sums_scratch_values(channels));
    r->scratch.tickets = buffer(r, NULL, VALUE_F32, SUMS_TICKETS);
    memset(r->scratch.tickets, 0, sizeof *r->scratch.tickets);
}

static inline void start(struct run *r, const char *label)
{
    memset(r, 0, sizeof *r);
    snprintf(r->label, sizeof r->label, "%s", label);
    r->random = random_start(5, 0);
    MUST(r, cudaStreamCreateWithFlags(&r->stream, cudaStreamNonBlocking));
}

static inline void check_guards(const struct run *r)
{
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k != GUARD; k++)
            if (r->buffer[i].memory[k] != 0xFF ||
                r->buffer[i].memory[GUARD + r->buffer[i].bytes + k] != 0xFF)
                fail_msg("%s: written outside of buffer %zu (%s)", r->label, i,
                         r->buffer[i].name ? r->buffer[i].name : "input");
    for (size_t i = 0; r->scratch.tickets && i < SUMS_TICKETS; i++)
        if (r->scratch.tickets->blocks[i] != 0)
            fail_msg("%s: ticket %zu isn't 0 afterwards", r->label, i);
}

static inline void stop(struct run *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->buffer[i].memory);
    MUST(r, cudaStreamDestroy(r->stream));
}

/* Runs `body` twice, the second time with the blocks in the opposite order: the same bits. The
 * caller stops the run that is left. */
static inline void run_twice(struct run *r, const char *label,
                             void (*body)(struct run *, const void *), const void *item)
{
    struct run other;
    start(r, label);
    body(r, item);
    MUST(r, cudaStreamSynchronize(r->stream));
    check_guards(r);
    start(&other, label);
    host_kernels_reverse(true);
    body(&other, item);
    MUST(&other, cudaStreamSynchronize(other.stream));
    host_kernels_reverse(false);
    check_guards(&other);
    for (size_t i = 0; i < r->n; i++)
        if (r->buffer[i].name &&
            memcmp(r->buffer[i].memory, other.buffer[i].memory, r->buffer[i].bytes) != 0)
            fail_msg("%s: %s differs when it is repeated", label, r->buffer[i].name);
    stop(&other);
}

static inline const struct buffer *result(const struct run *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->buffer[i].name && strcmp(r->buffer[i].name, name) == 0)
            return &r->buffer[i];
    fail_msg("%s: no result %s", r->label, name);
    return NULL;
}

/* Compares value i of a result with `expected`; `bound` is absolute, before bf16 rounds. */
static inline void near(const struct run *r, const struct buffer *b, size_t i, double expected,
                        double bound)
{
    double v = value(b->type, b->memory + GUARD, i);
    if (b->type == VALUE_BF16)
        bound += (fabs(expected) + bound) * 0x1p-8;
    if (!(fabs(v - expected) <= bound))
        fail_msg("%s: %s[%zu] is %.9g, expected %.9g, bound %.2e", r->label, b->name, i, v,
                 expected, bound);
}

/* ---- the oracle: ref, with NCHW tensors ---- */

struct oracle {
    const struct backend *b;
    struct device *d;
    struct error err;
    const struct run *run;
};

static inline void open_oracle(struct oracle *o, const struct run *r)
{
    struct device_traits traits;
    memset(o, 0, sizeof *o);
    o->run = r;
    o->b = &backend_ref;
    MUST(r, o->b->open(&o->d, &traits, 1, PRECISION_FP32, &o->err));
}

/* Index in NHWC of value i in NCHW. */
static inline size_t nhwc(struct shape s, size_t i)
{
    size_t plane = s.h * s.w, n = i / plane / s.c, c = i / plane % s.c;
    return (n * plane + i % plane) * s.c + c;
}

static inline size_t count_of(struct shape s)
{
    return s.n * s.c * s.h * s.w;
}

/* A tensor of the values of an NHWC buffer, plus a bias for each channel. */
static inline struct tensor *tensor(struct oracle *o, struct shape s, enum value_type type,
                                    const void *values, const float *bias)
{
    struct tensor *t = NULL;
    float *v = calloc(count_of(s), sizeof *v);
    assert_non_null(v);
    for (size_t i = 0; values && i < count_of(s); i++)
        v[i] = (float)value(type, values, nhwc(s, i)) + (bias ? bias[i / (s.h * s.w) % s.c] : 0);
    MUST(o->run, o->b->tensor(o->d, TENSOR_ACTIVATION, s, &t, &o->err));
    MUST(o->run, o->b->write(o->d, t, v, s.n, &o->err));
    free(v);
    return t;
}

static inline struct tensor *plain(struct oracle *o, size_t n, size_t c, const float *values)
{
    return tensor(o, (struct shape){n, c, 1, 1}, VALUE_F32, values, NULL);
}

/* Compares a result with a tensor: the bound is `bound` of channel c (or of 0, if one), for all. */
static inline void compare(struct oracle *o, const char *name, struct tensor *t, struct shape s,
                           const double *bounds)
{
    const struct buffer *b = result(o->run, name);
    float *v = calloc(count_of(s), sizeof *v);
    assert_non_null(v);
    assert_int_equal(b->count, count_of(s));
    MUST(o->run, o->b->read(o->d, t, v, s.n, &o->err));
    for (size_t i = 0; i < count_of(s); i++)
        near(o->run, b, nhwc(s, i), (double)v[i],
             bounds[i / (s.h * s.w) % s.c] + U * fabs((double)v[i]));
    free(v);
}

#endif
