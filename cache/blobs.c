/* See blobs.h. */
#define _GNU_SOURCE
#include "cache/blobs.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MANIFEST_LIMIT = 1 << 28,
    TREE_DEPTH = 64,
};

char *blob_path(const char *cache, const struct digest *digest)
{
    return file_path("%s/blobs/%.2s/%s", cache, digest->hex, digest->hex + 2);
}

static bool file_present(const char *cache, const struct digest *digest, uint64_t size)
{
    struct stat st;
    char *path = blob_path(cache, digest);
    bool there =
        path && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
    free(path);
    return there;
}

bool blob_present(const char *cache, const struct blob *blob)
{
    if (!file_present(cache, &blob->digest, blob->size))
        return false;
    if (!blob->tree)
        return true;
    struct tree tree;
    if (tree_read(cache, blob, &tree, NULL) < 0)
        return false;
    bool there = true;
    for (size_t i = 0; there && i < tree.count; i++)
        there = file_present(cache, &tree.entries[i].digest, tree.entries[i].size);
    tree_free(&tree);
    return there;
}

static int sync_path(const char *path, int flags)
{
    int fd = open(path, flags | O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/* Makes the folder of a blob, durably. */
static int make_folder(const char *cache, const struct digest *digest, char **folder)
{
    *folder = file_path("%s/blobs/%.2s", cache, digest->hex);
    if (!*folder)
        return -ENOMEM;
    if (mkdir(*folder, 0777) < 0)
        return errno == EEXIST ? 0 : -errno;
    char *above = file_path("%s/blobs", cache);
    int rc = above ? sync_path(above, O_DIRECTORY) : -ENOMEM;
    free(above);
    return rc;
}

/* Renames, but leaves a sound blob that has come meanwhile as it is: its users watch its times. */
static int name_blob(const char *cache, const char *file, const char *path,
                     const struct digest *digest, uint64_t size)
{
    if (renameat2(AT_FDCWD, file, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    int code = errno;
    if (code == EEXIST && file_present(cache, digest, size))
        return unlink(file) < 0 ? -errno : 0;
    /* A damaged one is replaced; and some file systems know plain rename alone. */
    if (code != EEXIST && code != EINVAL && code != ENOSYS)
        return -code;
    return rename(file, path) < 0 ? -errno : 0;
}

/* Gives a file that is whole, and that nobody else writes to, its name in the store. */
static int adopt(const char *cache, const char *file, const struct digest *digest, uint64_t size,
                 struct error *err)
{
    if (file_present(cache, digest, size)) {
        unlink(file);
        return 0;
    }
    char *folder = NULL, *path = blob_path(cache, digest);
    int rc = path ? make_folder(cache, digest, &folder) : -ENOMEM;
    if (rc == 0 && chmod(file, 0444) < 0)
        rc = -errno;
    if (rc == 0)
        rc = sync_path(file, 0);
    if (rc == 0)
        rc = name_blob(cache, file, path, digest, size);
    if (rc == 0)
        rc = sync_path(folder, O_DIRECTORY);
    free(folder);
    free(path);
    return rc < 0 ? error_errno(err, -rc, "cannot store %s", file) : 0;
}

/* By chance, not by process: those of two containers that share the cache may have one number. */
static char *temporary_name(const char *cache)
{
    uint64_t chance;
    if (getentropy(&chance, sizeof chance) < 0)
        return NULL;
    return file_path("%s/tmp/%016" PRIx64, cache, chance);
}

static int store_file(const char *cache, const char *path, bool copy, struct digest *digest,
                      uint64_t *size, struct error *err)
{
    struct stat link, st;
    if (lstat(path, &link) < 0 || stat(path, &st) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, EINVAL, "%s is not a regular file", path);
    /* A link's target or a file with a second name may be written to by others: copy those. */
    copy |= S_ISLNK(link.st_mode) || st.st_nlink > 1;
    char *file = copy ? temporary_name(cache) : strdup(path);
    if (!file)
        return error_set(err, ENOMEM, "out of memory storing %s", path);
    int rc = copy ? file_copy(path, file, err) : 0;
    if (rc == 0)
        rc = sha256_file(file, digest, size, err);
    if (rc == 0)
        rc = adopt(cache, file, digest, *size, err);
    free(file);
    return rc;
}

int blob_store_memory(const char *cache, const void *data, size_t size, struct blob *blob,
                      struct error *err)
{
    *blob = (struct blob){.size = size};
    int rc = sha256_memory(data, size, &blob->digest, err);
    if (rc < 0 || file_present(cache, &blob->digest, size))
        return rc;
    char *file = temporary_name(cache);
    if (!file)
        return error_set(err, ENOMEM, "out of memory storing a blob");
    rc = file_write(file, data, size, err);
    if (rc == 0)
        rc = adopt(cache, file, &blob->digest, size, err);
    free(file);
    return rc;
}

void tree_free(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->entries[i].path);
    free(tree->entries);
    *tree = (struct tree){0};
}

/* Takes over path. */
static int tree_add(struct tree *tree, const struct digest *digest, uint64_t size, char *path)
{
    if ((tree->count & (tree->count - 1)) == 0) {
        size_t room = tree->count ? tree->count * 2 : 1;
        struct tree_entry *larger = realloc(tree->entries, room * sizeof *larger);
        if (!larger) {
            free(path);
            return -ENOMEM;
        }
        tree->entries = larger;
    }
    tree->entries[tree->count++] = (struct tree_entry){*digest, size, path};
    return 0;
}

static int store_folder(const char *cache, const char *root, const char *below, bool copy,
                        int depth, struct tree *tree, struct error *err)
{
    char *folder = file_path("%s%s%s", root, *below ? "/" : "", below);
    DIR *dir = folder ? opendir(folder) : NULL;
    if (!dir) {
        int code = folder ? errno : ENOMEM;
        free(folder);
        return error_errno(err, code, "cannot open folder %s/%s", root, below);
    }
    int rc = depth > TREE_DEPTH ? error_set(err, EINVAL, "%s is nested too deeply", folder) : 0;
    struct dirent *entry;
    while (rc == 0 && (entry = readdir(dir))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (strchr(name, '\n')) {
            rc = error_set(err, EINVAL, "%s holds a file with a newline in its name", folder);
            break;
        }
        char *path = file_path("%s%s%s", below, *below ? "/" : "", name);
        char *full = path ? file_path("%s/%s", root, path) : NULL;
        struct stat st;
        struct digest digest;
        uint64_t size = 0;
        if (!full) {
            rc = error_set(err, ENOMEM, "out of memory storing %s", root);
        } else if (lstat(full, &st) == 0 && S_ISDIR(st.st_mode)) {
            rc = store_folder(cache, root, path, copy, depth + 1, tree, err);
        } else if ((rc = store_file(cache, full, copy, &digest, &size, err)) == 0) {
            if ((rc = tree_add(tree, &digest, size, path)) < 0)
                error_set(err, ENOMEM, "out of memory storing %s", root);
            path = NULL;
        }
        free(path);
        free(full);
    }
    closedir(dir);
    free(folder);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct tree_entry *)a)->path, ((const struct tree_entry *)b)->path);
}

