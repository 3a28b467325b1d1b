/* See work.h. */
#include "cache/work.h"
#include "base/file.h"
#include "base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { KEY_LENGTH = 64 };

/* ---- locks ---- */

static char *lock_path(struct cache *cache, const char *key)
{
    return file_path("%s/work/%s.lock", cache->folder, key);
}

int work_lock(struct cache *cache, const char *key, struct error *err)
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

bool work_locked(struct cache *cache, const char *key)
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

void work_unlock(struct cache *cache, const char *key, int lock)
{
    char *path = lock_path(cache, key);
    if (path)
        unlink(path);
    free(path);
    close(lock);
}

/* ---- attempts ---- */

static bool is_checkpoint(const char *name)
{
    return strncmp(name, "checkpoint", strlen("checkpoint")) == 0;
}

/* Whether a folder of work/ is an attempt of some key: KEY.CHANCE, or KEY as older versions named
 * it. */
static bool is_attempt(const char *name)
{
    return strspn(name, "0123456789abcdef") == KEY_LENGTH &&
           (name[KEY_LENGTH] == 0 ||
            (name[KEY_LENGTH] == '.' && strcmp(name + KEY_LENGTH, ".lock") != 0));
}

static bool has_checkpoint(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    bool found = false;
    while (dir && !found && (entry = readdir(dir)))
        found = is_checkpoint(entry->d_name);
    if (dir)
        closedir(dir);
    return found;
}

/* When the folder, its log or what else is in it was last written to. */
static time_t last_touched(const char *folder)
{
    time_t last = 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;
    struct stat st;
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, "..") != 0 &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime > last)
            last = st.st_mtime;
    if (dir)
        closedir(dir);
    return last;
}

void attempts_free(struct attempt *attempts, size_t count)
{
    for (size_t i = 0; attempts && i < count; i++)
        free(attempts[i].folder);
    free(attempts);
}

static int add_attempt(struct cache *cache, const char *name, struct attempt **attempts,
                       size_t *count, struct error *err)
{
    struct attempt *larger = realloc(*attempts, (*count + 1) * sizeof *larger);
    if (larger)
        *attempts = larger;
    char *folder = larger ? file_path("%s/work/%s", cache->folder, name) : NULL;
    if (!folder)
        return error_set(err, ENOMEM, "out of memory looking at interrupted stages");
    struct attempt *a = &larger[(*count)++];
    *a = (struct attempt){
        .folder = folder, .touched = last_touched(folder), .checkpoint = has_checkpoint(folder)};
    memcpy(a->key, name, KEY_LENGTH);
    return 0;
}

static int by_folder(const void *a, const void *b)
{
    return strcmp(((const struct attempt *)a)->folder, ((const struct attempt *)b)->folder);
}

/* Attempts of a key, or of all if it is NULL. */
static int list(struct cache *cache, const char *key, struct attempt **attempts, size_t *count,
                struct error *err)
{
    *attempts = NULL;
    *count = 0;
    char *path = file_path("%s/work", cache->folder);
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    int rc = path ? 0 : error_set(err, ENOMEM, "out of memory");
    if (path && !dir && errno != ENOENT)
        rc = error_errno(err, errno, "cannot open folder %s", path);
    while (dir && rc == 0 && (entry = readdir(dir)))
        if (is_attempt(entry->d_name) && (!key || strncmp(entry->d_name, key, KEY_LENGTH) == 0))
            rc = add_attempt(cache, entry->d_name, attempts, count, err);
    if (dir)
        closedir(dir);
    free(path);
    if (*count > 1)
        qsort(*attempts, *count, sizeof **attempts, by_folder);
    return rc;
}

int work_list(struct cache *cache, struct attempt **attempts, size_t *count, struct error *err)
{
    int rc = list(cache, NULL, attempts, count, err);
    for (size_t i = 0; i < *count; i++)
        (*attempts)[i].locked = work_locked(cache, (*attempts)[i].key);
    return rc;
}

/* The last attempt, one with a checkpoint if there is any; NULL if there is none. */
static const struct attempt *last_of(const struct attempt *attempts, size_t count)
{
    const struct attempt *last = NULL;
    for (size_t i = 0; i < count; i++)
        if (!last || attempts[i].checkpoint > last->checkpoint ||
            (attempts[i].checkpoint == last->checkpoint && attempts[i].touched >= last->touched))
            last = &attempts[i];
    return last;
}

