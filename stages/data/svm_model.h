/* LIBSVM's text format of models, as read by svm-predict (svm_save_model in LIBSVM's svm.cpp). */
#ifndef FERDAG_STAGES_DATA_SVM_MODEL_H
#define FERDAG_STAGES_DATA_SVM_MODEL_H

#include "base/error.h"
#include "kernels/classifiers/svm/csvc.h"

/* Writes a C-SVC model. Coefficients have 17 significant digits and values 9, which is enough to
 * read the same numbers back. Zeros are left out, except in the last column of the first vector,
 * which gives the number of columns. */
int svm_model_write(const char *path, const struct csvc_model *model, struct error *err);

/* Reads a model for features of d columns: C-SVC with one of the four kernels and 2 to most_classes
 * classes, with distinct labels in 0 .. most_classes-1. Errors name file and line. csvc_model_free
 * frees. */
int svm_model_read(const char *path, size_t d, size_t most_classes, struct csvc_model *model,
                   struct error *err);

#endif
