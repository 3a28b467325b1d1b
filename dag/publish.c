/* See publish.h. */
#include "dag/publish.h"
#include "base/file.h"
#include "cache/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_NAME ".ferdag-files"

static int publish_file(struct plan *plan, const struct digest *digest, const char *to,
                        struct error *err)
{
    struct digest there;
    struct stat st;
    if (lstat(to, &st) == 0 && S_ISREG(st.st_mode)) {
        char *full = realpath(to, NULL);
        int rc = full ? cache_digest(plan->cache, full, &there, &st, NULL) : -ENOENT;
        free(full);
        if (rc == 0 && strcmp(there.hex, digest->hex) == 0)
            return 0;
    }
    return cache_copy_blob(plan->cache, digest, to, err);
}

/* ---- what was brought: a list of paths, one a line ---- */

enum { LIST_LIMIT = 16 << 20 };

struct list {
    const char **paths; /* in the arena */
    size_t count;
};

static void list_add(struct arena *arena, struct list *list, const char *path)
{
    list->paths = arena_push(arena, list->paths, list->count, sizeof *list->paths);
    list->paths[list->count++] = path;
}

static bool list_has(const struct list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->paths[i], path) == 0)
            return true;
    return false;
}

/* A path that stays below the folder. */
static bool path_sound(const char *path)
{
    for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL)
        if (!*p || *p == '/' || (p[0] == '.' && strchr("./", p[1])) || strcmp(p, ".") == 0)
            return false;
    return true;
}

static void list_read(struct arena *arena, const char *folder, struct list *list)
{
    char *data, *path = must(file_path("%s/" LIST_NAME, folder));
    size_t size;
    if (file_read(path, LIST_LIMIT, &data, &size, NULL) == 0) {
        char *text = arena_copy(arena, data, size);
        for (char *line; (line = strsep(&text, "\n"));)
            if (path_sound(line))
                list_add(arena, list, line);
        free(data);
    }
    free(path);
}

static bool same_lists(const struct list *a, const struct list *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++)
        same = strcmp(a->paths[i], b->paths[i]) == 0;
    return same;
}

static int list_write(const char *folder, const struct list *list, struct error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = must(open_memstream(&text, &size));
    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s\n", list->paths[i]);
    if (fclose(out) != 0)
        must(NULL);
    char *path = must(file_path("%s/" LIST_NAME, folder));
    int rc = file_write(path, text, size, err);
    free(path);
    free(text);
    return rc;
}

/* Removes a file that an earlier report brought, and the folders that this leaves empty; not
 * through somebody's link to another folder. */
static void remove_brought(const char *folder, const char *path)
{
    char *name = must(strdup(path));
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char *slash = strchr(name, '/');
    if (slash)
        *slash = 0;
    if (at >= 0 && !slash)
        unlinkat(at, name, 0);
    if (at >= 0 && slash) {
        struct stat st;
        char *below = must(file_path("%s/%s", folder, name));
        if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode)) {
            remove_brought(below, slash + 1);
            unlinkat(at, name, AT_REMOVEDIR); /* if it is empty now */
        }
        free(below);
    }
    if (at >= 0)
        close(at);
    free(name);
}

/* ---- bringing ---- */

static int bring(struct plan *plan, const struct digest *digest, const char *folder,
                 const char *path, struct list *brought, struct error *err)
{
    struct arena *arena = plan->experiment->arena;
    const char *to = arena_print(arena, "%s/%s", folder, path);
    char *above = must(strdup(to));
    *strrchr(above, '/') = 0;
    int rc = file_make_folders(above, err);
    free(above);
    if (rc == 0)
        rc = publish_file(plan, digest, to, err);
    if (rc == 0)
        list_add(arena, brought, arena_copy(arena, path, strlen(path)));
    return rc;
}

