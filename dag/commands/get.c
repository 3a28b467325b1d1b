/* `get`: copies an output of a stage's current result out of the cache. The copy is written under a
 * temporary name beside its place, compared with the output's digest, synced and renamed, so that
 * a file or folder of that name is whole and right. */
#define _GNU_SOURCE
#include "dag/commands/commands.h"
#include "base/file.h"
#include "cache/tree.h"
#include "dag/explain.h"
#include "dag/session.h"
#include "dag/variant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static mode_t allowed(mode_t mode)
{
    mode_t mask = umask(0);
    umask(mask);
    return mode & ~mask;
}

/* ---- copying ---- */

/* -EILSEQ: the cache's file is damaged, which is reported to the cache. */
static int report_damage(struct cache *cache, const struct digest *digest, struct error *err)
{
    struct error why;
    error_set(&why, EILSEQ, "blob %.12s has other bytes than were stored", digest->hex);
    int rc = cache_damaged(cache, digest, why.text, err);
    return rc < 0 ? rc : error_set(err, EILSEQ, "it is damaged in the cache");
}

static int copy_file(struct cache *cache, const struct digest *digest, bool executable,
                     const char *to, struct error *err)
{
    int rc = cache_copy_blob(cache, digest, to, err);
    if (rc == -EILSEQ)
        return report_damage(cache, digest, err);
    if (rc == 0 && chmod(to, allowed(executable ? 0777 : 0666)) < 0)
        rc = error_errno(err, errno, "cannot set the mode of %s", to);
    return rc == 0 ? file_sync(to, err) : rc;
}

static int copy_entry(struct cache *cache, const struct tree_entry *entry, const char *to,
                      struct error *err)
{
    if (entry->form == TREE_FOLDER)
        return file_make_folders(to, err);
    int rc = file_make_parents(to, err);
    if (rc < 0)
        return rc;
    if (entry->form == TREE_LINK)
        return symlink(entry->target, to) < 0 ? error_errno(err, errno, "cannot make link %s", to)
                                              : 0;
    return copy_file(cache, &entry->digest, entry->form == TREE_EXECUTABLE, to, err);
}

static int copy_tree(struct cache *cache, const struct blob *blob, const char *to,
                     struct error *err)
{
    struct tree tree = {0};
    int rc = cache_verify(cache, &blob->digest, err);
    if (rc == -EILSEQ)
        return report_damage(cache, &blob->digest, err);
    if (rc == 0)
        rc = cache_read_tree(cache, blob, &tree, err);
    if (rc == 0)
        rc = file_make_folders(to, err);
    for (size_t i = 0; rc == 0 && i < tree.count; i++) {
        char *path = must(format_string("%s/%s", to, tree.entries[i].path));
        rc = copy_entry(cache, &tree.entries[i], path, err);
        free(path);
    }
    tree_free(&tree);
    return rc;
}

/* Never over something that is there. */
static int rename_new(const char *from, const char *to, struct error *err)
{
    struct stat st;
    int rc = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
    if (rc == -ENOSYS || rc == -EINVAL) { /* the file system can't */
        if (lstat(to, &st) == 0)
            rc = -EEXIST;
        else
            rc = rename(from, to) < 0 ? -errno : 0;
    }
    return rc < 0 ? error_errno(err, -rc, "cannot write %s", to) : 0;
}

/* The temporary name means nothing to the user: of such an error only the cause is kept. */
static void name_place(const char *new, const char *to, int rc, struct error *err)
{
    const char *cause = strrchr(err->text, ':');
    if (!strstr(err->text, new) || !cause)
        return;
    struct error before = *err;
    error_set(err, -rc, "cannot write %s%s", to, before.text + (cause - err->text));
}

static int copy_output(struct cache *cache, const struct blob *blob, const char *to,
                       struct error *err)
{
    char *new = must(file_temporary_name(to));
    int rc = blob->tree ? copy_tree(cache, blob, new, err)
                        : copy_file(cache, &blob->digest, blob->executable, new, err);
    if (rc == 0)
        rc = rename_new(new, to, err);
    if (rc < 0) {
        file_remove_tree(new, NULL);
        name_place(new, to, rc, err);
    }
    free(new);
    return rc;
}

/* ---- where to ---- */

