/* command: any program as a stage. Its inputs are in the folder under the names that the YAML gives
 * them, and it must leave there the files that `out:` names.
 *
 * It must not be able to change what others read: blobs, or the user's own files. The engine gives
 * links to these. Small inputs become copies of its own; larger ones too where the file system
 * shares blocks, else they are mounted read-only, and if that doesn't work they are copied. */
#define _GNU_SOURCE
#include "stages/job.h"
#include "stages/kind.h"
#include "stages/launcher.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"

/* Bytes of all inputs that are soon copied: a mount namespace takes as long as some megabytes. */
enum { COPIED_AT_ONCE = 8 << 20, PATH_LIMIT = 4096, FOLDER_DEPTH = 200, MOST_MOUNTS = 50 };

/* ---- inputs ---- */

/* Something to do with each link that the engine made, whose target is absolute; those within a
 * folder of an earlier stage are relative, and stay. */
typedef int link_action(void *data, const char *path, const char *target, struct error *err);

static int each_link(const char *folder, int depth, link_action *action, void *data,
                     struct error *err);

static int at_entry(const char *path, int depth, link_action *action, void *data, struct error *err)
{
    struct stat st;
    char target[PATH_LIMIT];
    if (lstat(path, &st) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (S_ISDIR(st.st_mode))
        return each_link(path, depth + 1, action, data, err);
    ssize_t n = S_ISLNK(st.st_mode) ? readlink(path, target, sizeof target - 1) : 0;
    if (n <= 0 || n >= (ssize_t)sizeof target - 1 || target[0] != '/')
        return 0;
    target[n] = 0;
    return action(data, path, target, err);
}

static int each_link(const char *folder, int depth, link_action *action, void *data,
                     struct error *err)
{
    DIR *dir = depth > FOLDER_DEPTH ? NULL : opendir(folder);
    struct dirent *entry;
    int rc = dir ? 0 : error_set(err, EIO, "cannot open folder %s", folder);
    while (dir && rc == 0 && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = file_path("%s/%s", folder, entry->d_name);
        rc = path ? at_entry(path, depth, action, data, err)
                  : error_set(err, ENOMEM, "out of memory");
        free(path);
    }
    if (dir)
        closedir(dir);
    return rc;
}

static int add_size(void *data, const char *path, const char *target, struct error *err)
{
    uint64_t *size = data;
    struct stat st;
    if (stat(target, &st) < 0)
        return error_errno(err, errno, "cannot open %s, the input %s", target, path);
    *size += (uint64_t)st.st_size;
    return 0;
}

typedef int copier(const char *from, const char *to, int mode, struct error *err);

/* data points to the copier. */
static int replace(void *data, const char *path, const char *target, struct error *err)
{
    copier *const *copy = data;
    struct stat st;
    char *temporary = file_random_name(".");
    int rc = temporary ? 0 : error_set(err, ENOMEM, "out of memory");
    if (rc == 0 && stat(target, &st) < 0)
        rc = error_errno(err, errno, "cannot open %s, the input %s", target, path);
    if (rc == 0)
        rc = (*copy)(target, temporary, 0444 | (int)(st.st_mode & 0111), err);
    if (rc == 0 && rename(temporary, path) < 0)
        rc = error_errno(err, errno, "cannot make %s", path);
    free(temporary);
    return rc;
}

/* Makes copies of the inputs. -EOPNOTSUPP or the like where a copier can't. */
static int copy_inputs(copier *copy, struct error *err)
{
    return each_link(".", 0, replace, &copy, err);
}

/* ---- environment ---- */

/* What a program sees of the environment besides what `env` declares: where things are, and
 * language and time zone, which are the same everywhere since results may depend on them. None of
 * it is in the key. */
static const struct {
    const char *name, *value; /* NULL: ours */
} basic[] = {
    {"LANG", "C.UTF-8"},
    {"TZ", "UTC"},
    {"PATH", NULL},
    {"HOME", NULL},
    {"USER", NULL},
    {"LOGNAME", NULL},
    {"SHELL", NULL},
    {"TMPDIR", NULL},
    {"OMP_NUM_THREADS", NULL},
    {"OPENBLAS_NUM_THREADS", NULL},
    {"FERDAG_ATTEMPT", NULL},
};

enum { BASIC = sizeof basic / sizeof *basic };

/* "NAME=VALUE", with our value for NULL; nothing if there is none. */
static int add_variable(char **all, size_t *n, const char *name, const char *value)
{
    value = value ? value : getenv(name);
    if (!value)
        return 0;
    all[*n] = file_path("%s=%s", name, value);
    return all[(*n)++] ? 0 : -ENOMEM;
}

static void free_environment(char **all)
{
    for (size_t i = 0; all && all[i]; i++)
        free(all[i]);
    free(all);
}

static bool declares(const json_t *list, const char *name)
{
    bool found = false;
    for (size_t i = 0; i < json_array_size(list); i++)
        found |= json_is_string(json_array_get(list, i)) &&
                 strcmp(json_string_value(json_array_get(list, i)), name) == 0;
    return found;
}

/* malloc'd; NULL without memory. */
static char **make_environment(const struct job *job)
{
    const json_t *declared = json_object_get(job->root, "env");
    char **all = calloc(BASIC + json_array_size(declared) + 1, sizeof *all);
    size_t n = 0;
    int rc = all ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < BASIC; i++)
        if (!declares(declared, basic[i].name))
            rc = add_variable(all, &n, basic[i].name, basic[i].value);
    for (size_t i = 0; rc == 0 && i < json_array_size(declared); i++) {
        const char *name = json_string_value(json_array_get(declared, i));
        rc = name ? add_variable(all, &n, name, NULL) : 0;
    }
    if (rc == 0)
        return all;
    free_environment(all);
    return NULL;
}

