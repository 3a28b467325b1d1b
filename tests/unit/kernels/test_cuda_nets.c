/* The whole `cuda` backend on doubles of cudart and cuDNN, through net.h: the four nets against
 * `ref`, passes that are replayed against passes that run directly, checkpoints, threads, each
 * failing call, and memory that is too small. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/nets/net.h"
#include "tests/double/cudart.h"
#include "tests/double/libraries.h"
#include "tests/unit/need.h"

enum { CLASSES = 7, SIZE = 32, FROM = 36, BATCH = 3, LAST = 2, IMAGES = 9, EPOCHS = 2 };

/* Under sanitizers: fewer nets, and fewer failing calls (GROWTH is about the factor from one to the
 * next). */
#ifdef __SANITIZE_ADDRESS__
enum { NETS = 1, GROWTH = 12 };
#else
enum { NETS = NET_MODELS, GROWTH = 2 };
#endif

static const struct net_step step_of = {
    .sgd = {.lr = 0.05, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1},
    .label_smoothing = 0.1,
};

/* ---- images ---- */

static uint8_t pixels[IMAGES * FROM * FROM], labels[IMAGES];
static float levels[256];
static struct crop crops[IMAGES];

/* Images with some structure. A level is a multiple of 1/32, which bf16 holds exactly. */
static void draw_images(void)
{
    struct random r = random_start(5, 0);
    for (int k = 0; k < 256; k++)
        levels[k] = (float)(k - 128) / 32;
    for (size_t i = 0; i < IMAGES; i++) {
        labels[i] = (uint8_t)random_below(&r, CLASSES);
        crops[i] = (struct crop){(uint32_t)random_below(&r, IMAGES),
                                 (uint8_t)random_below(&r, FROM - SIZE + 1),
                                 (uint8_t)random_below(&r, FROM - SIZE + 1), i % 2 != 0};
        for (size_t p = 0; p < (size_t)FROM * FROM; p++) {
            double v = random_normal(&r) + sin((double)p * (1 + labels[i]) / 20);
            pixels[i * FROM * FROM + p] = (uint8_t)fmax(0, fmin(255, round(128 + 32 * v)));
        }
    }
}

static const struct image_source source = {pixels, IMAGES, FROM, levels};

static int clean(void **state)
{
    (void)state;
    double_reset();
    return 0;
}

/* ---- nets ---- */

static void must(int code, const struct error *err)
{
    if (code < 0)
        fail_msg("%s (%d)", err->text, code);
}

static struct net_spec spec_of(enum net_model model, int width, const char *backend,
                               enum precision precision)
{
    return (struct net_spec){.model = model,
                             .width = width,
                             .classes = CLASSES,
                             .image_size = SIZE,
                             .batch = BATCH,
                             .training = true,
                             .precision = precision,
                             .backend = backend,
                             .threads = 1};
}

/* A net with its queue. */
static int open_net(struct net **net, const struct net_spec *spec, struct error *err)
{
    struct net_images resident;
    *net = NULL;
    int e = net_create(net, spec, err);
    if (!e)
        e = net_init(*net, 7, err);
    if (!e)
        e = net_add_images(*net, &source, &resident, err);
    return e ? e : net_queue(*net, &resident, crops, labels, IMAGES, err);
}

static struct net *make(enum net_model model, int width, const char *backend,
                        enum precision precision)
{
    struct net_spec spec = spec_of(model, width, backend, precision);
    struct error err = {""};
    struct net *net;
    must(open_net(&net, &spec, &err), &err);
    assert_int_equal(net_precision(net), precision);
    return net;
}

/* An epoch of the test: the first images as a full batch and as the last one. */
static int epoch(struct net *net, struct error *err)
{
    int e = net_train_step(net, 0, BATCH, &step_of, err);
    return e ? e : net_train_step(net, BATCH, LAST, &step_of, err);
}

/* All parameters, or their momenta, in one array. The caller frees it. */
static float *all_values(struct net *net, bool momenta, size_t *count)
{
    struct error err = {""};
    *count = 0;
    for (size_t i = 0; i < net_param_count(net); i++)
        *count += net_param(net, i)->count;
    float *values = calloc(*count, sizeof *values), *at = values;
    assert_non_null(values);
    for (size_t i = 0; i < net_param_count(net); i++) {
        const struct net_param *p = net_param(net, i);
        if (!momenta)
            must(net_get(net, i, at, &err), &err);
        else if (p->trainable)
            must(net_get_momentum(net, i, at, &err), &err);
        at += p->count;
    }
    return values;
}

