/* See csvc.h: the model. */
#include "kernels/classifiers/svm/csvc.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "kernels/classifiers/svm/kernel_values.h"
#include "kernels/classifiers/svm/smo.h"

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

int csvc_not_finite(size_t a, size_t b, struct error *err)
{
    return error_set(err, ERANGE,
                     "rows of class %zu have no finite kernel value with rows of class %zu: scale "
                     "the features, or choose another gamma, degree or coef0",
                     a, b);
}

size_t csvc_vote(size_t classes, const double *scores)
{
    size_t votes[256] = {0}, best = 0;
    for (size_t a = 0; a < classes; a++)
        for (size_t b = a + 1; b < classes; b++)
            votes[*scores++ > 0 ? a : b]++;
    for (size_t c = 1; c < classes; c++)
        if (votes[c] > votes[best])
            best = c;
    return best;
}

double csvc_bound(const struct csvc_training *training, double c, size_t class)
{
    return training->weights ? c * training->weights[class] : c;
}

int csvc_spill(const struct csvc_training *training, double bytes, double rows, struct spill *spill,
               struct error *err)
{
    double free_rows = fmin(rows, SMO_MOST_FREE), memory = (double)training->memory;
    double least = sizeof(double) * free_rows * free_rows +
                   (training->wide ? (double)csvc_kernel_scratch() : 0);
    if (!training->open_file || least + SPILL_LEAST > memory)
        return error_set(err, ENOMEM,
                         "kernel values need %.1f MB, or %.1f MB if the others lie in a file, but "
                         "memory for them is %.1f MB",
                         bytes / 1e6, (least + SPILL_LEAST) / 1e6, memory / 1e6);
    int file = training->open_file(training->context);
    if (file < 0)
        return error_errno(err, -file, "no file can be made for kernel values beyond memory");
    spill_open(spill, file, (size_t)(memory - least));
    return 0;
}
