/* Files named by digests, spread over 256 folders by the first two digits, so that no folder gets
 * too large: FOLDER/ab/cdef...SUFFIX. Blobs and records lie so. */
#ifndef FERDAG_CACHE_FANOUT_H
#define FERDAG_CACHE_FANOUT_H

#include "base/error.h"
#include "cache/sha256.h"

/* Path of a file; malloc'd, NULL when memory is out. */
char *fanout_path(const char *folder, const char *hex, const char *suffix);

/* Calls `visit` for every file, in no order, until one call returns a negative value, which is
 * returned. Other files in the folder are passed over. A folder that doesn't exist is empty. */
int fanout_list(const char *folder, const char *suffix,
                int (*visit)(void *data, const struct digest *digest, struct error *err),
                void *data, struct error *err);

#endif
