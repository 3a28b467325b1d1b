/* See pairs.h. */
#include "kernels/classifiers/svm/pairs.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include "kernels/classifiers/svm/kernel_values.h"
#include "kernels/classifiers/svm/smo.h"

int csvc_pairs_make(struct csvc_pairs *pairs, size_t classes, const size_t *sizes)
{
    *pairs = (struct csvc_pairs){.count = classes * (classes - 1) / 2};
    pairs->pair = calloc(pairs->count, sizeof *pairs->pair);
    pairs->order = calloc(pairs->count, sizeof *pairs->order);
    if (!pairs->pair || !pairs->order)
        return -ENOMEM;
    size_t p = 0;
    for (size_t a = 0; a < classes; a++)
        for (size_t b = a + 1; b < classes; b++, p++) {
            pairs->pair[p] = (struct csvc_pair){.a = a, .b = b};
            size_t at = p;
            for (; at > 0; at--) {
                const struct csvc_pair *q = &pairs->pair[pairs->order[at - 1]];
                if (sizes[q->a] + sizes[q->b] >= sizes[a] + sizes[b])
                    break;
                pairs->order[at] = pairs->order[at - 1];
            }
            pairs->order[at] = p;
        }
    return 0;
}

void csvc_pairs_free(struct csvc_pairs *pairs)
{
    free(pairs->pair);
    free(pairs->order);
    *pairs = (struct csvc_pairs){0};
}

int csvc_pairs_error(const struct csvc_pairs *pairs, struct error *err)
{
    for (size_t p = 0; p < pairs->count; p++)
        if (pairs->pair[p].rc < 0) {
            *err = pairs->pair[p].error;
            return pairs->pair[p].rc;
        }
    return 0;
}

double csvc_solver_bytes(const struct csvc_training *training, double rows)
{
    double free_rows = fmin(rows, SMO_MOST_FREE);
    return sizeof(double) * free_rows * free_rows +
           (training->wide ? (double)csvc_kernel_scratch() : 0);
}

int csvc_memory_plan(struct csvc_memory *memory, const struct csvc_training *training,
                     double shared, double each, double rows, struct error *err)
{
    double limit = (double)training->memory, least = csvc_solver_bytes(training, rows);
    int solvers = training->threads;
    while (solvers > 0 && shared + solvers * each > limit)
        solvers--;
    *memory = (struct csvc_memory){.threads = training->threads, .solvers = solvers};
    if (solvers > 0)
        return 0;
    if (!training->open_file || least + SPILL_LEAST > limit)
        return error_set(err, ENOMEM,
                         "kernel values need %.1f MB of memory, or %.1f MB with a file for the "
                         "rest, but only %.1f MB are allowed",
                         (shared + each) / 1e6, (least + SPILL_LEAST) / 1e6, limit / 1e6);
    int file = training->open_file(training->context);
    if (file < 0)
        return error_errno(err, -file, "cannot create a file for kernel values");
    spill_open(&memory->file, file, (size_t)(limit - least));
    memory->spill = &memory->file;
    memory->threads = memory->solvers = 1;
    return 0;
}

void csvc_memory_free(struct csvc_memory *memory)
{
    spill_close(&memory->file);
    *memory = (struct csvc_memory){0};
}

double csvc_bound(const struct csvc_training *training, double c, size_t class)
{
    return training->weights ? c * training->weights[class] : c;
}

int csvc_not_finite(size_t a, size_t b, struct error *err)
{
    return error_set(err, ERANGE,
                     "rows of class %zu have no finite kernel value with rows of class %zu: scale "
                     "the features, or choose another gamma, degree or coef0",
                     a, b);
}
