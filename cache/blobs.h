/* Blobs: output files stored once, under the SHA-256 of their bytes, never changed after.
 *
 * A blob lies at CACHE/blobs/ab/cdef...; it is synced under another name and renamed there, so
 * that one with that name is whole. A folder of files (a tree) is a blob too: its manifest, one
 * line "digest size path\n" a file, sorted by path; the files are blobs of their own. */
#ifndef FERDAG_CACHE_BLOBS_H
#define FERDAG_CACHE_BLOBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "cache/sha256.h"

struct blob {
    struct digest digest;
    uint64_t size; /* bytes of the file; of a tree, of its manifest */
    bool tree;
};

/* One file of a tree. */
struct tree_entry {
    struct digest digest;
    uint64_t size;
    char *path; /* relative, with '/' between folders; never leads out of the tree */
};

struct tree {
    struct tree_entry *entries;
    size_t count;
};

/* Where the blob lies, or would; malloc'd, NULL when memory is out. */
char *blob_path(const char *cache, const struct digest *digest);

/* Whether the blob lies there with its right size, and for a tree also each of its files. */
bool blob_present(const char *cache, const struct blob *blob);

/* Stores a file or, with `tree`, a folder. Regular files move into the store (path must be on the
 * cache's file system); what it leaves at path is undefined. But what is reached through a link,
 * wherever on the path, is copied and stays as it is. Other things are refused, and so is a link to
 * a folder within the folder. All of it is on the disk when this returns. */
int blob_store(const char *cache, const char *path, bool tree, struct blob *blob,
               struct error *err);
int blob_store_memory(const char *cache, const void *data, size_t size, struct blob *blob,
                      struct error *err);

/* Makes `as` a symbolic link to the blob or, for a tree, a folder of links. */
int blob_link(const char *cache, const struct blob *blob, const char *as, struct error *err);

/* Reads the manifest of a tree, checked; tree_free frees. */
int tree_read(const char *cache, const struct blob *blob, struct tree *tree, struct error *err);
void tree_free(struct tree *tree);

#endif
