/* See cache.h. */
#define _GNU_SOURCE
#include "cache/cache.h"
#include "base/file.h"
#include "cache/record.h"
#include "cache/suspects.h"
#include "cache/tree.h"
#include "cache/work.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- opening ---- */

static int make_all(const char *folder, struct error *err)
{
    static const char *const parts[] = {"blobs", "results", "work", "tmp"};
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

/* To look into a folder that isn't a cache mustn't make it one. */
static bool holds_cache(const char *folder)
{
    static const char *const parts[] = {"index.sqlite", "results"};
    struct stat st;
    bool there = false;
    for (size_t i = 0; i < 2; i++) {
        char *path = file_path("%s/%s", folder, parts[i]);
        there |= path && stat(path, &st) == 0;
        free(path);
    }
    return there;
}

static bool may_write(const char *folder)
{
    struct stat st;
    char *path = file_path("%s/index.sqlite", folder);
    bool may =
        path && access(folder, W_OK) == 0 && (stat(path, &st) < 0 || access(path, W_OK) == 0);
    free(path);
    return may;
}

/* Records of all results of an older format, which had none. */
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

/* In one transaction: a kill leaves the old format, and the next run begins anew. */
static int upgrade(struct cache *cache, struct error *err)
{
    int rc = make_all(cache->folder, err);
    if (rc == 0)
        rc = index_begin(cache->index, err);
    if (rc < 0)
        return rc;
    rc = index_upgrade(cache->index, err);
    if (rc == 0)
        rc = write_records(cache, err);
    if (rc == 0)
        return index_end(cache->index, err);
    index_abandon(cache->index);
    return rc;
}

static int open_index(struct cache *cache, bool exists, struct error *err)
{
    char *path = exists ? file_path("%s/index.sqlite", cache->folder) : strdup(":memory:");
    if (!path)
        return error_set(err, ENOMEM, "out of memory opening %s", cache->folder);
    int rc = cache->read_only ? index_open_read_only(&cache->index, path, err)
                              : index_open(&cache->index, path, err);
    free(path);
    return rc == 0 && index_is_old(cache->index) ? upgrade(cache, err) : rc;
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
    cache->folder = create || there ? realpath(folder, NULL) : strdup(folder);
    if (!cache->folder)
        return error_errno(err, errno, "cannot open cache %s", folder);
    rc = open_index(cache, create || there, err);
    if (rc < 0)
        cache_close(cache);
    else if (create)
        work_clean(cache);
    return rc;
}

void cache_close(struct cache *cache)
{
    index_close(cache->index);
    free(cache->folder);
    free(cache->verified);
    *cache = (struct cache){0};
}

/* ---- blobs ---- */

double cache_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct digest *)a)->hex, ((const struct digest *)b)->hex);
}

/* What was verified in a cache that can't remember it. */
static bool was_verified(const struct cache *cache, const struct digest *digest)
{
    return cache->verified_count && bsearch(digest, cache->verified, cache->verified_count,
                                            sizeof *cache->verified, by_digest);
}

static int remember(struct cache *cache, const struct digest *digest, const struct stamp *stamp,
                    double when, struct error *err)
{
    if (!cache->read_only)
        return index_blob_set(cache->index, digest, stamp, when, err);
    struct digest *larger =
        realloc(cache->verified, (cache->verified_count + 1) * sizeof *cache->verified);
    if (!larger)
        return 0; /* it will be read again */
    cache->verified = larger;
    larger[cache->verified_count++] = *digest;
    qsort(larger, cache->verified_count, sizeof *larger, by_digest);
    return 0;
}

static void note(struct cache *cache, const char *text)
{
    if (cache->notice)
        cache->notice(cache->data, text);
}

static void note_suspects(struct cache *cache, const struct suspect *suspects, size_t count)
{
    char more[40] = "";
    if (count > 1)
        snprintf(more, sizeof more, " and %zu other result%s", count - 1, count > 2 ? "s" : "");
    char *text =
        count ? file_path("%s%s may have been computed from the damaged bytes%s", suspects[0].stage,
                          more, cache->read_only ? "" : ": forgotten, so that they run again")
              : NULL;
    if (text)
        note(cache, text);
    free(text);
}

