/* See blob_writer.h. blob_writer_add walks and hashes; the files to move wait in `pending` until
 * blob_writer_finish, so that a link finds its target whatever the order of the outputs. */
#define _GNU_SOURCE
#include "cache/blob_writer.h"
#include "base/clock.h"
#include "base/file.h"
#include "cache/cache.h"
#include "cache/store_local.h"
#include "cache/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TREE_DEPTH = 64 };

/* A file that blob_writer_finish moves into the store. */
struct pending {
    char *file;
    struct digest digest;
    uint64_t size;
    int64_t mtime_ns; /* when it was hashed */
    bool temporary;   /* made by the writer: removed if it is not stored */
};

void blob_writer_start(struct blob_writer *w, const struct cache *cache)
{
    *w = (struct blob_writer){.cache = cache};
}

void blob_writer_free(struct blob_writer *w)
{
    for (size_t i = 0; i < w->pending_count; i++) {
        if (w->pending[i].temporary)
            unlink(w->pending[i].file);
        free(w->pending[i].file);
    }
    free(w->pending);
    free(w->stored);
    *w = (struct blob_writer){0};
}

/* Takes ownership of file. */
static int add_pending(struct blob_writer *w, struct pending pending, struct error *err)
{
    struct pending *larger = realloc(w->pending, (w->pending_count + 1) * sizeof *larger);
    if (larger) {
        w->pending = larger;
        larger[w->pending_count++] = pending;
        return 0;
    }
    if (pending.temporary)
        unlink(pending.file);
    free(pending.file);
    return error_set(err, ENOMEM, "out of memory storing files");
}

/* ---- hashing ---- */

