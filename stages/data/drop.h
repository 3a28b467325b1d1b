/* Removes rows from the training split of a data set: what stages that clean one share. */
#ifndef FERDAG_STAGES_DATA_DROP_H
#define FERDAG_STAGES_DATA_DROP_H

#include <jansson.h>
#include <stdint.h>
#include "base/error.h"
#include "stages/data/formats.h"

/* `holds` of a port for the counts of drop_counts. */
#define DROP_COUNTS_HOLDS                                                                          \
    "/kept_total|removed_total "                                                                   \
    "/removed_per_class/angry|disgust|fear|happy|sad|surprise|neutral"

/* {"removed_total", "kept_total", "removed_per_class": {CLASS: rows}} for the rows with drop[i] !=
 * 0. NULL when out of memory. */
json_t *drop_counts(const struct images *train, const uint8_t *drop);

/* Removes the rows with drop[i] != 0 from the split, in place. -EINVAL if a class would lose all
 * its rows: the error is "all N training images of class C " and `why`. -ENOMEM. */
int drop_rows(struct images *train, const uint8_t *drop, const char *why, struct error *err);

#endif
