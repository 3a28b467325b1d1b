/* Measures the time that a classifier takes to predict an image, in a batch and one at a time. */
#ifndef FERDAG_STAGES_CLASSIFIERS_TIME_PREDICT_H
#define FERDAG_STAGES_CLASSIFIERS_TIME_PREDICT_H

#include "stages/classifiers/classifier.h"

/* Statistics of n > 0 times, which are sorted. Quartiles are interpolated as by numpy.percentile.
 */
struct time_summary {
    double median, first_quartile, third_quartile, min, max;
};
struct time_summary time_summary(double *seconds, size_t n);

/* Predicts the rows of x (n, d) repeatedly. *json: wall time in seconds per image,
 * {"batch": {...}, "single": {...}}, each {"median", "first_quartile", "third_quartile", "min",
 * "max", "repeats", "images"}; the caller owns it. batch: a repeat is one call for all rows.
 * single: one call per row, one after the other; a repeat covers as many rows, evenly spaced, as
 * take about 0.1 s. After a warm-up, repeats continue for 1 s, 5 to 101 of them (fewer if 5 take
 * more than 10 s). scratch is (n). -ENOMEM, or an error of predict. */
int time_predict(const struct classifier *classifier, const float *x, size_t n, uint8_t *scratch,
                 json_t **json, struct error *err);

#endif
