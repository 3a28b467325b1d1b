/* What the kinds that train support vector machines share: most of their params, and rows ordered
 * by class. */
#ifndef FERDAG_STAGES_CLASSIFIERS_SVM_TRAINING_H
#define FERDAG_STAGES_CLASSIFIERS_SVM_TRAINING_H

#include "kernels/classifiers/svm/csvc.h"
#include "stages/data/formats.h"
#include "stages/job.h"

#define SVM_LARGEST 1e9 /* c, gamma and weights of classes */

/* clang-format off */
#define SVM_KERNEL_PARAM                                                                           \
    {.name = "kernel", .type = PARAM_ENUM, .standard = "linear",                                   \
     .choices = "linear|poly|rbf|sigmoid",                                                         \
     .text = "u'v, (gamma u'v + coef0)^degree, exp(-gamma |u-v|^2), tanh(gamma u'v + coef0)"}

#define SVM_OTHER_PARAMS                                                                           \
    {.name = "degree", .type = PARAM_INT, .standard = "3", .min = 1, .max = 20,                    \
     .text = "of poly"},                                                                           \
    {.name = "coef0", .type = PARAM_REAL, .standard = "0", .min = -1e9, .max = 1e9,                \
     .text = "of poly and sigmoid"},                                                               \
    {.name = "class_weight", .type = PARAM_JSON, .standard = "\"none\"",                           \
     .text = "c is multiplied by it (LIBSVM's -wi): none; balanced: rows / (classes x rows of the "\
             "class); or a map such as {disgust: 10, fear: 1.5}"},                                 \
    {.name = "tolerance", .type = PARAM_REAL, .standard = "1e-3", .min = 1e-9, .max = 1,           \
     .text = "stop when no pair of rows violates optimality by more (LIBSVM's eps)"},              \
    {.name = "precision", .type = PARAM_ENUM, .standard = "auto",                                  \
     .choices = "auto|float32|float64",                                                            \
     .text = "of the dot products that kernel values come from; auto: float64 for sigmoid, whose " \
             "solution hangs on every bit, else float32"},                                         \
    {.name = "memory_mb", .type = PARAM_INT, .standard = "3000", .min = 1, .max = 1000000,         \
     .keyless = true,                                                                              \
     .text = "for kernel values; if they don't fit, fewer threads are used, then a file"}
/* clang-format on */

/* Fills in what these params and the job say: all but c, gamma, progress. weights
 * (CLASSES) is filled too and used by the training. counts: rows of each class. */
int svm_training_read(struct job *job, const size_t counts[CLASSES], struct csvc_training *training,
                      double weights[CLASSES], struct error *err);

/* Adds what is wrong with class_weight. */
void svm_check_class_weight(const json_t *params, struct problems *problems);

/* 1 / (d var(X)), over all values: what gamma 0 stands for. */
int svm_scale_gamma(const struct features *f, double *gamma, struct error *err);

/* Puts row i where target[i] says, a permutation, which becomes the identity; labels move too. The
 * rows are never in memory twice. -ENOMEM. */
int svm_permute(struct features *f, size_t *target, struct error *err);

#endif
