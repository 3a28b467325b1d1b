/* The two-class problems of a C-SVC, one against one: what training and cross-validation share. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_PAIRS_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_PAIRS_H

#include "kernels/classifiers/svm/csvc.h"
#include "kernels/classifiers/svm/spill.h"

/* Classes a < b, and how solving their problem ended. */
struct csvc_pair {
    size_t a, b;
    int rc;
    struct error error;
};

struct csvc_pairs {
    size_t count;
    struct csvc_pair *pair; /* (count): 0-1, 0-2, ..., 1-2, ... as in csvc_model */
    size_t *order;          /* (count): most rows first, so that threads end together */
};

/* Lists the pairs of classes with sizes (classes) rows. Returns 0 or -ENOMEM, without a text.
 * csvc_pairs_free frees, also after an error. */
int csvc_pairs_make(struct csvc_pairs *pairs, size_t classes, const size_t *sizes);
void csvc_pairs_free(struct csvc_pairs *pairs);

/* The error of the first pair that failed; 0 if none did. */
int csvc_pairs_error(const struct csvc_pairs *pairs, struct error *err);

/* Where kernel values lie, and on how many threads they are computed and used. */
struct csvc_memory {
    struct spill *spill; /* the file; NULL: kernel values are in memory */
    int threads;         /* that compute kernel values */
    int solvers;         /* that solve pairs, each with kernel values of its own */
    struct spill file;   /* *spill */
};

/* Bytes that smo_solve takes for a problem of `rows` rows, beside kernel values. */
double csvc_solver_bytes(const struct csvc_training *training, double rows);

/* Plans memory for `shared` bytes of kernel values and `each` bytes for each solver, of which
 * csvc_solver_bytes(rows) are the solver's own: as many solvers as fit into training->memory, or
 * one and a file. Returns 0; -ENOMEM if there is no file, or too little memory even with it; or why
 * the file can't be created. csvc_memory_free frees, also after an error; arrays of the spill must
 * have been given back. */
int csvc_memory_plan(struct csvc_memory *memory, const struct csvc_training *training,
                     double shared, double each, double rows, struct error *err);
void csvc_memory_free(struct csvc_memory *memory);

/* The upper bound of the alphas of a class. */
double csvc_bound(const struct csvc_training *training, double c, size_t class);

/* Fills err: a kernel value of a row of class a with a row of class b isn't finite in float32.
 * Returns -ERANGE. */
int csvc_not_finite(size_t a, size_t b, struct error *err);

#endif
