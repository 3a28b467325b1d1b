/* Speed of training and of feature extraction on a GPU, on drawn images. An epoch is what a stage
 * does: the queue is sent, 224 steps are replayed, the loss is read.
 * Usage: bench_gpu [-m model] [-w width] [-p bf16|fp32] [-b batch] [-n steps an epoch] [-r seconds]
 * [-i] With -i it prints "ready DEVICE", then reads lines "train SECONDS" and "predict SECONDS",
 * and answers each with "images seconds" of whole epochs. Without, it measures all nets (or -m) at
 * widths 64 and 16 (or -w) and prints a Markdown table. Exit status 77: no device. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "kernels/cuda/devices.h"
#include "tests/gpu/net_images.h"

enum { NO_DEVICE = 77, IMAGE_SIZE = 40, ROUNDS = 5 };

struct bench {
    struct net_spec spec;
    size_t steps; /* an epoch */
    double seconds;
    bool interactive, one_model, one_width;
    struct net *net;
    struct net_images images;
    struct drawn drawn;
    float *features;
};

struct measured {
    double images, seconds;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int parse(int argc, char **argv, struct bench *b)
{
    int c;
    while ((c = getopt(argc, argv, "m:w:p:b:n:r:ei")) != -1) {
        if (c == 'm') {
            b->spec.model = net_model_find(optarg);
            b->one_model = true;
        } else if (c == 'w') {
            b->spec.width = atoi(optarg);
            b->one_width = true;
        } else if (c == 'p')
            b->spec.precision = strcmp(optarg, "fp32") == 0 ? PRECISION_FP32 : PRECISION_BF16;
        else if (c == 'b')
            b->spec.batch = atoi(optarg);
        else if (c == 'n')
            b->steps = (size_t)atoi(optarg);
        else if (c == 'r')
            b->seconds = atof(optarg);
        else if (c == 'e')
            b->spec.times_engines = true;
        else if (c == 'i')
            b->interactive = true;
        else
            return -1;
    }
    return optind < argc || b->spec.model == NET_MODELS || b->steps < 1 ? -1 : 0;
}

/* One epoch of training, or the features of as many images. */
static int run_epoch(struct bench *b, bool train, struct error *err)
{
    const struct net_step step = {
        .sgd = {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1}};
    const struct loss_sums none = {0};
    struct loss_sums sums;
    size_t batch = (size_t)b->spec.batch;
    int e = drawn_queue(b->net, &b->drawn, &b->images, err);
    for (size_t i = 0; !e && i < b->steps; i++)
        e = train ? net_train_step(b->net, i * batch, batch, &step, err)
                  : net_predict(b->net, i * batch, batch, NULL, b->features, err);
    return e || !train ? e : net_loss_sums(b->net, &sums, &none, err);
}

/* Makes the net, and runs each kind of pass until it is replayed. */
static int open_bench(struct bench *b, struct error *err)
{
    enum { WARM_UP = 2 };
    size_t batch = (size_t)b->spec.batch;
    int e = net_create(&b->net, &b->spec, err);
    if (!e)
        e = net_init(b->net, 1, err);
    if (!e)
        e = drawn_make(&b->drawn, b->steps * batch, 1, err);
    if (!e)
        e = drawn_add(b->net, &b->drawn, &b->images, err);
    if (e)
        return e;
    drawn_shuffle(&b->drawn, IMAGE_SIZE, 0);
    b->features = calloc(batch * net_features(b->net), sizeof *b->features);
    if (!b->features)
        return error_set(err, ENOMEM, "out of memory");
    for (int i = 0; !e && i < WARM_UP; i++) {
        e = run_epoch(b, true, err);
        if (!e)
            e = run_epoch(b, false, err);
    }
    return e;
}

static void close_bench(struct bench *b)
{
    net_free(b->net);
    drawn_free(&b->drawn);
    free(b->features);
    b->net = NULL;
    b->features = NULL;
    b->drawn = (struct drawn){0};
}

/* Whole epochs until `seconds` have passed. */
static int measure(struct bench *b, bool train, double seconds, struct measured *m,
                   struct error *err)
{
    double start = now();
    *m = (struct measured){0};
    while (m->images == 0 || m->seconds < seconds) {
        int e = run_epoch(b, train, err);
        if (e)
            return e;
        m->images += (double)b->steps * b->spec.batch;
        m->seconds = now() - start;
    }
    return 0;
}

static int answer(struct bench *b, const char *device, struct error *err)
{
    char command[16];
    double seconds;
    int e = open_bench(b, err);
    if (e)
        return e;
    printf("ready %s\n", device);
    fflush(stdout);
    while (scanf("%15s %lf", command, &seconds) == 2) {
        struct measured m;
        e = measure(b, strcmp(command, "train") == 0, seconds, &m, err);
        if (e)
            return e;
        printf("%.0f %.6f\n", m.images, m.seconds);
        fflush(stdout);
    }
    return 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Images a second: the median of some rounds. */
static int rate(struct bench *b, bool train, double *median, struct error *err)
{
    double rates[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        struct measured m;
        int e = measure(b, train, b->seconds / ROUNDS, &m, err);
        if (e)
            return e;
        rates[i] = m.images / m.seconds;
    }
    qsort(rates, ROUNDS, sizeof *rates, by_value);
    *median = rates[ROUNDS / 2];
    return 0;
}

static int print_row(struct bench *b, struct error *err)
{
    double train = 0, predict = 0;
    int e = open_bench(b, err);
    if (!e)
        e = rate(b, true, &train, err);
    if (!e)
        e = rate(b, false, &predict, err);
    if (!e)
        printf("| %s | %d | %s | %.0f | %.1f | %.0f |\n", net_model_names[b->spec.model],
               b->spec.width, net_precision(b->net) == PRECISION_BF16 ? "bf16" : "fp32", train,
               3e-12 * net_flops(b->net) * train, predict);
    fflush(stdout);
    close_bench(b);
    return e;
}

/* All nets at both widths, and one in fp32. Returns the number of rows that failed. */
static int print_table(struct bench *b)
{
    const int widths[] = {64, 16};
    int passed = 0, failed = 0;
    printf("| net | width | precision | training, images/s | TFLOP/s | extraction, images/s |\n"
           "|---|---|---|---|---|---|\n");
    for (int w = 0; w < (b->one_width ? 1 : 2); w++)
        for (int m = 0; m < (b->one_model ? 1 : NET_MODELS); m++) {
            struct error err = {""};
            b->spec.model = b->one_model ? b->spec.model : (enum net_model)m;
            b->spec.width = b->one_width ? b->spec.width : widths[w];
            int e = print_row(b, &err);
            if (e)
                printf("FAILED %s, width %d: %s\n", net_model_names[b->spec.model], b->spec.width,
                       err.text);
            failed += e != 0;
            passed += e == 0;
        }
    printf("%d passed, %d failed, 0 skipped\n", passed, failed);
    return failed;
}

int main(int argc, char **argv)
{
    struct bench b = {.spec = {.model = NET_RESNET18,
                               .width = 64,
                               .classes = DRAWN_CLASSES,
                               .image_size = IMAGE_SIZE,
                               .batch = 128,
                               .training = true,
                               .precision = PRECISION_BF16,
                               .backend = "cuda",
                               .threads = 1},
                      .steps = 224,
                      .seconds = 5};
    struct cuda_device device;
    struct error err = {""};
    char driver[64], text[512];
    if (parse(argc, argv, &b) < 0) {
        fprintf(stderr, "bench_gpu: see the head of tests/gpu/bench_gpu.c\n");
        return 2;
    }
    if (cuda_device_get(0, &device, &err) < 0) {
        printf("skipped: no CUDA device (%s)\n0 passed, 0 failed, 1 skipped\n", err.text);
        return NO_DEVICE;
    }
    cuda_driver_version(driver, sizeof driver);
    net_numerics("cuda", text, sizeof text, &err);
    if (!b.interactive) {
        printf("%s; driver for CUDA %s\n\n", text, driver);
        return print_table(&b) ? 1 : 0;
    }
    int e = answer(&b, text, &err);
    close_bench(&b);
    if (e)
        fprintf(stderr, "bench_gpu: %s\n", err.text);
    return e ? 1 : 0;
}
