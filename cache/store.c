/* See store.h. */
#include "cache/store.h"
#include "cache/store_local.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const struct store_type *const types[] = {&store_local_type};

static bool has_scheme(const char *address, const char *scheme)
{
    size_t n = strlen(scheme);
    return strncmp(address, scheme, n) == 0 && strncmp(address + n, "://", 3) == 0;
}

int store_open(struct store **store, const char *address, struct error *err)
{
    if (!strstr(address, "://"))
        return store_local_type.open(store, address, err);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (has_scheme(address, types[i]->scheme))
            return types[i]->open(store, address + strlen(types[i]->scheme) + 3, err);
    return error_set(err, EINVAL,
                     "unknown kind of blob store in '%s': give a folder or file://FOLDER", address);
}

void store_close(struct store *store)
{
    if (store)
        store->type->close(store);
}

int store_has(struct store *store, const struct digest *digest, uint64_t *size, struct error *err)
{
    return store->type->has(store, digest, size, err);
}

int store_get(struct store *store, const struct digest *digest, const char *path, struct error *err)
{
    return store->type->get(store, digest, path, err);
}

int store_put(struct store *store, const struct digest *digest, const char *path, struct error *err)
{
    return store->type->put(store, digest, path, err);
}

int store_remove(struct store *store, const struct digest *digest, struct error *err)
{
    return store->type->remove(store, digest, err);
}

int store_list(struct store *store, store_visit *visit, void *data, struct error *err)
{
    if (!store->type->list)
        return error_set(err, ENOTSUP, "a store with %s:// addresses can't list its blobs",
                         store->type->scheme);
    return store->type->list(store, visit, data, err);
}
