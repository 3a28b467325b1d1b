/* See csvc.h: the model. Training is in train.c, prediction in predict.c. */
#include "kernels/classifiers/svm/csvc.h"

#include <errno.h>
#include <stdlib.h>

const char *const csvc_kernel_names[SVM_KERNELS] = {"linear", "polynomial", "rbf", "sigmoid"};

int csvc_model_make(struct csvc_model *model, size_t classes, size_t d, size_t count,
                    struct error *err)
{
    *model = (struct csvc_model){.classes = classes, .d = d, .count = count};
    size_t cells;
    if (classes < 2 || d == 0 || __builtin_mul_overflow(count, d, &cells))
        return error_set(err, EINVAL,
                         "a model of %zu classes and %zu vectors of %zu values; expected 2 "
                         "classes, 1 value or more",
                         classes, count, d);
    model->labels = calloc(classes, sizeof *model->labels);
    model->class_counts = calloc(classes, sizeof *model->class_counts);
    model->vectors = calloc(cells + 1, sizeof *model->vectors); /* + 1: a size of 0 may give NULL */
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
