/* Support vector classification, C-SVC one against one, with LIBSVM's definition, defaults and
 * decisions, but kernel values by matrix products. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_CSVC_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_CSVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum csvc_kernel_type { SVM_LINEAR, SVM_POLY, SVM_RBF, SVM_SIGMOID, SVM_KERNELS };

/* LIBSVM's words for them: "linear", "polynomial", "rbf", "sigmoid". */
extern const char *const csvc_kernel_names[SVM_KERNELS];

/* linear u'v; poly (gamma u'v + coef0)^degree; rbf exp(-gamma |u-v|^2); sigmoid tanh(gamma u'v +
 * coef0) */
struct csvc_kernel {
    enum csvc_kernel_type type;
    int degree;
    double gamma, coef0;
};

/* Support vectors are grouped by class. As in LIBSVM, row j-1 of coef holds, for the vectors of
 * class i < j, their label * alpha in the problem i against j, and row i those of class j. */
struct csvc_model {
    struct csvc_kernel kernel;
    size_t classes, d, count;
    int *labels;          /* (classes): what predict writes for each; 0 to 255 */
    size_t *class_counts; /* (classes), sum = count */
    float *vectors;       /* (count, d) */
    double *coef;         /* (classes - 1, count) */
    double *rho;          /* (classes (classes-1) / 2): 0-1, 0-2, ..., 1-2, ... */
};

/* Makes the arrays, zeroed, and labels 0 .. classes-1. -ENOMEM; csvc_model_free also after an
 * error. */
int csvc_model_make(struct csvc_model *model, size_t classes, size_t d, size_t count,
                    struct error *err);
void csvc_model_free(struct csvc_model *model);

/* The class with the most votes, ties to the first; scores (classes (classes-1) / 2) are the
 * decisions of the pairs. */
size_t csvc_vote(size_t classes, const double *scores);

struct csvc_training {
    struct csvc_kernel kernel;
    double c, tolerance;
    const double *weights; /* (classes): what c is multiplied by for the rows of each; NULL: 1 */
    bool wide; /* kernel values from products in double: twice the time for them, and LIBSVM's very
                  values but for the last bit of some */
    size_t memory; /* bytes that kernel values may take; fewer threads are used if all don't fit */
    /* If they don't fit with one thread: makes an empty file for them and returns its descriptor or
     * a negative errno value. May be NULL. Results are the same. */
    int (*open_file)(void *context);
    int threads;
    void (*progress)(void *context, size_t done, size_t total); /* pairs of classes; may be NULL */
    void *context;
};

struct csvc_report {
    size_t iterations;  /* of all pairs */
    size_t unconverged; /* pairs that met the limit on iterations */
    double objective;   /* sum over the pairs */
};

/* Trains on x, (sum of counts, d), whose rows are ordered by class; each class has a row.
 * Float32 kernel values of one class with itself are kept for all classes, those of a pair of
 * classes while that pair is solved: at most about 4 (sum of n_i^2 + threads (2 n_i n_j +
 * (n_i + n_j)^2 / 3)) bytes of the largest pair. When that is more than `memory` with one
 * thread, they lie in a file, and -ENOMEM is returned if there is none, or `memory` isn't enough
 * even so. The model is made; the same at any number of threads. */
int csvc_train(const struct csvc_training *training, const float *x, const size_t *counts,
               size_t classes, size_t d, struct csvc_model *model, struct csvc_report *report,
               struct error *err);

/* A model made ready to predict; it borrows the model. */
struct csvc_predictor {
    const struct csvc_model *model;
    float *weights; /* linear: (pairs, d), one hyperplane a pair */
    double *norms;  /* rbf: (count) squared norms of the vectors */
    int threads;
};

int csvc_predictor_make(struct csvc_predictor *predictor, const struct csvc_model *model,
                        int threads, struct error *err);
void csvc_predictor_free(struct csvc_predictor *predictor);

/* The label of each of n rows of x (n, d): most votes of the pairs, ties to the class that comes
 * first in the model, as svm_predict. decisions may be NULL, or (n, pairs). -ENOMEM. */
int csvc_predict_rows(const struct csvc_predictor *predictor, const float *x, size_t n,
                      uint8_t *out, double *decisions, struct error *err);

#endif