/* ---- the stage ---- */

/* Paths that the program must not write to: the store that the links lead to, and what they lead to
 * elsewhere. */
struct others {
    char *blobs;
    char **paths; /* ends with NULL */
    size_t count;
};

/* Takes over path. */
static int add_path(struct others *o, char *path, struct error *err)
{
    char **larger = path ? realloc(o->paths, (o->count + 2) * sizeof *larger) : NULL;
    if (!larger) {
        free(path);
        return error_set(err, ENOMEM, "out of memory");
    }
    o->paths = larger;
    larger[o->count++] = path;
    larger[o->count] = NULL;
    return 0;
}

static int add_target(void *data, const char *path, const char *target, struct error *err)
{
    struct others *o = data;
    size_t n = o->blobs ? strlen(o->blobs) : 0;
    (void)path;
    if (n && strncmp(target, o->blobs, n) == 0 && target[n] == '/')
        return 0;
    char *real = realpath(target, NULL);
    return real ? add_path(o, real, err) : error_errno(err, errno, "cannot open %s", target);
}

static void free_others(struct others *o)
{
    for (size_t i = 0; i < o->count; i++)
        free(o->paths[i]);
    free(o->paths);
    free(o->blobs);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each path once; their folders instead, where they are many: each is a mount. */
static void make_few(struct others *o)
{
    size_t kept = 0;
    for (size_t i = 0; o->count > MOST_MOUNTS && i < o->count; i++) {
        char *slash = strrchr(o->paths[i], '/');
        if (slash && slash > o->paths[i] && (!o->blobs || strcmp(o->paths[i], o->blobs) != 0))
            *slash = 0;
    }
    if (o->count)
        qsort(o->paths, o->count, sizeof *o->paths, by_text);
    for (size_t i = 0; i < o->count; i++) {
        if (kept && strcmp(o->paths[kept - 1], o->paths[i]) == 0)
            free(o->paths[i]);
        else
            o->paths[kept++] = o->paths[i];
    }
    o->count = kept;
    if (o->paths)
        o->paths[kept] = NULL;
}

static int find_others(struct others *o, struct error *err)
{
    *o = (struct others){.blobs = realpath("../../blobs", NULL)};
    int rc = o->blobs ? add_path(o, strdup(o->blobs), err) : 0;
    if (rc == 0)
        rc = each_link(".", 0, add_target, o, err);
    if (rc == 0)
        make_few(o);
    return rc;
}

static int run_with_large_inputs(struct launch *how, int *status, struct error *err)
{
    struct others others = {0};
    struct error first = {""};
    int rc = 0;
    if (copy_inputs(file_reflink, &first) < 0) {
        rc = find_others(&others, err);
        how->read_only = (const char *const *)others.paths;
    }
    if (rc == 0) {
        rc = launch(how, status, &first);
        if (rc < 0 && rc != -ENOTSUP)
            *err = first;
    }
    if (rc == -ENOTSUP) {
        fprintf(stderr, "ferdag: %s, so the inputs are copied\n", first.text);
        how->read_only = NULL;
        rc = copy_inputs(file_copy_unsynced, err);
        if (rc == 0)
            rc = launch(how, status, err);
    }
    free_others(&others);
    return rc;
}

static int run_program(const struct job *job, char *const *environment, int *status,
                       struct error *err)
{
    struct launch how = {.text = job_string(job, "run"), .environment = environment};
    uint64_t size = 0;
    int rc = each_link(".", 0, add_size, &size, err);
    if (rc == 0 && size > COPIED_AT_ONCE)
        return run_with_large_inputs(&how, status, err);
    if (rc == 0)
        rc = copy_inputs(file_copy_unsynced, err);
    return rc < 0 ? rc : launch(&how, status, err);
}

static int run(struct job *job, struct error *err)
{
    const char *text = job_string(job, "run");
    char **environment = make_environment(job);
    int status = 0;
    int rc = environment ? run_program(job, environment, &status, err)
                         : error_set(err, ENOMEM, "out of memory");
    free_environment(environment);
    if (rc < 0)
        return rc;
    if (WIFSIGNALED(status))
        return error_set(err, EINTR, "'%.200s' was killed by signal %d (%s)", text,
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, EIO, "'%.200s' ended with status %d", text, WEXITSTATUS(status));
    return 0;
}

static const struct port none[] = {{0}};

static const struct param params[] = {
    {.name = "run", .type = PARAM_STRING, .max = 65536, .text = "what /bin/sh -c runs"},
    {0},
};

const struct kind kind_command = {
    .name = "command",
    .version = 1,
    .text = "any program, with inputs and outputs that the YAML names",
    .inputs = none,
    .outputs = none,
    .params = params,
    .open_ports = true,
    .run = run,
};
