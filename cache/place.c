/* See cache.h: paths of blobs, and copies of and links to them. */
#include "base/file.h"
#include "cache/cache.h"
#include "cache/store_local.h"
#include "cache/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANIFEST_LIMIT = 1 << 28 };

static int out_of_memory(const char *path, struct error *err)
{
    return error_set(err, ENOMEM, "out of memory making %s", path);
}

char *cache_blob_path(const struct cache *cache, const struct digest *digest)
{
    return store_local_path(cache->blobs, digest);
}

int cache_read_tree(const struct cache *cache, const struct blob *blob, struct tree *tree,
                    struct error *err)
{
    *tree = (struct tree){0};
    char *path = cache_blob_path(cache, &blob->digest), *text = NULL;
    size_t size = 0;
    if (!path)
        return error_set(err, ENOMEM, "out of memory reading a manifest");
    int rc = file_read(path, MANIFEST_LIMIT, &text, &size, err);
    if (rc == 0)
        rc = tree_parse(text, size, path, tree, err);
    free(path);
    free(text);
    return rc;
}

/* As store_get, with a message for a blob that is not there. */
static int get(const struct cache *cache, const struct digest *digest, const char *to,
               struct error *err)
{
    int rc = store_get(&cache->blobs->base, digest, to, err);
    return rc == -ENOENT ? error_set(err, ENOENT, "blob %s is missing in the cache", digest->hex)
                         : rc;
}

int cache_copy_blob(const struct cache *cache, const struct digest *digest, const char *to,
                    struct error *err)
{
    char *temporary = file_temporary_name(to);
    if (!temporary)
        return out_of_memory(to, err);
    int rc = get(cache, digest, temporary, err);
    if (rc == 0) {
        rc = file_sync(temporary, err);
        if (rc == 0 && rename(temporary, to) < 0)
            rc = error_errno(err, errno, "cannot write %s", to);
        if (rc < 0)
            unlink(temporary);
    }
    free(temporary);
    return rc;
}

/* ---- inputs of stages ---- */

static int place_copy(const struct cache *cache, const struct digest *digest, bool executable,
                      const char *as, struct error *err)
{
    int rc = get(cache, digest, as, err);
    if (rc == 0 && chmod(as, executable ? 0555 : 0444) < 0)
        rc = error_errno(err, errno, "cannot set the permissions of %s", as);
    return rc;
}

static int place_file(const struct cache *cache, const struct digest *digest, bool executable,
                      const char *as, enum blob_access access, struct error *err)
{
    if (executable || access == BLOB_COPY)
        return place_copy(cache, digest, executable, as, err);
    char *path = cache_blob_path(cache, digest);
    int rc = !path                   ? out_of_memory(as, err)
             : symlink(path, as) < 0 ? error_errno(err, errno, "cannot make link %s", as)
                                     : 0;
    free(path);
    return rc;
}

static int place_entry(const struct cache *cache, const struct tree_entry *entry, const char *as,
                       enum blob_access access, struct error *err)
{
    char *path = format_string("%s/%s", as, entry->path);
    int rc = path ? 0 : out_of_memory(as, err);
    if (rc == 0 && strchr(entry->path, '/'))
        rc = file_make_parents(path, err);
    if (rc == 0 && tree_is_file(entry))
        rc = place_file(cache, &entry->digest, entry->form == TREE_EXECUTABLE, path, access, err);
    else if (rc == 0 && entry->form == TREE_FOLDER)
        rc = file_make_folders(path, err);
    else if (rc == 0 && symlink(entry->target, path) < 0)
        rc = error_errno(err, errno, "cannot make link %s", path);
    free(path);
    return rc;
}

int cache_place(const struct cache *cache, const struct blob *blob, const char *as,
                enum blob_access access, struct error *err)
{
    if (!blob->tree)
        return place_file(cache, &blob->digest, blob->executable, as, access, err);
    struct tree tree;
    int rc = cache_read_tree(cache, blob, &tree, err);
    if (rc == 0)
        rc = file_make_folders(as, err);
    for (size_t i = 0; rc == 0 && i < tree.count; i++)
        rc = place_entry(cache, &tree.entries[i], as, access, err);
    tree_free(&tree);
    return rc;
}
