/* See publish.h. */
#include "dag/publish.h"
#include "base/file.h"
#include "cache/tree.h"
#include "dag/file_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy_if_other(struct plan *plan, const struct digest *digest, const char *to,
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

static int copy_one(struct plan *plan, const struct digest *digest, const char *folder,
                    const char *path, struct file_list *copied, struct error *err)
{
    struct arena *arena = plan->experiment->arena;
    const char *to = arena_print(arena, "%s/%s", folder, path);
    int rc = file_make_parents(to, err);
    if (rc == 0)
        rc = copy_if_other(plan, digest, to, err);
    if (rc == 0)
        file_list_add(arena, copied, arena_copy(arena, path, strlen(path)));
    return rc;
}

/* The folders of a report hold files only, no links. */
static int copy_tree(struct plan *plan, const struct blob *blob, const char *folder,
                     const char *name, struct file_list *copied, struct error *err)
{
    struct tree tree;
    int rc = cache_read_tree(plan->cache, blob, &tree, err);
    for (size_t i = 0; rc == 0 && i < tree.count; i++)
        if (tree_is_file(&tree.entries[i]))
            rc = copy_one(plan, &tree.entries[i].digest, folder,
                          arena_print(plan->experiment->arena, "%s/%s", name, tree.entries[i].path),
                          copied, err);
    tree_free(&tree);
    return rc;
}

static int copy_outputs(struct plan *plan, const struct task *task, const char *folder,
                        struct file_list *copied, const char **report, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < task->stage->output_count; i++) {
        const struct output *output = &task->stage->outputs[i];
        const struct blob *blob = result_output(&task->result, output->port);
        if (!blob || output->measured)
            continue;
        rc = output->tree ? copy_tree(plan, blob, folder, output->file, copied, err)
                          : copy_one(plan, &blob->digest, folder, output->file, copied, err);
        size_t n = strlen(output->file);
        if (n > 4 && strcmp(output->file + n - 4, ".pdf") == 0)
            *report = arena_print(plan->experiment->arena, "%s/%s", folder, output->file);
    }
    return rc;
}

/* Checks the deepest folder of the path that exists. */
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
        rc = error_errno(err, errno, "%s: the report's folder cannot be created", folder);
    else if (!S_ISDIR(st.st_mode))
        rc = error_set(err, ENOTDIR, "%s: the report's folder cannot be created: %s is a file",
                       folder, at);
    else if (access(at, W_OK | X_OK) < 0)
        rc = error_errno(err, errno, "%s: the report cannot be written there", folder);
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

/* Whether a file of the list is from a stage of the report that has no result this time: a report
 * that fails leaves the earlier one in place. */
static bool stays(const void *data, const char *path)
{
    const struct plan *plan = data;
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct stage *stage = plan->tasks[i].stage;
        if (stage->implicit && !state_has_result(plan->tasks[i].state) && is_output(stage, path))
            return true;
    }
    return false;
}

int publish_report(struct plan *plan, const char *folder, const char **report, struct error *err)
{
    struct file_list copied = {0};
    *report = NULL;
    int rc = index_begin_transaction(plan->cache->index,
                                     err); /* one transaction for all writes to the stat cache */
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < plan->experiment->stage_count; i++)
        if (plan->tasks[i].stage->implicit && state_has_result(plan->tasks[i].state))
            rc = copy_outputs(plan, &plan->tasks[i], folder, &copied, report, err);
    int ended = index_end_transaction(plan->cache->index, rc < 0 ? NULL : err);
    rc = rc < 0 ? rc : ended;
    if (rc < 0 || copied.count == 0)
        return rc;
    return file_list_replace(plan->experiment->arena, folder, &copied, FILE_LIST_ANY, stays, plan,
                             err);
}
