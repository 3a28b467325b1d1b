/* Which test images have a twin: an image in the training split that is the same, or nearly. The
 * format of ports called `twins`: {"public": {"images": N, "with_twin": [I, ...]}, "private":
 * {...}}, where N is the number of images of the split, and each I is the index of an image in the
 * order of the split, from 0, ascending. */
#ifndef FERDAG_STAGES_DUPLICATES_TWINS_H
#define FERDAG_STAGES_DUPLICATES_TWINS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "stages/data/formats.h"

/* The entry of a split, for the JSON above: has_twin (n) is 1 for images with a twin. NULL when out
 * of memory. */
json_t *twins_entry(const uint8_t *has_twin, size_t n);

/* Sets has_twin (n) of a split from such a file. n is the number of images that the caller has of
 * the split. -EINVAL if the file is of another data set or damaged; errors of the disk. */
int twins_read(const char *path, enum split split, size_t n, uint8_t *has_twin, struct error *err);

#endif
