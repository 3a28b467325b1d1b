/* The cache: a folder with results, their blobs, an index over both, and the folders of running
 * stages. docs/cache.md describes it for other programs.
 *
 *   CACHE/index.sqlite   which key gave which outputs (index.h)
 *   CACHE/results/       a record of each result, by key (record.h)
 *   CACHE/blobs/         every output, by digest (blobs.h)
 *   CACHE/work/          where stages run (work.h)
 *   CACHE/tmp/           files that are being written
 *   CACHE/damaged/       blobs that were changed or lost bits, and records and indexes */
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
    bool by_size; /* trust a blob of the right size whatever its stamp: for commands that only look
                     at a read_only cache, where nothing that was verified could be remembered */

    /* How the cache reports; both may be NULL. */
    void *data;
    void (*notice)(void *data, const char *text); /* a line for the user: damage that was found */
    /* Blobs are being read since their stamps changed: so many bytes so far, of at most `all`. */
    void (*verifying)(void *data, uint64_t done, uint64_t all);

    size_t forgotten;        /* results that may have been computed from a damaged blob */
    uint64_t verified_bytes; /* read so far */
    struct digest *verified; /* by this process in a read_only cache, sorted */
    size_t verified_count;
};

/* Opens the cache in that folder, made if `create`; otherwise a folder that isn't there,
 * or is no cache, is an empty cache that stays unwritten. A cache without permission to write opens
 * too, read_only: then nothing may be stored or locked. A cache of an older format is brought to
 * this one. */
int cache_open(struct cache *cache, const char *folder, bool create, struct error *err);
void cache_close(struct cache *cache);

/* The result of a key: 0, or -ENOENT (err untouched) if there is none or a blob of it is missing or
 * damaged. A blob whose stamp changed is read and verified first. An output whose name starts with
 * a dot is of use to stages to come alone: without its blob the result is there without that
 * output. What the index lost comes back from the result's record. */
int cache_find(struct cache *cache, const char *key, struct result *result, struct error *err);

/* 0 if a blob and, of a tree, all its files are there with their stamps, or were verified now;
 * -ENOENT if not: what is damaged is set aside. */
int cache_check(struct cache *cache, const struct blob *blob, struct error *err);

/* Adds a result, whose record and blobs are written already, to the index. */
int cache_commit(struct cache *cache, const struct result *result, const struct blob_writer *writer,
                 struct error *err);

/* Reports a damaged blob, and results that may have read it, and sets it aside. `why` is a
 * sentence. */
int cache_damaged(struct cache *cache, const struct digest *digest, const char *why,
                  struct error *err);

/* Moves a damaged blob to CACHE/damaged, so that it is made again. */
int cache_set_aside(struct cache *cache, const struct digest *digest, struct error *err);

/* Seconds since 1970. */
double cache_now(void);

/* Digest of a file outside the cache, from the stat cache when the file looks unchanged. A file
 * whose times are less than 2 s old is not remembered: it could change again within the clock's
 * resolution. *st is what the file looked like; -EINVAL for what isn't a regular file. */
int cache_digest(struct cache *cache, const char *path, struct digest *digest, struct stat *st,
                 struct error *err);

#endif
