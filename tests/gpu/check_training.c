/* check_gpu: two epochs on drawn images. The loss must fall, and accuracy must be far above chance;
 * a training resumed from saved parameters must equal an uninterrupted one, bit for bit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/gpu/check.h"
#include "tests/gpu/net_images.h"

enum { EPOCHS = 2 };

struct course {
    struct net_spec spec;
    size_t images;
    struct drawn train, test;
};

/* What a training leaves: parameters and momenta, and the sums of the last epoch. */
struct outcome {
    float *values;
    size_t count;
    struct loss_sums sums[EPOCHS];
    double accuracy; /* on the images for testing */
};

static const struct net_step step = {.sgd = {.lr = 0.02, .momentum = 0.9, .weight_decay = 5e-4}};

static int run_epoch(struct net *net, struct course *c, const struct net_images *images, int epoch,
                     struct loss_sums *sums, struct error *err)
{
    const struct loss_sums none = {0};
    size_t batch = (size_t)c->spec.batch;
    drawn_shuffle(&c->train, IMAGE_SIZE, (uint64_t)epoch);
    int e = drawn_queue(net, &c->train, images, err);
    for (size_t first = 0; !e && first < c->train.n; first += batch) {
        size_t left = c->train.n - first;
        e = net_train_step(net, first, left < batch ? left : batch, &step, err);
    }
    return e ? e : net_loss_sums(net, sums, &none, err);
}

static int copy_parameters(struct net *net, struct outcome *o, bool write, struct error *err)
{
    float *at = o->values;
    int e = 0;
    for (size_t i = 0; !e && i < net_param_count(net); i++) {
        size_t count = net_param(net, i)->count;
        bool trainable = net_param(net, i)->trainable;
        e = write ? net_set(net, i, at, err) : net_get(net, i, at, err);
        at += count;
        if (!e && trainable)
            e = write ? net_set_momentum(net, i, at, err) : net_get_momentum(net, i, at, err);
        at += trainable ? count : 0;
    }
    return e;
}

static int save(struct net *net, struct outcome *o, struct error *err)
{
    o->count = 0;
    for (size_t i = 0; i < net_param_count(net); i++)
        o->count += net_param(net, i)->count * (net_param(net, i)->trainable ? 2 : 1);
    free(o->values);
    o->values = calloc(o->count, sizeof *o->values);
    return o->values ? copy_parameters(net, o, false, err)
                     : error_set(err, ENOMEM, "out of memory");
}

/* Runs epochs `first` to `end` - 1, from the values of `o` unless first is 0. */
static int run_epochs(struct course *c, int first, int end, struct outcome *o, struct error *err)
{
    struct net *net = NULL;
    struct net_images images;
    int e = net_create(&net, &c->spec, err);
    if (!e)
        e = first ? copy_parameters(net, o, true, err) : net_init(net, 1, err);
    if (!e)
        e = drawn_add(net, &c->train, &images, err);
    for (int epoch = first; !e && epoch < end; epoch++)
        e = run_epoch(net, c, &images, epoch, &o->sums[epoch], err);
    if (!e)
        e = save(net, o, err);
    net_free(net);
    return e;
}

/* Accuracy on the images for testing, with the parameters of `o`. */
static int test(struct course *c, struct outcome *o, struct error *err)
{
    struct net *net = NULL;
    struct net_images images;
    size_t batch = (size_t)c->spec.batch, correct = 0;
    float *logits = calloc(batch * CLASSES, sizeof *logits);
    int e = logits ? net_create(&net, &c->spec, err) : error_set(err, ENOMEM, "out of memory");
    if (!e)
        e = copy_parameters(net, o, true, err);
    if (!e)
        e = drawn_add(net, &c->test, &images, err);
    drawn_shuffle(&c->test, IMAGE_SIZE, 0);
    if (!e)
        e = drawn_queue(net, &c->test, &images, err);
    for (size_t first = 0; !e && first < c->test.n; first += batch) {
        size_t n = c->test.n - first < batch ? c->test.n - first : batch;
        e = net_predict(net, first, n, logits, NULL, err);
        for (size_t i = 0; !e && i < n; i++) {
            int best = 0;
            for (int k = 1; k < CLASSES; k++)
                best = logits[i * CLASSES + k] > logits[i * CLASSES + best] ? k : best;
            correct += best == c->test.labels[first + i];
        }
    }
    o->accuracy = (double)correct / (double)c->test.n;
    net_free(net);
    free(logits);
    return e;
}

static int judge(const struct course *c, bool brief, const struct outcome *whole,
                 const struct outcome *resumed, struct error *err)
{
    const double chance = 1.0 / CLASSES, images = (double)c->train.n;
    double loss[EPOCHS];
    for (int i = 0; i < EPOCHS; i++)
        loss[i] = whole->sums[i].loss / images;
    printf("two epochs of %zu images: loss %.4f, then %.4f; accuracy %.1f %% on new images\n",
           c->train.n, loss[0], loss[1], 100 * whole->accuracy);
    if (memcmp(whole->values, resumed->values, whole->count * sizeof(float)) != 0)
        return error_set(err, EILSEQ, "the resumed training has other parameters");
    if (whole->sums[1].loss != resumed->sums[1].loss ||
        whole->sums[1].correct != resumed->sums[1].correct)
        return error_set(err, EILSEQ, "the resumed training has another loss");
    if (!(loss[1] < loss[0]))
        return error_set(err, ERANGE, "the loss didn't fall: %.4f, then %.4f", loss[0], loss[1]);
    if (!brief && !(whole->accuracy > 2 * chance)) /* a few steps of a small net learn too little */
        return error_set(err, ERANGE, "accuracy %.3f, and chance is %.3f", whole->accuracy, chance);
    return 0;
}

static int run_training(struct checks *checks, const void *item, struct error *err)
{
    const enum precision *precision = item;
    size_t images = checks->brief ? 24 + 5 : 3200 + 37;
    struct course c = {.spec = {.model = checks->brief ? NET_VGG19 : NET_RESNET18,
                                .width = checks->brief ? 2 : 16,
                                .classes = CLASSES,
                                .image_size = IMAGE_SIZE,
                                .batch = checks->brief ? 8 : 128,
                                .training = true,
                                .precision = *precision,
                                .backend = "cuda",
                                .threads = 1}};
    struct outcome whole = {0}, resumed = {0};
    int e = drawn_make(&c.train, images, 1, err);
    if (!e)
        e = drawn_make(&c.test, images / 4, 2, err);
    if (!e)
        e = run_epochs(&c, 0, EPOCHS, &whole, err);
    if (!e)
        e = test(&c, &whole, err);
    if (!e)
        e = run_epochs(&c, 0, 1, &resumed, err);
    if (!e)
        e = run_epochs(&c, 1, EPOCHS, &resumed, err);
    if (!e)
        e = judge(&c, checks->brief, &whole, &resumed, err);
    free(whole.values);
    free(resumed.values);
    drawn_free(&c.train);
    drawn_free(&c.test);
    return e;
}

void check_training(struct checks *checks)
{
    static const enum precision bf16 = PRECISION_BF16, fp32 = PRECISION_FP32;
    check_run(checks, run_training, &bf16, "two epochs, whole and resumed, bf16");
    if (!checks->brief)
        check_run(checks, run_training, &fp32, "two epochs, whole and resumed, fp32");
}
