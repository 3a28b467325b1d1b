/* What a net does in a pass (backend.h): the same calls with the same arguments each time but the
 * first, whatever else has run between; nothing that a device can't record; and none of the calls
 * where the device has run the pass again. The net runs on `cpu`, whose functions are wrapped to
 * note their arguments, with the traits of a device that records passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "kernels/nets/net_internal.h"

enum { BATCH = 4, IMAGES = 7, CLASSES = 7, SIZE = 32 };

/* Static, because a backend's functions get no pointer of the caller's. */
static struct {
    bool inside, replays; /* in a pass; pass_begin says that it has replayed it */
    size_t calls, waits;  /* in the pass: recorded ones, and those that can't be recorded */
    uint64_t digest;      /* of the recorded calls and their arguments, in order */
} seen;

static void note(const char *function, const void *const *pointers, size_t count,
                 struct range range, uint64_t more)
{
    const uint64_t numbers[] = {range.first, range.count, range.batch, (uint64_t)range.worker,
                                more};
    uint64_t d = seen.digest ^ (uint64_t)(uintptr_t)function;
    for (size_t i = 0; i < count; i++)
        d = (d ^ (uint64_t)(uintptr_t)pointers[i]) * 0x100000001b3 + 1;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        d = (d ^ numbers[i]) * 0x100000001b3 + 1;
    assert_true(seen.inside);
    seen.digest = d;
    seen.calls++;
}

#define NOTE(range, more, ...)                                                                     \
    note(__func__, (const void *const[]){__VA_ARGS__},                                             \
         sizeof((const void *const[]){__VA_ARGS__}) / sizeof(void *), range, more)

static const struct range none;

/* ---- the wrapped functions ---- */

static int pass_begin(struct device *d, const struct pass *pass, bool *replayed, struct error *err)
{
    assert_false(seen.inside);
    int e = backend_cpu.pass_begin(d, pass, replayed, err);
    seen.inside = true;
    seen.calls = seen.waits = 0;
    seen.digest = 0;
    *replayed = seen.replays;
    return e;
}

static int pass_end(struct device *d, bool failed, struct error *err)
{
    assert_true(seen.inside);
    seen.inside = false;
    return backend_cpu.pass_end(d, failed, err);
}

static int tensor(struct device *d, enum tensor_use use, struct shape shape, struct tensor **t,
                  struct error *err)
{
    seen.waits++;
    return backend_cpu.tensor(d, use, shape, t, err);
}

static int view(struct device *d, struct tensor *plain, size_t first, struct shape shape,
                struct tensor **t, struct error *err)
{
    seen.waits++;
    return backend_cpu.view(d, plain, first, shape, t, err);
}

static int write_values(struct device *d, struct tensor *t, const float *values, size_t n,
                        struct error *err)
{
    seen.waits++;
    return backend_cpu.write(d, t, values, n, err);
}

static int read_values(struct device *d, struct tensor *t, float *values, size_t n,
                       struct error *err)
{
    seen.waits++;
    return backend_cpu.read(d, t, values, n, err);
}

static int loss_sums(struct device *d, struct loss_sums *sums, const struct loss_sums *next,
                     struct error *err)
{
    seen.waits++;
    return backend_cpu.loss_sums(d, sums, next, err);
}

static int crop(struct device *d, struct tensor *images, struct error *err)
{
    NOTE(none, 0, d, images);
    return backend_cpu.crop(d, images, err);
}

static int conv_ready(struct conv *c, int worker, size_t count, struct tensor *weights,
                      bool backward, struct error *err)
{
    if (seen.inside) /* not where weights are folded */
        NOTE(none, count << 8 | (unsigned)worker << 1 | backward, c, weights);
    return backend_cpu.conv_ready(c, worker, count, weights, backward, err);
}

static int conv_forward(struct conv *c, struct range r, const struct tensor *x,
                        const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                        unsigned flags, struct error *err)
{
    NOTE(r, flags, c, x, weights, bias, y);
    return backend_cpu.conv_forward(c, r, x, weights, bias, y, flags, err);
}

