/* A result's record: all that is known of one result, in one small file beside the blobs,
 * CACHE/results/ab/cdef...json, by the result's key. The index can be made anew from the records;
 * docs/cache.md describes the format for other programs.
 *
 *   {"ferdag_result": 1, "key": "...", "stage": "...", "kind": "...", "params": {...}, ...}
 *   {"sha256": "..."}                    of the first line's bytes, without its newline */
#ifndef FERDAG_CACHE_RECORD_H
#define FERDAG_CACHE_RECORD_H

#include "cache/result.h"

/* malloc'd CACHE/results/ab/cdef...json; NULL when memory is out. */
char *record_path(const char *cache, const char *key);

/* Writes or replaces the record of a result. With `sync` it is on the disk when this returns. */
int record_write(const char *cache, const struct result *result, bool sync, struct error *err);

/* Reads the record of a key: 0; -ENOENT if there is none (err untouched); -EINVAL if it is damaged
 * or another key's. result_free frees. */
int record_read(const char *cache, const char *key, struct result *result, struct error *err);

/* Moves the record, if there is one, to CACHE/damaged. */
int record_quarantine(const char *cache, const char *key, struct error *err);

/* Calls `visit` with the key of every record until one call returns a negative value, which is
 * returned. The records themselves are not read. */
int record_list(const char *cache,
                int (*visit)(void *data, const struct digest *key, struct error *err), void *data,
                struct error *err);

#endif
