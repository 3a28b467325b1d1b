/* The four nets, small: range by range against all at once; `cpu` against `ref` in logits,
 * features, loss and gradients; `ref` against finite differences; training steps; bf16 against
 * fp32, which is skipped where the net would compute in fp32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/random.h"
#include "kernels/backends/cpu/cpu.h"
#include "kernels/nets/net_internal.h"
#include "tests/unit/need.h"

enum { BATCH = 4, CLASSES = 7 };

static const char *const precision_names[] = {[PRECISION_FP32] = "fp32", [PRECISION_BF16] = "bf16"};

static struct net *make_with(enum net_model model, int width, int size, const char *backend,
                             enum precision precision, int batch, int threads)
{
    struct net_spec spec = {.model = model,
                            .width = width,
                            .classes = CLASSES,
                            .image_size = size,
                            .batch = batch,
                            .training = true,
                            .precision = precision,
                            .backend = backend,
                            .threads = threads};
    struct net *net = NULL;
    struct error err = {""};
    if (net_create(&net, &spec, &err) < 0 || net_init(net, 7, &err) < 0)
        fail_msg("%s", err.text);
    return net;
}

static struct net *make_for(enum net_model model, int width, int size, const char *backend,
                            enum precision precision, int batch)
{
    return make_with(model, width, size, backend, precision, batch, 1);
}

static struct net *make(enum net_model model, int width, int size, const char *backend,
                        enum precision precision)
{
    return make_for(model, width, size, backend, precision, BATCH);
}

/* Skips the test if a net would compute in fp32 instead. */
static void need_precision(enum precision precision)
{
    struct net *net = make(NET_RESNET18, 1, 32, "cpu", precision);
    bool has = net_precision(net) == precision;
    net_free(net);
    need(has, "bf16 instructions");
}

/* Images with some structure, their labels, and crops that are the whole images, in order. */
struct images {
    size_t n;
    uint8_t *pixels, *labels;
    struct crop *crops;
    struct image_source source;
};

/* Level k is (k - 128) / 32, so that bf16 holds it exactly. */
static float levels[256];

static void check(int code, const struct error *err)
{
    if (code < 0)
        fail_msg("%s", err->text);
}

/* The first ones are the same for all n. */
static struct images *make_images(size_t n, int size)
{
    size_t plane = (size_t)size * (size_t)size;
    struct images *images = calloc(1, sizeof *images);
    assert_non_null(images);
    *images = (struct images){
        .n = n, calloc(n, plane), calloc(n, 1), calloc(n, sizeof(struct crop)), {0}};
    assert_true(images->pixels && images->labels && images->crops);
    images->source = (struct image_source){images->pixels, n, (size_t)size, levels};
    struct random r = random_start(3, 0);
    for (int k = 0; k < 256; k++)
        levels[k] = (float)(k - 128) / 32;
    for (size_t i = 0; i < n; i++) {
        images->crops[i].image = (uint32_t)i;
        images->labels[i] = (uint8_t)random_below(&r, CLASSES);
        for (size_t p = 0; p < plane; p++) {
            double v = random_normal(&r) + sin((double)p * (1 + images->labels[i]) / 20);
            images->pixels[i * plane + p] = (uint8_t)fmax(0, fmin(255, round(128 + 32 * v)));
        }
    }
    return images;
}

static void free_images(struct images *images)
{
    free(images->pixels);
    free(images->labels);
    free(images->crops);
    free(images);
}

