/* What the numbers of two cells say about their difference, left - right: how it was measured, and
 * with that its p-values and its interval. statistics.h and bootstrap.h have the formulas. */
#ifndef FERDAG_REPORTS_EVIDENCE_H
#define FERDAG_REPORTS_EVIDENCE_H

#include <jansson.h>
#include <stdbool.h>
#include "base/error.h"
#include "reports/bootstrap.h"
#include "reports/statistics.h"

/* One side of a comparison, as a number of ours or of the paper. Shown numbers are in the unit of
 * their cell, for example in percent: `scale` times the value that was measured. */
struct operand {
    bool known;
    double shown, scale;
    double n;      /* images that an accuracy was measured on; 0: no accuracy, or not known */
    double spread; /* of a median of repeats: its distance to the farther quartile, shown; else 0 */
    double standard_error;  /* shown; 0: none */
    double deviation;       /* of accuracies between seeds, shown; 0 for one seed */
    size_t seeds;           /* that the number is the mean of; at least 1 */
    const json_t *outcomes; /* of each seed: {"truth", "predicted"}, a digit for each image; NULL:
                               not known. Borrowed. */
};

enum evidence_form {
    EVIDENCE_NONE,        /* a number is missing */
    EVIDENCE_EXACT,       /* numbers without an error: counts, constants */
    EVIDENCE_SPREAD,      /* medians of repeats: not decided within their spread */
    EVIDENCE_SINGLE,      /* an accuracy and a constant: score test */
    EVIDENCE_PAIRED,      /* two accuracies on the same images: McNemar's and Tango's tests */
    EVIDENCE_INDEPENDENT, /* two accuracies that can't be paired: score test */
    EVIDENCE_IMAGES,      /* a mean of several differences for each image: Student's t */
    EVIDENCE_SEEDS,       /* the same for several seeds: bootstrap over seeds and images */
    EVIDENCE_NORMAL,      /* standard errors only: normal distribution; Student's t over seeds */
    EVIDENCE_FORMS
};

extern const char *const evidence_names[EVIDENCE_FORMS]; /* for the reader: "McNemar", ... */

struct evidence {
    enum evidence_form form;
    double left, right;    /* shown; of EVIDENCE_IMAGES and a mean 0 on the right */
    double scale, spread;  /* as in struct operand; spread of the difference */
    double standard_error; /* of EVIDENCE_NORMAL, shown */
    double degrees;        /* ... and its degrees of freedom; INFINITY: the normal distribution */
    size_t seeds;
    union {
        struct paired paired;
        struct independent independent;
        struct sample sample;
        struct {
            size_t correct, n;
            bool on_right; /* the accuracy is the right side */
        } single;
        struct {
            double *means; /* (BOOTSTRAP_DRAWS), ascending; owned */
            struct components components;
        } draws;
    };
};

/* The range in which left - right must lie, in the unit shown. Bounds may be infinite. */
struct range {
    double low, high;
    bool open; /* the bounds themselves are outside */
};

/* The evidence of two operands. The caller frees it with evidence_free. -ENOMEM. */
int evidence_make(const struct operand *left, const struct operand *right, struct evidence *e,
                  struct error *err);

/* The evidence on the mean of count >= 1 differences lefts[i] - rights[i]. Differences of the same
 * images are averaged for each image; others count as independent. -ENOMEM. */
int evidence_make_mean(const struct operand *lefts, const struct operand *rights, size_t count,
                       struct evidence *e, struct error *err);

void evidence_free(struct evidence *e);

/* Whether it has p-values. */
bool evidence_is_tested(const struct evidence *e);

/* One-sided p-values: *inside is small if left - right lies in the range, *outside if it does not.
 * Inside a range with two bounds is shown by two one-sided tests. Needs evidence_is_tested. */
void evidence_p(const struct evidence *e, const struct range *range, double *inside,
                double *outside);

/* For evidence without p-values: 1 inside the range, -1 outside, 0 within the spread of a bound.
 * Differences of up to 1e-9 of the numbers are rounding errors. */
int evidence_place(const struct evidence *e, const struct range *range);

/* Of left - right, shown; needs evidence_is_tested. */
struct interval evidence_interval(const struct evidence *e, double level);

/* How many images, or seeds on the same images, would decide about the nearest bound of the range
 * at a two-sided alpha if the observed difference stayed. SIZE_MAX: no number would, or it isn't
 * known. Needs evidence_is_tested. */
size_t evidence_images_to_decide(const struct evidence *e, const struct range *range, double alpha);
size_t evidence_seeds_to_decide(const struct evidence *e, const struct range *range, double alpha);

#endif
