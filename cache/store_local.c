/* See store_local.h. */
#define _GNU_SOURCE
#include "cache/store_local.h"
#include "base/clock.h"
#include "base/file.h"
#include "cache/fanout.h"
#include "cache/quarantine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PREFIXES = 256 };

static int out_of_memory(struct error *err)
{
    return error_set(err, ENOMEM, "out of memory using a blob store");
}

/* store.h: -ENOENT is for missing blobs alone. */
static int path_error(int rc)
{
    return rc == -ENOENT ? -EIO : rc;
}

static const struct store_local *local_of(const struct store *store)
{
    return (const struct store_local *)store; /* base is the first member */
}

int store_local_open(struct store_local **store, const char *folder, struct error *err)
{
    struct store_local *s = calloc(1, sizeof *s);
    char *copy = strdup(folder);
    if (!s || !copy) {
        free(s);
        free(copy);
        return out_of_memory(err);
    }
    *s = (struct store_local){.base = {&store_local_type}, .folder = copy};
    *store = s;
    return 0;
}

static int open_base(struct store **store, const char *address, struct error *err)
{
    struct store_local *local = NULL;
    int rc = store_local_open(&local, address, err);
    if (rc == 0)
        *store = &local->base;
    return rc;
}

static void close_base(struct store *store)
{
    struct store_local *s = (struct store_local *)store;
    free(s->folder);
    free(s);
}

/* ---- looking at blobs ---- */

char *store_local_path(const struct store_local *store, const struct digest *digest)
{
    char *blobs = format_string("%s/blobs", store->folder);
    char *path = blobs ? fanout_path(blobs, digest->hex, "") : NULL;
    free(blobs);
    return path;
}

/* 0, -ENOENT if there is no regular file, or another error of lstat. */
static int look(const struct store_local *store, const struct digest *digest, struct stat *st,
                struct error *err)
{
    char *path = store_local_path(store, digest);
    if (!path)
        return out_of_memory(err);
    int rc = lstat(path, st) < 0 ? -errno : S_ISREG(st->st_mode) ? 0 : -ENOENT;
    if (rc < 0 && rc != -ENOENT)
        error_errno(err, -rc, "cannot look at %s", path);
    free(path);
    return rc;
}

int store_local_metadata(const struct store_local *store, const struct digest *digest,
                         uint64_t size, struct metadata *metadata)
{
    struct stat st;
    if (look(store, digest, &st, NULL) < 0 || (uint64_t)st.st_size != size)
        return -ENOENT;
    *metadata = metadata_of(&st);
    return 0;
}

static int has(struct store *store, const struct digest *digest, uint64_t *size, struct error *err)
{
    struct stat st;
    int rc = look(local_of(store), digest, &st, err);
    if (rc == 0)
        *size = (uint64_t)st.st_size;
    return rc;
}

