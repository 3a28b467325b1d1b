/* The value of an SVM kernel by its definition: the reference of the SVM tests. */
#ifndef FERDAG_TESTS_UNIT_KERNELS_SVM_KERNEL_H
#define FERDAG_TESTS_UNIT_KERNELS_SVM_KERNEL_H

#include <math.h>
#include "kernels/classifiers/svm/csvc.h"

static inline double svm_kernel(const struct csvc_kernel *k, const float *a, const float *b,
                                size_t d)
{
    double dot = 0, distance = 0;
    for (size_t j = 0; j < d; j++) {
        double u = a[j], v = b[j];
        dot += u * v;
        distance += (u - v) * (u - v);
    }
    switch (k->type) {
    case SVM_POLY:
        return pow(k->gamma * dot + k->coef0, k->degree);
    case SVM_RBF:
        return exp(-k->gamma * distance);
    case SVM_SIGMOID:
        return tanh(k->gamma * dot + k->coef0);
    default:
        return dot;
    }
}

#endif
