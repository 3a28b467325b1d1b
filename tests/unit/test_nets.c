/* The four nets, small: `cpu` against `ref` in logits, features, loss and gradients; `ref` against
 * finite differences; training steps; bf16 against fp32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/net.h"

enum { BATCH = 4, CLASSES = 7 };

static struct net *make(enum net_model model, int width, int size, const char *backend,
                        enum net_precision precision)
{
    struct net_spec spec = {.model = model, .width = width, .classes = CLASSES,
                            .image_size = size, .batch = BATCH, .training = true,
                            .precision = precision, .backend = backend, .threads = 1};
    struct net *net = NULL;
    struct error err = {""};
    if (net_create(&net, &spec, &err) < 0 || net_init(net, 7, &err) < 0)
        fail_msg("%s", err.text);
    return net;
}

/* Images with some structure, and labels; the same for the same seed. */
static float *make_images(size_t n, int size, uint8_t *labels)
{
    size_t plane = (size_t)size * (size_t)size;
    float *images = calloc(n * plane, sizeof *images);
    assert_non_null(images);
    struct random r = random_start(3, 0);
    for (size_t i = 0; i < n; i++) {
        labels[i] = (uint8_t)random_below(&r, CLASSES);
        for (size_t p = 0; p < plane; p++)
            images[i * plane + p] =
                (float)(random_normal(&r) + sin((double)p * (1 + labels[i]) / 20));
    }
    return images;
}

/* |a - b| / |b| over whole arrays. */
static double distance(const float *a, const float *b, size_t n)
{
    double d = 0, s = 0;
    for (size_t i = 0; i < n; i++) {
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        s += (double)b[i] * (double)b[i];
    }
    return sqrt(d) / (sqrt(s) + 1e-30);
}

static void check(int code, const struct error *err)
{
    if (code < 0)
        fail_msg("%s", err->text);
}

static void compare(enum net_model model, int width, int size, enum net_precision precision,
                    double logit_bound, double gradient_bound)
{
    struct error err = {""};
    uint8_t labels[BATCH];
    float *images = make_images(BATCH, size, labels);
    struct net *a = make(model, width, size, "cpu", precision);
    struct net *b = make(model, width, size, "ref", NET_FP32);
    double loss_a, loss_b, worst = 0;
    const char *worst_name = "";
    check(net_gradients(a, images, labels, BATCH, 0.1, &loss_a, &err), &err);
    check(net_gradients(b, images, labels, BATCH, 0.1, &loss_b, &err), &err);
    for (size_t i = 0; i < net_param_count(a); i++) {
        const struct net_param *p = net_param(a, i);
        float *x = calloc(2 * p->count, sizeof *x), *y = x + p->count;
        assert_non_null(x);
        check((p->trainable ? net_get_gradient : net_get)(a, i, x, &err), &err);
        check((p->trainable ? net_get_gradient : net_get)(b, i, y, &err), &err);
        double d = distance(x, y, p->count);
        bool zero = strstr(p->name, "features") && p->dims == 1 && strstr(p->name, ".bias");
        if (!zero && d > worst) {
            worst = d;
            worst_name = p->name;
        }
        free(x);
    }
    float la[BATCH * CLASSES], lb[BATCH * CLASSES];
    float *fa = calloc(2 * BATCH * net_features(a), sizeof *fa), *fb = fa + BATCH * net_features(a);
    check(net_predict(a, images, BATCH - 1, la, fa, &err), &err);
    check(net_predict(b, images, BATCH - 1, lb, fb, &err), &err);
    double dl = distance(la, lb, (BATCH - 1) * CLASSES);
    double df = distance(fa, fb, (BATCH - 1) * net_features(a));
    print_message("%-16s width %d size %d: loss %.6f %.6f, gradients %.1e (%s), logits %.1e, "
                  "features %.1e\n",
                  net_model_names[model], width, size, loss_a, loss_b, worst, worst_name, dl, df);
    assert_true(fabs(loss_a - loss_b) <= logit_bound * fabs(loss_b));
    assert_true(worst <= gradient_bound);
    assert_true(dl <= logit_bound && df <= logit_bound);
    free(fa);
    free(images);
    net_free(a);
    net_free(b);
}

static void test_cpu_is_ref(void **state)
{
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        compare((enum net_model)m, 4, 40, NET_FP32, 1e-4, 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_is_ref),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