static int conv_backward(struct conv *c, struct range r, const struct tensor *x,
                         const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                         unsigned gradients, struct error *err)
{
    NOTE(r, gradients, c, x, weights, dy, dx);
    return backend_cpu.conv_backward(c, r, x, weights, dy, dx, gradients, err);
}

static int conv_backward_end(struct conv *c, struct tensor *dweights, struct tensor *dbias,
                             struct error *err)
{
    NOTE(none, 0, c, dweights, dbias);
    return backend_cpu.conv_backward_end(c, dweights, dbias, err);
}

static int norm_ready(struct device *d, const struct norm *norm, bool training, struct error *err)
{
    NOTE(none, training, d, norm);
    return backend_cpu.norm_ready(d, norm, training, err);
}

static int norm_moments(struct device *d, const struct norm *norm, struct range r,
                        const struct tensor *x, struct error *err)
{
    NOTE(r, 0, d, norm, x);
    return backend_cpu.norm_moments(d, norm, r, x, err);
}

static int norm_moments_end(struct device *d, const struct norm *norm, size_t n,
                            const struct tensor *x, struct error *err)
{
    NOTE(none, n, d, norm, x);
    return backend_cpu.norm_moments_end(d, norm, n, x, err);
}

static int norm_forward(struct device *d, const struct norm *norm, struct range r,
                        const struct tensor *x, const struct tensor *residual, struct tensor *y,
                        bool training, struct error *err)
{
    NOTE(r, training, d, norm, x, residual, y);
    return backend_cpu.norm_forward(d, norm, r, x, residual, y, training, err);
}

static int norm_sums(struct device *d, const struct norm *norm, struct range r,
                     const struct tensor *x, const struct tensor *y, const struct tensor *dy,
                     const struct tensor *dy2, struct tensor *dresidual, struct error *err)
{
    NOTE(r, 0, d, norm, x, y, dy, dy2, dresidual);
    return backend_cpu.norm_sums(d, norm, r, x, y, dy, dy2, dresidual, err);
}

static int norm_sums_end(struct device *d, const struct norm *norm, size_t n,
                         const struct tensor *x, struct error *err)
{
    NOTE(none, n, d, norm, x);
    return backend_cpu.norm_sums_end(d, norm, n, x, err);
}

static int norm_backward(struct device *d, const struct norm *norm, struct range r,
                         const struct tensor *x, const struct tensor *dy, const struct tensor *dy2,
                         bool residual, const struct tensor *dx_add, struct tensor *dx,
                         struct error *err)
{
    NOTE(r, residual, d, norm, x, dy, dy2, dx_add, dx);
    return backend_cpu.norm_backward(d, norm, r, x, dy, dy2, residual, dx_add, dx, err);
}

static int pool_forward(struct device *d, enum pool pool, struct range r, const struct tensor *x,
                        struct tensor *y, struct error *err)
{
    NOTE(r, pool, d, x, y);
    return backend_cpu.pool_forward(d, pool, r, x, y, err);
}

static int pool_backward(struct device *d, enum pool pool, struct range r, const struct tensor *x,
                         const struct tensor *dy, struct tensor *dx, struct error *err)
{
    NOTE(r, pool, d, x, dy, dx);
    return backend_cpu.pool_backward(d, pool, r, x, dy, dx, err);
}

static int linear_forward(struct device *d, size_t n, const struct tensor *x,
                          const struct tensor *weights, const struct tensor *bias, struct tensor *y,
                          struct error *err)
{
    NOTE(none, n, d, x, weights, bias, y);
    return backend_cpu.linear_forward(d, n, x, weights, bias, y, err);
}

static int linear_backward(struct device *d, size_t n, const struct tensor *x,
                           const struct tensor *weights, const struct tensor *dy, struct tensor *dx,
                           struct tensor *dweights, struct tensor *dbias, struct error *err)
{
    NOTE(none, n, d, x, weights, dy, dx, dweights, dbias);
    return backend_cpu.linear_backward(d, n, x, weights, dy, dx, dweights, dbias, err);
}

static int loss(struct device *d, const struct tensor *logits, struct tensor *dlogits,
                struct error *err)
{
    NOTE(none, 0, d, logits, dlogits);
    return backend_cpu.loss(d, logits, dlogits, err);
}

