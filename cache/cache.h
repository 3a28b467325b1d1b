/* The cache: a folder with the index, the blobs, one folder a stage that is at work, and locks.
 *
 *   CACHE/index.sqlite   which key gave which outputs (index.h)
 *   CACHE/blobs/         every output, by digest (blobs.h)
 *   CACHE/work/KEY/      where the stage with that key runs, or was when it was killed
 *   CACHE/work/KEY.lock  held by whoever runs it, and by its process
 *   CACHE/tmp/           files that are being written */
#ifndef FERDAG_CACHE_CACHE_H
#define FERDAG_CACHE_CACHE_H

#include <stdbool.h>
#include "base/error.h"
#include "cache/blobs.h"
#include "cache/index.h"

struct cache {
    char *folder; /* absolute */
    struct index *index;
    bool read_only; /* it is there, and we may not write to it */
};

/* Opens the cache in that folder, made if `create`; otherwise a folder that isn't there,
 * or is no cache, is an empty cache that stays unwritten. A cache without permission to write opens
 * too, read_only: then nothing may be stored or locked. */
int cache_open(struct cache *cache, const char *folder, bool create, struct error *err);
void cache_close(struct cache *cache);

/* As index_find, but a result with a blob missing or of the wrong size is -ENOENT. An output whose
 * name starts with a dot is of use to stages to come alone: without its blob the result is there
 * without that output. */
int cache_find(struct cache *cache, const char *key, struct result *result, struct error *err);

/* Digest of a file outside the cache, from the stat cache when the file looks unchanged. A file
 * whose times are less than 2 s old is not remembered: it could change again within the clock's
 * resolution. *st is what the file looked like; -EINVAL for what isn't a regular file. */
int cache_digest(struct cache *cache, const char *path, struct digest *digest, struct stat *st,
                 struct error *err);

/* Takes the lock of a key without waiting: a file descriptor whose closing gives it back, or
 * -EAGAIN (err untouched) while another run holds it. Children that inherit it hold it too. */
int cache_lock(struct cache *cache, const char *key, struct error *err);
/* Whether somebody holds it. */
bool cache_locked(struct cache *cache, const char *key);
/* Removes the lock's file and gives the lock back. */
void cache_unlock(struct cache *cache, const char *key, int lock);

/* malloc'd CACHE/work/KEY; NULL when memory is out. */
char *cache_work_folder(struct cache *cache, const char *key);

#endif
