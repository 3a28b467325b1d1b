/* Images a second of a training step and of evaluation, on one backend.
 * Usage: bench_train [-m model] [-w width] [-t threads] [-b batch] [-s image size] [-p fp32|bf16]
 *                    [-k backend] [-r seconds] [-c]
 * Prints one line: model width threads precision train_images_per_s eval_images_per_s
 * GFLOP/s of training (3 times the forward pass). Each figure is the best of the steps that fit in
 * half the seconds: the machine may be shared. With -c a step's time is the CPU time of the process
 * divided by threads, which a busy machine disturbs less. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/random.h"
#include "kernels/net.h"

struct options {
    struct net_spec spec;
    double seconds;
    bool cpu_time;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The clock that steps are timed by, per thread. */
static double step_clock(const struct options *o)
{
    struct timespec t;
    if (!o->cpu_time)
        return now();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / o->spec.threads;
}

static int parse(int argc, char **argv, struct options *o)
{
    int c;
    while ((c = getopt(argc, argv, "m:w:t:b:s:p:k:r:c")) != -1) {
        switch (c) {
        case 'm':
            for (int m = 0; m < NET_MODELS; m++)
                if (strcmp(optarg, net_model_names[m]) == 0)
                    o->spec.model = (enum net_model)m;
            break;
        case 'w':
            o->spec.width = atoi(optarg);
            break;
        case 't':
            o->spec.threads = atoi(optarg);
            break;
        case 'b':
            o->spec.batch = atoi(optarg);
            break;
        case 's':
            o->spec.image_size = atoi(optarg);
            break;
        case 'p':
            o->spec.precision = strcmp(optarg, "bf16") == 0 ? NET_BF16 : NET_FP32;
            break;
        case 'k':
            o->spec.backend = optarg;
            break;
        case 'r':
            o->seconds = atof(optarg);
            break;
        case 'c':
            o->cpu_time = true;
            break;
        default:
            return -1;
        }
    }
    return 0;
}

/* Best seconds of a training step (or of a prediction). */
static double best(struct net *net, const struct options *o, const float *images,
                   const uint8_t *labels, bool train, struct error *err)
{
    const struct net_step step = {.lr = 0.01, .momentum = 0.9, .weight_decay = 5e-4, .clip = 0.1};
    double shortest = 1e30, start = now();
    size_t n = (size_t)o->spec.batch, correct;
    float logits[256 * 16];
    for (int i = 0; i < 3 || now() - start < o->seconds / 2; i++) {
        double loss, t = step_clock(o);
        int e = train ? net_train_step(net, images, labels, n, &step, &loss, &correct, err)
                      : net_predict(net, images, n, n <= 256 ? logits : NULL, NULL, err);
        if (e < 0)
            return -1;
        t = step_clock(o) - t;
        if (i > 0 && t < shortest)
            shortest = t;
    }
    return shortest;
}

int main(int argc, char **argv)
{
    struct options o = {.spec = {.model = NET_RESNET18,
                                 .width = 16,
                                 .classes = 7,
                                 .image_size = 40,
                                 .batch = 128,
                                 .training = true,
                                 .backend = "auto",
                                 .threads = 1},
                        .seconds = 4};
    struct error err = {""};
    struct net *net = NULL;
    if (parse(argc, argv, &o) < 0)
        return 2;
    size_t n = (size_t)o.spec.batch, plane = (size_t)o.spec.image_size * (size_t)o.spec.image_size;
    float *images = calloc(n * plane, sizeof *images);
    uint8_t *labels = calloc(n, 1);
    if (!images || !labels)
        return 1;
    struct random r = random_start(1, 0);
    for (size_t i = 0; i < n * plane; i++)
        images[i] = (float)random_normal(&r);
    for (size_t i = 0; i < n; i++)
        labels[i] = (uint8_t)random_below(&r, 7);
    double train = -1, predict = -1;
    if (net_create(&net, &o.spec, &err) == 0 && net_init(net, 1, &err) == 0) {
        train = best(net, &o, images, labels, true, &err);
        predict = best(net, &o, images, labels, false, &err);
    }
    if (train < 0 || predict < 0) {
        fprintf(stderr, "bench_train: %s\n", err.text);
        return 1;
    }
    printf("%s %d %d %s %.1f %.1f %.1f\n", net_model_names[o.spec.model], o.spec.width,
           o.spec.threads, o.spec.precision == NET_BF16 ? "bf16" : "fp32", (double)n / train,
           (double)n / predict, 3e-9 * net_flops(net) * (double)n / train);
    net_free(net);
    free(images);
    free(labels);
    return 0;
}