static int add(struct device *d, struct range r, const struct tensor *a, const struct tensor *b,
               struct tensor *y, struct error *err)
{
    NOTE(r, 0, d, a, b, y);
    return backend_cpu.add(d, r, a, b, y, err);
}

static int sgd(struct device *d, const struct parameter_update *updates, size_t count,
               struct error *err)
{
    NOTE(none, count, d, updates);
    return backend_cpu.sgd(d, updates, count, err);
}

static struct backend wrapped(void)
{
    struct backend b = backend_cpu;
    b.pass_begin = pass_begin;
    b.pass_end = pass_end;
    b.tensor = tensor;
    b.view = view;
    b.write = write_values;
    b.read = read_values;
    b.loss_sums = loss_sums;
    b.crop = crop;
    b.conv_ready = conv_ready;
    b.conv_forward = conv_forward;
    b.conv_backward = conv_backward;
    b.conv_backward_end = conv_backward_end;
    b.norm_ready = norm_ready;
    b.norm_moments = norm_moments;
    b.norm_moments_end = norm_moments_end;
    b.norm_forward = norm_forward;
    b.norm_sums = norm_sums;
    b.norm_sums_end = norm_sums_end;
    b.norm_backward = norm_backward;
    b.pool_forward = pool_forward;
    b.pool_backward = pool_backward;
    b.linear_forward = linear_forward;
    b.linear_backward = linear_backward;
    b.loss = loss;
    b.add = add;
    b.sgd = sgd;
    return b;
}

/* ---- nets ---- */

static void check(int code, const struct error *err)
{
    if (code < 0)
        fail_msg("%s", err->text);
}

/* Images, crops and labels: the data don't matter. They live as long as all nets. */
static uint8_t pixels[IMAGES * SIZE * SIZE], labels[IMAGES];
static float levels[256];
static struct crop crops[IMAGES];

static void queue(struct net *net)
{
    const struct image_source source = {pixels, IMAGES, SIZE, levels};
    struct net_images images;
    struct error err = {""};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * i / 7);
    for (int k = 0; k < 256; k++)
        levels[k] = (float)(k - 128) / 64;
    for (uint32_t i = 0; i < IMAGES; i++) {
        crops[i].image = i;
        labels[i] = (uint8_t)(i % CLASSES);
    }
    check(net_add_images(net, &source, &images, &err), &err);
    check(net_queue(net, &images, crops, labels, IMAGES, &err), &err);
}

static struct net *make(enum net_model model, bool training, bool folds_norms)
{
    const struct net_spec spec = {.model = model,
                                  .width = 4,
                                  .classes = CLASSES,
                                  .image_size = SIZE,
                                  .batch = BATCH,
                                  .training = training,
                                  .backend = "cpu",
                                  .threads = 1};
    const struct device_traits recording = {
        .precision = PRECISION_FP32, .workers = 1, .worker_images = 1, .folds_norms = folds_norms};
    struct net *net = NULL;
    struct error err = {""};
    check(net_create_with(&net, &spec, &recording, &err), &err);
    queue(net);
    return net;
}

static const struct net_step step = {.sgd = {.lr = 0.01, .momentum = 0.9, .clip = 0.1},
                                     .label_smoothing = 0.1};

static void run(struct net *net, enum pass_kind kind, size_t first, size_t n)
{
    float logits[BATCH * CLASSES], features[BATCH * 64];
    double mean = 0;
    struct error err = {""};
    int e = 0;
    if (kind == PASS_TRAINING)
        e = net_train_step(net, first, n, &step, &err);
    else if (kind == PASS_GRADIENTS)
        e = net_gradients(net, first, n, 0.2, &mean, &err);
    else /* which of the two are read makes no difference */
        e = net_predict(net, first, n, first % 2 ? logits : NULL, first % 3 ? features : NULL,
                        &err);
    check(e, &err);
}