/* Makes them a net's queue. They must live as long as the net. */
static void queue(struct net *net, const struct images *images)
{
    struct net_images resident;
    struct error err = {""};
    check(net_add_images(net, &images->source, &resident, &err), &err);
    check(net_queue(net, &resident, images->crops, images->labels, images->n, &err), &err);
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

/* A norm undoes the bias, and the scale of a 1x1 convolution of one channel, before it: their
 * gradients are 0 but for rounding (VGG's norms, whose biases count, stand between). */
static bool no_gradient(enum net_model model, const char *name)
{
    if (model == NET_RESNEXT29)
        return strcmp(name, "conv1.weight") == 0;
    static const char *const biases[] = {"0",  "3",  "7",  "10", "14", "17", "20", "23",
                                         "27", "30", "33", "36", "40", "43", "46", "49"};
    char text[32];
    for (size_t i = 0; model == NET_VGG19 && i < sizeof biases / sizeof *biases; i++) {
        snprintf(text, sizeof text, "features.%s.bias", biases[i]);
        if (strcmp(name, text) == 0)
            return true;
    }
    return false;
}

/* In bf16 only the linear layer's gradient is looked at. */
static void compare(enum net_model model, int width, int size, enum precision precision,
                    double logit_bound, double gradient_bound)
{
    struct error err = {""};
    struct images *images = make_images(BATCH, size);
    struct net *a = make(model, width, size, "cpu", precision);
    struct net *b = make(model, width, size, "ref", PRECISION_FP32);
    queue(a, images);
    queue(b, images);
    double loss_a, loss_b, worst = 0;
    const char *worst_name = "";
    check(net_gradients(a, 0, BATCH, 0.1, &loss_a, &err), &err);
    check(net_gradients(b, 0, BATCH, 0.1, &loss_b, &err), &err);
    for (size_t i = 0; i < net_param_count(a); i++) {
        const struct net_param *p = net_param(a, i);
        float *x = calloc(2 * p->count, sizeof *x), *y = x + p->count;
        assert_non_null(x);
        check((p->trainable ? net_get_gradient : net_get)(a, i, x, &err), &err);
        check((p->trainable ? net_get_gradient : net_get)(b, i, y, &err), &err);
        double d = distance(x, y, p->count);
        if (!no_gradient(model, p->name) && (precision == PRECISION_FP32 || p->dims == 2) &&
            d > worst) {
            worst = d;
            worst_name = p->name;
        }
        free(x);
    }
    float la[BATCH * CLASSES], lb[BATCH * CLASSES];
    float *fa = calloc(2 * BATCH * net_features(a), sizeof *fa), *fb = fa + BATCH * net_features(a);
    check(net_predict(a, 0, BATCH - 1, la, fa, &err), &err);
    check(net_predict(b, 0, BATCH - 1, lb, fb, &err), &err);
    double dl = distance(la, lb, (BATCH - 1) * CLASSES);
    double df = distance(fa, fb, (BATCH - 1) * net_features(a));
    double gap = fabs(loss_a - loss_b) / fabs(loss_b);
    bool good = worst <= gradient_bound && gap <= logit_bound && dl <= logit_bound;
    print_message("%s, width %d, %d images of size %d, cpu in %s against ref: gradients %.1e (%s; "
                  "bound %.1e), loss %.1e, logits %.1e, features %.1e (bound %.1e)\n",
                  net_model_names[model], width, BATCH, size, precision_names[precision], worst,
                  worst_name, gradient_bound, gap, dl, df, logit_bound);
    assert_true(good && df <= logit_bound);
    free(fa);
    net_free(a);
    net_free(b);
    free_images(images);
}

static void test_cpu_is_ref(void **state)
{
    static const struct {
        int width, size;
    } cases[] = {{4, 40}, {3, 33}};
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
            compare((enum net_model)m, cases[i].width, cases[i].size, PRECISION_FP32, 2e-5, 2e-2);
}

/* A batch of the same images many times over has their moments, loss and gradients. It is done
 * in several ranges, the single one at once. */
static void compare_ranges(enum net_model model, enum precision precision, double bound)
{
    enum { TIMES = 21, ALL = TIMES * BATCH, SIZE = 40, WIDTH = 6 };
    struct error err = {""};
    struct images *images = make_images(BATCH, SIZE), *again = make_images(ALL, SIZE);
    for (size_t i = 0; i < ALL; i++) {
        again->crops[i].image = i % BATCH;
        again->labels[i] = images->labels[i % BATCH];
    }
    struct net *a = make_for(model, WIDTH, SIZE, "cpu", precision, ALL);
    struct net *b = make_for(model, WIDTH, SIZE, "cpu", precision, BATCH);
    assert_true(a->plan.segments[1].range < ALL && ALL % a->plan.segments[1].range != 0);
    double loss_a, loss_b;
    queue(a, again);
    queue(b, images);
    check(net_gradients(a, 0, ALL, 0.1, &loss_a, &err), &err);
    check(net_gradients(b, 0, BATCH, 0.1, &loss_b, &err), &err);
    assert_true(fabs(loss_a - loss_b) < bound);
    for (size_t i = 0; i < net_param_count(a); i++) {
        const struct net_param *p = net_param(a, i);
        float *x = calloc(2 * p->count, sizeof *x), *y = x + p->count;
        assert_non_null(x);
        if (p->trainable && !no_gradient(model, p->name)) {
            check(net_get_gradient(a, i, x, &err), &err);
            check(net_get_gradient(b, i, y, &err), &err);
            double d = distance(x, y, p->count);
            if (!(d < bound))
                fail_msg("%s in %s: the gradient of %s in ranges is %.1e from the one at once, "
                         "more than %.1e",
                         net_model_names[model], precision_names[precision], p->name, d, bound);
        }
        free(x);
    }
    net_free(a);
    net_free(b);
    free_images(images);
    free_images(again);
}

static void test_ranges(void **state)
{
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        compare_ranges((enum net_model)m, PRECISION_FP32, 1e-3);
}

static void test_ranges_bf16(void **state)
{
    (void)state;
    need_precision(PRECISION_BF16);
    for (int m = 0; m < NET_MODELS; m++)
        compare_ranges((enum net_model)m, PRECISION_BF16, 0.15);
}

/* The worker that uses this memory for its ranges: the first one that does. */
static int owner_of(const void *data, int worker, const void **owned, int *owners, int *count)
{
    for (int k = 0; k < *count; k++)
        if (owned[k] == data)
            return owners[k];
    owned[*count] = data;
    owners[(*count)++] = worker;
    return worker;
}

/* Workers execute different instructions of a segment at the same time, so memory for ranges must
 * belong to the same worker in all instructions. */
static void test_workers_apart(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    static const void *owned[PLAN_MAX_SLOTS * THREADS];
    static int owners[PLAN_MAX_SLOTS * THREADS];
    for (int model = 0; model < NET_MODELS; model++) {
        struct net_spec spec = {.model = (enum net_model)model,
                                .width = 8,
                                .classes = CLASSES,
                                .image_size = 40,
                                .batch = 96,
                                .training = true,
                                .backend = "cpu",
                                .threads = THREADS};
        struct net *net = NULL;
        struct error err = {""};
        int count = 0;
        check(net_create(&net, &spec, &err), &err);
        assert_int_equal(net->traits.workers, THREADS);
        for (int k = 1; k < net->plan.slot_count; k++)
            for (int w = 0; w < THREADS; w++) {
                const struct slot *s = &net->plan.slots[k];
                if (s->tensors[0] != s->tensors[1]) /* ranges, not a batch */
                    assert_int_equal(owner_of(s->tensors[w]->data, w, owned, owners, &count), w);
            }
        assert_true(count >= 2 * THREADS && count % THREADS == 0);
        net_free(net);
    }
}

/* Three workers: the same bytes each time; the results of one worker up to the order of sums. */
static void test_workers(void **state)
{
    (void)state;
    enum { IMAGES = 40 };
    for (int model = 0; model < NET_MODELS; model++) {
        struct images *images = make_images(IMAGES, 32);
        float *gradients[3];
        double loss[3];
        size_t count = 0;
        for (int run = 0; run < 3; run++) {
            struct net *net = make_with((enum net_model)model, 4, 32, "cpu", PRECISION_FP32, IMAGES,
                                        run < 2 ? 3 : 1);
            struct error err = {""};
            const struct net_param *p = net_param(net, 0);
            count = p->count;
            gradients[run] = calloc(count, sizeof(float));
            assert_non_null(gradients[run]);
            queue(net, images);
            check(net_gradients(net, 0, IMAGES, 0, &loss[run], &err), &err);
            check(net_get_gradient(net, 0, gradients[run], &err), &err);
            net_free(net);
        }
        assert_true(loss[0] == loss[1] && fabs(loss[2] - loss[0]) < 1e-5);
        assert_memory_equal(gradients[0], gradients[1], count * sizeof(float));
        double d = distance(gradients[0], gradients[2], count);
        if (!(d < 5e-3))
            fail_msg("%s: first layer's gradient is %g off with three workers",
                     net_model_names[model], d);
        for (int run = 0; run < 3; run++)
            free(gradients[run]);
        free_images(images);
    }
}

/* bf16 rounds each activation to 8 bits, 2^-9 of it on average, and a convolution in Winograd's way
 * adds 0.012 of its result; some 16 of them deep sqrt(16) * 0.012 = 5% in logits. The batch is
 * small: VGG19's last norms, in planes of one pixel, make more of it, in what they feed the linear
 * layer too. ReLUs near 0 open or shut, which turns the gradients of deep layers by half and more,
 * PyTorch's autocast as well as ours (tests/oracles/nets.py); single operations are checked sharply
 * in test_kernels.c. */
static void test_bf16(void **state)
{
    (void)state;
    need_precision(PRECISION_BF16);
    for (int m = 0; m < NET_MODELS; m++)
        compare((enum net_model)m, 4, 40, PRECISION_BF16, 0.1, 0.4);
}

/* Along its own direction, a parameter's gradient g changes the loss by |g|. */
static double slope_error(struct net *net, size_t i)
{
    const struct net_param *p = net_param(net, i);
    struct error err = {""};
    float *w = calloc(3 * p->count, sizeof *w), *g = w + p->count, *moved = g + p->count;
    double norm = 0, along = 0, loss[2];
    assert_non_null(w);
    check(net_get(net, i, w, &err), &err);
    check(net_gradients(net, 0, BATCH, 0.1, &loss[0], &err), &err);
    check(net_get_gradient(net, i, g, &err), &err);
    for (size_t k = 0; k < p->count; k++)
        norm += (double)g[k] * (double)g[k];
    norm = sqrt(norm);
    for (int side = 0; side < 2; side++) {
        for (size_t k = 0; k < p->count; k++) {
            moved[k] = (float)((double)w[k] + (side ? -1e-5 : 1e-5) * (double)g[k] / norm);
            along += (side ? -1 : 1) * ((double)moved[k] - (double)w[k]) * (double)g[k];
        }
        check(net_set(net, i, moved, &err), &err);
        check(net_gradients(net, 0, BATCH, 0.1, &loss[side], &err), &err);
    }
    check(net_set(net, i, w, &err), &err);
    free(w);
    return fabs((loss[0] - loss[1]) / along - 1);
}

static void test_ref_differences(void **state)
{
    (void)state;
    for (int m = 0; m < NET_MODELS; m++) {
        struct images *images = make_images(BATCH, 32);
        struct net *net = make((enum net_model)m, 2, 32, "ref", PRECISION_FP32);
        size_t count = net_param_count(net), checked = 0, sharp = 0;
        double worst = 0;
        queue(net, images);
        for (size_t i = 0; i < count; i += 1 + count / 10) {
            size_t j = i; /* the next weight */
            while (j < count && !strstr(net_param(net, j)->name, ".weight"))
                j++;
            if (j == count)
                break;
            double e = slope_error(net, j);
            worst = fmax(worst, e);
            sharp += e < 1e-3;
            checked++;
        }
        print_message("%-16s %zu slopes, %zu within 1e-3, worst %.1e\n", net_model_names[m],
                      checked, sharp, worst);
        assert_true(checked >= 8 && sharp * 4 >= checked * 3 && worst < 0.05);
        net_free(net);
        free_images(images);
    }
}

static const struct net_step usual = {
    .sgd = {.lr = 0.05, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1},
    .label_smoothing = 0.1};

/* Trains on the first BATCH images. Returns the loss of the last step. */
static double train(struct net *net, const struct images *images, int steps)
{
    const struct loss_sums none = {0};
    struct loss_sums sums = {0};
    struct error err = {""};
    queue(net, images);
    for (int i = 0; i < steps; i++) {
        check(net_loss_sums(net, NULL, &none, &err), &err);
        check(net_train_step(net, 0, BATCH, &usual, &err), &err);
    }
    check(net_loss_sums(net, &sums, NULL, &err), &err);
    return sums.loss / BATCH;
}

/* Makes b's state that of a, as a checkpoint would. */
static void copy_state(struct net *a, struct net *b)
{
    struct error err = {""};
    for (size_t i = 0; i < net_param_count(a); i++) {
        const struct net_param *p = net_param(a, i);
        float *v = calloc(p->count, sizeof *v);
        assert_non_null(v);
        check(net_get(a, i, v, &err), &err);
        check(net_set(b, i, v, &err), &err);
        if (p->trainable) {
            check(net_get_momentum(a, i, v, &err), &err);
            check(net_set_momentum(b, i, v, &err), &err);
        }
        free(v);
    }
}

static void assert_same_state(struct net *a, struct net *b)
{
    struct error err = {""};
    for (size_t i = 0; i < net_param_count(a); i++) {
        size_t count = net_param(a, i)->count;
        float *v = calloc(2 * count, sizeof *v);
        assert_non_null(v);
        check(net_get(a, i, v, &err), &err);
        check(net_get(b, i, v + count, &err), &err);
        assert_memory_equal(v, v + count, count * sizeof *v);
        free(v);
    }
}

/* Training lowers the loss, gives the same bytes twice, and goes on from a checkpoint, even on a
 * net that has predicted and trained other things before, with the bytes of one that wasn't
 * stopped. */
static void check_training(enum net_model model, enum precision precision)
{
    struct images *images = make_images(BATCH, 40), *others = make_images(2 * BATCH, 40);
    float logits[BATCH * CLASSES];
    struct error err = {""};
    for (size_t i = 0; i < BATCH; i++)
        others->crops[i] = (struct crop){.image = (uint32_t)i + BATCH, .mirror = true};
    struct net *a = make(model, 8, 40, "cpu", precision);
    struct net *b = make(model, 8, 40, "cpu", precision);
    double first = train(a, images, 1);
    train(a, images, 3);
    check(net_predict(a, 0, 2, logits, NULL, &err), &err);
    train(b, images, 4);
    assert_same_state(a, b);
    struct net *c = make(model, 8, 40, "cpu", precision);
    train(c, others, 2);
    check(net_predict(c, BATCH, 1, logits, NULL, &err), &err);
    copy_state(a, c);
    double last = train(a, images, 8);
    train(c, images, 8);
    assert_same_state(a, c);
    print_message("%-16s %s: loss %.3f, %.3f\n", net_model_names[model], precision_names[precision],
                  first, last);
    assert_true(last < first * 0.9);
    net_free(a);
    net_free(b);
    net_free(c);
    free_images(images);
    free_images(others);
}

/* Crops of resident images are what the caller would cut out of them. */
static void check_crops(const char *backend, enum precision precision)
{
    enum { IMAGES = 3, FROM = 48, SIZE = 32, PLANE = SIZE * SIZE };
    static const struct crop crops[] = {{2, 16, 0, false}, {0, 3, 16, true}, {1, 0, 5, true}};
    static const struct crop wholes[] = {{0, 0, 0, false}, {1, 0, 0, false}, {2, 0, 0, false}};
    struct images *images = make_images(IMAGES, FROM);
    uint8_t cut[IMAGES * PLANE];
    float logits[2][IMAGES * CLASSES];
    struct error err = {""};
    for (size_t i = 0; i < IMAGES * PLANE; i++) {
        const struct crop *c = &crops[i / PLANE];
        size_t y = i % PLANE / SIZE, x = i % SIZE;
        size_t column = c->left + (c->mirror ? SIZE - 1 - x : x);
        cut[i] = images->pixels[(c->image * FROM + c->top + y) * FROM + column];
    }
    struct net *net = make(NET_RESNET18, 2, SIZE, backend, precision);
    const struct image_source source = {cut, IMAGES, SIZE, levels};
    struct net_images resident, cuts;
    check(net_add_images(net, &images->source, &resident, &err), &err);
    check(net_add_images(net, &source, &cuts, &err), &err);
    check(net_queue(net, &resident, crops, NULL, IMAGES, &err), &err);
    check(net_predict(net, 0, IMAGES, logits[0], NULL, &err), &err);
    check(net_queue(net, &cuts, wholes, NULL, IMAGES, &err), &err);
    check(net_predict(net, 0, IMAGES, logits[1], NULL, &err), &err);
    assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    net_free(net);
    free_images(images);
}

static void test_crops(void **state)
{
    (void)state;
    check_crops("cpu", PRECISION_FP32);
    check_crops("cpu", PRECISION_BF16);
    check_crops("ref", PRECISION_FP32);
}

/* Refuses a batch: an evaluation of it or, with `training`, a step and gradients. */
static void refuse(struct net *net, size_t first, size_t n, bool training, const char *text)
{
    struct error errors[2] = {{""}, {""}};
    float logits[BATCH * CLASSES];
    double loss;
    if (training) {
        assert_int_equal(net_train_step(net, first, n, &usual, &errors[0]), -EINVAL);
        assert_int_equal(net_gradients(net, first, n, 0, &loss, &errors[1]), -EINVAL);
    } else {
        assert_int_equal(net_predict(net, first, n, logits, NULL, &errors[0]), -EINVAL);
        errors[1] = errors[0];
    }
    for (int i = 0; i < 2; i++)
        if (!strstr(errors[i].text, text))
            fail_msg("'%s' lacks '%s'", errors[i].text, text);
}

/* A queue takes only crops inside their images, and labels that are classes; a batch must be in the
 * queue. */
static void test_queue_bounds(void **state)
{
    (void)state;
    enum { IMAGES = 2 * BATCH, FROM = 48, SIZE = 32 };
    static const struct {
        struct crop crop;
        uint8_t label;
        const char *text;
    } bad[] = {
        {{IMAGES, 0, 0, false}, 0, "crop 3: image 8, "},
        {{0, FROM - SIZE + 1, 0, false}, 0, "crop 3: image 0, top 17, "},
        {{0, 0, FROM - SIZE + 1, true}, 0, "crop 3: image 0, top 0, left 17: "},
        {{0, 255, 255, true}, 0, "crop 3: image 0, top 255, "},
        {{0, 0, 0, false}, CLASSES, "label 7 of image 3: the net has 7 classes"},
    };
    struct images *images = make_images(IMAGES, FROM);
    struct net *net = make(NET_RESNET18, 2, SIZE, "cpu", PRECISION_FP32);
    struct error err = {""};
    struct net_images resident;
    struct crop crops[IMAGES], bounds[] = {{IMAGES - 1, 16, 16, true}};
    uint8_t labels[IMAGES];
    const struct image_source small = {images->pixels, 1, SIZE - 1, levels};
    assert_int_equal(net_add_images(net, &small, &resident, &err), -EINVAL);
    refuse(net, 0, 1, false, "the queue has 0");
    refuse(net, 0, 1, true, "the queue has 0");
    check(net_add_images(net, &images->source, &resident, &err), &err);
    check(net_queue(net, &resident, bounds, &(uint8_t){CLASSES - 1}, 1, &err), &err);
    check(net_train_step(net, 0, 1, &usual, &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(crops, images->crops, sizeof crops);
        memcpy(labels, images->labels, sizeof labels);
        crops[3] = bad[i].crop;
        labels[3] = bad[i].label;
        assert_int_equal(net_queue(net, &resident, crops, labels, IMAGES, &err), -EINVAL);
        if (!strstr(err.text, bad[i].text))
            fail_msg("'%s' lacks '%s'", err.text, bad[i].text);
        refuse(net, 0, 1, false, "the queue has 0");
    }
    assert_int_equal(net_queue(net, &resident, crops, labels, 0, &err), -EINVAL);
    check(net_queue(net, &resident, images->crops, images->labels, BATCH + 1, &err), &err);
    check(net_train_step(net, 1, BATCH, &usual, &err), &err);
    for (int training = 0; training < 2; training++) {
        refuse(net, 0, 0, training, "a batch of 0 images: the net takes 1 to 4");
        refuse(net, 0, BATCH + 1, training, "a batch of 5 images: the net takes 1 to 4");
        refuse(net, 2, BATCH, training, "a batch of 4 images from image 2 on: the queue has 5");
        refuse(net, BATCH + 1, 1, training, "the queue has 5");
        refuse(net, SIZE_MAX, 1, training, "the queue has 5");
        refuse(net, SIZE_MAX - 1, BATCH, training, "the queue has 5");
    }
    float logits[CLASSES];
    check(net_queue(net, &resident, images->crops, NULL, BATCH, &err), &err);
    check(net_predict(net, BATCH - 1, 1, logits, NULL, &err), &err);
    refuse(net, 0, 1, true, "no labels");
    net_free(net);
    free_images(images);
}

/* Batches of one queue are those of a queue each: the same weights, bit for bit, and the same
 * logits. The last batch is smaller. */
static void check_queue(const char *backend, enum net_model model)
{
    enum { IMAGES = 2 * BATCH + 3, FROM = 40, SIZE = 32 };
    struct images *images = make_images(IMAGES, FROM);
    struct net *nets[2];
    struct net_images resident[2];
    float logits[2][BATCH * CLASSES];
    struct error err = {""};
    for (size_t i = 0; i < IMAGES; i++)
        images->crops[i] =
            (struct crop){(uint32_t)(IMAGES - 1 - i), (uint8_t)i % 8, 8 - (uint8_t)i % 8, i % 2};
    for (int k = 0; k < 2; k++) {
        nets[k] = make(model, 2, SIZE, backend, PRECISION_FP32);
        check(net_add_images(nets[k], &images->source, &resident[k], &err), &err);
    }
    check(net_queue(nets[0], &resident[0], images->crops, images->labels, IMAGES, &err), &err);
    for (size_t first = 0; first < IMAGES; first += BATCH) {
        size_t n = IMAGES - first < BATCH ? IMAGES - first : BATCH;
        struct crop *crops = images->crops + first;
        check(net_queue(nets[1], &resident[1], crops, images->labels + first, n, &err), &err);
        check(net_train_step(nets[0], first, n, &usual, &err), &err);
        check(net_train_step(nets[1], 0, n, &usual, &err), &err);
        check(net_predict(nets[0], first, n, logits[0], NULL, &err), &err);
        check(net_predict(nets[1], 0, n, logits[1], NULL, &err), &err);
        assert_memory_equal(logits[0], logits[1], n * CLASSES * sizeof(float));
    }
    assert_same_state(nets[0], nets[1]);
    net_free(nets[0]);
    net_free(nets[1]);
    free_images(images);
}

static void test_queue(void **state)
{
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        check_queue("cpu", (enum net_model)m);
    check_queue("ref", NET_RESNET18);
}

/* Sums go on from those that were set, say how many batches had a finite loss, and don't count
 * net_gradients. */
static void test_loss_sums(void **state)
{
    (void)state;
    static const char *const names[] = {"cpu", "ref"};
    for (int b = 0; b < 2; b++) {
        struct images *images = make_images(BATCH, 32);
        struct net *net = make(NET_RESNET18, 2, 32, names[b], PRECISION_FP32);
        const struct net_step none = {.label_smoothing = 0.1}; /* changes no parameter */
        const struct loss_sums before = {1000, 10, 0};
        const float infinite[CLASSES] = {INFINITY};
        struct loss_sums one, more;
        struct error err = {""};
        double loss;
        queue(net, images);
        check(net_train_step(net, 0, BATCH, &none, &err), &err);
        check(net_loss_sums(net, &one, &before, &err), &err);
        check(net_gradients(net, 0, BATCH, 0.1, &loss, &err), &err);
        check(net_train_step(net, 0, BATCH, &none, &err), &err);
        check(net_set(net, net_param_count(net) - 1, infinite, &err), &err);
        check(net_train_step(net, 0, BATCH, &none, &err), &err);
        check(net_train_step(net, 0, BATCH, &none, &err), &err);
        check(net_loss_sums(net, &more, NULL, &err), &err);
        assert_true(one.loss > 0 && fabs(one.loss / BATCH - loss) < 1e-5);
        assert_int_equal(one.finite, 1);
        assert_false(isfinite(more.loss));
        assert_int_equal(more.finite, 1);
        assert_in_range(more.correct, 10 + one.correct, 10 + one.correct + 2 * BATCH);
        net_free(net);
        free_images(images);
    }
}

static void test_training(void **state)
{
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        check_training((enum net_model)m, PRECISION_FP32);
}

static void test_training_bf16(void **state)
{
    (void)state;
    need_precision(PRECISION_BF16);
    for (int m = 0; m < NET_MODELS; m++)
        check_training((enum net_model)m, PRECISION_BF16);
}

/* A net whose planner goes by other traits than the device's own. */
static struct net *make_with_traits(enum net_model model, const char *backend,
                                    const struct device_traits *traits)
{
    struct net_spec spec = {.model = model,
                            .width = strcmp(backend, "ref") == 0 ? 2 : 8, /* ref is slow */
                            .classes = CLASSES,
                            .image_size = 32,
                            .batch = BATCH,
                            .training = true,
                            .backend = backend,
                            .threads = 1};
    struct net *net = NULL;
    struct error err = {""};
    check(net_create_with(&net, &spec, traits, &err), &err);
    check(net_init(net, 7, &err), &err);
    return net;
}

static struct device_traits traits_of(const char *backend)
{
    struct error err = {""};
    struct device *device = NULL;
    struct device_traits traits;
    const struct backend *b = backend_find(backend, &err);
    assert_non_null(b);
    check(b->open(&device, &traits, 1, PRECISION_FP32, &err), &err);
    b->close(device);
    return traits;
}

/* Values that the backward pass recomputes are the same: the weights are equal bit for bit. */
static void test_kept_or_not(void **state)
{
    struct device_traits keeps = traits_of("cpu"), some = keeps, none = keeps;
    (void)state;
    keeps.recomputes = false;
    none.kept_values = 0;
    for (int m = 0; m < NET_MODELS; m++) {
        struct images *images = make_images(BATCH, 32);
        const struct device_traits *traits[] = {&keeps, &some, &none};
        struct net *nets[3];
        for (int i = 0; i < 3; i++) {
            nets[i] = make_with_traits((enum net_model)m, "cpu", traits[i]);
            train(nets[i], images, 3);
            assert_same_state(nets[0], nets[i]);
        }
        int kept = nets[0]->plan.instruction_count;
        assert_true(nets[1]->plan.instruction_count > kept);
        if (m == NET_RESNET18 || m == NET_RESNEXT29)
            assert_true(nets[2]->plan.instruction_count > nets[1]->plan.instruction_count);
        for (int i = 0; i < 3; i++)
            net_free(nets[i]);
        free_images(images);
    }
}

/* Gradients, logits and features by other traits are those of the device's own but for the order of
 * sums and the rounding of folded weights. */
static void compare_traits(enum net_model model, const char *backend,
                           const struct device_traits *odd, const char *label)
{
    struct images *images = make_images(BATCH, 32);
    float logits[2][BATCH * CLASSES];
    float *features = calloc(2 * BATCH * 16 * 8, sizeof *features);
    struct device_traits own = traits_of(backend);
    struct net *nets[] = {make_with_traits(model, backend, &own),
                          make_with_traits(model, backend, odd)};
    struct error err = {""};
    double loss[2];
    size_t d = net_features(nets[0]);
    assert_non_null(features);
    for (int k = 0; k < 2; k++) {
        queue(nets[k], images);
        check(net_gradients(nets[k], 0, BATCH, 0.1, &loss[k], &err), &err);
        check(net_predict(nets[k], 0, BATCH, logits[k], features + k * BATCH * d, &err), &err);
    }
    double far = distance(logits[1], logits[0], BATCH * CLASSES);
    far = fmax(far, distance(features + BATCH * d, features, BATCH * d));
    far = fmax(far, fabs(loss[1] - loss[0]));
    for (size_t i = 0; i < net_param_count(nets[0]); i++) {
        const struct net_param *p = net_param(nets[0], i);
        float *v = calloc(2 * p->count, sizeof *v);
        assert_non_null(v);
        for (size_t k = 0; p->trainable && k < 2; k++)
            check(net_get_gradient(nets[k], i, v + k * p->count, &err), &err);
        if (p->trainable && !no_gradient(model, p->name) &&
            !(distance(v + p->count, v, p->count) < 2e-2))
            fail_msg("%s on %s %s: the gradient of %s is %.1e off", net_model_names[model], backend,
                     label, p->name, distance(v + p->count, v, p->count));
        free(v);
    }
    if (!(far < 2e-5))
        fail_msg("%s on %s %s: %.1e off", net_model_names[model], backend, label, far);
    for (int k = 0; k < 2; k++)
        net_free(nets[k]);
    free(features);
    free_images(images);
}

static void test_odd_traits(void **state)
{
    static const char *const names[] = {"cpu", "ref"};
    (void)state;
    for (int m = 0; m < NET_MODELS; m++)
        for (int b = 0; b < 2; b++) {
            struct device_traits own = traits_of(names[b]), whole = own, small = own, plain = own;
            whole.range_values = whole.evaluated_images = 0;
            whole.recomputes = false;
            small.range_values = 1;
            small.worker_images = 3;
            small.evaluated_images = 1;
            small.recomputes = true;
            small.kept_values = 0;
            plain.folds_norms = false;
            compare_traits((enum net_model)m, names[b], &whole, "with whole batches, all kept");
            compare_traits((enum net_model)m, names[b], &small, "with small ranges, none kept");
            compare_traits((enum net_model)m, names[b], &plain, "with norms that aren't folded");
        }
}

/* A net that was created for prediction gives the results of the trained one, for any batch, also
 * where the device doesn't fold norms. */
static void compare_prediction(struct net *trained, const struct images *images,
                               const char *backend, const struct device_traits *traits,
                               const float *whole)
{
    struct net_spec spec = trained->spec;
    struct net *net = NULL;
    struct error err = {""};
    float one[CLASSES];
    spec.training = false;
    spec.backend = backend;
    spec.threads = traits ? traits->workers : 2;
    check(net_create_with(&net, &spec, traits, &err), &err);
    for (size_t i = 0; i < net_param_count(trained); i++) {
        float *v = calloc(net_param(trained, i)->count, sizeof *v);
        assert_non_null(v);
        check(net_get(trained, i, v, &err), &err);
        check(net_set(net, i, v, &err), &err);
        free(v);
    }
    queue(net, images);
    for (size_t i = 0; i < BATCH; i++) {
        check(net_predict(net, i, 1, one, NULL, &err), &err);
        if (!(distance(one, whole + i * CLASSES, CLASSES) < 1e-5))
            fail_msg("%s on %s: logits are %.1e off", net_model_names[spec.model], backend,
                     distance(one, whole + i * CLASSES, CLASSES));
    }
    assert_true(net_train_step(net, 0, 1, &usual, &err) < 0);
    assert_non_null(strstr(err.text, "the net isn't for training"));
    net_free(net);
}

static void test_prediction(void **state)
{
    struct device_traits cpu = traits_of("cpu"), ref = traits_of("ref");
    (void)state;
    cpu.folds_norms = ref.folds_norms = false;
    for (int m = 0; m < NET_MODELS; m++) {
        struct images *images = make_images(BATCH, 48);
        float whole[BATCH * CLASSES];
        struct error err = {""};
        struct net *net = make((enum net_model)m, 8, 48, "cpu", PRECISION_FP32);
        train(net, images, 2);
        check(net_predict(net, 0, BATCH, whole, NULL, &err), &err);
        compare_prediction(net, images, "cpu", NULL, whole);
        compare_prediction(net, images, "cpu", &cpu, whole);
        compare_prediction(net, images, "ref", &ref, whole);
        net_free(net);
        free_images(images);
    }
}

/* With AVX-512, no width makes oneDNN fall back to its reference code, which would train for days.
 * Without, im2col.c replaces that code in fp32. */
static void check_no_reference_code(enum precision precision)
{
    static const int widths[] = {8, 12, 16, 20};
    for (int m = 0; m < NET_MODELS; m++)
        for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
            struct images *images = make_images(BATCH, 40);
            float logits[BATCH * CLASSES];
            struct error err = {""};
            struct net *net = make((enum net_model)m, widths[k], 40, "cpu", precision);
            train(net, images, 1);
            check(net_predict(net, 0, 1, logits, NULL, &err), &err);
            if (cpu_reference_code(net->device))
                fail_msg("%s, width %d, %s: %s", net_model_names[m], widths[k],
                         precision_names[precision], cpu_reference_code(net->device));
            net_free(net);
            free_images(images);
        }
}

static void test_no_reference_code(void **state)
{
    (void)state;
    need(dnn_has_avx512(), "AVX-512 instructions");
    check_no_reference_code(PRECISION_FP32);
}

static void test_no_reference_code_bf16(void **state)
{
    (void)state;
    need_precision(PRECISION_BF16);
    check_no_reference_code(PRECISION_BF16);
}

static void test_refusals(void **state)
{
    static const struct {
        struct net_spec spec;
        const char *text;
    } cases[] = {
#ifndef FERDAG_CUDA
        {{NET_VGG19, 8, 7, 40, 4, true, PRECISION_FP32, "cuda", 1, NULL, false},
         "this build has no cuda backend"},
#endif
        {{NET_VGG19, 8, 7, 40, 4, true, PRECISION_FP32, "gpu", 1, NULL, false},
         "unknown backend 'gpu'"},
        {{NET_VGG19, 0, 7, 40, 4, true, PRECISION_FP32, "cpu", 1, NULL, false},
         "width must be 1 to 512"},
        {{NET_VGG19, 8, 1, 40, 4, true, PRECISION_FP32, "cpu", 1, NULL, false}, "classes must be"},
        {{NET_VGG19, 8, 7, 31, 4, true, PRECISION_FP32, "cpu", 1, NULL, false},
         "image_size must be 32 to 64"},
        {{NET_VGG19, 8, 7, 40, 0, true, PRECISION_FP32, "cpu", 1, NULL, false}, "batch must be"},
        {{NET_VGG19, 8, 7, 40, 4, true, PRECISION_FP32, "cpu", 0, NULL, false}, "threads must be"},
        {{(enum net_model)9, 8, 7, 40, 4, true, PRECISION_FP32, "cpu", 1, NULL, false},
         "unknown model"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct net *net = NULL;
        struct error err = {""};
        assert_true(net_create(&net, &cases[i].spec, &err) < 0);
        assert_null(net);
        if (!strstr(err.text, cases[i].text))
            fail_msg("'%s' lacks '%s'", err.text, cases[i].text);
    }
}

/* Sizes at the paper's width, from READING.md and the usual models' parameter counts less what
 * one input channel and seven classes save. */
static void test_sizes(void **state)
{
    static const struct {
        size_t features, parameters;
        const char *first, *last;
    } want[NET_MODELS] = {
        [NET_VGG19] = {512, 20040522 - 2 * 64 * 9 - 3 * 513, "features.0.weight",
                       "classifier.bias"},
        [NET_RESNET18] = {512, 11173962 - 2 * 64 * 9 - 3 * 513, "conv1.weight", "linear.bias"},
        [NET_PREACT_RESNET18] = {512, 11171146 - 2 * 64 * 9 - 3 * 513, "conv1.weight",
                                 "linear.bias"},
        [NET_RESNEXT29] = {1024, 9128778 - 2 * 64 - 3 * 1025, "conv1.weight", "linear.bias"},
    };
    (void)state;
    for (int m = 0; m < NET_MODELS; m++) {
        struct error err = {""};
        struct net_spec spec = {.model = (enum net_model)m,
                                .width = 64,
                                .classes = CLASSES,
                                .image_size = 40,
                                .batch = 1,
                                .backend = "auto",
                                .threads = 1};
        struct net *net = NULL;
        size_t parameters = 0, n;
        check(net_create(&net, &spec, &err), &err);
        n = net_param_count(net);
        for (size_t i = 0; i < n; i++)
            if (net_param(net, i)->trainable)
                parameters += net_param(net, i)->count;
        assert_int_equal(net_features(net), want[m].features);
        print_message("%-16s %zu parameters, %.3f GFLOP\n", net_model_names[m], parameters,
                      net_flops(net) / 1e9);
        assert_int_equal(parameters, want[m].parameters);
        assert_string_equal(net_param(net, 0)->name, want[m].first);
        assert_string_equal(net_param(net, n - 1)->name, want[m].last);
        net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_cpu_is_ref),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_ranges_bf16),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_workers_apart),
        cmocka_unit_test(test_workers),
        cmocka_unit_test(test_ref_differences),
        cmocka_unit_test(test_crops),
        cmocka_unit_test(test_queue_bounds),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_loss_sums),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_training_bf16),
        cmocka_unit_test(test_kept_or_not),
        cmocka_unit_test(test_odd_traits),
        cmocka_unit_test(test_prediction),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_reference_code),
        cmocka_unit_test(test_no_reference_code_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