/* Makes b a copy of a. */
static void copy_net(struct net *a, struct net *b)
{
    size_t count;
    struct error err = {""};
    float *values = all_values(a, false, &count), *momenta = all_values(a, true, &count);
    for (size_t i = 0, at = 0; i < net_param_count(b); at += net_param(b, i)->count, i++) {
        must(net_set(b, i, values + at, &err), &err);
        if (net_param(b, i)->trainable)
            must(net_set_momentum(b, i, momenta + at, &err), &err);
    }
    free(values);
    free(momenta);
    struct loss_sums sums;
    must(net_loss_sums(a, &sums, NULL, &err), &err);
    must(net_loss_sums(b, NULL, &sums, &err), &err);
}

static double distance(const float *a, const float *b, size_t n)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        s += (double)b[i] * (double)b[i];
    }
    return sqrt(d) / (sqrt(s) + 1e-30);
}

/* ---- against ref ---- */

struct outcome {
    float logits[BATCH * CLASSES], *features, *gradients, *values;
    size_t feature_count, count;
    double loss;
    struct loss_sums sums;
};

static float *all_gradients(struct net *net)
{
    struct error err = {""};
    size_t count = 0;
    for (size_t i = 0; i < net_param_count(net); i++)
        count += net_param(net, i)->count;
    float *values = calloc(count, sizeof *values), *at = values;
    assert_non_null(values);
    for (size_t i = 0; i < net_param_count(net); at += net_param(net, i)->count, i++)
        if (net_param(net, i)->trainable)
            must(net_get_gradient(net, i, at, &err), &err);
    return values;
}

/* Gradients, then an evaluation, then training. */
static void run_net(struct net *net, struct outcome *o)
{
    struct error err = {""};
    o->feature_count = LAST * net_features(net);
    o->features = calloc(o->feature_count, sizeof *o->features);
    assert_non_null(o->features);
    must(net_gradients(net, 0, BATCH, 0.1, &o->loss, &err), &err);
    o->gradients = all_gradients(net);
    must(net_predict(net, 1, LAST, o->logits, o->features, &err), &err);
    for (int i = 0; i < EPOCHS; i++)
        must(epoch(net, &err), &err);
    must(net_loss_sums(net, &o->sums, NULL, &err), &err);
    o->values = all_values(net, false, &o->count);
}

static void free_outcome(struct outcome *o)
{
    free(o->features);
    free(o->gradients);
    free(o->values);
}

/* A norm undoes the bias before it: its gradient is 0 but for rounding, and isn't compared. The
 * same holds for the weights of ResNeXt29's first convolution, 1x1 of one channel. */
static bool has_gradient(const struct net *net, enum net_model model, size_t i)
{
    const struct net_param *p = net_param(net, i);
    size_t length = strlen(p->name);
    bool bias = length > 5 && strcmp(p->name + length - 5, ".bias") == 0;
    bool before_norm = i + 1 < net_param_count(net) && i > 0 && net_param(net, i - 1)->dims == 4;
    bool scale = model == NET_RESNEXT29 && i == 0;
    return p->trainable && !scale && !(model == NET_VGG19 && bias && before_norm);
}

/* Worst distance of the gradients of one parameter. */
static double worst_gradient(const struct net *net, enum net_model model, const float *a,
                             const float *b, const char **name)
{
    double worst = 0;
    *name = "";
    for (size_t i = 0, at = 0; i < net_param_count(net); at += net_param(net, i)->count, i++) {
        double d = distance(a + at, b + at, net_param(net, i)->count);
        if (has_gradient(net, model, i) && d > worst) {
            worst = d;
            *name = net_param(net, i)->name;
        }
    }
    return worst;
}

/* Distances between two outcomes. */
struct gaps {
    double loss, logits, features, gradient, trained_loss, values;
    const char *worst; /* parameter of `gradient` */
};