static int store_file(struct blob_writer *w, const char *path, bool copy, struct blob *blob,
                      struct error *err)
{
    struct stat link, st;
    if (lstat(path, &link) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (stat(path, &st) < 0)
        return error_errno(
            err, errno,
            S_ISLNK(link.st_mode) ? "%s is a symbolic link to nothing" : "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "%s is not a regular file", path);
    /* Other processes may write to a link's target or to a file with a second name: copy those. */
    copy |= S_ISLNK(link.st_mode) || st.st_nlink > 1;
    *blob = (struct blob){.executable = st.st_mode & S_IXUSR};
    char *file = copy ? store_local_temporary(w->cache->blobs) : strdup(path);
    if (!file)
        return error_set(err, ENOMEM, "out of memory storing %s", path);
    int rc = copy ? file_copy_unsynced(path, file, 0600, err) : 0;
    if (rc == 0 && stat(file, &st) < 0)
        rc = error_errno(err, errno, "cannot look at %s", file);
    if (rc == 0)
        rc = sha256_file(file, &blob->digest, &blob->size, err);
    if (rc < 0 && copy)
        unlink(file);
    if (rc < 0) {
        free(file);
        return rc;
    }
    return add_pending(w,
                       (struct pending){.file = file,
                                        .digest = blob->digest,
                                        .size = blob->size,
                                        .mtime_ns = clock_ns(&st.st_mtim),
                                        .temporary = copy},
                       err);
}

int blob_writer_add_memory(struct blob_writer *w, const void *data, size_t size, struct blob *blob,
                           struct error *err)
{
    *blob = (struct blob){.size = size};
    int rc = sha256_memory(data, size, &blob->digest, err);
    if (rc < 0)
        return rc;
    char *file = store_local_temporary(w->cache->blobs);
    struct stat st;
    if (!file)
        return error_set(err, ENOMEM, "out of memory storing a blob");
    rc = file_write_unsynced(file, data, size, err);
    if (rc == 0 && stat(file, &st) < 0) {
        rc = error_errno(err, errno, "cannot look at %s", file);
        unlink(file);
    }
    if (rc != 0) {
        free(file);
        return rc;
    }
    return add_pending(w,
                       (struct pending){.file = file,
                                        .digest = blob->digest,
                                        .size = size,
                                        .mtime_ns = clock_ns(&st.st_mtim),
                                        .temporary = true},
                       err);
}

/* ---- folders ---- */

/* A walk through one folder. */
struct walk {
    struct blob_writer *w;
    const char *root;
    char *real_root; /* with links resolved */
    bool copy;
    struct tree *tree;
    struct error *err;
};

static int no_memory(const struct walk *walk)
{
    return error_set(walk->err, ENOMEM, "out of memory storing %s", walk->root);
}

/* "../" for each folder above `path`, then `to`; malloc'd. */
static char *relative_target(const char *path, const char *to)
{
    size_t depth = 0, size = 0;
    char *text = NULL;
    for (const char *p = path; *p; p++)
        depth += *p == '/';
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    for (size_t i = 0; i < depth; i++)
        fputs(*to || i + 1 < depth ? "../" : "..", out);
    fputs(to, out);
    bool bad = ferror(out);
    bad |= fclose(out) != 0;
    if (!bad)
        return text;
    free(text);
    return NULL;
}

/* The target of a link at root/path as the manifest has it, malloc'd; NULL with *rc 0 if the link
 * leads out of the folder. */
static char *inner_target(const struct walk *walk, const char *path, const char *full, int *rc)
{
    char given[4096], *real = realpath(full, NULL), *target = NULL;
    size_t n = strlen(walk->real_root);
    *rc = 0;
    if (!real || strncmp(real, walk->real_root, n) != 0 || (real[n] && real[n] != '/')) {
        free(real);
        return NULL;
    }
    ssize_t length = readlink(full, given, sizeof given - 1);
    given[length > 0 ? length : 0] = 0;
    target = tree_target_sound(path, given) ? strdup(given)
                                            : relative_target(path, real + n + (real[n] == '/'));
    if (!target)
        *rc = no_memory(walk);
    else if (!*target)
        *rc = error_set(walk->err, EINVAL, "%s is a link to the folder that it is in", full);
    free(real);
    return target;
}

static int walk_folder(const struct walk *walk, const char *below, int depth);

/* Takes ownership of path. */
static int walk_link(const struct walk *walk, char *path, const char *full)
{
    int rc;
    char *target = inner_target(walk, path, full, &rc);
    if (rc < 0)
        free(target);
    if (rc == 0 && target)
        return tree_add(walk->tree,
                        (struct tree_entry){.form = TREE_LINK, .path = path, .target = target}) < 0
                   ? no_memory(walk)
                   : 0;
    struct blob blob = {0};
    if (rc == 0)
        rc = store_file(walk->w, full, true, &blob, walk->err);
    if (rc < 0) {
        free(path);
        return rc;
    }
    enum tree_form form = blob.executable ? TREE_EXECUTABLE : TREE_FILE;
    return tree_add(walk->tree, (struct tree_entry){form, blob.digest, blob.size, path, NULL}) < 0
               ? no_memory(walk)
               : 0;
}

/* Takes ownership of path. */
static int walk_entry(const struct walk *walk, char *path, int depth)
{
    char *full = format_string("%s/%s", walk->root, path);
    struct stat st;
    struct blob blob;
    int rc = 0;
    if (!full || lstat(full, &st) < 0) {
        rc = full ? error_errno(walk->err, errno, "cannot look at %s", full) : no_memory(walk);
    } else if (S_ISLNK(st.st_mode)) {
        rc = walk_link(walk, path, full);
        path = NULL;
    } else if (S_ISDIR(st.st_mode)) {
        rc = walk_folder(walk, path, depth + 1);
    } else if ((rc = store_file(walk->w, full, walk->copy, &blob, walk->err)) == 0) {
        enum tree_form form = blob.executable ? TREE_EXECUTABLE : TREE_FILE;
        if (tree_add(walk->tree, (struct tree_entry){form, blob.digest, blob.size, path, NULL}) < 0)
            rc = no_memory(walk);
        path = NULL;
    }
    free(path);
    free(full);
    return rc;
}

/* Opens a folder. A read-only one that the stage made becomes writable, since files move out. */
static DIR *open_folder(const struct walk *walk, const char *folder)
{
    struct stat st;
    if (!walk->copy && lstat(folder, &st) == 0 && (st.st_mode & S_IRWXU) != S_IRWXU)
        chmod(folder, (st.st_mode & 07777) | S_IRWXU);
    return opendir(folder);
}

static int walk_folder(const struct walk *walk, const char *below, int depth)
{
    char *folder = format_string("%s%s%s", walk->root, *below ? "/" : "", below);
    DIR *dir = folder ? open_folder(walk, folder) : NULL;
    if (!dir) {
        int code = folder ? errno : ENOMEM;
        free(folder);
        return error_errno(walk->err, code, "cannot open folder %s/%s", walk->root, below);
    }
    int rc =
        depth > TREE_DEPTH ? error_set(walk->err, EINVAL, "%s is nested too deeply", folder) : 0;
    struct dirent *entry;
    bool empty = true;
    while (rc == 0 && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        empty = false;
        char *path = format_string("%s%s%s", below, *below ? "/" : "", name);
        rc = strchr(name, '\n') ? error_set(walk->err, EINVAL,
                                            "%s holds a file with a newline in its name", folder)
             : path             ? walk_entry(walk, path, depth)
                                : no_memory(walk);
    }
    if (rc == 0 && empty && *below &&
        tree_add(walk->tree, (struct tree_entry){.form = TREE_FOLDER, .path = strdup(below)}) < 0)
        rc = no_memory(walk);
    closedir(dir);
    free(folder);
    return rc;
}

static int store_tree(struct blob_writer *w, const char *path, bool copy, struct blob *blob,
                      struct error *err)
{
    struct tree tree = {0};
    struct walk walk = {.w = w,
                        .root = path,
                        .real_root = realpath(path, NULL),
                        .copy = copy,
                        .tree = &tree,
                        .err = err};
    char *text = NULL;
    size_t size = 0;
    int rc = walk.real_root ? walk_folder(&walk, "", 0)
                            : error_errno(err, errno, "cannot open folder %s", path);
    if (rc == 0)
        rc = tree_print(&tree, &text, &size, err);
    if (rc == 0)
        rc = blob_writer_add_memory(w, text, size, blob, err);
    blob->tree = true;
    free(text);
    free(walk.real_root);
    tree_free(&tree);
    return rc;
}

/* Whether a part of the path is a link: the files there aren't the stage's own, so they are copied.
 */
static bool leads_away(const char *path)
{
    char *part = strdup(path);
    bool away = !part;
    for (char *end = part; !away && end; end = *end ? end : NULL) {
        struct stat st;
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char kept = *end;
        *end = 0;
        away = lstat(part, &st) < 0 || S_ISLNK(st.st_mode);
        *end = kept;
    }
    free(part);
    return away;
}

int blob_writer_add(struct blob_writer *w, const char *path, bool tree, struct blob *blob,
                    struct error *err)
{
    *blob = (struct blob){0};
    bool copy = leads_away(path);
    return tree ? store_tree(w, path, copy, blob, err) : store_file(w, path, copy, blob, err);
}

/* ---- moving into the store ---- */

int blob_writer_finish(struct blob_writer *w, struct error *err)
{
    w->stored = calloc(w->pending_count + 1, sizeof *w->stored);
    int rc = w->stored ? 0 : error_set(err, ENOMEM, "out of memory storing files");
    for (size_t i = 0; rc == 0 && i < w->pending_count; i++) {
        struct pending *p = &w->pending[i];
        const struct hashed_file file = {p->file, p->digest, p->size, p->mtime_ns};
        rc = store_local_adopt(w->cache->blobs, &file, &w->stored[i], err);
        if (rc == 0) {
            p->temporary = false;
            w->stored_count++;
        }
    }
    return rc < 0 ? rc : store_local_sync(w->cache->blobs, w->stored, w->stored_count, err);
}
