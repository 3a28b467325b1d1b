/* Fewer rows of a labelled set, with each class's share kept. */
#ifndef FERDAG_STAGES_DATA_STRATIFY_H
#define FERDAG_STAGES_DATA_STRATIFY_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "stages/data/formats.h"

/* Says in keep (n flags, 0 or 1) which `wanted` of n rows to take. Each class gets its share by
 * largest remainders, and at least one row while `wanted` allows. Which rows of a class is drawn
 * from (seed, stream); a larger `wanted` takes the same rows of a class and more. All if wanted >=
 * n. Returns 0 or -ENOMEM. */
int stratify(const uint8_t *labels, size_t n, size_t wanted, uint64_t seed, uint64_t stream,
             uint8_t *keep, struct error *err);

/* Drops from images, in place, the rows whose keep flag is 0. */
void images_keep(struct images *images, const uint8_t *keep);

#endif