/* Forgets results that may have been computed from the damaged blob. */
static int forget_suspects(struct cache *cache, const struct digest *digest, struct error *err)
{
    struct suspect *suspects;
    size_t count;
    int rc = suspects_find(cache, digest, &suspects, &count, err);
    if (rc == 0)
        note_suspects(cache, suspects, count);
    if (rc == 0 && !cache->read_only)
        rc = suspects_forget(cache, suspects, count, err);
    cache->forgotten += count;
    suspects_free(suspects, count);
    return rc;
}

static void note_damage(struct cache *cache, const char *why, const char *what)
{
    char *text = file_path("damaged: %s%s", why, what);
    if (text)
        note(cache, text);
    free(text);
}

int cache_set_aside(struct cache *cache, const struct digest *digest, struct error *err)
{
    char *folder = file_path("%s/damaged", cache->folder);
    char *from = blob_path(cache->folder, digest);
    char *to = folder ? file_path("%s/%s", folder, digest->hex) : NULL;
    int rc = from && to ? file_make_folders(folder, err) : error_set(err, ENOMEM, "out of memory");
    if (rc == 0 && rename(from, to) < 0 && errno != ENOENT) {
        rc = file_remove_tree(to, err); /* a folder in its place is not replaced by rename */
        if (rc == 0 && rename(from, to) < 0 && errno != ENOENT)
            rc = error_errno(err, errno, "cannot move %s to %s", from, to);
    }
    if (rc == 0)
        rc = index_blob_forget(cache->index, digest, err);
    free(to);
    free(from);
    free(folder);
    return rc;
}

int cache_damaged(struct cache *cache, const struct digest *digest, const char *why,
                  struct error *err)
{
    note_damage(cache, why, cache->read_only ? "" : "; it is moved to damaged/ and made again");
    int rc = forget_suspects(cache, digest, err);
    return rc < 0 || cache->read_only ? rc : cache_set_aside(cache, digest, err);
}

static int found_damage(struct cache *cache, const struct digest *digest, const char *why,
                        struct error *err)
{
    int rc = cache_damaged(cache, digest, why, err);
    return rc < 0 ? rc : -ENOENT;
}

static int verify(struct cache *cache, const struct digest *digest, uint64_t size,
                  struct error *err)
{
    struct stamp stamp;
    struct error why = {""};
    uint64_t all = 0;
    if (was_verified(cache, digest))
        return 0;
    double began = cache_now();
    int rc = blob_verify(cache->folder, digest, &stamp, &why);
    cache->verified_bytes += size;
    if (cache->verifying && index_blob_bytes(cache->index, &all, NULL) == 0)
        cache->verifying(cache->data, cache->verified_bytes, all);
    if (rc == 0)
        return remember(cache, digest, &stamp, began, err);
    if (rc == -EILSEQ || rc == -EIO)
        return found_damage(cache, digest, why.text, err);
    if (rc == -ENOENT)
        return rc;
    if (err)
        *err = why;
    return rc;
}

/* 0, -ENOENT or an error. known: its stamp in the index, or NULL to look there. */
static int check_file(struct cache *cache, const struct digest *digest, uint64_t size,
                      const struct stamp *known, struct error *err)
{
    struct stamp stamp, there;
    double when;
    char *path = NULL;
    if (blob_stamp(cache->folder, digest, size, &stamp) < 0) {
        path = blob_path(cache->folder, digest);
        struct stat st;
        bool other = path && lstat(path, &st) == 0;
        free(path);
        return other ? found_damage(cache, digest, "a blob has another size than what was stored",
                                    err)
                     : -ENOENT;
    }
    if (known && stamp_equal(known, &stamp))
        return 0;
    if (cache->read_only && cache->by_size)
        return 0;
    if (!known && index_blob_find(cache->index, digest, &there, &when, err) == 0 &&
        stamp_equal(&there, &stamp))
        return 0;
    return verify(cache, digest, size, err);
}

static int check_blob(struct cache *cache, const struct blob *blob, const struct stamp *known,
                      struct error *err)
{
    int rc = check_file(cache, &blob->digest, blob->size, known, err);
    if (rc < 0 || !blob->tree)
        return rc;
    struct tree tree;
    struct error why;
    rc = tree_read(cache->folder, blob, &tree, &why);
    if (rc == -EINVAL) /* whoever stored it wasn't this program */
        return found_damage(cache, &blob->digest, why.text, err);
    if (rc < 0) {
        if (err)
            *err = why;
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < tree.count; i++)
        if (tree_is_file(&tree.entries[i]))
            rc = check_file(cache, &tree.entries[i].digest, tree.entries[i].size, NULL, err);
    tree_free(&tree);
    return rc;
}

