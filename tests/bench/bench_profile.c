/* Where a training step's time goes, layer by layer and pass by pass.
 * Usage: bench_profile [-m model] [-w width] [-b batch] [-s image size] [-p fp32|bf16] [-r steps]
 *                      [-a] [-q]
 * Prints the machine's peaks (-q: nothing else), then one line for each kind of layer (-a: each
 * layer) and pass: milliseconds of a step, their share, GFLOP/s and GB/s and what fraction of the
 * peaks they are. Bytes are those of each operand read or written once: a pass whose operands
 * stay in cache may be above the bandwidth of memory. FLOPs count the taps that fall into the
 * padding, which oneDNN skips: a convolution of small planes may be above the peak.
 *
 * The net runs on a backend whose functions time those of `cpu`. One thread, whose own CPU time
 * is the clock: another process on the core disturbs it little; medians over the steps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kernels/backends/cpu/cpu.h"
#include "kernels/nets/net_internal.h"
#include "tests/bench/training.h"

enum timed_pass { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, UPDATE, PASSES };
static const char *const pass_names[PASSES] = {"forward", "backward data", "backward weights",
                                               "update"};

enum { MAX_STEPS = 200, MAX_ENTRIES = 1024 };

/* One pass of one operation. */
struct entry {
    const void *what; /* the convolution, norm, ... that it belongs to */
    enum timed_pass pass;
    const char *kind;
    char label[64];
    int layers;
    double flops, bytes;
    double seconds[MAX_STEPS], time; /* of each step; their median */
};

/* The state of the timing backend; a backend's functions take no other. */
static struct {
    struct entry entries[MAX_ENTRIES];
    int count, step; /* step -1: warming up */
} profile;