static int verify_path(const char *path, const struct digest *digest, struct metadata *metadata,
                       struct error *err)
{
    struct stat before, after;
    struct digest found;
    if (lstat(path, &before) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (!S_ISREG(before.st_mode))
        return error_set(err, EILSEQ, "%s is not a regular file", path);
    int rc = sha256_file(path, &found, NULL, err);
    if (rc < 0)
        return rc;
    if (strcmp(found.hex, digest->hex) != 0)
        return error_set(err, EILSEQ, "the bytes of %s have another digest", path);
    if (lstat(path, &after) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    *metadata = metadata_of(&before);
    struct metadata now = metadata_of(&after);
    return metadata_equal(metadata, &now) ? 0 : error_set(err, EILSEQ, "%s is being changed", path);
}

int store_local_verify(const struct store_local *store, const struct digest *digest,
                       struct metadata *metadata, struct error *err)
{
    char *path = store_local_path(store, digest);
    int rc = path ? verify_path(path, digest, metadata, err) : out_of_memory(err);
    free(path);
    return rc;
}

static int get(struct store *store, const struct digest *digest, const char *to, struct error *err)
{
    struct stat st;
    struct digest found;
    int rc = look(local_of(store), digest, &st, err);
    if (rc < 0)
        return rc;
    char *path = store_local_path(local_of(store), digest);
    if (!path)
        return out_of_memory(err);
    rc = path_error(file_copy_unsynced(path, to, 0, err));
    if (rc == 0) {
        rc = sha256_file(to, &found, NULL, err);
        if (rc == 0 && strcmp(found.hex, digest->hex) != 0)
            rc = error_set(err, EILSEQ, "the bytes of %s have another digest", path);
        if (rc < 0)
            unlink(to);
    }
    free(path);
    return rc;
}

/* ---- storing ---- */

char *store_local_temporary(const struct store_local *store)
{
    char *folder = format_string("%s/tmp", store->folder);
    char *name = folder ? file_random_name(folder) : NULL;
    free(folder);
    return name;
}

static int make_prefix_folder(const struct store_local *store, const struct digest *digest,
                              struct error *err)
{
    char *folder = format_string("%s/blobs/%.2s", store->folder, digest->hex);
    int rc = !folder                                       ? out_of_memory(err)
             : mkdir(folder, 0777) == 0 || errno == EEXIST ? 0
                                                           : file_make_folders(folder, err);
    free(folder);
    return rc;
}

static bool has_changed(const struct stat *st, const struct hashed_file *file)
{
    return (uint64_t)st->st_size != file->size || clock_ns(&st->st_mtim) != file->mtime_ns;
}

static int sync_and_rename(const struct store_local *store, const struct hashed_file *file,
                           const char *path, struct metadata *metadata, struct error *err)
{
    struct stat st;
    int rc = make_prefix_folder(store, &file->digest, err);
    if (rc == 0 && chmod(file->path, 0444) < 0)
        rc = error_errno(err, errno, "cannot store %s", file->path);
    if (rc == 0)
        rc = file_sync(file->path, err);
    if (rc < 0)
        return rc;
    if (stat(file->path, &st) == 0 && has_changed(&st, file))
        return error_set(err, EIO, "%s changed while it was stored", file->path);
    if (rename(file->path, path) < 0 || lstat(path, &st) < 0)
        return error_errno(err, errno, "cannot store %s", file->path);
    *metadata = metadata_of(&st);
    return 0;
}

int store_local_adopt(const struct store_local *store, const struct hashed_file *file,
                      struct stored_blob *stored, struct error *err)
{
    char *path = store_local_path(store, &file->digest);
    struct stat st;
    if (!path)
        return out_of_memory(err);
    *stored = (struct stored_blob){.digest = file->digest};
    int rc = store_local_metadata(store, &file->digest, file->size, &stored->metadata);
    if (rc == 0)
        rc = verify_path(path, &file->digest, &stored->metadata, NULL);
    stored->replaced = rc < 0 && lstat(path, &st) == 0;
    if (rc == 0)
        unlink(file->path);
    else
        rc = sync_and_rename(store, file, path, &stored->metadata, err);
    free(path);
    return rc;
}

static int sync_folder(const struct store_local *store, const char *prefix, struct error *err)
{
    char *folder = format_string("%s/blobs%s%.2s", store->folder, *prefix ? "/" : "", prefix);
    int rc = folder ? file_sync(folder, err) : out_of_memory(err);
    free(folder);
    return rc;
}

int store_local_sync(const struct store_local *store, const struct stored_blob *stored,
                     size_t count, struct error *err)
{
    bool synced[PREFIXES] = {false};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        const char prefix[3] = {stored[i].digest.hex[0], stored[i].digest.hex[1], 0};
        size_t number = strtoul(prefix, NULL, 16) % PREFIXES;
        if (!synced[number])
            rc = sync_folder(store, prefix, err);
        synced[number] = true;
    }
    return rc == 0 && count > 0 ? sync_folder(store, "", err) : rc;
}

/* Stores a copy that is ours, or removes it. */
static int put_copy(const struct store_local *store, const struct digest *digest, const char *copy,
                    struct error *err)
{
    struct hashed_file file = {.path = copy};
    struct stored_blob stored = {.digest = *digest};
    struct stat st;
    int rc = sha256_file(copy, &file.digest, &file.size, err);
    if (rc == 0 && strcmp(file.digest.hex, digest->hex) != 0)
        rc = error_set(err, EILSEQ, "the bytes to store have another digest than %s", digest->hex);
    if (rc == 0 && stat(copy, &st) < 0)
        rc = error_errno(err, errno, "cannot look at %s", copy);
    if (rc == 0) {
        file.mtime_ns = clock_ns(&st.st_mtim);
        rc = store_local_adopt(store, &file, &stored, err);
    }
    if (rc < 0)
        unlink(copy);
    return rc < 0 ? rc : store_local_sync(store, &stored, 1, err);
}

static int put(struct store *base, const struct digest *digest, const char *path, struct error *err)
{
    const struct store_local *store = local_of(base);
    char *folder = format_string("%s/tmp", store->folder), *copy = store_local_temporary(store);
    int rc = folder && copy ? file_make_folders(folder, err) : out_of_memory(err);
    if (rc == 0)
        rc = path_error(file_copy_unsynced(path, copy, 0600, err));
    if (rc == 0)
        rc = put_copy(store, digest, copy, err);
    free(copy);
    free(folder);
    return rc;
}

/* ---- removing and listing ---- */

static int remove_blob(struct store *base, const struct digest *digest, struct error *err)
{
    char *path = store_local_path(local_of(base), digest);
    int rc = path ? 0 : out_of_memory(err);
    if (rc == 0 && unlink(path) < 0 && errno != ENOENT)
        rc = error_errno(err, errno, "cannot remove %s", path);
    free(path);
    return rc;
}

int store_local_quarantine(const struct store_local *store, const struct digest *digest,
                           struct error *err)
{
    char *path = store_local_path(store, digest);
    int rc = path ? quarantine(store->folder, path, digest->hex, err) : out_of_memory(err);
    free(path);
    return rc;
}

static int list(struct store *base, store_visit *visit, void *data, struct error *err)
{
    char *blobs = format_string("%s/blobs", local_of(base)->folder);
    int rc = blobs ? fanout_list(blobs, "", visit, data, err) : out_of_memory(err);
    free(blobs);
    return rc;
}

const struct store_type store_local_type = {
    .scheme = "file",
    .open = open_base,
    .close = close_base,
    .has = has,
    .get = get,
    .put = put,
    .remove = remove_blob,
    .list = list,
};
