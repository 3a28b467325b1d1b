/* See source.h. */
#include "dag/source.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FOLDER_DEPTH = 64 };

void source_free(struct source *source)
{
    tree_free(&source->files);
    *source = (struct source){0};
}

/* ---- hashing ---- */

/* A walk through one folder. */
struct walk {
    struct cache *cache; /* NULL: only look */
    const struct external *external;
    struct tree *files;
    struct error *err;
};

static bool left_out(const struct walk *walk, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    return walk->external->code && (*name == '.' || strcmp(name, "__pycache__") == 0);
}

static int walk_folder(const struct walk *walk, const char *below, int depth);

static int look_at(const char *path, const struct stat *st, struct error *err)
{
    if (!S_ISREG(st->st_mode))
        return error_set(err, EINVAL, "%s is neither a file nor a folder", path);
    return access(path, R_OK) < 0 ? error_errno(err, errno, "cannot read %s", path) : 0;
}

static int walk_entry(const struct walk *walk, const char *path, int depth)
{
    char *full = must(file_path("%s/%s", walk->external->path, path));
    struct stat st;
    struct digest digest;
    int rc = stat(full, &st) < 0 ? error_errno(walk->err, errno, "cannot open %s", full) : 0;
    if (rc == 0 && S_ISDIR(st.st_mode)) {
        rc = walk_folder(walk, path, depth + 1);
    } else if (rc == 0 && !walk->cache) {
        rc = look_at(full, &st, walk->err);
    } else if (rc == 0 && (rc = cache_digest(walk->cache, full, &digest, &st, walk->err)) == 0) {
        struct tree_entry entry = {
            .form = st.st_mode & S_IXUSR ? TREE_EXECUTABLE : TREE_FILE,
            .digest = digest,
            .size = (uint64_t)st.st_size,
            .path = must(strdup(path)),
        };
        if (tree_add(walk->files, entry) < 0)
            must(NULL);
    }
    free(full);
    return rc;
}

static int walk_folder(const struct walk *walk, const char *below, int depth)
{
    char *folder = must(file_path("%s%s%s", walk->external->path, *below ? "/" : "", below));
    DIR *dir = depth <= FOLDER_DEPTH ? opendir(folder) : NULL;
    int rc = 0;
    if (!dir)
        rc = depth > FOLDER_DEPTH ? error_set(walk->err, EINVAL, "%s is nested too deeply", folder)
                                  : error_errno(walk->err, errno, "cannot open folder %s", folder);
    struct dirent *entry;
    bool empty = true;
    while (rc == 0 && (entry = readdir(dir))) {
        if (left_out(walk, entry->d_name))
            continue;
        empty = false;
        char *path = must(file_path("%s%s%s", below, *below ? "/" : "", entry->d_name));
        rc = strchr(path, '\n') ? error_set(walk->err, EINVAL,
                                            "%s holds a file with a newline in its name", folder)
                                : walk_entry(walk, path, depth);
        free(path);
    }
    if (rc == 0 && empty && *below &&
        tree_add(walk->files,
                 (struct tree_entry){.form = TREE_FOLDER, .path = must(strdup(below))}) < 0)
        must(NULL);
    if (dir)
        closedir(dir);
    free(folder);
    return rc;
}

static int hash_folder(struct cache *cache, const struct external *external, struct source *source,
                       struct error *err)
{
    struct walk walk = {cache, external, &source->files, err};
    char *text = NULL;
    size_t size = 0;
    int rc = walk_folder(&walk, "", 0);
    if (rc == 0)
        rc = tree_print(&source->files, &text, &size, err);
    if (rc == 0)
        rc = sha256_memory(text, size, &source->digest, err);
    free(text);
    source->tree = true;
    source->size = size;
    return rc;
}

static int hash_file(struct cache *cache, const struct external *external, struct source *source,
                     struct error *err)
{
    struct stat st;
    int rc = cache_digest(cache, external->path, &source->digest, &st, err);
    if (rc == 0) {
        source->size = (uint64_t)st.st_size;
        source->stamp = stamp_of(&st);
        source->executable = st.st_mode & S_IXUSR;
    }
    return rc;
}

int source_look(const struct external *external, struct error *err)
{
    struct stat st;
    struct tree files = {0};
    struct walk walk = {.external = external, .files = &files, .err = err};
    if (stat(external->path, &st) < 0)
        return error_errno(err, errno, "cannot open %s", external->path);
    int rc = S_ISDIR(st.st_mode) ? walk_folder(&walk, "", 0) : look_at(external->path, &st, err);
    tree_free(&files);
    return rc;
}

int source_hash(struct cache *cache, const struct external *external, struct source *source,
                struct error *err)
{
    struct stat st;
    *source = (struct source){0};
    int rc = stat(external->path, &st) == 0 && S_ISDIR(st.st_mode)
                 ? hash_folder(cache, external, source, err)
                 : hash_file(cache, external, source, err);
    if (rc < 0) {
        source_free(source);
        error_prefix(err, "%s:%d:%d: input '%s'", external->where->file, external->where->line,
                     external->where->column, external->name);
        return rc == -EIO || rc == -ENOMEM ? rc : -EINVAL;
    }
    source->known = true;
    return 0;
}

int source_check(struct cache *cache, const struct external *external, const struct source *source,
                 struct error *err)
{
    struct stat st;
    struct source now;
    if (!source->tree && stat(external->path, &st) == 0) {
        struct stamp stamp = stamp_of(&st);
        if (stamp_equal(&stamp, &source->stamp))
            return 0;
    }
    int rc = source_hash(cache, external, &now, NULL);
    bool same = rc == 0 && strcmp(now.digest.hex, source->digest.hex) == 0;
    source_free(&now);
    return same ? 0
                : error_set(err, EIO, "input '%s' (%s) changed while the stage ran", external->name,
                            external->path);
}

/* ---- placing ---- */

static int copy_file(const char *from, const char *as, const struct digest *digest, bool executable,
                     struct error *err)
{
    struct digest copied;
    int rc = file_copy_unsynced(from, as, executable ? 0555 : 0444, err);
    if (rc == 0)
        rc = sha256_file(as, &copied, NULL, err);
    if (rc == 0 && strcmp(copied.hex, digest->hex) != 0)
        rc = error_set(err, EIO, "%s changed after the run began", from);
    return rc;
}

static int place_file(const struct external *external, const char *from, const char *as,
                      const struct digest *digest, bool executable, struct error *err)
{
    if (external->code)
        return copy_file(from, as, digest, executable, err);
    return symlink(from, as) < 0 ? error_errno(err, errno, "cannot make link %s", as) : 0;
}

static int place_entry(const struct external *external, const struct tree_entry *entry,
                       const char *as, struct error *err)
{
    char *from = must(file_path("%s/%s", external->path, entry->path));
    char *to = must(file_path("%s/%s", as, entry->path)), *slash = strrchr(to, '/');
    *slash = 0;
    int rc = file_make_folders(to, err);
    *slash = '/';
    if (rc == 0)
        rc = entry->form == TREE_FOLDER ? file_make_folders(to, err)
                                        : place_file(external, from, to, &entry->digest,
                                                     entry->form == TREE_EXECUTABLE, err);
    free(from);
    free(to);
    return rc;
}

int source_place(const struct external *external, const struct source *source, const char *as,
                 struct error *err)
{
    if (!source->tree)
        return place_file(external, external->path, as, &source->digest, source->executable, err);
    int rc = file_make_folders(as, err);
    for (size_t i = 0; rc == 0 && i < source->files.count; i++)
        rc = place_entry(external, &source->files.entries[i], as, err);
    return rc;
}