static double now(void)
{
    return training_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* The entry of a pass of an operation; one without label is new. `kind` is a literal. */
static struct entry *find(const void *what, enum timed_pass pass, const char *kind)
{
    struct entry *e = profile.entries, *end = e + profile.count;
    while (e < end && (e->what != what || e->pass != pass || e->kind != kind))
        e++;
    if (e == end && profile.count < MAX_ENTRIES - 1)
        profile.count++;
    *e = e == end ? (struct entry){.what = what, .pass = pass, .kind = kind, .layers = 1} : *e;
    return e;
}

static void add(struct entry *e, double flops, double bytes, double seconds)
{
    if (profile.step == 0) {
        e->flops += flops;
        e->bytes += bytes;
    }
    if (profile.step >= 0)
        e->seconds[profile.step] += seconds;
}

/* ---- the timing backend ---- */

/* Bytes of n images of `count` tensors like t. */
static double bytes_of(size_t n, int count, const struct tensor *t)
{
    return t ? (double)count * (double)(n * t->slice) : 0;
}

static void record_conv(const void *conv, enum timed_pass pass, size_t n, const struct tensor *x,
                        const struct tensor *weights, const struct tensor *y, double seconds)
{
    const struct shape *w = &weights->shape;
    struct entry *e = find(conv, pass, "conv");
    if (!*e->label)
        snprintf(e->label, sizeof e->label, "conv %zux%zu/%zu %zu->%zu g%zu at %zu", w->h, w->w,
                 (x->shape.h + y->shape.h - 1) / y->shape.h, x->shape.c, w->n, x->shape.c / w->c,
                 x->shape.h);
    double each = 2 * (double)(w->n * w->c * w->h * w->w);
    add(e, each * (double)(n * y->pixels), bytes_of(n, 1, x) + bytes_of(n, 1, y), seconds);
}

static int timed_conv_ready(struct conv *conv, int worker, size_t count, struct tensor *weights,
                            bool backward, struct error *err)
{
    double t = now();
    int e = backend_cpu.conv_ready(conv, worker, count, weights, backward, err);
    t = now() - t;
    struct entry *entry = find(NULL, UPDATE, "packing");
    snprintf(entry->label, sizeof entry->label, "packing of weights");
    add(entry, 0, bytes_of(weights->shape.n, 2, weights), t);
    return e;
}

static int timed_conv_forward(struct conv *conv, struct range range, const struct tensor *x,
                              const struct tensor *weights, const struct tensor *bias,
                              struct tensor *y, unsigned flags, struct error *err)
{
    double t = now();
    int e = backend_cpu.conv_forward(conv, range, x, weights, bias, y, flags, err);
    record_conv(conv, FORWARD, range.count, x, weights, y, now() - t);
    return e;
}

static int timed_conv_backward(struct conv *conv, struct range range, const struct tensor *x,
                               const struct tensor *weights, const struct tensor *dy,
                               struct tensor *dx, unsigned gradients, struct error *err)
{
    double t = now();
    int e = backend_cpu.conv_backward(conv, range, x, weights, dy, NULL, gradients, err);
    record_conv(conv, BACKWARD_WEIGHTS, range.count, x, weights, dy, now() - t);
    if (e || !dx)
        return e;
    t = now();
    e = backend_cpu.conv_backward(conv, range, x, weights, dy, dx, 0, err);
    record_conv(conv, BACKWARD_DATA, range.count, x, weights, dy, now() - t);
    return e;
}

static int timed_conv_backward_end(struct conv *conv, struct tensor *dweights, struct tensor *dbias,
                                   struct error *err)
{
    double t = now();
    int e = backend_cpu.conv_backward_end(conv, dweights, dbias, err);
    add(find(conv, BACKWARD_WEIGHTS, "conv"), 0, 0, now() - t);
    return e;
}

static void record_plane(const void *what, enum timed_pass pass, const char *kind,
                         const struct tensor *x, double bytes, double seconds)
{
    struct entry *e = find(what, pass, kind);
    if (!*e->label)
        snprintf(e->label, sizeof e->label, "%s %zu at %zu", kind, x->shape.c, x->shape.h);
    add(e, 0, bytes, seconds);
}

static int timed_norm_moments(struct device *device, const struct norm *norm, struct range range,
                              const struct tensor *x, struct error *err)
{
    double t = now();
    int e = backend_cpu.norm_moments(device, norm, range, x, err);
    record_plane(norm, FORWARD, "moments", x, bytes_of(range.count, 1, x), now() - t);
    return e;
}

static int timed_norm_forward(struct device *device, const struct norm *norm, struct range range,
                              const struct tensor *x, const struct tensor *residual,
                              struct tensor *y, bool training, struct error *err)
{
    double t = now();
    int e = backend_cpu.norm_forward(device, norm, range, x, residual, y, training, err);
    record_plane(norm, FORWARD, residual ? "norm + residual" : "norm", x,
                 bytes_of(range.count, 2, x) + bytes_of(range.count, 1, residual), now() - t);
    return e;
}

static int timed_norm_sums(struct device *device, const struct norm *norm, struct range range,
                           const struct tensor *x, const struct tensor *y, const struct tensor *dy,
                           const struct tensor *dy2, struct tensor *dresidual, struct error *err)
{
    double t = now();
    int e = backend_cpu.norm_sums(device, norm, range, x, y, dy, dy2, dresidual, err);
    record_plane(norm, BACKWARD_DATA, dresidual ? "sums + residual" : "sums", x,
                 bytes_of(range.count, 2, x) + bytes_of(range.count, 1, dy2) +
                     bytes_of(range.count, 2, dresidual),
                 now() - t);
    return e;
}

static int timed_norm_backward(struct device *device, const struct norm *norm, struct range range,
                               const struct tensor *x, const struct tensor *dy,
                               const struct tensor *dy2, bool residual, const struct tensor *dx_add,
                               struct tensor *dx, struct error *err)
{
    double t = now();
    int e = backend_cpu.norm_backward(device, norm, range, x, dy, dy2, residual, dx_add, dx, err);
    record_plane(norm, BACKWARD_DATA, "norm", x,
                 bytes_of(range.count, 3, x) + bytes_of(range.count, 1, dy2) +
                     bytes_of(range.count, 1, dx_add),
                 now() - t);
    return e;
}

static int timed_pool_forward(struct device *device, enum pool pool, struct range range,
                              const struct tensor *x, struct tensor *y, struct error *err)
{
    double t = now();
    int e = backend_cpu.pool_forward(device, pool, range, x, y, err);
    record_plane(x, FORWARD, pool == POOL_MAX ? "max-pool" : "average pool", x,
                 bytes_of(range.count, 1, x) + bytes_of(range.count, 1, y), now() - t);
    return e;
}

static int timed_pool_backward(struct device *device, enum pool pool, struct range range,
                               const struct tensor *x, const struct tensor *dy, struct tensor *dx,
                               struct error *err)
{
    double t = now();
    int e = backend_cpu.pool_backward(device, pool, range, x, dy, dx, err);
    record_plane(x, BACKWARD_DATA, pool == POOL_MAX ? "max-pool" : "average pool", x,
                 bytes_of(range.count, 2, x) + bytes_of(range.count, 1, dy), now() - t);
    return e;
}

static int timed_add(struct device *device, struct range range, const struct tensor *a,
                     const struct tensor *b, struct tensor *y, struct error *err)
{
    double t = now();
    int e = backend_cpu.add(device, range, a, b, y, err);
    record_plane(y, FORWARD, "add", a, bytes_of(range.count, 3, a), now() - t);
    return e;
}

static int timed_sgd(struct device *device, const struct parameter_update *updates, size_t count,
                     struct error *err)
{
    double t = now(), bytes = 0;
    int e = backend_cpu.sgd(device, updates, count, err);
    t = now() - t;
    for (size_t i = 0; i < count; i++)
        bytes += bytes_of(updates[i].value->shape.n, 5, updates[i].value);
    struct entry *entry = find(NULL, UPDATE, "sgd");
    snprintf(entry->label, sizeof entry->label, "sgd");
    add(entry, 0, bytes, t);
    return e;
}

/* ---- the machine's peaks ---- */

struct peaks {
    double gflops, gbytes; /* GEMM in the net's precision; reading and writing memory */
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return values[count / 2];
}

/* The GEMM peak is that of a large 1x1 convolution: (8192 pixels, 1024) x (1024, 1024). */
static int gemm_peak(enum precision precision, double *gflops, struct error *err)
{
    const struct conv_spec spec = {
        .in = 1024, .out = 1024, .kernel = 1, .stride = 1, .groups = 1, .height = 16, .width = 16};
    const size_t n = 32;
    const struct shape s = {n, 1024, 16, 16}, sw = {1024, 1024, 1, 1};
    const struct backend *b = &backend_cpu;
    struct device *d;
    struct device_traits traits;
    struct conv *conv;
    struct tensor *x, *y, *w;
    double seconds[15];
    int e = b->open(&d, &traits, 1, precision, err);
    if (e)
        return e;
    e = b->conv(d, &spec, &conv, err);
    e = e ? e : b->tensor(d, TENSOR_ACTIVATION, s, &x, err);
    e = e ? e : b->tensor(d, TENSOR_ACTIVATION, s, &y, err);
    e = e ? e : b->tensor(d, TENSOR_PLAIN, sw, &w, err);
    e = e ? e : b->conv_ready(conv, 0, n, w, false, err);
    for (int i = -2; !e && i < 15; i++) {
        double t = now();
        e = b->conv_forward(conv, (struct range){0, n, n, 0}, x, w, NULL, y, 0, err);
        seconds[i < 0 ? 0 : i] = now() - t;
    }
    if (!e)
        *gflops = 2e-9 * 1024 * 1024 * 256 * (double)n / median(seconds, 15);
    b->close(d);
    return e;
}

/* Bytes read and written by a + b -> y on 3 x 64 MB. */
static int memory_peak(double *gbytes, struct error *err)
{
    const struct shape s = {64, 256, 32, 32};
    const struct backend *b = &backend_cpu;
    struct device *d;
    struct device_traits traits;
    struct tensor *t[3];
    double seconds[9];
    int e = b->open(&d, &traits, 1, PRECISION_FP32, err);
    if (e)
        return e;
    for (int i = 0; !e && i < 3; i++)
        e = b->tensor(d, TENSOR_ACTIVATION, s, &t[i], err);
    for (int i = -1; !e && i < 9; i++) {
        double start = now();
        e = b->add(d, (struct range){0, s.n, s.n, 0}, t[0], t[1], t[2], err);
        seconds[i < 0 ? 0 : i] = now() - start;
    }
    if (!e)
        *gbytes = 1e-9 * bytes_of(s.n, 3, t[0]) / median(seconds, 9);
    b->close(d);
    return e;
}

/* ---- the table ---- */

/* Makes one line of those that have label and pass in common. */
static void join_layers(void)
{
    for (int i = 0; i < profile.count; i++) {
        struct entry *a = &profile.entries[i];
        for (int j = profile.count - 1; j > i; j--) {
            const struct entry *b = &profile.entries[j];
            if (a->pass != b->pass || strcmp(a->label, b->label) != 0)
                continue;
            a->flops += b->flops;
            a->bytes += b->bytes;
            a->layers += b->layers;
            for (int s = 0; s < MAX_STEPS; s++)
                a->seconds[s] += b->seconds[s];
            profile.entries[j] = profile.entries[--profile.count];
        }
    }
}

static int slower(const void *a, const void *b)
{
    return compare(&((const struct entry *)b)->time, &((const struct entry *)a)->time);
}

static void print_table(int steps, double step, const struct peaks *peaks)
{
    double sum = 0;
    for (int i = 0; i < profile.count; i++) {
        struct entry *e = &profile.entries[i];
        e->time = median(e->seconds, steps);
        sum += e->time;
    }
    qsort(profile.entries, (size_t)profile.count, sizeof *profile.entries, slower);
    printf("%-36s %-16s %6s %8s %6s %8s %6s %7s %6s\n", "layer", "pass", "layers", "ms", "%",
           "GFLOP/s", "% peak", "GB/s", "% peak");
    for (int i = 0; i < profile.count; i++) {
        const struct entry *e = &profile.entries[i];
        double gflops = 1e-9 * e->flops / e->time, gbytes = 1e-9 * e->bytes / e->time;
        printf("%-36s %-16s %6d %8.3f %6.1f", e->label, pass_names[e->pass], e->layers,
               1e3 * e->time, 100 * e->time / step);
        if (e->flops > 0)
            printf(" %8.1f %6.1f", gflops, 100 * gflops / peaks->gflops);
        else
            printf(" %8s %6s", "-", "-");
        printf(" %7.1f %6.1f\n", gbytes, 100 * gbytes / peaks->gbytes);
    }
    printf("%-36s %-16s %6s %8.3f %6.1f\n", "the rest", "", "", 1e3 * (step - sum),
           100 * (step - sum) / step);
    for (int pass = 0; pass < PASSES; pass++)
        for (int conv = 1; conv >= 0; conv--) {
            double time = 0, flops = 0;
            for (int i = 0; i < profile.count; i++) {
                const struct entry *e = &profile.entries[i];
                if (e->pass != (enum timed_pass)pass || (e->flops > 0) != conv)
                    continue;
                time += e->time;
                flops += e->flops;
            }
            if (time > 0)
                printf("%-36s %-16s %6s %8.3f %6.1f %8.1f %6.1f\n",
                       conv ? "all convolutions" : "all else", pass_names[pass], "", 1e3 * time,
                       100 * time / step, 1e-9 * flops / time,
                       100e-9 * flops / time / peaks->gflops);
        }
}

/* ---- the program ---- */

struct options {
    struct net_spec spec;
    int steps;
    bool all, quit;
};

static int parse(int argc, char **argv, struct options *o)
{
    int c;
    while ((c = getopt(argc, argv, TRAINING_OPTIONS "r:aq")) != -1) {
        if (c == 'r')
            o->steps = atoi(optarg);
        else if (c == 'a')
            o->all = true;
        else if (c == 'q')
            o->quit = true;
        else if (!training_option(c, &o->spec))
            return -1;
    }
    return optind < argc || o->steps < 1 || o->steps > MAX_STEPS ? -1 : 0;
}

/* Runs the steps on the timing backend; *step: median seconds of a whole one. */
static int run(const struct options *o, double *step, struct error *err)
{
    struct backend timed = backend_cpu;
    timed.conv_ready = timed_conv_ready;
    timed.conv_forward = timed_conv_forward;
    timed.conv_backward = timed_conv_backward;
    timed.conv_backward_end = timed_conv_backward_end;
    timed.norm_moments = timed_norm_moments;
    timed.norm_forward = timed_norm_forward;
    timed.norm_sums = timed_norm_sums;
    timed.norm_backward = timed_norm_backward;
    timed.pool_forward = timed_pool_forward;
    timed.pool_backward = timed_pool_backward;
    timed.add = timed_add;
    timed.sgd = timed_sgd;
    struct training training = {.spec = o->spec};
    double seconds[MAX_STEPS];
    int e = training_begin(&training, err);
    if (!e)
        training.net->backend = &timed;
    for (profile.step = -2; !e && profile.step < o->steps; profile.step++) {
        double t = now();
        e = training_step(&training, err);
        if (profile.step >= 0)
            seconds[profile.step] = now() - t;
    }
    if (!e)
        *step = median(seconds, o->steps);
    training_end(&training);
    return e;
}

int main(int argc, char **argv)
{
    struct options o = {.spec = training_standard, .steps = 15};
    o.spec.backend = "cpu";
    struct error err = {""};
    struct peaks peaks;
    double step = 0;
    if (parse(argc, argv, &o) < 0) {
        fprintf(stderr, "usage: bench_profile [-m model] [-w width] [-b batch] [-s size] "
                        "[-p fp32|bf16] [-r steps] [-a] [-q]\n");
        return 2;
    }
    int e = gemm_peak(o.spec.precision, &peaks.gflops, &err);
    if (!e)
        e = memory_peak(&peaks.gbytes, &err);
    if (!e)
        printf("peaks of one thread: GEMM %.1f GFLOP/s, memory %.1f GB/s\n", peaks.gflops,
               peaks.gbytes);
    if (!e && !o.quit)
        e = run(&o, &step, &err);
    if (e) {
        fprintf(stderr, "bench_profile: %s\n", err.text);
        return 1;
    }
    if (o.quit)
        return 0;
    double flops = 3 * net_spec_flops(&o.spec) * o.spec.batch;
    printf("%s, width %d, %s: %.1f ms a step, %.1f images/s, %.1f GFLOP/s, %.1f %% of the peak\n",
           net_model_names[o.spec.model], o.spec.width,
           o.spec.precision == PRECISION_BF16 ? "bf16" : "fp32", 1e3 * step, o.spec.batch / step,
           1e-9 * flops / step, 100e-9 * flops / step / peaks.gflops);
    if (!o.all)
        join_layers();
    print_table(o.steps, step, &peaks);
    return 0;
}