static struct gaps gaps_of(const struct net *net, enum net_model model, const struct outcome *a,
                           const struct outcome *b)
{
    struct gaps g = {
        .loss = fabs(a->loss - b->loss) / b->loss,
        .logits = distance(a->logits, b->logits, LAST * CLASSES),
        .features = distance(a->features, b->features, a->feature_count),
        .trained_loss = fabs(a->sums.loss - b->sums.loss) / b->sums.loss,
        .values = distance(a->values, b->values, a->count),
    };
    g.gradient = worst_gradient(net, model, a->gradients, b->gradients, &g.worst);
    return g;
}

static void show(enum net_model model, const char *what, const struct gaps *g)
{
    print_message("%s, %s: loss %.1e, logits %.1e, features %.1e, gradients %.1e (%s); trained: "
                  "loss %.1e, parameters %.1e\n",
                  net_model_names[model], what, g->loss, g->logits, g->features, g->gradient,
                  g->worst, g->trained_loss, g->values);
}

/* Multiplies each value by 1 + e, |e| <= 2^-8. */
static void perturb(struct net *net)
{
    struct random r = random_start(99, 0);
    struct error err = {""};
    size_t count;
    float *values = all_values(net, false, &count);
    for (size_t i = 0; i < count; i++)
        values[i] *= (float)(1 + ((double)random_below(&r, 2001) / 1000 - 1) / 256);
    for (size_t i = 0, at = 0; i < net_param_count(net); at += net_param(net, i)->count, i++)
        must(net_set(net, i, values + at, &err), &err);
    free(values);
}

static void run_and_close(struct net *net, struct outcome *o)
{
    run_net(net, o);
    net_free(net);
}

/* fp32: the bounds of cpu against ref (test_nets.c). bf16 rounds each activation, weight and
 * gradient by up to 2^-9 of its value. How much a net amplifies that is measured: ref is run again
 * with weights that are changed by up to 2^-8, and bf16 may be FACTOR times as far from ref. */
static void check_net(enum net_model model, int width)
{
    enum { FACTOR = 4 };
    const double least = 1.0 / 256;
    struct outcome exact, changed, fp32, bf16;
    struct net *net = make(model, width, "ref", PRECISION_FP32);
    struct net *other = make(model, width, "ref", PRECISION_FP32);
    run_net(net, &exact);
    perturb(other);
    run_and_close(other, &changed);
    run_and_close(make(model, width, "cuda", PRECISION_FP32), &fp32);
    run_and_close(make(model, width, "cuda", PRECISION_BF16), &bf16);
    struct gaps f = gaps_of(net, model, &fp32, &exact), b = gaps_of(net, model, &bf16, &exact);
    struct gaps c = gaps_of(net, model, &changed, &exact);
    show(model, "fp32", &f);
    show(model, "bf16", &b);
    show(model, "ref changed by 2^-8", &c);
    assert_true(f.loss <= 2e-5 && f.logits <= 2e-5 && f.features <= 2e-5 && f.gradient <= 2e-2);
    assert_true(f.trained_loss <= 1e-3 && f.values <= 1e-3);
    assert_int_equal(fp32.sums.correct, exact.sums.correct);
    assert_int_equal(fp32.sums.finite, 2 * EPOCHS);
    assert_int_equal(bf16.sums.finite, 2 * EPOCHS);
    assert_true(b.loss <= FACTOR * fmax(c.loss, least));
    assert_true(b.logits <= FACTOR * fmax(c.logits, least));
    assert_true(b.features <= FACTOR * fmax(c.features, least));
    assert_true(b.gradient <= FACTOR * fmax(c.gradient, least));
    assert_true(b.trained_loss <= FACTOR * fmax(c.trained_loss, least));
    assert_true(b.values <= FACTOR * fmax(c.values, least));
    free_outcome(&exact);
    free_outcome(&changed);
    free_outcome(&fp32);
    free_outcome(&bf16);
    net_free(net);
    assert_int_equal(double_leaks(true), 0);
}

static void test_nets_equal_ref(void **state)
{
    (void)state;
    for (int m = 0; m < NETS; m++)
        check_net((enum net_model)m, (const int[]){4, 3, 4, 2}[m]);
}

/* ---- recorded passes ---- */

