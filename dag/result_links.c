/* See result_links.h.
 *
 * Symbolic links: they cost nothing whatever the size, and show where they lead. A program that
 * writes through one would reach the cache's file; that is read-only, and if it is changed all the
 * same (by root, say) its metadata shows it, so the bytes aren't served: the stage runs again. Hard
 * links would carry the same risk without showing it, and copies would double the cache. `get`
 * makes a copy for whoever needs one. */
#define _GNU_SOURCE
#include "dag/result_links.h"
#include "base/file.h"
#include "cache/tree.h"
#include "dag/file_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct links {
    const struct plan *plan;
    struct arena *arena;
    const char *folder; /* FOLDER/results */
    const char *inside; /* from the folder that holds the cache to `folder`, or NULL: it lies
                           elsewhere, and links are absolute */
    struct file_list now;
};

/* ---- where a link leads ---- */

static size_t count_parts(const char *path)
{
    size_t n = *path != 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* If `folder` lies beside the cache or below, links are relative, so that a project can be moved as
 * a whole; not beside a cache in the root folder. */
static const char *find_inside(struct arena *arena, const char *folder, const char *cache)
{
    const char *inside = NULL;
    char *real = realpath(folder, NULL);
    size_t n = (size_t)(strrchr(cache, '/') - cache); /* of the folder that holds the cache */
    if (real && n > 0 && strncmp(real, cache, n) == 0 && real[n] == '/')
        inside = arena_copy(arena, real + n + 1, strlen(real + n + 1));
    free(real);
    return inside;
}

static const char *blob_target(const struct links *links, const char *path,
                               const struct digest *digest)
{
    const char *cache = links->plan->cache->folder;
    char *blob = must(cache_blob_path(links->plan->cache, digest));
    const char *target = arena_copy(links->arena, blob, strlen(blob));
    free(blob);
    if (!links->inside)
        return target;
    target = strrchr(cache, '/') - cache + target + 1; /* ".ferdag/blobs/..." */
    for (size_t i = count_parts(links->inside) + count_parts(path) - 1; i > 0; i--)
        target = arena_print(links->arena, "../%s", target);
    return target;
}

/* ---- making them ---- */

/* Whether there is a link with that target already. */
static bool is_made(const char *path, const char *target)
{
    char there[4096];
    ssize_t n = readlink(path, there, sizeof there);
    return n >= 0 && (size_t)n == strlen(target) && memcmp(there, target, (size_t)n) == 0;
}

static int make_link(struct links *links, const char *path, const char *target, struct error *err)
{
    struct stat st;
    const char *full = arena_print(links->arena, "%s/%s", links->folder, path);
    file_list_add(links->arena, &links->now, path);
    if (is_made(full, target))
        return 0;
    int rc = file_make_parents(full, err);
    if (rc < 0)
        return rc;
    if (lstat(full, &st) == 0 && !S_ISLNK(st.st_mode))
        return 0; /* a user's */
    char *new = must(file_temporary_name(full));
    if (symlink(target, new) < 0 || rename(new, full) < 0) {
        rc = error_errno(err, errno, "cannot make link %s", full);
        unlink(new);
    }
    free(new);
    return rc;
}

static int link_tree(struct links *links, const struct blob *blob, const char *path,
                     struct error *err)
{
    struct tree tree;
    int rc = cache_read_tree(links->plan->cache, blob, &tree, err);
    for (size_t i = 0; rc == 0 && i < tree.count; i++) {
        const struct tree_entry *entry = &tree.entries[i];
        const char *name = arena_print(links->arena, "%s/%s", path, entry->path);
        if (tree_is_file(entry))
            rc = make_link(links, name, blob_target(links, name, &entry->digest), err);
        else if (entry->form == TREE_LINK)
            rc = make_link(links, name, entry->target, err);
    }
    tree_free(&tree);
    return rc;
}

/* Outputs that are used only to continue a stage get no link. */
static int link_outputs(struct links *links, const struct task *task, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < task->stage->output_count; i++) {
        const struct output *output = &task->stage->outputs[i];
        const struct blob *blob = result_output(&task->result, output->port);
        const char *path = arena_print(links->arena, "%s/%s", task->stage->name, output->file);
        if (!blob || output->port[0] == '.' || !file_list_path_sound(path))
            continue;
        rc = output->tree ? link_tree(links, blob, path, err)
                          : make_link(links, path, blob_target(links, path, &blob->digest), err);
    }
    return rc;
}

/* ---- removing them ---- */

/* Whether the link is of a stage that was no part of this run. */
static bool stays(const void *data, const char *path)
{
    const struct plan *plan = data;
    char *name = must(strdup(path));
    const struct stage *stage = NULL;
    for (char *slash; !stage && (slash = strrchr(name, '/'));) {
        *slash = 0;
        stage = experiment_stage(plan->experiment, name);
    }
    free(name);
    return stage && !plan->tasks[stage->place].wanted;
}

static bool has_links(const struct task *task)
{
    return !task->stage->implicit && state_has_result(task->state);
}

int result_links_update(const struct plan *plan, const char *folder, bool *any, struct error *err)
{
    struct arena *arena = plan->experiment->arena;
    size_t n = plan->experiment->stage_count;
    struct links links = {
        .plan = plan, .arena = arena, .folder = arena_print(arena, "%s/results", folder)};
    bool needed = access(links.folder, F_OK) == 0;
    int rc = 0;
    *any = false;
    for (size_t i = 0; i < n; i++)
        needed |= has_links(&plan->tasks[i]);
    if (needed)
        rc = file_make_folders(links.folder, err);
    if (rc < 0 || !needed)
        return rc;
    links.inside = find_inside(arena, links.folder, plan->cache->folder);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (has_links(&plan->tasks[i]))
            rc = link_outputs(&links, &plan->tasks[i], err);
    *any = links.now.count > 0;
    return rc < 0 ? rc
                  : file_list_replace(arena, links.folder, &links.now, FILE_LIST_LINKS, stays, plan,
                                      err);
}
