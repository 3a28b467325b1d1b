/* Checks the `cuda` backend on a GPU: `make check-gpu`. Each item has one line, "passed name
 * (seconds)", FAILED or skipped; the program continues after a failure and ends with "N passed, N
 * failed, N skipped". Exit status: 0, or 1 if an item failed.
 * Usage: check_gpu [--short] [--folder FOLDER] [--limit SECONDS] [--only PART] [--steps N]
 *   --short   small shapes and widths; used without a GPU, with doubles of CUDA and cuDNN
 *   --folder  for the file that describes the device (default .)
 *   --limit   items are skipped after so many seconds (default 270)
 *   --only    device, operations, convolutions, nets or training
 *   --steps   only N training steps of each net, for compute-sanitizer */
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "kernels/cuda/devices.h"
#include "tests/gpu/check.h"

static const struct {
    const char *name;
    void (*run)(struct checks *checks);
} parts[] = {
    {"device", check_device},
    {"operations", check_operations},
    {"convolutions", check_convolutions},
    {"nets", check_nets},
    {"training", check_training},
};
enum { PARTS = sizeof parts / sizeof *parts, MAX_THREADS = 16 };

double check_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void count(struct checks *checks, const char *name, int code, double seconds,
                  const struct error *err)
{
    if (code == 0) {
        checks->passed++;
        printf("passed %s (%.1f s)\n", name, seconds);
    } else if (code == CHECK_SKIPPED) {
        checks->skipped++;
        printf("skipped %s: %s\n", name, err->text);
    } else {
        checks->failed++;
        printf("FAILED %s (%.1f s): %s\n", name, seconds, err->text);
    }
    fflush(stdout);
}

void check_run(struct checks *checks, check_function *run, const void *item, const char *name)
{
    struct error err = {""};
    double start = check_clock();
    int code = CHECK_SKIPPED;
    if (start > checks->end)
        error_set(&err, 1, "out of time");
    else
        code = run(checks, item, &err);
#pragma omp critical(check_count)
    count(checks, name, code, check_clock() - start, &err);
}

struct widths check_widths(const struct checks *checks)
{
    return checks->brief ? (struct widths){{2}, 1} : (struct widths){{64, 16}, 2};
}

size_t check_batch(const struct checks *checks)
{
    return checks->brief ? 3 : 128;
}

size_t check_last(const struct checks *checks)
{
    return checks->brief ? 2 : 37;
}

struct options {
    double limit;
    int steps;
    const char *only;
};

static int parse(int argc, char **argv, struct checks *checks, struct options *o)
{
    static const struct option longs[] = {
        {"short", no_argument, NULL, 's'},       {"folder", required_argument, NULL, 'f'},
        {"limit", required_argument, NULL, 'l'}, {"only", required_argument, NULL, 'o'},
        {"steps", required_argument, NULL, 'n'}, {0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (c == 's')
            checks->brief = true;
        else if (c == 'f')
            checks->folder = optarg;
        else if (c == 'l')
            o->limit = atof(optarg);
        else if (c == 'o')
            o->only = optarg;
        else if (c == 'n')
            o->steps = atoi(optarg);
        else
            return -1;
    }
    return optind < argc ? -1 : 0;
}

/* Items at a time: one for each CPU, but not more than fit in the device's memory. */
static int count_threads(void)
{
    const double bytes = 8e9; /* of the largest item, roughly */
    struct cuda_device device;
    struct error ignored = {""};
    int threads = omp_get_max_threads() < MAX_THREADS ? omp_get_max_threads() : MAX_THREADS;
    if (cuda_device_get(0, &device, &ignored) < 0)
        return 1;
    int fit = (int)((double)device.memory / bytes);
    return fit < 1 ? 1 : fit < threads ? fit : threads;
}

int main(int argc, char **argv)
{
    struct checks checks = {.folder = "."};
    struct options options = {.limit = 270};
    struct error err = {""};
    int devices = 0;
    if (parse(argc, argv, &checks, &options) < 0) {
        fprintf(stderr, "check_gpu: see the head of tests/gpu/check_gpu.c\n");
        return 2;
    }
    if (cuda_device_count(&devices, &err) < 0) {
        printf("skipped: no CUDA device (%s)\n0 passed, 0 failed, %d skipped\n", err.text, PARTS);
        return 0;
    }
    checks.threads = checks.brief ? 1 : count_threads();
    checks.end = check_clock() + options.limit;
    for (int i = 0; i < PARTS && !options.steps; i++)
        if (!options.only || strcmp(options.only, parts[i].name) == 0)
            parts[i].run(&checks);
    if (options.steps)
        check_steps(&checks, options.steps);
    printf("%d passed, %d failed, %d skipped\n", checks.passed, checks.failed, checks.skipped);
    return checks.failed ? 1 : 0;
}
