/* Selects fewer rows of a labelled data set and keeps the shares of the classes. */
#ifndef FERDAG_STAGES_DATA_STRATIFY_H
#define FERDAG_STAGES_DATA_STRATIFY_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "stages/data/formats.h"

/* keep (n): 1 for `wanted` of the n rows, 0 for the others; all 1 if wanted >= n. The rows of a
 * class are its share by the method of largest remainders, and at least one if `wanted` allows.
 * They are drawn from random stream `stream` of the seed; a larger `wanted` selects the same rows
 * of a class and more. Returns 0 or -ENOMEM. */
int stratify(const uint8_t *labels, size_t n, size_t wanted, uint64_t seed, uint64_t stream,
             uint8_t *keep, struct error *err);

/* Removes the rows with keep[i] == 0 from images, in place. */
void images_keep(struct images *images, const uint8_t *keep);

#endif