/* Reports write files alone. */
static int bring_tree(struct plan *plan, const struct blob *blob, const char *folder,
                      const char *name, struct list *brought, struct error *err)
{
    struct tree tree;
    int rc = cache_read_tree(plan->cache, blob, &tree, err);
    for (size_t i = 0; rc == 0 && i < tree.count; i++)
        if (tree_is_file(&tree.entries[i]))
            rc = bring(plan, &tree.entries[i].digest, folder,
                       arena_print(plan->experiment->arena, "%s/%s", name, tree.entries[i].path),
                       brought, err);
    tree_free(&tree);
    return rc;
}

static int bring_outputs(struct plan *plan, const struct task *task, const char *folder,
                         struct list *brought, const char **report, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < task->stage->output_count; i++) {
        const struct output *output = &task->stage->outputs[i];
        const struct blob *blob = result_output(&task->result, output->port);
        if (!blob || output->measured)
            continue;
        rc = output->tree ? bring_tree(plan, blob, folder, output->file, brought, err)
                          : bring(plan, &blob->digest, folder, output->file, brought, err);
        size_t n = strlen(output->file);
        if (n > 4 && strcmp(output->file + n - 4, ".pdf") == 0)
            *report = arena_print(plan->experiment->arena, "%s/%s", folder, output->file);
    }
    return rc;
}

/* The deepest part of the path that is there decides. */
int publish_check(const char *folder, struct error *err)
{
    char *path = must(strdup(folder));
    const char *at = path;
    struct stat st;
    while (stat(at, &st) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        char *slash = strrchr(path, '/');
        if (slash)
            *slash = 0;
        at = !slash ? "." : *path ? path : "/";
        if (!slash)
            break;
    }
    int rc = 0;
    if (stat(at, &st) < 0)
        rc = error_errno(err, errno, "%s: the report's folder can't be made", folder);
    else if (!S_ISDIR(st.st_mode))
        rc = error_set(err, ENOTDIR, "%s: the report's folder can't be made: %s is a file", folder,
                       at);
    else if (access(at, W_OK | X_OK) < 0)
        rc = error_errno(err, errno, "%s: the report can't be written there", folder);
    free(path);
    return rc;
}

static bool is_output(const struct stage *stage, const char *path)
{
    for (size_t i = 0; i < stage->output_count; i++) {
        size_t n = strlen(stage->outputs[i].file);
        if (strncmp(path, stage->outputs[i].file, n) == 0 && (!path[n] || path[n] == '/'))
            return true;
    }
    return false;
}

/* Whether a file that was brought before is from a stage of the report that has no result this
 * time: a good report is no worse for one that failed. */
static bool stays(const struct plan *plan, const char *path)
{
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct stage *stage = plan->tasks[i].stage;
        if (stage->implicit && !state_has_result(plan->tasks[i].state) && is_output(stage, path))
            return true;
    }
    return false;
}

int publish_report(struct plan *plan, const char *folder, const char **report, struct error *err)
{
    struct arena *arena = plan->experiment->arena;
    struct list before = {0}, brought = {0};
    *report = NULL;
    int rc = index_begin(plan->cache->index, err); /* one commit for the stat cache */
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < plan->experiment->stage_count; i++)
        if (plan->tasks[i].stage->implicit && state_has_result(plan->tasks[i].state))
            rc = bring_outputs(plan, &plan->tasks[i], folder, &brought, report, err);
    int ended = index_end(plan->cache->index, rc < 0 ? NULL : err);
    rc = rc < 0 ? rc : ended;
    if (rc < 0 || brought.count == 0)
        return rc;
    list_read(arena, folder, &before);
    for (size_t i = 0; i < before.count; i++) {
        if (list_has(&brought, before.paths[i]))
            continue;
        if (stays(plan, before.paths[i]))
            list_add(arena, &brought, before.paths[i]);
        else
            remove_brought(folder, before.paths[i]);
    }
    return same_lists(&before, &brought) ? 0 : list_write(folder, &brought, err);
}
