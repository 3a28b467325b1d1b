/* Shared by the kinds that train support vector machines: most of their params, and sorting of
 * rows. */
#ifndef FERDAG_STAGES_CLASSIFIERS_SVM_TRAINING_H
#define FERDAG_STAGES_CLASSIFIERS_SVM_TRAINING_H

#include "kernels/classifiers/svm/csvc.h"
#include "stages/data/formats.h"
#include "stages/job.h"

#define SVM_LARGEST 1e9 /* of c, gamma and class weights */

/* clang-format off */
#define SVM_KERNEL_PARAM                                                                           \
    {.name = "kernel", .type = PARAM_ENUM, .standard = "linear",                                   \
     .choices = "linear|poly|rbf|sigmoid",                                                         \
     .text = "u'v, (gamma u'v + coef0)^degree, exp(-gamma |u-v|^2), tanh(gamma u'v + coef0)"}

#define SVM_OTHER_PARAMS                                                                           \
    {.name = "degree", .type = PARAM_INT, .standard = "3", .min = 1, .max = 20,                    \
     .text = "degree of kernel poly"},                                                                           \
    {.name = "coef0", .type = PARAM_REAL, .standard = "0", .min = -1e9, .max = 1e9,                \
     .text = "coef0 of kernels poly and sigmoid"},                                                               \
    {.name = "class_weight", .type = PARAM_JSON, .standard = "\"none\"",                           \
     .text = "factor of c for each class (LIBSVM's -wi): none (1); balanced, that is rows / "        \
             "(classes x rows of the class); or a map such as {disgust: 10, fear: 1.5}"},                                 \
    {.name = "tolerance", .type = PARAM_REAL, .standard = "1e-3", .min = 1e-9, .max = 1,           \
     .text = "training stops when no pair of rows violates optimality by more (LIBSVM's eps)"},              \
    {.name = "precision", .type = PARAM_ENUM, .standard = "auto",                                  \
     .choices = "auto|float32|float64",                                                            \
     .text = "precision of dot products; auto: float64 for sigmoid, whose solution is sensitive to " \
             "rounding, otherwise float32"},                                         \
    {.name = "memory_mb", .type = PARAM_INT, .standard = "3000", .min = 1, .max = 1000000,         \
     .not_in_key = true,                                                                              \
     .text = "memory for kernel values in MB; if it is too small, fewer threads are used, then a " \
             "file"}
/* clang-format on */

/* Fills training from these params and the job, all but c and gamma; progress is reported to the
 * job. weights (CLASSES): filled with the class weights; training borrows it. counts: rows of each
 * class. -EINVAL if class_weight is wrong. */
int svm_training_read(struct job *job, const size_t counts[CLASSES], struct csvc_training *training,
                      double weights[CLASSES], struct error *err);

/* Adds a problem if class_weight is wrong. */
void svm_check_class_weight(const json_t *params, struct problems *problems);

/* *gamma: 1 / (d var(X)) with the variance over all values, the meaning of gamma 0. -EINVAL if the
 * variance is 0. */
int svm_scale_gamma(const struct features *f, double *gamma, struct error *err);

/* Moves row i and its label to index target[i], in place. target is a permutation and becomes the
 * identity. -ENOMEM. */
int svm_permute(struct features *f, size_t *target, struct error *err);

#endif
