/* LIBSVM's text model (svm_save_model in its svm.cpp, and its README): what svm-predict reads. */
#ifndef FERDAG_STAGES_DATA_SVM_MODEL_H
#define FERDAG_STAGES_DATA_SVM_MODEL_H

#include "base/error.h"
#include "kernels/classifiers/svm/csvc.h"

/* Writes a C-SVC model. Coefficients have 17 significant digits and values 9, enough to get the
 * very numbers back; zeros are left out but for the last column of the first vector, which tells a
 * reader how many columns there are. */
int svm_model_write(const char *path, const struct csvc_model *model, struct error *err);

/* Reads one for features of d columns: C-SVC, one of the four kernels, 2 to most_classes classes
 * with different labels in 0 .. most_classes-1. Errors name the line. csvc_model_free frees. */
int svm_model_read(const char *path, size_t d, size_t most_classes, struct csvc_model *model,
                   struct error *err);

#endif
