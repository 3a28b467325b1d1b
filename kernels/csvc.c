/* See csvc.h: the model, and the four kernels. */
#include "kernels/csvc.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include "kernels/csvc_kernel.h"

const char *const csvc_kernel_names[SVM_KERNELS] = {"linear", "polynomial", "rbf", "sigmoid"};

int csvc_model_make(struct csvc_model *model, size_t classes, size_t d, size_t count,
                    struct error *err)
{
    *model = (struct csvc_model){.classes = classes, .d = d, .count = count};
    size_t cells;
    if (classes < 2 || d == 0 || __builtin_mul_overflow(count, d, &cells))
        return error_set(err, EINVAL, "a model of %zu classes and %zu vectors of %zu values",
                         classes, count, d);
    model->labels = calloc(classes, sizeof *model->labels);
    model->class_counts = calloc(classes, sizeof *model->class_counts);
    model->vectors =
        calloc(cells + 1, sizeof *model->vectors); /* + 1: no vectors isn't no memory */
    model->coef = calloc((classes - 1) * count + 1, sizeof *model->coef);
    model->rho = calloc(classes * (classes - 1) / 2, sizeof *model->rho);
    if (!model->labels || !model->class_counts || !model->vectors || !model->coef || !model->rho)
        return error_set(err, ENOMEM, "out of memory for %zu support vectors of %zu values", count,
                         d);
    for (size_t c = 0; c < classes; c++)
        model->labels[c] = (int)c;
    return 0;
}

void csvc_model_free(struct csvc_model *model)
{
    free(model->labels);
    free(model->class_counts);
    free(model->vectors);
    free(model->coef);
    free(model->rho);
    *model = (struct csvc_model){0};
}

static double power(double base, int exponent)
{
    double result = 1;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2)
            result *= base;
        base *= base;
    }
    return result;
}

static void apply_row(const struct csvc_kernel *k, float *row, size_t m, double norm,
                      const double *norms)
{
    switch (k->type) {
    case SVM_POLY:
        for (size_t j = 0; j < m; j++)
            row[j] = (float)power(k->gamma * row[j] + k->coef0, k->degree);
        break;
    case SVM_RBF:
        for (size_t j = 0; j < m; j++)
            row[j] = (float)exp(-k->gamma * fmax(0, norm + norms[j] - 2.0 * row[j]));
        break;
    case SVM_SIGMOID: /* tanh z = 1 - 2 / (e^2z + 1), several times faster than tanh */
        for (size_t j = 0; j < m; j++)
            row[j] = (float)(1 - 2 / (exp(2 * (k->gamma * row[j] + k->coef0)) + 1));
        break;
    case SVM_LINEAR:
    case SVM_KERNELS:
        break;
    }
}

void csvc_kernel_apply(const struct csvc_kernel *kernel, float *dots, size_t n, size_t m, size_t ld,
                       const double *norms_a, const double *norms_b)
{
    bool norms = kernel->type == SVM_RBF;
    if (kernel->type != SVM_LINEAR)
        for (size_t i = 0; i < n; i++)
            apply_row(kernel, dots + i * ld, m, norms ? norms_a[i] : 0, norms_b);
}
