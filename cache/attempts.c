/* See attempts.h. */
#include "cache/attempts.h"
#include "base/clock.h"
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
    return format_string("%s/work/%s.lock", cache->folder, key);
}

int key_lock(struct cache *cache, const char *key, struct error *err)
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
        /* The file may have been removed between open and flock: then try the new one. */
        if (fstat(fd, &mine) == 0 && stat(path, &named) == 0 && mine.st_ino == named.st_ino)
            rc = fd;
        else
            close(fd);
    }
    free(path);
    return rc;
}

bool key_is_locked(struct cache *cache, const char *key)
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

void key_unlock(struct cache *cache, const char *key, int lock)
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

/* Whether a name in work/ is that of an attempt: KEY.RANDOM, or KEY in older versions. */
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

/* Last change of the folder or of a file in it. */
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
    char *folder = larger ? format_string("%s/work/%s", cache->folder, name) : NULL;
    if (!folder)
        return error_set(err, ENOMEM, "out of memory listing the folders of stages");
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

/* Attempts of a key, or of all keys if it is NULL. */
static int list(struct cache *cache, const char *key, struct attempt **attempts, size_t *count,
                struct error *err)
{
    *attempts = NULL;
    *count = 0;
    char *path = format_string("%s/work", cache->folder);
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

/* Whether the attempt began before the last failure of its key ended: each attempt removes the
 * earlier ones, so it is the one that failed. */
static bool has_failed(const struct cache *cache, const struct attempt *a)
{
    struct failure failure;
    struct stat st;
    if (index_find_failure(cache->index, a->key, &failure, NULL) < 0)
        return false;
    char *job = format_string("%s/job.json", a->folder);
    bool failed =
        failure.finished == 0 || /* before its process started */
        (job && stat(job, &st) == 0 && (double)clock_ns(&st.st_mtim) <= failure.finished * 1e9);
    free(job);
    failure_free(&failure);
    return failed;
}

int attempt_list(struct cache *cache, struct attempt **attempts, size_t *count, struct error *err)
{
    int rc = list(cache, NULL, attempts, count, err);
    for (size_t i = 0; i < *count; i++) {
        struct attempt *a = &(*attempts)[i];
        a->locked = key_is_locked(cache, a->key);
        a->failed = !a->locked && has_failed(cache, a);
    }
    return rc;
}

/* The last attempt with a checkpoint, or the last one if none has; NULL if there is none. */
static const struct attempt *last_of(const struct attempt *attempts, size_t count)
{
    const struct attempt *last = NULL;
    for (size_t i = 0; i < count; i++)
        if (!last || attempts[i].checkpoint > last->checkpoint ||
            (attempts[i].checkpoint == last->checkpoint && attempts[i].touched >= last->touched))
            last = &attempts[i];
    return last;
}

char *attempt_last(struct cache *cache, const char *key)
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
static int move_checkpoint(const char *from, const char *to, struct error *err)
{
    DIR *dir = opendir(from);
    struct dirent *entry;
    int rc = dir ? 0 : error_errno(err, errno, "cannot open folder %s", from);
    while (dir && rc == 0 && (entry = readdir(dir))) {
        if (!is_checkpoint(entry->d_name) && strcmp(entry->d_name, "log.txt") != 0 &&
            strcmp(entry->d_name, "progress.json") != 0)
            continue;
        char *old = format_string("%s/%s", from, entry->d_name);
        char *new = format_string("%s/%s", to, entry->d_name);
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
    char *name = file_random_name(""); /* "/RANDOM" */
    *folder = name ? format_string("%s/work/%s.%s", cache->folder, key, name + 1) : NULL;
    free(name);
    if (!*folder)
        return error_set(err, ENOMEM, "out of memory starting a stage");
    return mkdir(*folder, 0777) < 0 ? error_errno(err, errno, "cannot make folder %s", *folder) : 0;
}

int attempt_start(struct cache *cache, const char *key, bool resume, char **folder,
                  struct error *err)
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
        rc = move_checkpoint(last->folder, *folder, err);
    /* attempts_clean later removes what can't be removed now since a process still writes there. */
    for (size_t i = 0; rc == 0 && i < count; i++) {
        process_kill_leftovers(attempts[i].folder);
        file_remove_tree(attempts[i].folder, NULL);
    }
    attempts_free(attempts, count);
    if (rc < 0) {
        free(*folder);
        *folder = NULL;
    }
    return rc;
}

/* ---- cleaning ---- */

static bool is_abandoned(const struct attempt *a, time_t now)
{
    int days = a->checkpoint ? ATTEMPT_CHECKPOINT_DAYS : ATTEMPT_DAYS;
    return now - a->touched > (time_t)days * 24 * 3600;
}

/* A run that is killed between the commit of a result and the removal of its folder leaves that. */
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
    int lock = key_lock(cache, a->key, NULL);
    if (lock < 0)
        return; /* it is running */
    process_kill_leftovers(a->folder);
    if (is_abandoned(a, now) || is_finished(cache, a->key))
        file_remove_tree(a->folder, NULL);
    key_unlock(cache, a->key, lock);
}

/* Removes files of locks that are free, of keys without an attempt. */
static void clean_locks(struct cache *cache)
{
    char *path = format_string("%s/work", cache->folder), key[KEY_LENGTH + 1] = "";
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (strspn(entry->d_name, "0123456789abcdef") != KEY_LENGTH ||
            strcmp(entry->d_name + KEY_LENGTH, ".lock") != 0)
            continue;
        memcpy(key, entry->d_name, KEY_LENGTH);
        char *folder = attempt_last(cache, key);
        int lock = folder ? -1 : key_lock(cache, key, NULL);
        if (lock >= 0)
            key_unlock(cache, key, lock);
        free(folder);
    }
    if (dir)
        closedir(dir);
    free(path);
}

void attempts_clean(struct cache *cache)
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
