/* See vote.h. */
#include "kernels/classifiers/vote.h"

#include <math.h>
#include <string.h>

uint8_t vote_highest(const double *scores, size_t classes)
{
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
        if (scores[c] > scores[best])
            best = c;
    return (uint8_t)best;
}

void vote_probabilities(const float *logits, size_t nets, size_t classes, double *mean)
{
    memset(mean, 0, classes * sizeof *mean);
    for (size_t k = 0; k < nets; k++, logits += classes) {
        double most = logits[0], sum = 0, power[VOTE_MOST_CLASSES];
        for (size_t c = 1; c < classes; c++)
            most = fmax(most, logits[c]);
        for (size_t c = 0; c < classes; c++)
            sum += power[c] = exp(logits[c] - most);
        for (size_t c = 0; c < classes; c++)
            mean[c] += power[c] / sum / (double)nets;
    }
}

void vote_soft(const float *logits, size_t n, size_t nets, size_t classes, int threads,
               uint8_t *out)
{
#pragma omp parallel for num_threads(threads)
    for (size_t i = 0; i < n; i++) {
        double mean[VOTE_MOST_CLASSES];
        vote_probabilities(logits + i * nets * classes, nets, classes, mean);
        out[i] = vote_highest(mean, classes);
    }
}
