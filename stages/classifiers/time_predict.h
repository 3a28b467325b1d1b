/* How long a classifier takes to predict one image: all at once, and one image at a time. */
#ifndef FERDAG_STAGES_CLASSIFIERS_TIME_PREDICT_H
#define FERDAG_STAGES_CLASSIFIERS_TIME_PREDICT_H

#include "stages/classifiers/classifier.h"

/* Seconds, sorted by time_summary; quartiles lie between neighbours as numpy.percentile puts them.
 */
struct time_summary {
    double median, first_quartile, third_quartile, min, max;
};
struct time_summary time_summary(double *seconds, size_t n);

/* Classifies the n rows of x (n, d), features in memory, and puts seconds of wall time an image
 * into *json: {"batch": {...}, "single": {...}}, each {"median", "first_quartile",
 * "third_quartile", "min", "max", "repeats", "images"}. batch: a repeat is one call for all rows.
 * single: a call a row, one after the other; a repeat goes over as many rows, spread evenly, as
 * take about a tenth of a second. Repeats go on for a second, 5 to 101 of them (fewer if that takes
 * more than 10 s), after some to warm up that aren't counted. scratch is (n). */
int time_predict(const struct classifier *classifier, const float *x, size_t n, uint8_t *scratch,
                 json_t **json, struct error *err);

#endif
