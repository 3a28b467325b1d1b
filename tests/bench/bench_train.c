/* Trains and evaluates one net on drawn images, when told to: what tests/bench/train.py compares
 * with PyTorch.
 * Usage: bench_train [-m model] [-w width] [-t threads] [-b batch] [-s image size] [-p fp32|bf16]
 *                    [-k backend] [-r seconds] [-i | -f]
 * With -i it prints "ready", then reads lines "train SECONDS" and "predict SECONDS" and answers
 * each with "images wall_seconds cpu_seconds" of so many seconds of whole steps.
 * Without, it does both for -r seconds and prints: model width threads precision, images/s of
 * training and of evaluation, GFLOP/s of training (3 times the forward pass); a second is one of
 * CPU time a thread, which a busy machine disturbs less. -f prints the FLOPs of one image forward,
 * and that's all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/random.h"
#include "kernels/net.h"

struct bench {
    struct net_spec spec;
    double seconds;
    bool interactive, flops;
    struct net *net;
    float *images, *features;
    uint8_t *labels;
};

struct result {
    double images, wall, cpu;
};

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int parse(int argc, char **argv, struct bench *b)
{
    int c, m = 0;
    while ((c = getopt(argc, argv, "m:w:t:b:s:p:k:r:if")) != -1) {
        switch (c) {
        case 'm':
            while (m < NET_MODELS && strcmp(optarg, net_model_names[m]) != 0)
                m++;
            b->spec.model = (enum net_model)m;
            break;
        case 'w':
            b->spec.width = atoi(optarg);
            break;
        case 't':
            b->spec.threads = atoi(optarg);
            break;
        case 'b':
            b->spec.batch = atoi(optarg);
            break;
        case 's':
            b->spec.image_size = atoi(optarg);
            break;
        case 'p':
            b->spec.precision = strcmp(optarg, "bf16") == 0 ? NET_BF16 : NET_FP32;
            break;
        case 'k':
            b->spec.backend = optarg;
            break;
        case 'r':
            b->seconds = atof(optarg);
            break;
        case 'f':
            b->flops = true;
            break;
        case 'i':
            b->interactive = true;
            break;
        default:
            return -1;
        }
    }
    return optind < argc ? -1 : 0;
}

static int prepare(struct bench *b, struct error *err)
{
    int e = net_create(&b->net, &b->spec, err);
    if (e)
        return e;
    size_t n = (size_t)b->spec.batch;
    size_t plane = (size_t)b->spec.image_size * (size_t)b->spec.image_size;
    b->images = calloc(n * plane, sizeof *b->images);
    b->features = calloc(n * net_features(b->net), sizeof *b->features);
    b->labels = calloc(n, 1);
    if (!b->images || !b->features || !b->labels)
        return error_set(err, ENOMEM, "out of memory");
    struct random r = random_start(1, 0);
    for (size_t i = 0; i < n * plane; i++)
        b->images[i] = (float)random_normal(&r);
    for (size_t i = 0; i < n; i++)
        b->labels[i] = (uint8_t)random_below(&r, (uint64_t)b->spec.classes);
    return net_init(b->net, 1, err);
}

static int step(struct bench *b, bool train, struct error *err)
{
    const struct net_step sgd = {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1};
    size_t n = (size_t)b->spec.batch, correct;
    double loss;
    return train ? net_train_step(b->net, b->images, b->labels, n, &sgd, &loss, &correct, err)
                 : net_predict(b->net, b->images, n, NULL, b->features, err);
}

/* Whole steps until `seconds` have passed. */
static int measure(struct bench *b, bool train, double seconds, struct result *r, struct error *err)
{
    double wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    *r = (struct result){0};
    while (r->wall < seconds) {
        int e = step(b, train, err);
        if (e)
            return e;
        r->images += b->spec.batch;
        r->wall = now(CLOCK_MONOTONIC) - wall;
    }
    r->cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return 0;
}

static int answer(struct bench *b, struct error *err)
{
    char command[16];
    double seconds;
    puts("ready");
    fflush(stdout);
    while (scanf("%15s %lf", command, &seconds) == 2) {
        struct result r;
        int e = measure(b, strcmp(command, "train") == 0, seconds, &r, err);
        if (e)
            return e;
        printf("%.0f %.6f %.6f\n", r.images, r.wall, r.cpu);
        fflush(stdout);
    }
    return 0;
}

static int report(struct bench *b, struct error *err)
{
    struct result train, predict;
    int e = measure(b, true, b->seconds, &train, err);
    if (!e)
        e = measure(b, false, b->seconds, &predict, err);
    if (e)
        return e;
    double threads = b->spec.threads, rate = train.images / train.cpu * threads;
    printf("%s %d %d %s %.1f %.1f %.1f\n", net_model_names[b->spec.model], b->spec.width,
           b->spec.threads, b->spec.precision == NET_BF16 ? "bf16" : "fp32", rate,
           predict.images / predict.cpu * threads, 3e-9 * net_flops(b->net) * rate);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.spec = {.model = NET_RESNET18,
                               .width = 16,
                               .classes = 7,
                               .image_size = 40,
                               .batch = 128,
                               .training = true,
                               .precision = NET_BF16,
                               .backend = "auto",
                               .threads = 1},
                      .seconds = 2};
    struct error err = {""};
    if (parse(argc, argv, &b) < 0) {
        fprintf(stderr, "bench_train: see the head of tests/bench/bench_train.c\n");
        return 2;
    }
    if (b.flops) {
        printf("%.0f\n", net_spec_flops(&b.spec));
        return 0;
    }
    int e = prepare(&b, &err);
    for (int warm = 0; !e && warm < 4; warm++)
        e = step(&b, warm % 2 == 0, &err);
    if (!e)
        e = b.interactive ? answer(&b, &err) : report(&b, &err);
    net_free(b.net);
    free(b.images);
    free(b.features);
    free(b.labels);
    if (e)
        fprintf(stderr, "bench_train: %s\n", err.text);
    return e ? 1 : 0;
}
