/* See cache.h. */
#define _GNU_SOURCE
#include "cache/cache.h"
#include "base/file.h"
#include "cache/record.h"
#include "cache/store_local.h"
#include "cache/attempts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- opening ---- */

static int make_folders(const char *folder, struct error *err)
{
    static const char *const parts[] = {"blobs", "results", "work", "tmp"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof parts / sizeof *parts; i++) {
        char *path = format_string("%s/%s", folder, parts[i]);
        rc = path ? file_make_folders(path, err) : error_set(err, ENOMEM, "out of memory");
        free(path);
    }
    return rc;
}

static void remove_entry(const char *folder, const char *name)
{
    char *path = format_string("%s/%s", folder, name);
    if (path)
        file_remove_tree(path, NULL);
    free(path);
}

/* Removes temporary files and folders of killed runs: those older than a day. */
static void remove_old_temporaries(const char *folder)
{
    char *path = format_string("%s/tmp", folder);
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    struct stat st;
    time_t now = time(NULL);
    while (dir && (entry = readdir(dir)))
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            entry->d_name[0] != '.' && now - st.st_mtime > 24 * 3600)
            remove_entry(path, entry->d_name);
    if (dir)
        closedir(dir);
    free(path);
}

bool cache_exists(const char *folder)
{
    static const char *const parts[] = {"index.sqlite", "results"};
    struct stat st;
    bool there = false;
    for (size_t i = 0; i < 2; i++) {
        char *path = format_string("%s/%s", folder, parts[i]);
        there |= path && stat(path, &st) == 0;
        free(path);
    }
    return there;
}

static bool may_write(const char *folder)
{
    struct stat st;
    char *path = format_string("%s/index.sqlite", folder);
    bool may =
        path && access(folder, W_OK) == 0 && (stat(path, &st) < 0 || access(path, W_OK) == 0);
    free(path);
    return may;
}

/* Writes a record for each result of an index of format 1, which had no records. */
static int write_records(struct cache *cache, struct error *err)
{
    struct digest *keys;
    size_t count;
    int rc = index_keys(cache->index, &keys, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct result result;
        rc = index_find(cache->index, keys[i].hex, &result, err);
        if (rc == 0)
            rc = record_write(cache->folder, &result, false, err);
        result_free(&result);
    }
    free(keys);
    int fd = rc == 0 ? open(cache->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        syncfs(fd);
        close(fd);
    }
    return rc;
}

/* In one transaction: after a kill the format is still the old one, and the next run upgrades. */
static int upgrade(struct cache *cache, struct error *err)
{
    int rc = make_folders(cache->folder, err);
    if (rc == 0)
        rc = index_begin_transaction(cache->index, err);
    if (rc < 0)
        return rc;
    rc = index_upgrade(cache->index, err);
    if (rc == 0)
        rc = write_records(cache, err);
    if (rc == 0)
        return index_end_transaction(cache->index, err);
    index_rollback(cache->index);
    return rc;
}

static int open_index(struct cache *cache, bool exists, struct error *err)
{
    char *path = exists ? format_string("%s/index.sqlite", cache->folder) : strdup(":memory:");
    if (!path)
        return error_set(err, ENOMEM, "out of memory opening %s", cache->folder);
    int rc = cache->read_only ? index_open_read_only(&cache->index, path, err)
                              : index_open(&cache->index, path, err);
    free(path);
    return rc == 0 && index_is_old(cache->index) ? upgrade(cache, err) : rc;
}

int cache_open(struct cache *cache, const char *folder, bool create, struct error *err)
{
    bool there = cache_exists(folder);
    *cache = (struct cache){.read_only = there && !may_write(folder)};
    create = create && !cache->read_only;
    int rc = create ? make_folders(folder, err) : 0;
    if (rc < 0)
        return rc;
    if (create)
        remove_old_temporaries(folder);
    cache->folder = create || there ? realpath(folder, NULL) : strdup(folder);
    if (!cache->folder)
        return error_errno(err, errno, "cannot open cache %s", folder);
    rc = store_local_open(&cache->blobs, cache->folder, err);
    if (rc == 0)
        rc = open_index(cache, create || there, err);
    if (rc < 0)
        cache_close(cache);
    else if (create)
        attempts_clean(cache);
    return rc;
}

void cache_close(struct cache *cache)
{
    index_close(cache->index);
    if (cache->blobs)
        store_close(&cache->blobs->base);
    free(cache->folder);
    free(cache->verified);
    *cache = (struct cache){0};
}
