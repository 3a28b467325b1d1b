/* Code that the training benches share: the options that choose a net, and drawn images for it. */
#ifndef FERDAG_TESTS_BENCH_TRAINING_H
#define FERDAG_TESTS_BENCH_TRAINING_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/random.h"
#include "kernels/nets/net.h"

/* getopt's letters of the options that training_option takes. */
#define TRAINING_OPTIONS "m:w:b:s:p:"

struct training {
    struct net_spec spec;
    struct net *net;
    uint8_t *pixels; /* of one batch, as crops and labels */
    float levels[256];
    struct crop *crops;
    uint8_t *labels;
};

static const struct net_spec training_standard = {.model = NET_RESNET18,
                                                  .width = 16,
                                                  .classes = 7,
                                                  .image_size = 40,
                                                  .batch = 128,
                                                  .training = true,
                                                  .precision = PRECISION_BF16,
                                                  .backend = "auto",
                                                  .threads = 1};

/* Seconds on a clock. */
static inline double training_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* -m model, -w width, -b batch, -s image size, -p fp32|bf16, as getopt returned them; false for
 * another option and for an unknown model. */
static inline bool training_option(int option, struct net_spec *spec)
{
    switch (option) {
    case 'm':
        spec->model = net_model_find(optarg);
        return spec->model != NET_MODELS;
    case 'w':
        spec->width = atoi(optarg);
        return true;
    case 'b':
        spec->batch = atoi(optarg);
        return true;
    case 's':
        spec->image_size = atoi(optarg);
        return true;
    case 'p':
        spec->precision = strcmp(optarg, "bf16") == 0 ? PRECISION_BF16 : PRECISION_FP32;
        return true;
    default:
        return false;
    }
}

/* Makes the net of t->spec, with weights, and one batch of drawn images and labels. The caller
 * calls training_end also after an error. */
static inline int training_begin(struct training *t, struct error *err)
{
    int e = net_create(&t->net, &t->spec, err);
    if (e)
        return e;
    size_t n = (size_t)t->spec.batch;
    size_t size = (size_t)t->spec.image_size;
    t->pixels = calloc(n * size, size);
    t->crops = calloc(n, sizeof *t->crops);
    t->labels = calloc(n, 1);
    if (!t->pixels || !t->crops || !t->labels)
        return error_set(err, ENOMEM, "out of memory");
    struct random r = random_start(1, 0);
    for (size_t i = 0; i < n * size * size; i++)
        t->pixels[i] = (uint8_t)random_below(&r, 256);
    for (int level = 0; level < 256; level++) /* mean 0, deviation 1 */
        t->levels[level] = ((float)level - 127.5f) / 73.9f;
    for (size_t i = 0; i < n; i++) {
        t->crops[i].image = (uint32_t)i;
        t->labels[i] = (uint8_t)random_below(&r, (uint64_t)t->spec.classes);
    }
    const struct image_source source = {t->pixels, n, size, t->levels};
    struct net_images images;
    e = net_add_images(t->net, &source, &images, err);
    if (!e)
        e = net_queue(t->net, &images, t->crops, t->labels, n, err);
    return e ? e : net_init(t->net, 1, err);
}

/* One step of a training on them. */
static inline int training_step(struct training *t, struct error *err)
{
    const struct net_step sgd = {
        .sgd = {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1}};
    return net_train_step(t->net, 0, (size_t)t->spec.batch, &sgd, err);
}

static inline void training_end(struct training *t)
{
    net_free(t->net);
    free(t->pixels);
    free(t->crops);
    free(t->labels);
}

#endif
