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

enum { CLASSES = 7, SIZE = 32, FROM = 36, BATCH = 3, LAST = 2, IMAGES = 9 };

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
static void run_net(struct net *net, struct outcome *o, int epochs)
{
    struct error err = {""};
    o->feature_count = LAST * net_features(net);
    o->features = calloc(o->feature_count, sizeof *o->features);
    assert_non_null(o->features);
    must(net_gradients(net, 0, BATCH, 0.1, &o->loss, &err), &err);
    o->gradients = all_gradients(net);
    must(net_predict(net, 1, LAST, o->logits, o->features, &err), &err);
    for (int i = 0; i < epochs; i++)
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
 * same holds for the weights of ResNeXt29's first convolution if it has one channel. */
static bool has_gradient(const struct net *net, enum net_model model, size_t i)
{
    const struct net_param *p = net_param(net, i);
    size_t length = strlen(p->name);
    bool bias = length > 5 && strcmp(p->name + length - 5, ".bias") == 0;
    bool before_norm = i + 1 < net_param_count(net) && i > 0 && net_param(net, i - 1)->dims == 4;
    return p->trainable && !(model == NET_VGG19 && bias && before_norm);
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

/* Distances from ref that are allowed: of one pass, of gradients, and after the training. */
struct bounds {
    double pass, gradient, trained;
};

static void compare(enum net_model model, int width, enum precision precision, int epochs,
                    const struct bounds *bounds)
{
    struct net *a = make(model, width, "cuda", precision);
    struct net *b = make(model, width, "ref", PRECISION_FP32);
    struct outcome x, y;
    const char *name;
    run_net(a, &x, epochs);
    run_net(b, &y, epochs);
    double loss = fabs(x.loss - y.loss) / y.loss;
    double logits = distance(x.logits, y.logits, LAST * CLASSES);
    double features = distance(x.features, y.features, x.feature_count);
    double gradient = worst_gradient(a, model, x.gradients, y.gradients, &name);
    double sums = fabs(x.sums.loss - y.sums.loss) / y.sums.loss;
    double values = distance(x.values, y.values, x.count);
    print_message("%s, width %d, %s: loss %.1e, logits %.1e, features %.1e; gradients %.1e (%s); "
                  "after %d steps: loss %.1e, parameters %.1e\n",
                  net_model_names[model], width, precision == PRECISION_BF16 ? "bf16" : "fp32",
                  loss, logits, features, gradient, name, 2 * epochs, sums, values);
    assert_true(loss <= bounds->pass && logits <= bounds->pass && features <= bounds->pass);
    assert_true(gradient <= bounds->gradient);
    assert_true(sums <= bounds->trained && values <= bounds->trained);
    assert_int_equal(x.sums.finite, 2 * epochs);
    if (precision == PRECISION_FP32)
        assert_int_equal(x.sums.correct, y.sums.correct);
    free_outcome(&x);
    free_outcome(&y);
    net_free(a);
    net_free(b);
    assert_int_equal(double_leaks(true), 0);
}

static void test_nets_equal_ref_in_fp32(void **state)
{
    static const struct bounds bounds = {2e-5, 2e-2, 1e-3};
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        compare((enum net_model)m, m == NET_RESNEXT29 ? 4 : 8, PRECISION_FP32, 2, &bounds);
}

static void test_nets_are_near_ref_in_bf16(void **state)
{
    static const struct bounds bounds = {0.1, 1, 0.1};
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        compare((enum net_model)m, m == NET_RESNEXT29 ? 4 : 8, PRECISION_BF16, 2, &bounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nets_equal_ref_in_fp32),
        cmocka_unit_test(test_nets_are_near_ref_in_bf16),
    };
    if (!double_use_libraries()) {
        print_error("the doubles of cuDNN and cuBLAS aren't built\n");
        return 1;
    }
    draw_images();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