/* Fills err: the folder `above` of a place doesn't exist, or is a file. */
static void refuse_place(const char *to, const char *above, struct error *err)
{
    size_t n = strlen(above);
    char *name = must(strdup(above));
    struct stat st;
    while (n > 1 && name[n - 1] == '/')
        name[--n] = 0;
    bool file = stat(name, &st) == 0 && !S_ISDIR(st.st_mode);
    if (file)
        error_set(err, EINVAL, "%s is a file, not a folder", name);
    else
        error_set(err, EINVAL, "cannot copy to %s: there is no folder %s", to, name);
    free(name);
}

/* Into a folder it goes under its own name. -EINVAL if something is there, or the folder isn't. */
static int find_place(const char *to, const struct output *output, char **path, struct error *err)
{
    const char *slash = strrchr(output->file, '/'), *name = slash ? slash + 1 : output->file;
    size_t n = strlen(to);
    struct stat st;
    *path = NULL;
    bool folder = stat(to, &st) == 0 && S_ISDIR(st.st_mode);
    if (n == 0)
        return error_set(err, EINVAL, "cannot copy to '': expected a file or a folder");
    if (!folder && to[n - 1] == '/') {
        refuse_place(to, to, err);
        return -EINVAL;
    }
    char *place =
        must(folder ? format_string("%s%s%s", to, to[n - 1] == '/' ? "" : "/", name) : strdup(to));
    char *above = must(strdup(place)), *end = strrchr(above, '/');
    if (end)
        end[end == above] = 0;
    int rc = -EINVAL;
    if (lstat(place, &st) == 0)
        error_set(err, EINVAL, "%s exists; remove it or give another name", place);
    else if (end && (stat(above, &st) < 0 || !S_ISDIR(st.st_mode)))
        refuse_place(place, above, err);
    else
        rc = 0;
    free(above);
    if (rc < 0)
        free(place);
    else
        *path = place;
    return rc;
}

/* ---- what ---- */

/* Why the stage has no current result, and the command that helps. */
static int refuse(const struct options *options, const struct session *s, const struct task *task,
                  struct error *err)
{
    struct arena *arena = s->experiment.arena;
    const char *name = task->stage->name, *file = variant_quote(arena, s->experiment.file);
    const char *same = variant_options(arena, options);
    enum verdict verdict;
    char *reason;
    int rc = explain_verdict(&s->plan, task, false, &verdict, &reason, err);
    if (rc < 0)
        return rc;
    bool would_run = verdict != VERDICT_RUNNING && !plan_obstacle(&s->plan, task->stage);
    const char *help =
        !would_run ? ""
                   : arena_print(arena, "; compute it with: ferdag run %s %s%s", file, name, same);
    if (verdict == VERDICT_FAILED)
        rc = error_set(err, ENODATA, "%s failed: %.400s; see: ferdag log %s %s%s", name,
                       reason ? reason : "", file, name, same);
    else
        rc = error_set(err, ENODATA, "%s has no current result (%s%s%.400s)%s", name,
                       verdict_names[verdict], reason ? ": " : "", reason ? reason : "", help);
    free(reason);
    return rc;
}

static int get(const struct options *options, struct session *s, const struct output_name *name,
               struct error *err)
{
    const struct output *output = &name->stage->outputs[name->output];
    const struct task *task = &s->plan.tasks[name->stage->place];
    struct arena *arena = s->experiment.arena;
    char *to;
    int rc = find_place(options->names[2], output, &to, err);
    if (rc < 0)
        return rc;
    const struct blob *blob = NULL;
    if (!state_has_result(task->state))
        rc = refuse(options, s, task, err);
    else if (!(blob = result_output(&task->result, output->port)))
        rc = error_set(err, ENODATA, "%s left no output '%s', which is optional", name->stage->name,
                       output->port);
    else
        rc = copy_output(&s->cache, blob, to, err);
    if (rc == -EILSEQ)
        error_prefix(err, "cannot copy %s.%s, which `ferdag run %s %s%s` computes again",
                     name->stage->name, output->port, variant_quote(arena, s->experiment.file),
                     name->stage->name, variant_options(arena, options));
    if (rc == 0)
        puts(to);
    free(to);
    return rc;
}

int command_get(const struct options *options, struct error *err)
{
    struct session s;
    struct output_name name;
    int status = session_open_output(&s, options, options->names[1], &name, err);
    if (status != EXIT_DONE)
        return status;
    int rc = get(options, &s, &name, err);
    session_close(&s);
    return session_status(rc);
}