static int store_manifest(const char *cache, struct tree *tree, struct blob *blob,
                          struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (!stream)
        return error_set(err, ENOMEM, "out of memory storing a folder");
    if (tree->count)
        qsort(tree->entries, tree->count, sizeof *tree->entries, by_path);
    for (size_t i = 0; i < tree->count; i++)
        fprintf(stream, "%s %" PRIu64 " %s\n", tree->entries[i].digest.hex, tree->entries[i].size,
                tree->entries[i].path);
    bool bad = ferror(stream);
    bad |= fclose(stream) != 0;
    int rc = bad ? error_set(err, ENOMEM, "out of memory storing a folder")
                 : blob_store_memory(cache, text, size, blob, err);
    free(text);
    return rc;
}

/* Whether a link on the way leads elsewhere: what lies there is somebody's, and stays. */
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

int blob_store(const char *cache, const char *path, bool tree, struct blob *blob, struct error *err)
{
    *blob = (struct blob){0};
    bool copy = leads_away(path);
    if (!tree)
        return store_file(cache, path, copy, &blob->digest, &blob->size, err);
    struct tree files = {0};
    int rc = store_folder(cache, path, "", copy, 0, &files, err);
    if (rc == 0)
        rc = store_manifest(cache, &files, blob, err);
    blob->tree = true;
    tree_free(&files);
    return rc;
}

