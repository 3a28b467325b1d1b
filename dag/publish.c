/* See publish.h. */
#include "dag/publish.h"
#include "base/file.h"
#include "cache/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    char *from = must(blob_path(plan->cache->folder, digest));
    int rc = file_copy(from, to, err);
    free(from);
    return rc;
}

static bool in_tree(const struct tree *tree, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < tree->count; i++)
        if (strncmp(tree->entries[i].path, path, n) == 0 &&
            (tree->entries[i].path[n] == 0 || tree->entries[i].path[n] == '/'))
            return true;
    return false;
}

/* Removes what an earlier report left and this one doesn't have; not in a folder that somebody's
 * link leads to. */
static int remove_others(const struct tree *tree, const char *root, const char *below,
                         struct error *err)
{
    char *folder = must(file_path("%s%s%s", root, *below ? "/" : "", below));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    int rc = 0;
    while (dir && rc == 0 && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = must(file_path("%s%s%s", below, *below ? "/" : "", entry->d_name));
        char *full = must(file_path("%s/%s", root, path));
        struct stat st;
        if (!in_tree(tree, path))
            rc = file_remove_tree(full, err);
        else if (lstat(full, &st) == 0 && S_ISDIR(st.st_mode))
            rc = remove_others(tree, root, path, err);
        free(full);
        free(path);
    }
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    free(folder);
    return rc;
}

static int publish_tree(struct plan *plan, const struct blob *blob, const char *to,
                        struct error *err)
{
    struct tree tree;
    int rc = tree_read(plan->cache->folder, blob, &tree, err);
    for (size_t i = 0; rc == 0 && i < tree.count; i++) {
        char *path = must(file_path("%s/%s", to, tree.entries[i].path));
        char *slash = strrchr(path, '/');
        *slash = 0;
        rc = file_make_folders(path, err);
        *slash = '/';
        if (rc == 0)
            rc = publish_file(plan, &tree.entries[i].digest, path, err);
        free(path);
    }
    if (rc == 0)
        rc = remove_others(&tree, to, "", err);
    tree_free(&tree);
    return rc;
}

static int publish_task(struct plan *plan, const struct task *task, const char *folder,
                        const char **report, struct error *err)
{
    struct arena *arena = plan->experiment->arena;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < task->stage->output_count; i++) {
        const struct output *output = &task->stage->outputs[i];
        const struct blob *blob = result_output(&task->result, output->port);
        if (!blob || output->measured)
            continue;
        const char *to = arena_print(arena, "%s/%s", folder, output->file);
        rc = file_make_folders(folder, err);
        if (rc == 0)
            rc = output->tree ? publish_tree(plan, blob, to, err)
                              : publish_file(plan, &blob->digest, to, err);
        size_t n = strlen(to);
        if (n > 4 && strcmp(to + n - 4, ".pdf") == 0)
            *report = to;
    }
    return rc;
}

int publish_report(struct plan *plan, const char **report, struct error *err)
{
    const char *folder = arena_print(plan->experiment->arena, "out/%s", plan->experiment->name);
    *report = NULL;
    int rc = index_begin(plan->cache->index, err); /* one commit for the stat cache */
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < plan->experiment->stage_count; i++)
        if (plan->tasks[i].stage->implicit && state_has_result(plan->tasks[i].state))
            rc = publish_task(plan, &plan->tasks[i], folder, report, err);
    int ended = index_end(plan->cache->index, rc < 0 ? NULL : err);
    return rc < 0 ? rc : ended;
}
