/* Blob stores: files kept under the SHA-256 of their bytes and never changed.
 *
 * struct store_type is what every store implements. It does not assume that a blob is a file of
 * this machine: bytes come in from a path and go out to a path, so that a store behind HTTP or in a
 * shared folder fits as well as the local one. The cache's own blobs are in a local store, which
 * offers more than this (store_local.h). A new store is a file store_NAME.c with a store_type, and
 * a row in the table of store.c.
 *
 * All functions but open and close may be called by several threads at once. They return 0 or a
 * negative errno value. -ENOENT means that there is no such blob, and leaves err untouched; every
 * other error fills err. A path that doesn't exist is -EIO. */
#ifndef FERDAG_CACHE_STORE_H
#define FERDAG_CACHE_STORE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "cache/sha256.h"

struct store {
    const struct store_type *type; /* the first member of a store's own struct */
};

/* Called for each blob; a negative return value ends the listing, which returns it. */
typedef int store_visit(void *data, const struct digest *digest, struct error *err);

struct store_type {
    const char *scheme; /* "https" of the address "https://host/path" */

    /* Opens the store at an address without its scheme, "host/path". A store that does not exist
     * is an empty one: the first put creates it. close frees it. */
    int (*open)(struct store **store, const char *address, struct error *err);
    void (*close)(struct store *store);

    /* Looks for a blob without reading it. *size: bytes that are stored. */
    int (*has)(struct store *store, const struct digest *digest, uint64_t *size, struct error *err);

    /* Copies a blob into a new file at `path`, where nothing may be, and compares the digest of the
     * copy. -EILSEQ: the store's bytes have another digest. An error leaves nothing at `path`. */
    int (*get)(struct store *store, const struct digest *digest, const char *path,
               struct error *err);

    /* Copies the file at `path` into the store; the file stays. -EILSEQ: the bytes that arrived
     * have another digest, and the store is as before. A blob that is there already is kept; a
     * damaged one is replaced where the store can tell. When put returns 0 the blob survives a
     * crash; when it fails or is killed the blob is there whole or not at all. */
    int (*put)(struct store *store, const struct digest *digest, const char *path,
               struct error *err);

    /* Removes a blob; 0 also if there is none. */
    int (*remove)(struct store *store, const struct digest *digest, struct error *err);

    /* Lists all blobs in any order. NULL: the store can't list, as plain HTTP servers can't. */
    int (*list)(struct store *store, store_visit *visit, void *data, struct error *err);
};

/* Opens the store at "SCHEME://REST"; an address without a scheme is a folder. -EINVAL: unknown
 * scheme. store_close frees; NULL is allowed. */
int store_open(struct store **store, const char *address, struct error *err);
void store_close(struct store *store);

/* Call the store's function of that name. store_list of a store that can't list is -ENOTSUP. */
int store_has(struct store *store, const struct digest *digest, uint64_t *size, struct error *err);
int store_get(struct store *store, const struct digest *digest, const char *path,
              struct error *err);
int store_put(struct store *store, const struct digest *digest, const char *path,
              struct error *err);
int store_remove(struct store *store, const struct digest *digest, struct error *err);
int store_list(struct store *store, store_visit *visit, void *data, struct error *err);

#endif