/* A manifest may be damaged or hostile: no path may lead out of its tree. */
static bool path_sound(const char *path)
{
    if (!*path || *path == '/')
        return false;
    for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (*p == '/' || !*p || (p[0] == '.' && (p[1] == '/' || !p[1])) ||
            (p[0] == '.' && p[1] == '.' && (p[2] == '/' || !p[2])))
            return false;
    return true;
}

static int parse_line(char *line, struct tree *tree)
{
    if (strspn(line, "0123456789abcdef") != 64 || line[64] != ' ')
        return -EINVAL;
    char *end;
    errno = 0;
    uint64_t size = strtoull(line + 65, &end, 10);
    if (errno || end == line + 65 || *end != ' ' || !path_sound(end + 1))
        return -EINVAL;
    struct digest digest = {{0}};
    memcpy(digest.hex, line, 64);
    char *path = strdup(end + 1);
    return path ? tree_add(tree, &digest, size, path) : -ENOMEM;
}

int tree_read(const char *cache, const struct blob *blob, struct tree *tree, struct error *err)
{
    *tree = (struct tree){0};
    char *path = blob_path(cache, &blob->digest), *text = NULL;
    size_t size = 0;
    if (!path)
        return error_set(err, ENOMEM, "out of memory");
    int rc = file_read(path, MANIFEST_LIMIT, &text, &size, err);
    if (rc == 0 && strlen(text) != size)
        rc = error_set(err, EINVAL, "%s is damaged: a manifest is text", path);
    for (char *line = text, *end; rc == 0 && *line; line = end + 1) {
        end = strchr(line, '\n');
        if (end)
            *end = 0;
        rc = end ? parse_line(line, tree) : -EINVAL;
        if (rc < 0)
            error_set(err, -rc, "%s is damaged: it is no manifest of a folder", path);
    }
    free(path);
    free(text);
    if (rc < 0)
        tree_free(tree);
    return rc;
}

static int link_file(const char *cache, const struct digest *digest, const char *as,
                     struct error *err)
{
    char *path = blob_path(cache, digest);
    int rc = !path                   ? error_set(err, ENOMEM, "out of memory linking %s", as)
             : symlink(path, as) < 0 ? error_errno(err, errno, "cannot make link %s", as)
                                     : 0;
    free(path);
    return rc;
}

int blob_link(const char *cache, const struct blob *blob, const char *as, struct error *err)
{
    if (!blob->tree)
        return link_file(cache, &blob->digest, as, err);
    struct tree tree;
    int rc = tree_read(cache, blob, &tree, err);
    if (rc == 0)
        rc = file_make_folders(as, err);
    for (size_t i = 0; rc == 0 && i < tree.count; i++) {
        char *path = file_path("%s/%s", as, tree.entries[i].path);
        char *slash = path ? strrchr(path, '/') : NULL;
        if (!path) {
            rc = error_set(err, ENOMEM, "out of memory linking %s", as);
            break;
        }
        if (strchr(tree.entries[i].path, '/')) {
            *slash = 0;
            rc = file_make_folders(path, err);
            *slash = '/';
        }
        if (rc == 0)
            rc = link_file(cache, &tree.entries[i].digest, path, err);
        free(path);
    }
    tree_free(&tree);
    return rc;
}
