/* Stores a stage's outputs: hashes files and folders and moves them into the cache's blob store.
 *
 * Three steps: blob_writer_start, blob_writer_add for each output, blob_writer_finish. No file
 * moves before the last step, so that outputs may be links to each other. One thread per writer;
 * several writers may store into one cache at once. */
#ifndef FERDAG_CACHE_BLOB_WRITER_H
#define FERDAG_CACHE_BLOB_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "cache/blob.h"

struct cache;

struct blob_writer {
    const struct cache *cache; /* borrowed */
    struct pending *pending;   /* files that blob_writer_finish stores */
    size_t pending_count;
    struct stored_blob *stored; /* each file that blob_writer_finish stored or found */
    size_t stored_count;
};

void blob_writer_start(struct blob_writer *w, const struct cache *cache);

/* Hashes a file or, with `tree`, a folder, and fills blob. Regular files will move into the store
 * (path must be on the cache's file system). A file that is reached through a link that leads out
 * of the tree, or that has a second name, is copied and stays. -EINVAL: something other than a
 * file, a folder or a link, or a link in a tree to a folder outside it. */
int blob_writer_add(struct blob_writer *w, const char *path, bool tree, struct blob *blob,
                    struct error *err);

/* Stores bytes as a blob. */
int blob_writer_add_memory(struct blob_writer *w, const void *data, size_t size, struct blob *blob,
                           struct error *err);

/* Moves all files into the store and syncs them. A damaged blob of the same digest is replaced.
 * -EIO: a file changed since it was hashed. */
int blob_writer_finish(struct blob_writer *w, struct error *err);

/* Frees all and removes temporary files that were not stored; a zeroed writer is allowed. */
void blob_writer_free(struct blob_writer *w);

#endif