int cache_check(struct cache *cache, const struct blob *blob, struct error *err)
{
    return check_blob(cache, blob, NULL, err);
}

/* ---- results ---- */

static void drop_output(struct result *result, size_t i)
{
    free(result->outputs[i].port);
    result->output_count--;
    memmove(&result->outputs[i], &result->outputs[i + 1],
            (result->output_count - i) * sizeof *result->outputs);
}

/* 0 if all outputs are there, -ENOENT if not, or an error. */
static int check_outputs(struct cache *cache, struct result *result, struct error *err)
{
    int rc = result->incomplete ? -ENOENT : 0;
    for (size_t i = 0; rc == 0 && i < result->output_count;) {
        const struct result_output *output = &result->outputs[i];
        int there = check_blob(cache, &output->blob, output->stamped ? &output->stamp : NULL, err);
        if (there == 0)
            i++;
        else if (there == -ENOENT && output->port[0] == '.')
            drop_output(result, i);
        else
            rc = there;
    }
    return rc;
}

static bool same_outputs(const struct result *a, const struct result *b)
{
    bool same = a->output_count == b->output_count;
    for (size_t i = 0; same && i < a->output_count; i++)
        same = strcmp(a->outputs[i].port, b->outputs[i].port) == 0 &&
               strcmp(a->outputs[i].blob.digest.hex, b->outputs[i].blob.digest.hex) == 0;
    return same;
}

/* The result by its record, which the index then knows again. `lost` is what the index has for the
 * key, without which nothing needs to be looked at twice; or NULL. */
static int find_record(struct cache *cache, const char *key, const struct result *lost,
                       struct result *result, struct error *err)
{
    int rc = record_read(cache->folder, key, result, NULL);
    if (rc == -EINVAL || rc == -ENOENT)
        return -ENOENT; /* fsck reports a damaged record */
    if (rc < 0)
        return error_set(err, -rc, "cannot read the record of result %s", key);
    rc = lost && !lost->incomplete && same_outputs(lost, result)
             ? -ENOENT
             : check_outputs(cache, result, err);
    if (rc == 0 && !cache->read_only)
        rc = index_commit(cache->index, result, err);
    if (rc < 0)
        result_free(result);
    return rc;
}

int cache_find(struct cache *cache, const char *key, struct result *result, struct error *err)
{
    struct result found;
    int rc = index_find(cache->index, key, &found, err);
    if (rc == -ENOENT)
        return find_record(cache, key, NULL, result, err);
    if (rc < 0)
        return rc;
    rc = check_outputs(cache, &found, err);
    if (rc == 0) {
        *result = found;
        return 0;
    }
    if (rc == -ENOENT)
        rc = find_record(cache, key, &found, result, err);
    result_free(&found);
    return rc;
}

int cache_commit(struct cache *cache, const struct result *result, const struct blob_writer *writer,
                 struct error *err)
{
    double now = cache_now();
    int rc = index_begin(cache->index, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < writer->stored_count; i++)
        if (writer->stored[i].replaced) {
            note_damage(cache, "a blob had other bytes than what was stored",
                        "; it was made again");
            rc = forget_suspects(cache, &writer->stored[i].digest, err);
        }
    for (size_t i = 0; rc == 0 && i < writer->stored_count; i++)
        rc = index_blob_set(cache->index, &writer->stored[i].digest, &writer->stored[i].stamp, now,
                            err);
    if (rc == 0)
        rc = index_commit(cache->index, result, err);
    if (rc == 0)
        rc = index_end(cache->index, err);
    else
        index_abandon(cache->index);
    return rc;
}

/* ---- files outside ---- */

static bool settled(const struct timespec *t, const struct timespec *now)
{
    return now->tv_sec - t->tv_sec > 2;
}

/* A store through a mapping (mmap) to a page that waits to be written out changes neither mtime nor
 * ctime; the first one after it was written out does. */
static void write_out(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        sync_file_range(fd, 0, 0,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER);
        close(fd);
    }
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
    write_out(path);
    if (stat(path, st) < 0)
        return error_errno(err, errno, "cannot open %s", path);
    clock_gettime(CLOCK_REALTIME, &now);
    rc = sha256_file(path, digest, NULL, err);
    if (rc < 0)
        return rc;
    if (settled(&st->st_mtim, &now) && settled(&st->st_ctim, &now))
        index_stat_set(cache->index, path, st, digest, NULL); /* else it is hashed again some day */
    return 0;
}
