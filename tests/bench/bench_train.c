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
#include <unistd.h>
#include "tests/bench/training.h"

struct bench {
    struct training training;
    double seconds;
    bool interactive, flops;
    float *features;
};

struct result {
    double images, wall, cpu;
};

static int parse(int argc, char **argv, struct bench *b)
{
    int c;
    while ((c = getopt(argc, argv, TRAINING_OPTIONS "t:k:r:if")) != -1) {
        if (c == 't')
            b->training.spec.threads = atoi(optarg);
        else if (c == 'k')
            b->training.spec.backend = optarg;
        else if (c == 'r')
            b->seconds = atof(optarg);
        else if (c == 'f')
            b->flops = true;
        else if (c == 'i')
            b->interactive = true;
        else if (!training_option(c, &b->training.spec))
            return -1;
    }
    return optind < argc ? -1 : 0;
}

static int prepare(struct bench *b, struct error *err)
{
    int e = training_begin(&b->training, err);
    if (e)
        return e;
    b->features =
        calloc((size_t)b->training.spec.batch * net_features(b->training.net), sizeof *b->features);
    return b->features ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int step(struct bench *b, bool train, struct error *err)
{
    struct training *t = &b->training;
    return train ? training_step(t, err)
                 : net_predict(t->net, 0, (size_t)t->spec.batch, NULL, b->features, err);
}

/* Runs whole steps until `seconds` have passed. */
static int measure(struct bench *b, bool train, double seconds, struct result *r, struct error *err)
{
    double wall = training_clock(CLOCK_MONOTONIC), cpu = training_clock(CLOCK_PROCESS_CPUTIME_ID);
    *r = (struct result){0};
    while (r->wall < seconds) {
        int e = step(b, train, err);
        if (e)
            return e;
        r->images += b->training.spec.batch;
        r->wall = training_clock(CLOCK_MONOTONIC) - wall;
    }
    r->cpu = training_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
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
    double threads = b->training.spec.threads, rate = train.images / train.cpu * threads;
    printf("%s %d %d %s %.1f %.1f %.1f\n", net_model_names[b->training.spec.model],
           b->training.spec.width, b->training.spec.threads,
           b->training.spec.precision == PRECISION_BF16 ? "bf16" : "fp32", rate,
           predict.images / predict.cpu * threads, 3e-9 * net_flops(b->training.net) * rate);
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {.training = {.spec = training_standard}, .seconds = 2};
    struct error err = {""};
    if (parse(argc, argv, &b) < 0) {
        fprintf(stderr, "bench_train: see the head of tests/bench/bench_train.c\n");
        return 2;
    }
    if (b.flops) {
        printf("%.0f\n", net_spec_flops(&b.training.spec));
        return 0;
    }
    int e = prepare(&b, &err);
    for (int warm = 0; !e && warm < 4; warm++)
        e = step(&b, warm % 2 == 0, &err);
    if (!e)
        e = b.interactive ? answer(&b, &err) : report(&b, &err);
    training_end(&b.training);
    free(b.features);
    if (e)
        fprintf(stderr, "bench_train: %s\n", err.text);
    return e ? 1 : 0;
}
