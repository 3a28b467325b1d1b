/* Blobs: output files stored once, under the SHA-256 of their bytes, never changed after.
 *
 * A blob lies at CACHE/blobs/ab/cdef...; it is synced under another name and renamed there, so
 * that one with that name is whole. */
#ifndef FERDAG_CACHE_BLOBS_H
#define FERDAG_CACHE_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/stamp.h"
#include "cache/blob.h"

/* Path of the blob's file; malloc'd, NULL when memory is out. */
char *blob_path(const char *cache, const struct digest *digest);

/* 0 with the stamp of the blob's file, or -ENOENT if there is no regular file of that size. */
int blob_stamp(const char *cache, const struct digest *digest, uint64_t size, struct stamp *stamp);

/* Reads the blob's file. 0 if it has its digest, with the stamp that it had throughout; -EILSEQ if
 * its bytes have another digest; else a negative code with err filled. */
int blob_verify(const char *cache, const struct digest *digest, struct stamp *stamp,
                struct error *err);

/* Stores files in three steps: blob_writer_start, any number of blob_store, blob_writer_finish.
 * Nothing moves before the last, so that outputs may be links to each other. One thread a writer.
 */
struct blob_writer {
    const char *cache; /* borrowed */
    struct pending *pending;
    size_t pending_count;
    char **folders; /* whose lists of names are to be synced */
    size_t folder_count;
    struct stored {
        struct digest digest;
        struct stamp stamp;
        bool replaced; /* a damaged one was there */
    } * stored;        /* each file that blob_writer_finish stored or found */
    size_t stored_count;
};

void blob_writer_start(struct blob_writer *w, const char *cache);

/* Hashes a file or, with `tree`, a folder, and fills blob. Regular files will move into the store
 * (path must be on the cache's file system). What is reached through a link that leads out of the
 * tree, or a file with a second name, is copied and stays as it is. Other things than files,
 * folders and links are refused, and so is a link in a tree to a folder outside of it. */
int blob_store(struct blob_writer *w, const char *path, bool tree, struct blob *blob,
               struct error *err);
int blob_store_memory(struct blob_writer *w, const void *data, size_t size, struct blob *blob,
                      struct error *err);

/* Gives all files their names in the store. After it they are on the disk. A damaged blob of that
 * name is replaced. */
int blob_writer_finish(struct blob_writer *w, struct error *err);
void blob_writer_free(struct blob_writer *w);

/* How a stage gets a blob: as a link to it, which only our own code may be given, since it leads to
 * a file that others read; or as a copy of its own. Executable files are always copied. */
enum blob_access { BLOB_LINK, BLOB_COPY };

/* Makes `as`, where nothing may be, a file with the blob's content or, for a tree, a folder. */
int blob_place(const char *cache, const struct blob *blob, const char *as, enum blob_access access,
               struct error *err);

#endif
