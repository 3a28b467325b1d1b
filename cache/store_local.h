/* The store of the cache's own blobs: a folder of this machine, or one that is mounted.
 *
 *   FOLDER/blobs/ab/cdef...   a blob, read-only
 *   FOLDER/tmp/               files that are being written
 *   FOLDER/damaged/           blobs that were found damaged, by digest
 *
 * A file is synced under another name and then renamed, so that one with a blob's name is whole.
 *
 * The functions below are of this store alone: they give paths of blobs, take files over by
 * renaming, and tell by a file's metadata (base/metadata.h) whether it can have changed. Only
 * cache/ calls them; other folders use cache.h. Several threads may call them at once. */
#ifndef FERDAG_CACHE_STORE_LOCAL_H
#define FERDAG_CACHE_STORE_LOCAL_H

#include <stdbool.h>
#include "base/metadata.h"
#include "cache/store.h"

struct store_local {
    struct store base; /* for the functions of store.h */
    char *folder;
};

extern const struct store_type store_local_type;

/* As store_open, for callers that need the functions below. base.type->close frees. */
int store_local_open(struct store_local **store, const char *folder, struct error *err);

/* Path of the blob's file, whether or not it is there; malloc'd, NULL when memory is out. */
char *store_local_path(const struct store_local *store, const struct digest *digest);

/* Metadata of the blob's file, or -ENOENT if there is no regular file of that size. */
int store_local_metadata(const struct store_local *store, const struct digest *digest,
                         uint64_t size, struct metadata *metadata);

/* Reads the blob's file. 0 if its bytes have the digest, with the metadata that the file had
 * throughout; -EILSEQ if they have another digest, the file changes meanwhile or is no regular
 * file; else a negative code. err is filled, also for -ENOENT. */
int store_local_verify(const struct store_local *store, const struct digest *digest,
                       struct metadata *metadata, struct error *err);

/* Name for a new file on the store's file system, below FOLDER/tmp; malloc'd, NULL when memory is
 * out. */
char *store_local_temporary(const struct store_local *store);

/* A file that the caller has hashed. */
struct hashed_file {
    const char *path; /* on the store's file system */
    struct digest digest;
    uint64_t size;
    int64_t mtime_ns; /* when it was hashed */
};

/* What adopt did with a file. */
struct stored_blob {
    struct digest digest;
    struct metadata metadata; /* of the blob's file */
    bool replaced;            /* a damaged blob was there */
};

/* Moves a file into the store; it must not have other names. What has the digest's name already is
 * read first: kept if it is sound, else replaced. -EIO if the file changed since it was hashed. The
 * blob survives a crash only after store_local_sync. */
int store_local_adopt(const struct store_local *store, const struct hashed_file *file,
                      struct stored_blob *stored, struct error *err);

/* Writes the names of adopted blobs to the disk. */
int store_local_sync(const struct store_local *store, const struct stored_blob *stored,
                     size_t count, struct error *err);

/* Moves a blob, whatever is in its place, to FOLDER/damaged; 0 if there is none. */
int store_local_quarantine(const struct store_local *store, const struct digest *digest,
                           struct error *err);

#endif
