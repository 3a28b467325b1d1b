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
    free(source->obstacle);
    *source = (struct source){0};
}

/* ---- hashing ---- */

/* What a walk does with each file: */
enum reading {
    LOOK,     /* check that it can be read */
    BY_CACHE, /* digest; unchanged files by the stat cache */
    READ      /* digest, by reading it */
};

/* A walk over an external file, or a folder and its content. */
struct walk {
    enum reading reading;
    struct cache *cache; /* of BY_CACHE */
    const struct external *external;
    struct source *source;
    struct error *err;
};

static bool left_out(const struct walk *walk, const char *name)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    return walk->external->code && (*name == '.' || strcmp(name, "__pycache__") == 0);
}

static int look_at(const char *path, const struct stat *st, struct error *err)
{
    if (!S_ISREG(st->st_mode))
        return error_set(err, EINVAL, "%s is neither a file nor a folder", path);
    return access(path, R_OK) < 0 ? error_errno(err, errno, "cannot read %s", path) : 0;
}

/* path: relative to the input, "" for the input itself. */
static int walk_file(const struct walk *walk, const char *full, const char *path, struct stat *st,
                     struct digest *digest)
{
    int rc = look_at(full, st, walk->err);
    if (rc == 0 && walk->reading == BY_CACHE)
        rc = cache_digest(walk->cache, full, digest, st, walk->err);
    else if (rc == 0 && walk->reading == READ)
        rc = sha256_file(full, digest, NULL, walk->err);
    struct metadata metadata = metadata_of(st);
    walk->source->stamps += metadata_hash(path, &metadata);
    return rc;
}

static int walk_folder(const struct walk *walk, const char *below, int depth);

static int walk_entry(const struct walk *walk, const char *path, int depth)
{
    char *full = must(format_string("%s/%s", walk->external->path, path));
    struct stat st;
    struct digest digest = {""};
    int rc = stat(full, &st) < 0 ? error_errno(walk->err, errno, "cannot open %s", full) : 0;
    if (rc == 0 && S_ISDIR(st.st_mode)) {
        rc = walk_folder(walk, path, depth + 1);
    } else if (rc == 0 && (rc = walk_file(walk, full, path, &st, &digest)) == 0) {
        struct tree_entry entry = {
            .form = st.st_mode & S_IXUSR ? TREE_EXECUTABLE : TREE_FILE,
            .digest = digest,
            .size = (uint64_t)st.st_size,
            .path = must(strdup(path)),
        };
        if (tree_add(&walk->source->files, entry) < 0)
            must(NULL);
    }
    free(full);
    return rc;
}

static int walk_folder(const struct walk *walk, const char *below, int depth)
{
    char *folder = must(format_string("%s%s%s", walk->external->path, *below ? "/" : "", below));
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
        char *path = must(format_string("%s%s%s", below, *below ? "/" : "", entry->d_name));
        rc = strchr(path, '\n') ? error_set(walk->err, EINVAL,
                                            "%s holds a file with a newline in its name", folder)
                                : walk_entry(walk, path, depth);
        free(path);
    }
    if (rc == 0 && empty && *below &&
        tree_add(&walk->source->files,
                 (struct tree_entry){.form = TREE_FOLDER, .path = must(strdup(below))}) < 0)
        must(NULL);
    if (dir)
        closedir(dir);
    free(folder);
    return rc;
}

static int walk_whole_folder(const struct walk *walk)
{
    struct source *source = walk->source;
    char *text = NULL;
    size_t size = 0;
    source->tree = true;
    int rc = walk_folder(walk, "", 0);
    if (rc < 0 || walk->reading == LOOK)
        return rc;
    rc = tree_print(&source->files, &text, &size, walk->err);
    if (rc == 0)
        rc = sha256_memory(text, size, &source->digest, walk->err);
    free(text);
    source->size = size;
    return rc;
}

/* Walks the external and fills the walk's source. */
static int walk_source(const struct walk *walk)
{
    const char *path = walk->external->path;
    struct source *source = walk->source;
    struct stat st;
    *source = (struct source){0};
    if (stat(path, &st) < 0)
        return error_errno(walk->err, errno, "cannot open %s", path);
    if (S_ISDIR(st.st_mode))
        return walk_whole_folder(walk);
    int rc = walk_file(walk, path, "", &st, &source->digest);
    source->size = (uint64_t)st.st_size;
    source->executable = st.st_mode & S_IXUSR;
    return rc;
}

int source_look(const struct external *external, struct error *err)
{
    struct source source;
    int rc = walk_source(&(struct walk){LOOK, NULL, external, &source, err});
    source_free(&source);
    return rc;
}

int source_hash(struct cache *cache, const struct external *external, struct source *source,
                struct error *err)
{
    int rc = walk_source(&(struct walk){BY_CACHE, cache, external, source, err});
    if (rc < 0) {
        source_free(source);
        error_prefix(err, "%s:%d:%d: input '%s'", external->where->file, external->where->line,
                     external->where->column, external->name);
        return rc == -EIO || rc == -ENOMEM ? rc : -EINVAL;
    }
    source->known = true;
    return 0;
}

static int has_changed(const struct external *external, struct error *err)
{
    return error_set(err, EIO, "input '%s' (%s) changed after the run began; run again",
                     external->name, external->path);
}

int source_check(const struct external *external, const struct source *source, struct error *err)
{
    struct source now;
    if (external->code)
        return 0; /* each stage gets its own copy, which is verified */
    int rc = walk_source(&(struct walk){LOOK, NULL, external, &now, NULL});
    bool same = rc == 0 && now.tree == source->tree && now.stamps == source->stamps;
    source_free(&now);
    return same ? 0 : has_changed(external, err);
}

int source_verify(const struct external *external, const struct source *source, struct error *err)
{
    struct source now;
    int rc = walk_source(&(struct walk){READ, NULL, external, &now, err});
    bool same = rc == 0 && strcmp(now.digest.hex, source->digest.hex) == 0;
    source_free(&now);
    return same || rc < 0 ? rc : has_changed(external, err);
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
    char *from = must(format_string("%s/%s", external->path, entry->path));
    char *to = must(format_string("%s/%s", as, entry->path));
    int rc = file_make_parents(to, err);
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
