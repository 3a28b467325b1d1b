/* Classes from scores, and soft voting: classes from the mean probabilities of several nets. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_VOTE_H
#define FERDAG_KERNELS_CLASSIFIERS_VOTE_H

#include <stddef.h>
#include <stdint.h>

/* The class of the highest score; ties to the lower class. */
uint8_t vote_highest(const double *scores, size_t classes);

/* mean (classes): the mean over the nets of the softmax of logits (nets, classes), finite, in
 * double. */
void vote_probabilities(const float *logits, size_t nets, size_t classes, double *mean);

#define VOTE_MOST_CLASSES 64

/* out (n): the class of the highest mean probability for each row of logits (n, nets, classes);
 * ties to the lower class. classes is at most VOTE_MOST_CLASSES. The result doesn't depend on the
 * number of threads. */
void vote_soft(const float *logits, size_t n, size_t nets, size_t classes, int threads,
               uint8_t *out);

#endif
