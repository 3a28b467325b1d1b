/* Damaged files are not deleted but kept in CACHE/damaged, so that the damage can be examined. */
#ifndef FERDAG_CACHE_QUARANTINE_H
#define FERDAG_CACHE_QUARANTINE_H

#include "base/error.h"

/* Moves a file, or a folder or link of that name, to CACHE/damaged/NAME and replaces what is there.
 * 0 also if there is no such file. */
int quarantine(const char *cache, const char *path, const char *name, struct error *err);

#endif
