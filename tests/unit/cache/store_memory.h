/* A blob store in this process's memory. It has no local files, like a store on another machine.
 * The tests run the same cases on it as on the stores of cache/. */
#ifndef FERDAG_TESTS_STORE_MEMORY_H
#define FERDAG_TESTS_STORE_MEMORY_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "cache/store.h"

enum { MEMORY_LIMIT = 1 << 26 };

struct memory_blob {
    struct memory_blob *next;
    struct digest digest;
    char *bytes;
    size_t size;
};

struct store_memory {
    struct store base;
    pthread_mutex_t lock;
    struct memory_blob *blobs;
};

static struct store_memory *memory_lock(struct store *store)
{
    struct store_memory *m = (struct store_memory *)store;
    pthread_mutex_lock(&m->lock);
    return m;
}

static int memory_unlock(struct store_memory *m, int rc)
{
    pthread_mutex_unlock(&m->lock);
    return rc;
}

/* The pointer to the blob, or to the NULL at the end. */
static struct memory_blob **memory_find(struct store_memory *m, const struct digest *digest)
{
    struct memory_blob **b = &m->blobs;
    while (*b && strcmp((*b)->digest.hex, digest->hex) != 0)
        b = &(*b)->next;
    return b;
}

static bool memory_sound(const char *bytes, size_t size, const struct digest *digest)
{
    struct digest found;
    return sha256_memory(bytes, size, &found, NULL) == 0 && strcmp(found.hex, digest->hex) == 0;
}

static void memory_drop(struct memory_blob **b)
{
    struct memory_blob *dropped = *b;
    *b = dropped->next;
    free(dropped->bytes);
    free(dropped);
}

static int memory_has(struct store *store, const struct digest *digest, uint64_t *size,
                      struct error *err)
{
    struct store_memory *m = memory_lock(store);
    const struct memory_blob *b = *memory_find(m, digest);
    (void)err;
    if (b)
        *size = b->size;
    return memory_unlock(m, b ? 0 : -ENOENT);
}

/* store.h: -ENOENT is for missing blobs alone. */
static int memory_path_error(int rc)
{
    return rc == -ENOENT ? -EIO : rc;
}

static int memory_get(struct store *store, const struct digest *digest, const char *path,
                      struct error *err)
{
    struct store_memory *m = memory_lock(store);
    const struct memory_blob *b = *memory_find(m, digest);
    int rc = !b ? -ENOENT
             : !memory_sound(b->bytes, b->size, digest)
                 ? error_set(err, EILSEQ, "blob %s is damaged", digest->hex)
                 : memory_path_error(file_write_unsynced(path, b->bytes, b->size, err));
    return memory_unlock(m, rc);
}

static int memory_put(struct store *store, const struct digest *digest, const char *path,
                      struct error *err)
{
    char *bytes;
    size_t size;
    int rc = file_read(path, MEMORY_LIMIT, &bytes, &size, err);
    if (rc < 0)
        return memory_path_error(rc);
    struct memory_blob *new = malloc(sizeof *new);
    if (!new || !memory_sound(bytes, size, digest)) {
        free(new);
        free(bytes);
        return error_set(err, new ? EILSEQ : ENOMEM, "cannot store %s", path);
    }
    struct store_memory *m = memory_lock(store);
    struct memory_blob **b = memory_find(m, digest);
    if (*b)
        memory_drop(b);
    *new = (struct memory_blob){m->blobs, *digest, bytes, size};
    m->blobs = new;
    return memory_unlock(m, 0);
}

static int memory_remove(struct store *store, const struct digest *digest, struct error *err)
{
    struct store_memory *m = memory_lock(store);
    struct memory_blob **b = memory_find(m, digest);
    (void)err;
    if (*b)
        memory_drop(b);
    return memory_unlock(m, 0);
}

static int memory_list(struct store *store, store_visit *visit, void *data, struct error *err)
{
    struct store_memory *m = memory_lock(store);
    int rc = 0;
    for (const struct memory_blob *b = m->blobs; rc == 0 && b; b = b->next)
        rc = visit(data, &b->digest, err);
    return memory_unlock(m, rc);
}

static void memory_close(struct store *store)
{
    struct store_memory *m = (struct store_memory *)store;
    while (m->blobs)
        memory_drop(&m->blobs);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

static int memory_open(struct store **store, const char *address, struct error *err);

static const struct store_type store_memory_type = {
    .scheme = "memory",
    .open = memory_open,
    .close = memory_close,
    .has = memory_has,
    .get = memory_get,
    .put = memory_put,
    .remove = memory_remove,
    .list = memory_list,
};

static int memory_open(struct store **store, const char *address, struct error *err)
{
    struct store_memory *m = calloc(1, sizeof *m);
    (void)address;
    if (!m)
        return error_set(err, ENOMEM, "out of memory opening a store");
    m->base.type = &store_memory_type;
    pthread_mutex_init(&m->lock, NULL);
    *store = &m->base;
    return 0;
}

#endif
