/* Support vector classification: C-SVC, one against one, as LIBSVM defines it (Chang and Lin 2011),
 * with LIBSVM's stopping rule and votes. Kernel values come from matrix products. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_CSVC_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_CSVC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum csvc_kernel_type { SVM_LINEAR, SVM_POLY, SVM_RBF, SVM_SIGMOID, SVM_KERNELS };

/* The names in LIBSVM's model files: "linear", "polynomial", "rbf", "sigmoid". */
extern const char *const csvc_kernel_names[SVM_KERNELS];

/* linear u'v; poly (gamma u'v + coef0)^degree; rbf exp(-gamma |u-v|^2); sigmoid tanh(gamma u'v +
 * coef0) */
struct csvc_kernel {
    enum csvc_kernel_type type;
    int degree;
    double gamma, coef0;
};

/* Support vectors are grouped by class. As in LIBSVM, row j-1 of coef holds label * alpha of the
 * vectors of class i in the problem i against j, for i < j, and row i those of class j. */
struct csvc_model {
    struct csvc_kernel kernel;
    size_t classes, d, count;
    int *labels;          /* (classes): what csvc_predict_rows writes for each; 0 to 255 */
    size_t *class_counts; /* (classes), sum = count */
    float *vectors;       /* (count, d) */
    double *coef;         /* (classes - 1, count) */
    double *rho;          /* (classes (classes-1) / 2): 0-1, 0-2, ..., 1-2, ... */
};

/* Allocates the arrays, zeroed, and sets labels 0 .. classes-1. -ENOMEM; -EINVAL for less than two
 * classes or no columns. csvc_model_free frees, also after an error. */
int csvc_model_make(struct csvc_model *model, size_t classes, size_t d, size_t count,
                    struct error *err);
void csvc_model_free(struct csvc_model *model);

/* The class with the most votes, ties to the first; scores (classes (classes-1) / 2) are the
 * decisions of the pairs. */
size_t csvc_vote(size_t classes, const double *scores);

struct csvc_training {
    struct csvc_kernel kernel;
    double c, tolerance;
    const double *weights; /* (classes): factors of c for the rows of each class; NULL: all 1 */
    bool wide; /* kernel values from dot products in double: takes twice the time, and gives
                  LIBSVM's values except for the last bit of some */
    size_t
        memory; /* bytes that kernel values may take; if they don't fit, fewer threads are used */
    /* Creates an empty file for kernel values that don't fit into memory with one thread. Returns
     * its descriptor or a negative errno value. May be NULL. The file doesn't change the results.
     */
    int (*open_file)(void *context);
    /* Where dot products are computed: NULL, "cpu" or "ref"; "cuda"; or "auto". On a GPU their last
     * bits differ, so the model does, within the tolerance. See products.h. */
    const char *backend;
    int threads;
    void (*progress)(void *context, size_t done, size_t total); /* in pairs; may be NULL */
    void *context;
};

struct csvc_report {
    size_t iterations;  /* sum over the pairs of classes */
    size_t unconverged; /* pairs that reached the limit on iterations */
    double objective;   /* sum over the pairs of the dual objective */
};

/* Trains a model on x (sum of counts, d), whose rows are ordered by class; each class has a row.
 * Kernel values are float32. Those of a class with itself are kept for all classes, those of two
 * classes only while that pair is solved: together at most about 4 (sum of n_i^2 + threads (2 n_i
 * n_j
 * + (n_i + n_j)^2 / 3)) bytes, with i and j the largest pair. If that exceeds `memory` with one
 * thread, they lie in a file. Returns 0; -ENOMEM, also if there is no file or `memory` is too small
 * even with it; -ERANGE if a kernel value isn't finite; or an error of products.h. The model
 * doesn't depend on the number of threads; csvc_model_free frees it, also after an error. */
int csvc_train(const struct csvc_training *training, const float *x, const size_t *counts,
               size_t classes, size_t d, struct csvc_model *model, struct csvc_report *report,
               struct error *err);

/* A model and what prediction computes from it once. */
struct csvc_predictor {
    const struct csvc_model *model; /* borrowed */
    float *weights; /* linear kernel: (pairs, d), a hyperplane for each pair; else NULL */
    double *norms;  /* other kernels: (count), squared norms of the vectors */
    struct products
        *products; /* other kernels: computes products with the vectors; NULL: the CPU */
    int threads;
};

/* -ENOMEM. csvc_predictor_free frees, also after an error. */
int csvc_predictor_make(struct csvc_predictor *predictor, const struct csvc_model *model,
                        int threads, struct error *err);

/* As csvc_predictor_make. Dot products with the vectors are computed where `backend` says
 * (products.h); the CPU does the rest, and all of the linear kernel, which has few products.
 * -ENOMEM, or an error of products_open. */
int csvc_predictor_make_on(struct csvc_predictor *predictor, const char *backend,
                           const struct csvc_model *model, int threads, struct error *err);
void csvc_predictor_free(struct csvc_predictor *predictor);

/* out (n): the label of each row of x (n, d), by the votes of the pairs; ties to the class that
 * comes first in the model, as in LIBSVM's svm_predict. decisions: NULL, or (n, pairs) for the
 * pairs' decision values. -ENOMEM, or an error of products.h. Not to be called from several threads
 * at once if predictor->products isn't NULL. */
int csvc_predict_rows(const struct csvc_predictor *predictor, const float *x, size_t n,
                      uint8_t *out, double *decisions, struct error *err);

#endif