/* Reversed crops from the third epoch on. */
static void queue_of_epoch(struct net *net, const struct net_images *resident, int number)
{
    static struct crop reversed[IMAGES];
    static uint8_t reversed_labels[IMAGES];
    struct error err = {""};
    for (size_t i = 0; i < IMAGES; i++) {
        reversed[i] = crops[IMAGES - 1 - i];
        reversed_labels[i] = labels[IMAGES - 1 - i];
    }
    must(net_queue(net, resident, number < 2 ? crops : reversed,
                   number < 2 ? labels : reversed_labels, IMAGES, &err),
         &err);
}

static struct net *make_resident(enum net_model model, enum precision precision,
                                 struct net_images *resident)
{
    struct net *net = make(model, 2, "cuda", precision);
    struct error err = {""};
    must(net_add_images(net, &source, resident, &err), &err);
    return net;
}

static void assert_equal_nets(struct net *a, struct net *b)
{
    size_t count;
    struct error err = {""};
    struct loss_sums sums[2];
    memset(sums, 0, sizeof sums);
    for (int momenta = 0; momenta < 2; momenta++) {
        float *x = all_values(a, momenta, &count), *y = all_values(b, momenta, &count);
        assert_memory_equal(x, y, count * sizeof *x);
        free(x);
        free(y);
    }
    must(net_loss_sums(a, &sums[0], NULL, &err), &err);
    must(net_loss_sums(b, &sums[1], NULL, &err), &err);
    assert_memory_equal(&sums[0], &sums[1], sizeof sums[0]);
}

/* One step of an epoch: the full batch or the last one. */
static void train_one(struct net *net, int step)
{
    struct error err = {""};
    const struct net_step *s = &step_of;
    if (step % 2)
        must(net_train_step(net, BATCH, LAST, s, &err), &err);
    else
        must(net_train_step(net, 0, BATCH, s, &err), &err);
}

/* A net whose steps are replayed against nets that do one step each, directly, and pass their
 * parameters, momenta and sums on: that is a checkpoint and a resume after each step, too. */
static void check_replay(enum net_model model, enum precision precision)
{
    enum { STEPS = 8 };
    struct net_images resident, other;
    struct net *whole = make_resident(model, precision, &resident), *last = NULL;
    struct double_counts before = double_counts();
    for (int i = 0; i < STEPS; i++) {
        queue_of_epoch(whole, &resident, i / 2);
        size_t calls = double_counts().calls;
        train_one(whole, i);
        if (i >= 4) /* a replayed step: the state of the pass, and the graph */
            assert_int_equal(double_counts().calls - calls, 2);
    }
    struct double_counts after = double_counts();
    assert_int_equal(after.recorded - before.recorded, 2);
    assert_int_equal(after.replayed - before.replayed, STEPS - 2);
    assert_int_equal(after.cold, 0);
    for (int i = 0; i < STEPS; i++) {
        struct net *next = make_resident(model, precision, &other);
        queue_of_epoch(next, &other, i / 2);
        if (last)
            copy_net(last, next);
        train_one(next, i);
        net_free(last);
        last = next;
    }
    assert_equal_nets(whole, last);
    net_free(last);
    net_free(whole);
    assert_int_equal(double_leaks(true), 0);
}

static void test_replayed_steps_equal_direct_ones(void **state)
{
    (void)state;
    for (int m = 0; m < NETS; m++)
        check_replay((enum net_model)m, PRECISION_BF16);
    check_replay(NET_VGG19, PRECISION_FP32);
}

/* The same evaluation by a net that has recorded it and by new nets. */
static void test_replayed_evaluations_equal_direct_ones(void **state)
{
    enum { TIMES = 4 };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct net_spec spec =
            spec_of(NET_RESNET18, 2, "cuda", i ? PRECISION_BF16 : PRECISION_FP32);
        struct error err = {""};
        struct net *whole, *one;
        spec.training = false;
        must(open_net(&whole, &spec, &err), &err);
        size_t features = net_features(whole), count = LAST * (CLASSES + features);
        float *a = calloc(2 * count, sizeof *a), *b = a + count;
        assert_non_null(a);
        for (size_t first = 0; first < TIMES; first++) {
            must(open_net(&one, &spec, &err), &err);
            must(net_predict(whole, first, LAST, a, a + (size_t)LAST * CLASSES, &err), &err);
            must(net_predict(one, first, LAST, b, b + (size_t)LAST * CLASSES, &err), &err);
            assert_memory_equal(a, b, count * sizeof *a);
            net_free(one);
        }
        assert_true(double_counts().replayed > 0);
        free(a);
        net_free(whole);
    }
    assert_int_equal(double_leaks(true), 0);
}

