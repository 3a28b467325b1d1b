/* See fsck.h. */
#define _GNU_SOURCE
#include "cache/fsck.h"
#include "base/file.h"

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

static int look_at_blob(struct fsck *f, const char *path, const struct digest *digest,
                        struct error *err)
{
    struct error unread = {""};
    struct digest found;
    struct stat st;
    uint64_t size = 0;
    f->blobs++;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : add_damage(f, digest, strerror(errno), err);
    if (!S_ISREG(st.st_mode))
        return add_damage(f, digest, "it is no regular file", err);
    if (sha256_file(path, &found, &size, &unread) < 0)
        return add_damage(f, digest, unread.text, err);
    f->bytes += size;
    return strcmp(found.hex, digest->hex) == 0
               ? 0
               : add_damage(f, digest, "its bytes have another digest", err);
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
        rc = path ? look_at_blob(f, path, &digest, err) : out_of_memory(err);
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

/* Notes that the output is, or holds, that blob, if the blob is damaged. */
static int note_user(struct fsck *f, const struct known_output *output, const struct digest *digest,
                     struct error *err)
{
    struct damage key = {.digest = *digest};
    struct damage *d =
        f->damage_count ? bsearch(&key, f->damages, f->damage_count, sizeof *f->damages, by_digest)
                        : NULL;
    char *users;
    if (!d)
        return 0;
    if (asprintf(&users, "%s%s%s.%s", d->users, *d->users ? ", " : "", output->stage,
                 output->port) < 0)
        return out_of_memory(err);
    free(d->users);
    d->users = users;
    return 0;
}

static int add_lost(struct fsck *f, const struct known_output *output, struct error *err)
{
    char **larger = realloc(f->lost, (f->lost_count + 1) * sizeof *larger);
    if (!larger)
        return out_of_memory(err);
    f->lost = larger;
    if (asprintf(&larger[f->lost_count], "%s.%s", output->stage, output->port) < 0)
        return out_of_memory(err);
    f->lost_count++;
    return 0;
}

static int look_at_output(struct cache *cache, struct fsck *f, const struct known_output *output,
                          struct error *err)
{
    struct tree tree = {0};
    int rc = note_user(f, output, &output->blob.digest, err);
    if (rc == 0 && output->blob.tree && tree_read(cache->folder, &output->blob, &tree, NULL) == 0)
        for (size_t i = 0; rc == 0 && i < tree.count; i++)
            rc = note_user(f, output, &tree.entries[i].digest, err);
    tree_free(&tree);
    /* what a stage to come might have used may be missing */
    if (rc == 0 && output->port[0] != '.' && !blob_present(cache->folder, &output->blob))
        rc = add_lost(f, output, err);
    return rc;
}

int fsck_look(struct cache *cache, struct fsck *f, struct error *err)
{
    *f = (struct fsck){0};
    struct known_output *outputs = NULL;
    size_t count = 0;
    int rc = index_check(cache->index, err);
    if (rc == 0)
        rc = look_at_blobs(cache, f, err);
    if (rc == 0)
        rc = index_outputs(cache->index, &outputs, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = look_at_output(cache, f, &outputs[i], err);
    known_outputs_free(outputs, count);
    return rc;
}

int fsck_set_aside(struct cache *cache, const struct fsck *f, struct error *err)
{
    if (!f->damage_count)
        return 0;
    if (cache->read_only)
        return error_set(err, EROFS, "the cache %s can't be written, so its damage stays",
                         cache->folder);
    char *folder = file_path("%s/damaged", cache->folder);
    int rc = folder ? file_make_folders(folder, err) : out_of_memory(err);
    for (size_t i = 0; rc == 0 && i < f->damage_count; i++) {
        char *from = blob_path(cache->folder, &f->damages[i].digest);
        char *to = file_path("%s/%s", folder, f->damages[i].digest.hex);
        if (!from || !to)
            rc = out_of_memory(err);
        else if (rename(from, to) < 0 && errno != ENOENT)
            rc = error_errno(err, errno, "cannot move %s to %s", from, to);
        free(from);
        free(to);
    }
    free(folder);
    return rc;
}

void fsck_free(struct fsck *f)
{
    for (size_t i = 0; i < f->damage_count; i++) {
        free(f->damages[i].why);
        free(f->damages[i].users);
    }
    for (size_t i = 0; i < f->lost_count; i++)
        free(f->lost[i]);
    free(f->damages);
    free(f->lost);
    *f = (struct fsck){0};
}
