/* Which class wins: by its score, or by the mean of several nets' probabilities (soft voting). */
#ifndef FERDAG_KERNELS_CLASSIFIERS_VOTE_H
#define FERDAG_KERNELS_CLASSIFIERS_VOTE_H

#include <stddef.h>
#include <stdint.h>

/* The class of the highest score, of equal ones the lowest class. */
uint8_t vote_highest(const double *scores, size_t classes);

/* mean (classes) = the mean over the nets of the softmax of their logits (nets, classes), finite
 * ones, in double. */
void vote_probabilities(const float *logits, size_t nets, size_t classes, double *mean);

#define VOTE_MOST_CLASSES 64

/* The class of the highest such mean, for each of n rows (n, nets, classes); ties to the lower
 * class. classes is at most VOTE_MOST_CLASSES. */
void vote_soft(const float *logits, size_t n, size_t nets, size_t classes, int threads,
               uint8_t *out);

#endif
