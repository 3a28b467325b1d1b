/* See fsck.h: the blobs, and which results they belong to. */
#define _GNU_SOURCE
#include "cache/fsck.h"
#include "base/file.h"
#include "cache/tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int out_of_memory(struct error *err)
{
    return error_set(err, ENOMEM, "out of memory looking at the cache");
}

/* ---- blobs ---- */

static int add_damage(struct fsck *f, const struct digest *digest, const char *why,
                      struct error *err)
{
    struct damage *larger = realloc(f->damages, (f->damage_count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(err);
    f->damages = larger;
    struct damage *d = &larger[f->damage_count++];
    *d = (struct damage){.digest = *digest, .why = strdup(why), .users = strdup("")};
    return d->why && d->users ? 0 : out_of_memory(err);
}

static int look_at_blob(struct cache *cache, struct fsck *f, const char *path,
                        const struct digest *digest, struct error *err)
{
    struct error why = {""};
    struct stat st;
    struct stamp stamp;
    if (lstat(path, &st) < 0 && errno == ENOENT)
        return 0; /* another run set it aside */
    double began = cache_now();
    f->blobs++;
    if (!S_ISREG(st.st_mode))
        return add_damage(f, digest, "it is no regular file", err);
    int rc = blob_verify(cache->folder, digest, &stamp, &why);
    if (rc == -EILSEQ)
        return add_damage(f, digest, "its bytes have another digest", err);
    if (rc < 0)
        return add_damage(f, digest, why.text, err);
    f->bytes += stamp.size;
    return index_blob_set(cache->index, digest, &stamp, began, err);
}

/* The blobs of one folder, "ab": files whose names are the rest of a digest. */
static int look_at_folder(struct cache *cache, struct fsck *f, const char *start, struct error *err)
{
    char *folder = file_path("%s/blobs/%s", cache->folder, start);
    DIR *dir = folder ? opendir(folder) : NULL;
    struct dirent *entry;
    int rc = folder ? 0 : out_of_memory(err);
    if (folder && !dir && errno != ENOTDIR)
        rc = error_errno(err, errno, "cannot open folder %s", folder);
    while (dir && rc == 0 && (entry = readdir(dir))) {
        if (strlen(entry->d_name) != 62 || strspn(entry->d_name, "0123456789abcdef") != 62)
            continue;
        struct digest digest;
        snprintf(digest.hex, sizeof digest.hex, "%.2s%.62s", start, entry->d_name);
        char *path = blob_path(cache->folder, &digest);
        rc = path ? look_at_blob(cache, f, path, &digest, err) : out_of_memory(err);
        free(path);
    }
    if (dir)
        closedir(dir);
    free(folder);
    return rc;
}

static int by_digest(const void *a, const void *b)
{
    return strcmp(((const struct damage *)a)->digest.hex, ((const struct damage *)b)->digest.hex);
}

static int look_at_blobs(struct cache *cache, struct fsck *f, struct error *err)
{
    char *folder = file_path("%s/blobs", cache->folder);
    DIR *dir = folder ? opendir(folder) : NULL;
    struct dirent *entry;
    int rc = folder ? 0 : out_of_memory(err);
    if (folder && !dir)
        rc = error_errno(err, errno, "cannot open folder %s", folder);
    while (dir && rc == 0 && (entry = readdir(dir)))
        if (strlen(entry->d_name) == 2 && strspn(entry->d_name, "0123456789abcdef") == 2)
            rc = look_at_folder(cache, f, entry->d_name, err);
    if (dir)
        closedir(dir);
    free(folder);
    if (f->damage_count)
        qsort(f->damages, f->damage_count, sizeof *f->damages, by_digest);
    return rc;
}

/* ---- results ---- */

/* One output of a known result. */
struct place {
    const char *stage, *port;
    const struct blob *blob;
};

/* Notes that the output is, or holds, that blob, if the blob is damaged. */
static int note_user(struct fsck *f, const struct place *place, const struct digest *digest,
                     struct error *err)
{
    struct damage key = {.digest = *digest};
    struct damage *d =
        f->damage_count ? bsearch(&key, f->damages, f->damage_count, sizeof *f->damages, by_digest)
                        : NULL;
    char *users;
    if (!d)
        return 0;
    if (asprintf(&users, "%s%s%s.%s", d->users, *d->users ? ", " : "", place->stage, place->port) <
        0)
        return out_of_memory(err);
    free(d->users);
    d->users = users;
    return 0;
}

static int add_lost(struct fsck *f, const struct place *place, struct error *err)
{
    char **larger = realloc(f->lost, (f->lost_count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(err);
    f->lost = larger;
    if (asprintf(&larger[f->lost_count], "%s.%s", place->stage, place->port) < 0)
        return out_of_memory(err);
    f->lost_count++;
    return 0;
}

static int look_at_output(struct cache *cache, struct fsck *f, const struct place *place,
                          struct error *err)
{
    const struct blob *blob = place->blob;
    struct tree tree = {0};
    struct stamp stamp;
    bool there = blob_stamp(cache->folder, &blob->digest, blob->size, &stamp) == 0;
    int rc = note_user(f, place, &blob->digest, err);
    if (rc == 0 && there && blob->tree && tree_read(cache->folder, blob, &tree, NULL) < 0)
        there = false;
    for (size_t i = 0; rc == 0 && i < tree.count; i++) {
        const struct tree_entry *e = &tree.entries[i];
        if (!tree_is_file(e))
            continue;
        there &= blob_stamp(cache->folder, &e->digest, e->size, &stamp) == 0;
        rc = note_user(f, place, &e->digest, err);
    }
    tree_free(&tree);
    /* what a stage to come might have used may be missing */
    return rc == 0 && place->port[0] != '.' && !there ? add_lost(f, place, err) : rc;
}

static int look_at_results(struct cache *cache, struct fsck *f, struct error *err)
{
    struct digest *keys;
    size_t count;
    int rc = index_keys(cache->index, &keys, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct result result;
        rc = index_find(cache->index, keys[i].hex, &result, err);
        for (size_t k = 0; rc == 0 && k < result.output_count; k++)
            rc = look_at_output(
                cache, f,
                &(struct place){result.stage, result.outputs[k].port, &result.outputs[k].blob},
                err);
        result_free(&result);
        rc = rc == -ENOENT ? 0 : rc;
    }
    free(keys);
    return rc;
}

/* Adds to the suspects those of one more blob. */
static int add_suspects(struct cache *cache, struct fsck *f, const struct digest *digest,
                        struct error *err)
{
    struct suspect *more;
    size_t count;
    int rc = suspects_find(cache, digest, &more, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < f->suspect_count; k++)
            known |= strcmp(f->suspects[k].key.hex, more[i].key.hex) == 0;
        struct suspect *larger = realloc(f->suspects, (f->suspect_count + 1) * sizeof *f->suspects);
        if (!larger) {
            rc = out_of_memory(err);
            break;
        }
        f->suspects = larger;
        if (known)
            continue;
        larger[f->suspect_count++] = more[i];
        more[i].stage = NULL;
    }
    suspects_free(more, count);
    return rc;
}

int fsck_look(struct cache *cache, struct fsck *f, struct error *err)
{
    int rc = look_at_blobs(cache, f, err);
    if (rc == 0)
        rc = look_at_results(cache, f, err);
    for (size_t i = 0; rc == 0 && i < f->damage_count; i++)
        rc = add_suspects(cache, f, &f->damages[i].digest, err);
    if (rc == 0)
        rc = fsck_look_at_records(cache, f, err);
    if (rc == 0)
        rc = work_list(cache, &f->attempts, &f->attempt_count, err);
    return rc;
}

int fsck_repair(struct cache *cache, const struct fsck *f, struct error *err)
{
    if (!f->damage_count && !f->fault_count)
        return 0;
    if (cache->read_only)
        return error_set(err, EROFS, "the cache %s can't be written, so its damage stays",
                         cache->folder);
    int rc = suspects_forget(cache, f->suspects, f->suspect_count, err);
    for (size_t i = 0; rc == 0 && i < f->damage_count; i++)
        rc = cache_set_aside(cache, &f->damages[i].digest, err);
    return rc < 0 ? rc : fsck_repair_records(cache, f, err);
}

void fsck_free(struct fsck *f)
{
    for (size_t i = 0; i < f->damage_count; i++) {
        free(f->damages[i].why);
        free(f->damages[i].users);
    }
    for (size_t i = 0; i < f->fault_count; i++)
        free(f->faults[i].text);
    for (size_t i = 0; i < f->lost_count; i++)
        free(f->lost[i]);
    free(f->damages);
    free(f->faults);
    free(f->lost);
    suspects_free(f->suspects, f->suspect_count);
    attempts_free(f->attempts, f->attempt_count);
    *f = (struct fsck){0};
}
