/* The cache: a folder with results, their blobs, an index over both, and the folders of running
 * stages. docs/cache.md describes its format for other programs.
 *
 *   CACHE/index.sqlite   which key gave which outputs (index.h)
 *   CACHE/results/       a record of each result, by key (record.h)
 *   CACHE/blobs/         every output, by digest (store_local.h)
 *   CACHE/work/          folders in which stages run (attempts.h)
 *   CACHE/tmp/           files that are being written
 *   CACHE/damaged/       damaged blobs, records and indexes
 *
 * Other folders of the program include this header, blob_writer.h, tree.h, index.h, record.h,
 * attempts.h and fsck.h. Calls inside cache/ go one way: from fsck.c and cache.c to attempts.c,
 * results.c, check.c, affected.c and place.c, from those to the index, the records and the store.
 */
#ifndef FERDAG_CACHE_CACHE_H
#define FERDAG_CACHE_CACHE_H

#include <stdbool.h>
#include "base/error.h"
#include "cache/blob_writer.h"
#include "cache/index.h"

struct store_local;
struct tree;

struct cache {
    char *folder; /* absolute */
    struct index *index;
    struct store_local *blobs;
    bool read_only; /* it exists, and we may not write to it */
    bool by_size;   /* trust a blob of the right size whatever its metadata: for commands that only
                       read a read_only cache, where the index can't store what was verified */

    /* Reports to the user; both may be NULL. */
    void *data;
    void (*notice)(void *data, const char *text); /* one line: damage that was found */
    /* Progress of reading blobs whose metadata changed: bytes so far, of at most `all`. */
    void (*verifying)(void *data, uint64_t done, uint64_t all);

    size_t forgotten;        /* results removed since they may come from a damaged blob */
    uint64_t verified_bytes; /* read so far */
    struct digest *verified; /* by this process in a read_only cache, sorted */
    size_t verified_count;
};

/* ---- cache.c ---- */

/* Whether the folder holds a cache. */
bool cache_exists(const char *folder);

/* Opens the cache in that folder and, with `create`, creates it. Without `create` a folder that
 * doesn't exist or is no cache gives an empty cache that is not written. A cache without permission
 * to write opens read_only: then nothing may be stored or locked. A cache of an older format is
 * upgraded. */
int cache_open(struct cache *cache, const char *folder, bool create, struct error *err);
void cache_close(struct cache *cache); /* a zeroed one is allowed */

/* ---- results.c ---- */

/* Finds the result of a key. 0, or -ENOENT (err untouched) if there is none or one of its blobs is
 * missing or damaged. A blob whose metadata changed is read and verified first. Outputs whose names
 * start with a dot only help later stages: a result without their blobs is found without those
 * outputs. A result that the index lost is read from its record. result_free frees. */
int cache_find(struct cache *cache, const char *key, struct result *result, struct error *err);

/* Adds a result to the index. Its record and its blobs, by `writer`, must have been written. */
int cache_add_result(struct cache *cache, const struct result *result,
                     const struct blob_writer *writer, struct error *err);

/* ---- check.c ---- */

/* 0 if a blob and, of a folder, all its files are there and their metadata is as stored, or their
 * bytes were verified now; -ENOENT if not: damaged ones are moved to CACHE/damaged. */
int cache_check(struct cache *cache, const struct blob *blob, struct error *err);

/* Reads a blob: 0 if its bytes have the digest, else a negative code with err filled. Uses only the
 * blob's file, so that several threads may call it at once. */
int cache_verify(const struct cache *cache, const struct digest *digest, struct error *err);

/* Reports a damaged blob, forgets results that may have read it, and moves it to CACHE/damaged.
 * `why` is a sentence. */
int cache_damaged(struct cache *cache, const struct digest *digest, const char *why,
                  struct error *err);

/* ---- place.c: several threads may call these at once ---- */

/* Path of the file with a blob's bytes, to show or to read; malloc'd, NULL when memory is out. */
char *cache_blob_path(const struct cache *cache, const struct digest *digest);

/* Reads the manifest of a folder (tree.h). -EINVAL if it is malformed; tree_free frees. */
int cache_read_tree(const struct cache *cache, const struct blob *blob, struct tree *tree,
                    struct error *err);

/* Writes a blob's bytes to the file `to` outside the cache, which is created or replaced whole.
 * -EILSEQ: the blob is damaged, and `to` is as before. */
int cache_copy_blob(const struct cache *cache, const struct digest *digest, const char *to,
                    struct error *err);

/* How a stage gets a blob: as a link to it, which only our own code may get, since the file is
 * shared; or as a copy. Executable files are always copied. */
enum blob_access { BLOB_LINK, BLOB_COPY };

/* Makes `as`, where nothing may be, a file with the blob's content or a folder. */
int cache_place(const struct cache *cache, const struct blob *blob, const char *as,
                enum blob_access access, struct error *err);

/* ---- stat_cache.c ---- */

/* Digest of a file outside the cache; taken from the stat cache if the file's metadata is as it was
 * when it was hashed. A file that changed less than 2 s ago is not remembered: it could change
 * again within the resolution of the clock. *st is the file's metadata. -EINVAL: not a regular
 * file. */
int cache_digest(struct cache *cache, const char *path, struct digest *digest, struct stat *st,
                 struct error *err);

#endif
