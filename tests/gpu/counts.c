/* Compares the model of a step (step_model.h) with what the doubles of CUDA and cuDNN count while
 * the backend runs one, for each net at a small width: launches of each kernel, and the bytes that
 * they read and write. Prints a Markdown table; exit status 1 if a number differs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/double/cudart.h"
#include "tests/double/host_kernels.h"
#include "tests/gpu/net_images.h"
#include "tests/gpu/step_model.h"

enum { WIDTH = 4, BATCH = 3 };

/* Bytes that the model lacks, as a part of its own: the partial sums that blocks exchange, the
 * first row, which each thread of `moments` reads (from a cache), and the gradient of the linear
 * layer's bias. They weigh much in these small shapes only. */
static const struct {
    const char *kernel;
    double part;
} allowances[] = {
    {"moments", 0.6},
    {"norm_sums", 0.03},
    {"norm_backward_sums", 0.03},
    {"linear_backward", 0.03},
};

static double allowance(const char *kernel)
{
    for (size_t i = 0; i < sizeof allowances / sizeof *allowances; i++)
        if (strcmp(kernel, allowances[i].kernel) == 0)
            return allowances[i].part;
    return 1e-9;
}

/* Whether a kernel of the backend is this one; norm_backward has another name where it also sums
 * the gradient of a bias. */
static bool is_kernel(const char *name, enum step_kernel kernel)
{
    const char *model = step_kernel_names[kernel];
    return model && (strcmp(name, model) == 0 ||
                     (kernel == STEP_NORM_BACKWARD && strcmp(name, "norm_backward_sums") == 0));
}

/* What the double has counted, in the model's terms. Returns the kernels that the model lacks. */
static size_t counted(struct kernel_work *work, double *allowed)
{
    size_t n = 0, unknown = 0;
    const struct launch_count *counts = host_kernels_counts(&n);
    for (size_t i = 0; i < n; i++) {
        int k = 0;
        while (k < STEP_KERNELS && !is_kernel(counts[i].name, (enum step_kernel)k))
            k++;
        if (k == STEP_KERNELS) {
            if (counts[i].launches)
                printf("the model lacks %s (%zu)\n", counts[i].name, counts[i].launches);
            unknown += counts[i].launches > 0;
            continue;
        }
        work[k].launches += counts[i].launches;
        work[k].read += (double)counts[i].bytes_read;
        work[k].written += (double)counts[i].bytes_written;
        allowed[k] = fmax(allowed[k], allowance(counts[i].name));
    }
    return unknown;
}

static int compare(enum net_model model, const struct step_work *expected,
                   const struct kernel_work *work, const double *allowed)
{
    int wrong = 0;
    for (int k = 0; k < STEP_KERNELS; k++) {
        const struct kernel_work *e = &expected->kernels[k], *w = &work[k];
        double model_bytes = e->read + e->written, bytes = w->read + w->written;
        if (!step_kernel_names[k])
            continue; /* cuDNN's */
        bool good = e->launches == w->launches && bytes >= model_bytes * (1 - 1e-9) &&
                    bytes <= model_bytes * (1 + allowed[k]);
        wrong += !good;
        if (e->launches || w->launches)
            printf("| %s | %s | %zu | %zu | %.0f | %.0f | %s |\n", net_model_names[model],
                   step_kernel_names[k], e->launches, w->launches, model_bytes, bytes,
                   good ? "" : "WRONG");
    }
    return wrong;
}

/* The convolutions, which the double of cuDNN counts together. */
static int compare_convolutions(enum net_model model, const struct step_work *expected,
                                const struct double_counts *before,
                                const struct double_counts *after)
{
    const enum step_kernel kinds[] = {STEP_CONV, STEP_CONV_INPUT, STEP_CONV_WEIGHTS};
    size_t launches = 0, found = after->convolutions - before->convolutions;
    double bytes = 0, found_bytes = (double)(after->convolution_bytes - before->convolution_bytes);
    for (int i = 0; i < 3; i++) {
        launches += expected->kernels[kinds[i]].launches;
        bytes += expected->kernels[kinds[i]].read + expected->kernels[kinds[i]].written;
    }
    bool grouped = model == NET_RESNEXT29; /* such a convolution may be run in two parts */
    bool good = found >= launches && found <= (grouped ? 2 : 1) * launches &&
                fabs(bytes - found_bytes) <= 1e-9 * bytes;
    printf("| %s | convolutions | %zu | %zu | %.0f | %.0f | %s |\n", net_model_names[model],
           launches, found, bytes, found_bytes, good ? "" : "WRONG");
    return !good;
}

/* Counts the kernels of a replayed step, the third, and the convolutions of the first, since the
 * double of cuDNN counts its calls. */
static int count_step(const struct net_spec *spec, struct error *err)
{
    const struct net_step step = {.sgd = {.lr = 0.01, .momentum = 0.9}};
    struct step_work expected;
    struct kernel_work work[STEP_KERNELS] = {{0}};
    double allowed[STEP_KERNELS] = {0};
    struct double_counts before = {0}, after = {0};
    struct net *net = NULL;
    struct net_images images;
    struct drawn drawn;
    int wrong = 0, e = drawn_make(&drawn, BATCH, 1, err);
    if (!e)
        drawn_shuffle(&drawn, (size_t)spec->image_size, 0);
    if (!e)
        e = step_model(spec, NULL, &expected, err);
    if (!e)
        e = net_create(&net, spec, err);
    if (!e)
        e = drawn_add(net, &drawn, &images, err);
    if (!e)
        e = drawn_queue(net, &drawn, &images, err);
    for (int i = 0; !e && i < 3; i++) {
        e = net_loss_sums(net, NULL, NULL, err); /* waits */
        host_kernels_clear_counts();
        if (i < 2)
            *(i == 0 ? &before : &after) = double_counts();
        if (!e)
            e = net_train_step(net, 0, BATCH, &step, err);
    }
    if (!e)
        e = net_loss_sums(net, NULL, NULL, err);
    if (!e)
        wrong = (int)counted(work, allowed) + compare(spec->model, &expected, work, allowed) +
                compare_convolutions(spec->model, &expected, &before, &after);
    net_free(net);
    drawn_free(&drawn);
    return e ? e : wrong;
}

int main(void)
{
    int wrong = 0;
    printf("| net | kernel | launches, model | counted | bytes, model | counted | |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int m = 0; m < NET_MODELS; m++) {
        const struct net_spec spec = {.model = (enum net_model)m,
                                      .width = WIDTH,
                                      .classes = 7,
                                      .image_size = 40,
                                      .batch = BATCH,
                                      .training = true,
                                      .precision = PRECISION_BF16,
                                      .backend = "cuda",
                                      .threads = 1};
        struct error err = {""};
        int result = count_step(&spec, &err);
        if (result < 0) {
            fprintf(stderr, "counts: %s: %s\n", net_model_names[m], err.text);
            return 1;
        }
        wrong += result;
    }
    printf("%d numbers differ\n", wrong);
    return wrong ? 1 : 0;
}
