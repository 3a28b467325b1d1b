/* Prints an estimate of the speed of training on a GPU as Markdown (`make gpu-model`): what a step
 * of each net computes and moves by its plan (step_model.h), and the time by the roofline. */
#include <stdio.h>
#include "tests/gpu/step_model.h"

/* Bandwidth and dense bf16 peak of the datasheets. */
static const struct gpu_speed gpus[] = {
    {"A100 (80 GB)", 2.04e12, 312e12},
    {"H100", 3.35e12, 990e12},
    {"H200", 4.8e12, 990e12},
};
enum { GPUS = sizeof gpus / sizeof *gpus, H200 = GPUS - 1, BATCH = 128 };

static const int widths[] = {64, 16};
enum { WIDTHS = sizeof widths / sizeof *widths };

static struct net_spec spec_of(enum net_model model, int width)
{
    return (struct net_spec){.model = model,
                             .width = width,
                             .classes = 7,
                             .image_size = 40,
                             .batch = BATCH,
                             .training = true,
                             .precision = PRECISION_BF16,
                             .threads = 1};
}

static double gflop(const struct step_work *work)
{
    double flops = 0;
    for (int k = 0; k < STEP_KERNELS; k++)
        flops += work->kernels[k].flops;
    return 1e-9 * flops;
}

static int print_nets(struct error *err)
{
    const double epochs = 200, images = 28709;
    printf("| net | width | GFLOP per step | MB per step | kernels | activations, MB |");
    for (int g = 0; g < GPUS; g++)
        printf(" %s, images/s |", gpus[g].name);
    printf(" H200, 200 epochs |\n|---|---|---|---|---|---|");
    for (int g = 0; g < GPUS; g++)
        printf("---|");
    printf("---|\n");
    for (int w = 0; w < WIDTHS; w++)
        for (int m = 0; m < NET_MODELS; m++) {
            struct net_spec spec = spec_of((enum net_model)m, widths[w]);
            struct step_work work;
            for (int g = 0; g < GPUS; g++) {
                int e = step_model(&spec, &gpus[g], &work, err);
                if (e)
                    return e;
                if (g == 0)
                    printf("| %s | %d | %.0f | %.0f | %zu | %.0f |", net_model_names[m], widths[w],
                           gflop(&work), 1e-6 * step_bytes(&work), step_launches(&work),
                           1e-6 * (double)work.memory);
                printf(" %.0fk |", 1e-3 * BATCH / work.seconds);
            }
            printf(" %.0f s |\n", epochs * images / BATCH * work.seconds);
        }
    return 0;
}

/* Each kind of pass over memory, in MB a step. */
static int print_passes(int width, struct error *err)
{
    struct step_work work[NET_MODELS];
    for (int m = 0; m < NET_MODELS; m++) {
        struct net_spec spec = spec_of((enum net_model)m, width);
        int e = step_model(&spec, &gpus[H200], &work[m], err);
        if (e)
            return e;
    }
    printf("\n| width %d: MB read + written (kernels) |", width);
    for (int m = 0; m < NET_MODELS; m++)
        printf(" %s |", net_model_names[m]);
    printf("\n|---|---|---|---|---|\n");
    for (int k = 0; k < STEP_KERNELS; k++) {
        printf("| %s |", step_kernel_titles[k]);
        for (int m = 0; m < NET_MODELS; m++) {
            const struct kernel_work *of = &work[m].kernels[k];
            if (of->launches)
                printf(" %.1f + %.1f (%zu) |", 1e-6 * of->read, 1e-6 * of->written, of->launches);
            else
                printf(" |");
        }
        printf("\n");
    }
    return 0;
}

int main(void)
{
    struct error err = {""};
    int e = print_nets(&err);
    for (int w = 0; !e && w < WIDTHS; w++)
        e = print_passes(widths[w], &err);
    if (e)
        fprintf(stderr, "model: %s\n", err.text);
    return e ? 1 : 0;
}