/* A pass of each kind and of two sizes, among others, at several positions. */
static void check_calls(enum net_model model, bool training)
{
    static const size_t sizes[] = {BATCH, 3};
    const struct backend backend = wrapped();
    struct net *net = make(model, training, false);
    uint64_t digests[3][2];
    size_t calls[3][2];
    net->backend = &backend;
    for (size_t round = 0; round < 4; round++)
        for (int kind = training ? 0 : PASS_EVALUATION; kind <= PASS_EVALUATION; kind++)
            for (int s = 0; s < 2; s++) {
                run(net, (enum pass_kind)kind, round, sizes[s]);
                if (round == 0)
                    continue;
                if (round == 1) {
                    digests[kind][s] = seen.digest;
                    calls[kind][s] = seen.calls;
                }
                assert_true(seen.calls > 20);
                assert_int_equal(seen.calls, calls[kind][s]);
                if (seen.digest != digests[kind][s])
                    fail_msg("%s: pass %zu of kind %d with %zu images isn't the second",
                             net_model_names[model], round + 1, kind, sizes[s]);
            }
    net_free(net);
}

static void test_same_calls(void **state)
{
    (void)state;
    for (int m = 0; m < NET_MODELS; m++) {
        check_calls((enum net_model)m, true);
        check_calls((enum net_model)m, false);
    }
}

static int begin_inside(struct device *d, const struct pass *pass, bool *replayed,
                        struct error *err)
{
    int e = pass_begin(d, pass, replayed, err);
    seen.waits = 0;
    return e;
}

static int end_inside(struct device *d, bool failed, struct error *err)
{
    assert_int_equal(seen.waits, 0);
    return pass_end(d, failed, err);
}

/* From the second pass of a kind on, all that waits, copies or creates is before or after it. */
static void check_recordable(enum net_model model, bool folds_norms)
{
    struct backend backend = wrapped();
    struct net *net = make(model, true, folds_norms);
    net->backend = &backend;
    for (size_t round = 0; round < 3; round++) {
        for (int kind = 0; kind <= PASS_EVALUATION; kind++)
            run(net, (enum pass_kind)kind, round, BATCH);
        backend.pass_begin = begin_inside;
        backend.pass_end = end_inside;
    }
    net_free(net);
}

static void test_recordable(void **state)
{
    (void)state;
    for (int m = 0; m < NET_MODELS; m++) {
        check_recordable((enum net_model)m, false);
        check_recordable((enum net_model)m, true);
    }
}

static float tracked(struct net *net)
{
    size_t i = 0;
    float value = 0;
    struct error err = {""};
    while (net_param(net, i)->dims != 0)
        i++;
    check(net_get(net, i, &value, &err), &err);
    return value;
}

/* Where the device has run the pass again, the net makes none of the calls, and counts all the
 * same. */
static void test_replayed(void **state)
{
    (void)state;
    const struct backend backend = wrapped();
    struct net *net = make(NET_RESNET18, true, false);
    net->backend = &backend;
    run(net, PASS_TRAINING, 0, BATCH);
    run(net, PASS_EVALUATION, 0, BATCH);
    assert_true(tracked(net) == 1 && net->folded);
    seen.replays = true;
    for (int kind = 0; kind <= PASS_EVALUATION; kind++) {
        net->folded = true;
        run(net, (enum pass_kind)kind, 1, BATCH);
        assert_int_equal(seen.calls, 0);
        assert_false(seen.inside);
        assert_true(net->folded == (kind == PASS_EVALUATION));
    }
    seen.replays = false;
    assert_true(tracked(net) == 3);
    net_free(net);
}

static int broken(struct device *d, struct tensor *images, struct error *err)
{
    (void)d, (void)images;
    return error_set(err, EIO, "the device is lost");
}

/* A pass ends also when an operation in it fails, here the first; the error is that one's. */
static void test_failed(void **state)
{
    (void)state;
    struct backend backend = wrapped();
    struct net *net = make(NET_RESNET18, true, false);
    struct error err = {""};
    float logits[BATCH * CLASSES];
    backend.crop = broken;
    net->backend = &backend;
    assert_int_equal(net_train_step(net, 0, BATCH, &step, &err), -EIO);
    assert_false(seen.inside);
    assert_string_equal(err.text, "the device is lost");
    assert_int_equal(net_predict(net, 0, BATCH, logits, NULL, &err), -EIO);
    assert_false(seen.inside);
    assert_true(tracked(net) == 0);
    net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_calls),
        cmocka_unit_test(test_recordable),
        cmocka_unit_test(test_replayed),
        cmocka_unit_test(test_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