/* Gradients, evaluation and training in turn on one net, and without the evaluation on another: the
 * passes don't disturb each other. */
static void test_kinds_of_passes_in_turn(void **state)
{
    struct net_images resident;
    struct error err = {""};
    struct net *mixed = make_resident(NET_VGG19, PRECISION_BF16, &resident);
    struct net *plain = make_resident(NET_VGG19, PRECISION_BF16, &resident);
    float logits[2][BATCH * CLASSES];
    double loss[2];
    (void)state;
    for (int i = 0; i < 4; i++) {
        must(net_gradients(mixed, 0, BATCH, 0.1, &loss[0], &err), &err);
        must(net_gradients(plain, 0, BATCH, 0.1, &loss[1], &err), &err);
        assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
        must(net_predict(mixed, 0, BATCH, logits[i > 0], NULL, &err), &err);
        must(epoch(mixed, &err), &err);
        must(epoch(plain, &err), &err);
    }
    assert_equal_nets(mixed, plain);
    must(net_predict(mixed, 0, BATCH, logits[0], NULL, &err), &err);
    must(net_predict(plain, 0, BATCH, logits[1], NULL, &err), &err);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    net_free(mixed);
    net_free(plain);
}

static void *train_in_thread(void *data)
{
    struct error err = {""};
    int e = 0;
    for (int i = 0; i < 4 && !e; i++)
        e = epoch(data, &err);
    return e ? data : NULL;
}

/* Two nets in two threads: one may record a pass while the other allocates memory. */
static void test_two_threads(void **state)
{
    struct net *nets[3];
    pthread_t threads[2];
    void *failed;
    (void)state;
    for (int i = 0; i < 3; i++)
        nets[i] = make(NET_VGG19, 1, "cuda", PRECISION_FP32);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, train_in_thread, nets[i]), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_null(train_in_thread(nets[2]));
    assert_equal_nets(nets[0], nets[2]);
    assert_equal_nets(nets[1], nets[2]);
    for (int i = 0; i < 3; i++)
        net_free(nets[i]);
}

/* ---- failures ---- */

/* All that a program does with a net: it is created, trained, evaluated, read. *net is for the
 * caller to free. */
static int use_net(struct net **net, struct error *err)
{
    struct net_spec spec = spec_of(NET_VGG19, 1, "cuda", PRECISION_BF16);
    float logits[BATCH * CLASSES], values[4096];
    struct loss_sums sums;
    int e = open_net(net, &spec, err);
    for (int i = 0; i < 3 && !e; i++)
        e = epoch(*net, err);
    if (!e)
        e = net_loss_sums(*net, &sums, NULL, err);
    for (size_t i = 0; !e && i < net_param_count(*net); i++)
        if (net_param(*net, i)->count <= 4096)
            e = net_get(*net, i, values, err);
    return e ? e : net_predict(*net, 0, BATCH, logits, NULL, err);
}

/* Functions that release something: no one hears of their failure. */
static bool releases(const char *function)
{
    return strstr(function, "Free") || strstr(function, "Destroy");
}

static const char *const functions[] = {
    "cudaGetDeviceCount",
    "cudaGetDeviceProperties",
    "cudaSetDevice",
    "cudaGetDevice",
    "cudaMalloc",
    "cudaFree",
    "cudaMemcpyAsync",
    "cudaMemsetAsync",
    "cudaStreamCreateWithFlags",
    "cudaStreamDestroy",
    "cudaStreamSynchronize",
    "cudaStreamBeginCapture",
    "cudaStreamEndCapture",
    "cudaGraphInstantiate",
    "cudaGraphLaunch",
    "cudaGraphDestroy",
    "cudaGraphExecDestroy",
    "launch",
    "cudnnCreate",
    "cudnnDestroy",
    "cudnnSetStream",
    "cudnnBackendCreateDescriptor",
    "cudnnBackendDestroyDescriptor",
    "cudnnBackendSetAttribute",
    "cudnnBackendGetAttribute",
    "cudnnBackendFinalize",
    "cudnnBackendExecute",
};
enum { FUNCTIONS = sizeof functions / sizeof *functions };

