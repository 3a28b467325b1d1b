/* Records: each holds one result, in a small file CACHE/results/ab/cdef...json named by the
 * result's key. The index can be rebuilt from the records. docs/cache.md describes the format for
 * other programs.
 *
 *   {"ferdag_result": 1, "key": "...", "stage": "...", "kind": "...", "params": {...}, ...}
 *   {"sha256": "..."}                    of the first line's bytes without its newline */
#ifndef FERDAG_CACHE_RECORD_H
#define FERDAG_CACHE_RECORD_H

#include "cache/result.h"

/* malloc'd CACHE/results/ab/cdef...json; NULL when memory is out. */
char *record_path(const char *cache, const char *key);

/* Writes or replaces the record of a result, atomically. With `sync` it survives a crash from then
 * on. Its blobs must be stored and synced before. */
int record_write(const char *cache, const struct result *result, bool sync, struct error *err);

/* Reads the record of a key. -ENOENT if there is none (err untouched); -EINVAL if it is damaged or
 * of another key. result_free frees. */
int record_read(const char *cache, const char *key, struct result *result, struct error *err);

/* Moves the record, if there is one, to CACHE/damaged. */
int record_quarantine(const char *cache, const char *key, struct error *err);

/* Calls `visit` with the key of every record until one call returns a negative value, which is
 * returned. The records themselves are not read. */
int record_list(const char *cache,
                int (*visit)(void *data, const struct digest *key, struct error *err), void *data,
                struct error *err);

#endif
