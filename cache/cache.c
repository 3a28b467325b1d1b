/* See cache.h. */
#include "cache/cache.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static int make_all(const char *folder, struct error *err)
{
    static const char *const parts[] = {"blobs", "work", "tmp"};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof parts / sizeof *parts; i++) {
        char *path = file_path("%s/%s", folder, parts[i]);
        rc = path ? file_make_folders(path, err) : error_set(err, ENOMEM, "out of memory");
        free(path);
    }
    return rc;
}

static void remove_entry(const char *folder, const char *name)
{
    char *path = file_path("%s/%s", folder, name);
    if (path)
        file_remove_tree(path, NULL);
    free(path);
}

/* What a killed run was writing, and its trials' folders: nobody will finish what a day hasn't. */
static void remove_old_temporaries(const char *folder)
{
    char *path = file_path("%s/tmp", folder);
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

/* A run killed between the commit of a result and its tidying leaves the lock's file, maybe the
 * folder too; nobody works on that key again, so the next run tidies up. */
static void remove_finished_work(struct cache *cache)
{
    enum { KEY_LENGTH = 64 };
    char *path = file_path("%s/work", cache->folder), key[KEY_LENGTH + 1] = "";
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    struct result result;
    while (dir && (entry = readdir(dir))) {
        if (strspn(entry->d_name, "0123456789abcdef") != KEY_LENGTH)
            continue;
        memcpy(key, entry->d_name, KEY_LENGTH);
        if (cache_find(cache, key, &result, NULL) < 0)
            continue;
        result_free(&result);
        int lock = cache_lock(cache, key, NULL);
        if (lock < 0)
            continue;
        char *folder = cache_work_folder(cache, key);
        if (folder)
            file_remove_tree(folder, NULL);
        free(folder);
        cache_unlock(cache, key, lock);
    }
    if (dir)
        closedir(dir);
    free(path);
}

/* To look into a folder that isn't a cache mustn't make it one. */
static bool holds_cache(const char *folder)
{
    struct stat st;
    char *path = file_path("%s/index.sqlite", folder);
    bool there = path && stat(path, &st) == 0;
    free(path);
    return there;
}

static bool may_write(const char *folder)
{
    char *path = file_path("%s/index.sqlite", folder);
    bool may = path && access(folder, W_OK) == 0 && access(path, W_OK) == 0;
    free(path);
    return may;
}

int cache_open(struct cache *cache, const char *folder, bool create, struct error *err)
{
    bool there = holds_cache(folder);
    *cache = (struct cache){.read_only = there && !may_write(folder)};
    create = create && !cache->read_only;
    int rc = create ? make_all(folder, err) : 0;
    if (rc < 0)
        return rc;
    if (create)
        remove_old_temporaries(folder);
    if (create || there) {
        cache->folder = realpath(folder, NULL);
        if (!cache->folder)
            return error_errno(err, errno, "cannot open cache %s", folder);
    } else {
        cache->folder = strdup(folder);
    }
    char *path = create || there ? file_path("%s/index.sqlite", cache->folder) : strdup(":memory:");
    if (!path || !cache->folder)
        rc = error_set(err, ENOMEM, "out of memory opening %s", folder);
    else if (cache->read_only)
        rc = index_open_read_only(&cache->index, path, err);
    else
        rc = index_open(&cache->index, path, err);
    free(path);
    if (rc < 0)
        cache_close(cache);
    else if (create)
        remove_finished_work(cache);
    return rc;
}

void cache_close(struct cache *cache)
{
    index_close(cache->index);
    free(cache->folder);
    *cache = (struct cache){0};
}

static void drop_output(struct result *result, size_t i)
{
    free(result->outputs[i].port);
    result->output_count--;
    memmove(&result->outputs[i], &result->outputs[i + 1],
            (result->output_count - i) * sizeof *result->outputs);
}

int cache_find(struct cache *cache, const char *key, struct result *result, struct error *err)
{
    int rc = index_find(cache->index, key, result, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < result->output_count;) {
        const struct result_output *output = &result->outputs[i];
        if (blob_present(cache->folder, &output->blob)) {
            i++;
        } else if (output->port[0] == '.') {
            drop_output(result, i);
        } else {
            result_free(result);
            return -ENOENT;
        }
    }
    return 0;
}

static bool settled(const struct timespec *t, const struct timespec *now)
{
    return now->tv_sec - t->tv_sec > 2;
}

int cache_digest(struct cache *cache, const char *path, struct digest *digest, struct stat *st,
                 struct error *err)
{
    struct timespec now;
    if (stat(path, st) < 0)
        return error_errno(err, errno, "cannot open %s", path);
    if (!S_ISREG(st->st_mode))
        return error_set(err, EINVAL, "%s is not a regular file", path);
    int rc = index_stat_find(cache->index, path, st, digest, err);
    if (rc != -ENOENT)
        return rc;
    clock_gettime(CLOCK_REALTIME, &now);
    rc = sha256_file(path, digest, NULL, err);
    if (rc < 0)
        return rc;
    if (settled(&st->st_mtim, &now) && settled(&st->st_ctim, &now))
        index_stat_set(cache->index, path, st, digest, NULL); /* else it is hashed again some day */
    return 0;
}

static char *lock_path(struct cache *cache, const char *key)
{
    return file_path("%s/work/%s.lock", cache->folder, key);
}

int cache_lock(struct cache *cache, const char *key, struct error *err)
{
    char *path = lock_path(cache, key);
    if (!path)
        return error_set(err, ENOMEM, "out of memory locking %s", key);
    int rc = -EAGAIN;
    while (rc == -EAGAIN) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            rc = error_errno(err, errno, "cannot open %s", path);
            break;
        }
        struct stat mine, named;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            rc = errno == EWOULDBLOCK ? -EAGAIN : error_errno(err, errno, "cannot lock %s", path);
            close(fd);
            break;
        }
        /* Its holder may have removed the file between open and flock: then try the new one. */
        if (fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino)
            rc = fd;
        else
            close(fd);
    }
    free(path);
    return rc;
}

bool cache_locked(struct cache *cache, const char *key)
{
    char *path = lock_path(cache, key);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    free(path);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_SH | LOCK_NB) < 0;
    close(fd);
    return held;
}

void cache_unlock(struct cache *cache, const char *key, int lock)
{
    char *path = lock_path(cache, key);
    if (path)
        unlink(path);
    free(path);
    close(lock);
}

char *cache_work_folder(struct cache *cache, const char *key)
{
    return file_path("%s/work/%s", cache->folder, key);
}
