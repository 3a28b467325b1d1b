/* The difference of two classifiers over several seeds and images: a crossed bootstrap, after the
 * "pigeonhole bootstrap" of Owen (2007), Annals of Applied Statistics 1:386.
 *
 * Each draw resamples the seeds and, independently, the images; all seeds share the images of a
 * draw, since all were tested on the same ones. The draws estimate how the mean difference would
 * vary if the experiment were repeated with other seeds and other test images. bootstrap.c says
 * what is changed in Owen's draws so that few seeds give intervals that are wide enough.
 *
 * Differences are left minus right, as shares (see statistics.h): per image -1, 0 or 1, or means of
 * such values. */
#ifndef FERDAG_REPORTS_BOOTSTRAP_H
#define FERDAG_REPORTS_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "reports/statistics.h"

enum { BOOTSTRAP_DRAWS = 10000 }; /* usual number: p-values down to 1e-4 */

/* differences is (seeds, images), row-major: of seed s and image i. means (draws) gets the mean
 * difference of each draw, ascending. With one seed the images alone are resampled, so the variance
 * between seeds isn't contained. With two or three seeds intervals are wide, as Student's t with
 * one or two degrees of freedom is. `seed` starts the random numbers: equal arguments give equal
 * means, on every machine up to rounding errors of its libm (log, exp, cos; means are rounded to
 * multiples of 2^-40, so that these errors rarely show). Time: O(seeds * images) and, per draw,
 * about 0.1 us for each distinct mean of an image over the seeds (2 * seeds + 1 for two
 * classifiers) and 0.05 us a seed. Returns 0; -EINVAL if a size is 0 or too large (seeds 1,000,
 * images 2^31 - 1, draws 10^7) or a difference isn't in -1..1; or -ENOMEM. */
int bootstrap_differences(const float *differences, size_t seeds, size_t images, size_t draws,
                          uint64_t seed, double *means, struct error *err);

/* One-sided p-values, as x_p_above and x_p_below of statistics.h, of means (draws), ascending:
 * (1 + number of means <= bound) / (draws + 1), or >= bound. Never below 1 / (draws + 1). */
double bootstrap_p_above(const double *means, size_t draws, double bound);
double bootstrap_p_below(const double *means, size_t draws, double bound);

/* The percentile interval of means (draws), ascending: quantiles (1 - level) / 2 and
 * (1 + level) / 2, interpolated linearly (R's type 7, numpy's default). */
struct interval bootstrap_interval(const double *means, size_t draws, double level);

/* ---- what would decide it ---- */

/* The variance of the mean difference of S seeds on these images is seeds / S + images. */
struct components {
    double seeds;  /* variance between the means of seeds; NAN with one seed */
    double images; /* variance of the mean over images, which more seeds don't reduce; NAN with one
                      image */
};

/* Estimates the components of differences (seeds, images) by the two-way analysis of variance
 * without replication; a negative estimate of `images` is 0. */
struct components difference_components(const float *differences, size_t seeds, size_t images);

/* The number of seeds, at least 2, on the same images, at which the observed difference would have
 * about the two-sided p-value alpha against the margin: the smallest S with
 *   (difference - margin)^2 >= t^2 seeds / S + z^2 images,
 * t and z being the critical values of Student's t with S - 1 degrees of freedom and of the normal
 * distribution. SIZE_MAX if the variance of the images alone forbids it, the difference is the
 * margin, a variance is unknown, or the number is above 10^15. */
size_t seeds_to_decide(double difference, double margin, const struct components *c, double alpha);

#endif