char *work_last(struct cache *cache, const char *key)
{
    struct attempt *attempts;
    size_t count;
    char *folder = NULL;
    if (list(cache, key, &attempts, &count, NULL) == 0) {
        const struct attempt *last = NULL;
        for (size_t i = 0; i < count; i++)
            if (!last || attempts[i].touched >= last->touched)
                last = &attempts[i];
        folder = last ? strdup(last->folder) : NULL;
    }
    attempts_free(attempts, count);
    return folder;
}

/* Moves the checkpoint and the log to another folder. */
static int take_along(const char *from, const char *to, struct error *err)
{
    DIR *dir = opendir(from);
    struct dirent *entry;
    int rc = dir ? 0 : error_errno(err, errno, "cannot open folder %s", from);
    while (dir && rc == 0 && (entry = readdir(dir))) {
        if (!is_checkpoint(entry->d_name) && strcmp(entry->d_name, "log.txt") != 0 &&
            strcmp(entry->d_name, "progress.json") != 0)
            continue;
        char *old = file_path("%s/%s", from, entry->d_name);
        char *new = file_path("%s/%s", to, entry->d_name);
        if (!old || !new)
            rc = error_set(err, ENOMEM, "out of memory resuming in %s", to);
        else if (rename(old, new) < 0)
            rc = error_errno(err, errno, "cannot move %s to %s", old, new);
        free(old);
        free(new);
    }
    if (dir)
        closedir(dir);
    return rc;
}

static int make_attempt(struct cache *cache, const char *key, char **folder, struct error *err)
{
    char *name = file_random_name(""); /* "/CHANCE" */
    *folder = name ? file_path("%s/work/%s.%s", cache->folder, key, name + 1) : NULL;
    free(name);
    if (!*folder)
        return error_set(err, ENOMEM, "out of memory starting a stage");
    return mkdir(*folder, 0777) < 0 ? error_errno(err, errno, "cannot make folder %s", *folder) : 0;
}

int work_start(struct cache *cache, const char *key, bool resume, char **folder, struct error *err)
{
    struct attempt *attempts;
    size_t count;
    *folder = NULL;
    int rc = list(cache, key, &attempts, &count, err);
    count = attempts ? count : 0;
    const struct attempt *last = last_of(attempts, count);
    if (rc == 0)
        rc = make_attempt(cache, key, folder, err);
    if (rc == 0 && resume && last && last->checkpoint)
        rc = take_along(last->folder, *folder, err);
    /* What can't be removed, since something still writes there, work_clean removes some day. */
    for (size_t i = 0; rc == 0 && i < count; i++) {
        process_end_survivors(attempts[i].folder);
        file_remove_tree(attempts[i].folder, NULL);
    }
    attempts_free(attempts, count);
    if (rc < 0) {
        free(*folder);
        *folder = NULL;
    }
    return rc;
}

/* ---- what nobody needs any more ---- */

static bool is_abandoned(const struct attempt *a, time_t now)
{
    int days = a->checkpoint ? WORK_CHECKPOINT_DAYS : WORK_DAYS;
    return now - a->touched > (time_t)days * 24 * 3600;
}

/* A run that was killed between the commit of a result and its tidying leaves attempts. */
static bool is_finished(struct cache *cache, const char *key)
{
    struct result result;
    if (cache_find(cache, key, &result, NULL) < 0)
        return false;
    result_free(&result);
    return true;
}

static void clean_attempt(struct cache *cache, const struct attempt *a, time_t now)
{
    int lock = work_lock(cache, a->key, NULL);
    if (lock < 0)
        return; /* it runs */
    process_end_survivors(a->folder);
    if (is_abandoned(a, now) || is_finished(cache, a->key))
        file_remove_tree(a->folder, NULL);
    work_unlock(cache, a->key, lock);
}

/* Locks that nobody holds, of keys without an attempt. */
static void clean_locks(struct cache *cache)
{
    char *path = file_path("%s/work", cache->folder), key[KEY_LENGTH + 1] = "";
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (strspn(entry->d_name, "0123456789abcdef") != KEY_LENGTH ||
            strcmp(entry->d_name + KEY_LENGTH, ".lock") != 0)
            continue;
        memcpy(key, entry->d_name, KEY_LENGTH);
        char *folder = work_last(cache, key);
        int lock = folder ? -1 : work_lock(cache, key, NULL);
        if (lock >= 0)
            work_unlock(cache, key, lock);
        free(folder);
    }
    if (dir)
        closedir(dir);
    free(path);
}

void work_clean(struct cache *cache)
{
    struct attempt *attempts;
    size_t count;
    time_t now = time(NULL);
    if (list(cache, NULL, &attempts, &count, NULL) == 0)
        for (size_t i = 0; i < count; i++)
            clean_attempt(cache, &attempts[i], now);
    attempts_free(attempts, count);
    clean_locks(cache);
}
