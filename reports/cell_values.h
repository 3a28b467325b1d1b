/* The number of one cell, read from the results that its references name. A cell has one reference,
 * or one for each value of the axis that it is over, such as the seeds of a training. */
#ifndef FERDAG_REPORTS_CELL_VALUES_H
#define FERDAG_REPORTS_CELL_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "reports/sources.h"

/* What one reference names. Strings belong to the job, the sources or the tables. */
struct cell_source {
    const json_t *entry; /* the result; NULL if it isn't known */
    const char *pointer;
};

struct cell {
    bool has_ours, has_paper;
    double ours, paper;            /* scaled; ours is the mean over the axis */
    double n;                      /* images an accuracy is over; 0: not an accuracy */
    double quartiles[2];           /* of repeats that ours is the median of, scaled; both 0: none */
    double standard_error, spread; /* of ours, scaled; see cells.h; 0: none */
    const char *missing, *detail;  /* see struct lookup */
    char *reason;                  /* owned; `missing` if that names values of the axis */

    const char *axis;            /* name of the axis; NULL: none */
    const json_t *axis_values;   /* list of its values */
    size_t count;                /* sources: one for each value of the axis, or one; 0: none */
    size_t first;                /* the first source or, if a number is missing, where it is */
    struct cell_source *sources; /* owned */
    double *values;   /* owned; the number of each value of the axis, scaled; NULL: none */
    json_t *outcomes; /* owned; see cells.h; NULL: none */
};

/* The smallest, the largest, the mean and the standard deviation (divided by n - 1; 0 if n is 1) of
 * n values, n > 0. */
struct cell_summary {
    double least, most, mean, deviation;
};
struct cell_summary cell_summary(const double *values, size_t n);

/* Sets all but the paper's number. reference: a text, or a list of one for each value of the axis
 * in `over` ({axis: [value, ...]}). A number that is missing for one value is missing for the cell.
 * cell is zeroed or has the paper's number; the caller frees it with cell_free, also after an
 * error. Returns 0, -EINVAL for a malformed reference or `over`, -ENOMEM, or what reading fails
 * with. */
int cell_read(struct cell *cell, struct sources *sources, const json_t *reference,
              const json_t *over, double scale, struct error *err);
void cell_free(struct cell *cell);

#endif