/* Uses a net while the n-th call of a function fails. Returns whether it was called that often. */
static bool fails_cleanly(const char *function, size_t n)
{
    struct error err = {""};
    struct net *net;
    int error = strncmp(function, "cudnn", 5) == 0 ? 5001 : cudaErrorUnknown;
    double_fail(NULL, 0, 0);
    double_fail(function, n, error);
    int e = use_net(&net, &err);
    bool failed = double_failed(NULL), heard = failed && !releases(function);
    if (heard != (e < 0) || heard != (err.text[0] != '\0') || strchr(err.text, '\n'))
        fail_msg("call %zu of %s: code %d, '%s'", n, function, e, err.text);
    net_free(net);
    failed = double_failed(NULL);
    if (double_leaks(true))
        fail_msg("call %zu of %s: leaks", n, function);
    double_fail(NULL, 0, 0);
    return failed;
}

/* The first calls of each function, then fewer and fewer. */
static void test_failing_calls(void **state)
{
    size_t failures = 0;
    (void)state;
    for (int f = 0; f < FUNCTIONS; f++)
        for (size_t n = 1; fails_cleanly(functions[f], n); n += 1 + GROWTH * n)
            failures++;
    print_message("%zu failures\n", failures);
    assert_true(failures > (size_t)FUNCTIONS);
    struct error err = {""};
    struct net *net;
    must(use_net(&net, &err), &err);
    net_free(net);
}

/* After an error that is sticky all calls fail; one line names the cause and the remedy. */
static void test_lost_device(void **state)
{
    static const struct {
        const char *function;
        int error;
        const char *cause;
    } cases[] = {
        {"cudaStreamSynchronize", cudaErrorECCUncorrectable, "ECC"},
        {"launch", cudaErrorLaunchFailure, "Xid"},
        {"cudaGraphLaunch", cudaErrorIllegalAddress, "please report it"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error err = {""};
        struct net *net;
        double_fail(cases[i].function, 2, cases[i].error);
        assert_int_equal(use_net(&net, &err), -EIO);
        if (!strstr(err.text, cases[i].cause))
            fail_msg("no '%s' in '%s'", cases[i].cause, err.text);
        net_free(net);
        assert_int_equal(double_leaks(true), 0);
        double_reset();
    }
}

static void test_too_little_memory(void **state)
{
    struct error err = {""};
    struct net *net;
    (void)state;
    double_reset();
    must(use_net(&net, &err), &err);
    size_t needed = double_counts().bytes;
    net_free(net);
    for (size_t i = 0; i < 12; i++) {
        double_set_memory(i < 11 ? needed * i / 11 + 1 : needed - 1);
        assert_int_equal(use_net(&net, &err), -ENOMEM);
        if (!strstr(err.text, "MB are needed") || !strstr(err.text, "batch_size"))
            fail_msg("sizes or remedy are missing: '%s'", err.text);
        net_free(net);
        assert_int_equal(double_leaks(true), 0);
    }
    double_set_memory(needed);
    must(use_net(&net, &err), &err);
    net_free(net);
    double_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nets_equal_ref, clean),
        cmocka_unit_test_setup(test_replayed_steps_equal_direct_ones, clean),
        cmocka_unit_test_setup(test_replayed_evaluations_equal_direct_ones, clean),
        cmocka_unit_test_setup(test_kinds_of_passes_in_turn, clean),
        cmocka_unit_test_setup(test_two_threads, clean),
        cmocka_unit_test_setup(test_failing_calls, clean),
        cmocka_unit_test_setup(test_lost_device, clean),
        cmocka_unit_test_setup(test_too_little_memory, clean),
    };
    if (!double_use_libraries()) {
        print_error("the doubles of cuDNN and cuBLAS aren't built\n");
        return 1;
    }
    draw_images();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
