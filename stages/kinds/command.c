/* command: any program as a stage. It finds its inputs in the current folder under the names of
 * their ports, and writes the files that `out:` names to that folder.
 *
 * The program must not be able to change blobs or the user's own files. The folder holds links to
 * these; before the program starts, each link is replaced: by a copy if the inputs are small or the
 * file system can share blocks, else by a read-only mount, or by a copy where mounts don't work. In
 * each case the program sees regular files. */
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
#include "base/metadata.h"
#include "base/utf8.h"

enum {
    COPIED_AT_ONCE = 4 << 20, /* bytes of all inputs up to which they are copied: to make a mount
                                 namespace takes as long as to copy some megabytes */
    MOUNTED_FROM = 1 << 20,   /* bytes of a file that is worth a mount */
    MOST_MOUNTS = 500,        /* bubblewrap takes 0.5 s for them; the time grows with the square */
    PATH_LIMIT = 4096,
    FOLDER_DEPTH = 200
};

/* ---- inputs ---- */

/* A file that the folder has a link to. */
struct input {
    char *as;     /* the link, relative to the current folder */
    char *source; /* the file; absolute */
    uint64_t size;
    bool mounted;
};

struct inputs {
    struct input *items;
    size_t count;
    uint64_t size; /* of all */
};

static void free_inputs(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++) {
        free(inputs->items[i].as);
        free(inputs->items[i].source);
    }
    free(inputs->items);
}

static int add_input(struct inputs *inputs, const char *as, const char *source, struct error *err)
{
    struct stat st;
    if (stat(source, &st) < 0)
        return error_errno(err, errno, "cannot open %s, the input %s", source, as);
    struct input *larger = realloc(inputs->items, (inputs->count + 1) * sizeof *larger);
    if (!larger)
        return error_set(err, ENOMEM, "out of memory");
    inputs->items = larger;
    struct input *input = &larger[inputs->count++];
    *input = (struct input){strdup(as), strdup(source), (uint64_t)st.st_size, false};
    inputs->size += input->size;
    return input->as && input->source ? 0 : error_set(err, ENOMEM, "out of memory");
}

static int list_folder(struct inputs *inputs, const char *folder, int depth, struct error *err);

/* Links to inputs are absolute. Relative ones belong to the output folder of another stage and
 * stay. */
static int list_entry(struct inputs *inputs, const char *path, int depth, struct error *err)
{
    struct stat st;
    char target[PATH_LIMIT];
    if (lstat(path, &st) < 0)
        return error_errno(err, errno, "cannot look at %s", path);
    if (S_ISDIR(st.st_mode))
        return list_folder(inputs, path, depth + 1, err);
    ssize_t n = S_ISLNK(st.st_mode) ? readlink(path, target, sizeof target - 1) : 0;
    if (n <= 0 || n >= (ssize_t)sizeof target - 1 || target[0] != '/')
        return 0;
    target[n] = 0;
    return add_input(inputs, path, target, err);
}

static int list_folder(struct inputs *inputs, const char *folder, int depth, struct error *err)
{
    DIR *dir = depth > FOLDER_DEPTH ? NULL : opendir(*folder ? folder : ".");
    struct dirent *entry;
    int rc = dir ? 0 : error_set(err, EIO, "cannot open folder %s", folder);
    while (dir && rc == 0 && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *path = format_string("%s%s%s", folder, *folder ? "/" : "", entry->d_name);
        rc = path ? list_entry(inputs, path, depth, err) : error_set(err, ENOMEM, "out of memory");
        free(path);
    }
    if (dir)
        closedir(dir);
    return rc;
}

typedef int copier(const char *from, const char *to, int mode, struct error *err);

/* Replaces the link, or the empty file of a mount, by a copy. */
static int copy_input(const struct input *input, copier *copy, struct error *err)
{
    struct stat st;
    char *temporary = file_random_name(".");
    int rc = temporary ? 0 : error_set(err, ENOMEM, "out of memory");
    if (rc == 0 && stat(input->source, &st) < 0)
        rc = error_errno(err, errno, "cannot open %s, the input %s", input->source, input->as);
    if (rc == 0)
        rc = copy(input->source, temporary, st.st_mode & S_IXUSR ? 0555 : 0444, err);
    if (rc == 0 && rename(temporary, input->as) < 0)
        rc = error_errno(err, errno, "cannot make %s", input->as);
    free(temporary);
    return rc;
}

/* Copies all inputs, or only those that were to be mounted. Returns the copier's error, such as
 * -EOPNOTSUPP where the file system can't share blocks. */
static int copy_inputs(const struct inputs *inputs, bool mounted, copier *copy, struct error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < inputs->count; i++)
        if (!mounted || inputs->items[i].mounted)
            rc = copy_input(&inputs->items[i], copy, err);
    return rc;
}

/* ---- whether they are what was hashed ---- */

/* The sum of the stamps of the files at `path`, or below it. */
static int sum_stamps(const struct inputs *inputs, const char *path, uint64_t *sum,
                      struct error *err)
{
    size_t n = strlen(path);
    *sum = 0;
    for (size_t i = 0; i < inputs->count; i++) {
        const struct input *input = &inputs->items[i];
        struct stat st;
        if (strncmp(input->as, path, n) != 0 || (input->as[n] && input->as[n] != '/'))
            continue;
        if (stat(input->source, &st) < 0)
            return error_errno(err, errno, "cannot open %s, the input %s", input->source,
                               input->as);
        struct metadata metadata = metadata_of(&st);
        *sum += metadata_hash(input->as + n + (input->as[n] == '/'), &metadata);
    }
    return 0;
}

/* Checks that inputs from outside are still the files that were hashed. */
static int check_stamps(const struct job *job, const struct inputs *inputs, struct error *err)
{
    const char *port;
    json_t *list, *item;
    size_t i;
    json_object_foreach(json_object_get(job->root, "inputs"), port, list)
        json_array_foreach(list, i, item)
    {
        const char *path = json_string_value(json_object_get(item, "path"));
        const char *stamps = json_string_value(json_object_get(item, "stamps"));
        const char *name = json_string_value(json_object_get(item, "name"));
        uint64_t sum;
        if (!path || !stamps)
            continue;
        int rc = sum_stamps(inputs, path, &sum, err);
        if (rc < 0)
            return rc;
        if (sum != strtoull(stamps, NULL, 16))
            return error_set(err, EIO, "input '%s' (%s) changed after the run began; run again",
                             path, name ? name : port);
    }
    return 0;
}

/* ---- environment ---- */

/* The environment of a program besides what `env` declares. Language and time zone are the same
 * everywhere, since results may depend on them. None of this is in the key. */
static const struct {
    const char *name, *value; /* NULL: as in this process */
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
    {"CUDA_VISIBLE_DEVICES", NULL},
    {"CUDA_DEVICE_ORDER", NULL}, /* what numbers in the line above mean */
};

enum { BASIC = sizeof basic / sizeof *basic };

/* Adds "NAME=VALUE"; a value of NULL stands for that of this process, if there is one. */
static int add_variable(char **all, size_t *n, const char *name, const char *value)
{
    value = value ? value : getenv(name);
    if (!value)
        return 0;
    all[*n] = format_string("%s=%s", name, value);
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

/* To be freed with free_environment; NULL if memory is out. */
static char **make_environment(const struct job *job, const char *progress)
{
    const json_t *declared = json_object_get(job->root, "env");
    char **all = calloc(1 + BASIC + json_array_size(declared) + 1, sizeof *all);
    size_t n = 0;
    int rc = all ? add_variable(all, &n, "FERDAG_PROGRESS", progress) : -ENOMEM;
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

static int by_size(const void *a, const void *b)
{
    const struct input *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size ? 1 : -1) : strcmp(x->as, y->as);
}

/* Replaces the link by an empty file, to mount on. */
static int make_mount_point(const struct input *input, struct error *err)
{
    char *temporary = file_random_name(".");
    int rc = temporary ? file_write_unsynced(temporary, "", 0, err)
                       : error_set(err, ENOMEM, "out of memory");
    if (rc == 0 && rename(temporary, input->as) < 0)
        rc = error_errno(err, errno, "cannot make %s", input->as);
    free(temporary);
    return rc;
}

/* Chooses the largest inputs for a mount and copies the others. mounts has space for all inputs and
 * the terminator. */
static int choose_mounts(struct inputs *inputs, struct mount *mounts, struct error *err)
{
    size_t n = 0;
    int rc = 0;
    qsort(inputs->items, inputs->count, sizeof *inputs->items, by_size);
    for (size_t i = 0; rc == 0 && i < inputs->count; i++) {
        struct input *input = &inputs->items[i];
        input->mounted = input->size >= MOUNTED_FROM && n < MOST_MOUNTS;
        if (input->mounted)
            mounts[n++] = (struct mount){.source = input->source, .at = input->as};
        rc = input->mounted ? make_mount_point(input, err)
                            : copy_input(input, file_copy_unsynced, err);
    }
    return rc;
}

/* Runs the program with large inputs mounted read-only, or copied where mounts don't work. */
static int run_with_mounts(const struct job *job, struct launch *how, struct inputs *inputs,
                           int *status, struct error *err)
{
    struct mount *mounts = calloc(inputs->count + 1, sizeof *mounts);
    struct error why = {""};
    int rc = mounts ? choose_mounts(inputs, mounts, err) : error_set(err, ENOMEM, "out of memory");
    if (rc == 0)
        rc = check_stamps(job, inputs, err);
    how->mounts = mounts;
    if (rc == 0) {
        rc = launch(how, status, &why);
        if (rc < 0 && rc != -ENOTSUP)
            *err = why;
    }
    if (rc == -ENOTSUP) {
        fprintf(stderr, "ferdag: %s, so the inputs are copied\n", why.text);
        how->mounts = NULL;
        rc = copy_inputs(inputs, true, file_copy_unsynced, err);
        if (rc == 0)
            rc = check_stamps(job, inputs, err);
        if (rc == 0)
            rc = launch(how, status, err);
    }
    free(mounts);
    return rc;
}

static int run_on_copies(const struct job *job, const struct launch *how,
                         const struct inputs *inputs, int *status, struct error *err)
{
    int rc = check_stamps(job, inputs, err);
    return rc < 0 ? rc : launch(how, status, err);
}

static int run_program(const struct job *job, struct program_progress *progress, int *status,
                       struct error *err)
{
    char **environment = make_environment(job, progress->path);
    if (!environment)
        return error_set(err, ENOMEM, "out of memory");
    struct launch how = {
        .text = job_string(job, "run"),
        .environment = environment,
        .progress = progress,
    };
    struct inputs inputs = {0};
    int rc = list_folder(&inputs, "", 0, err);
    if (rc == 0)
        rc = check_stamps(job, &inputs, err);
    if (rc == 0 && inputs.size > COPIED_AT_ONCE &&
        copy_inputs(&inputs, false, file_reflink, NULL) < 0) {
        rc = run_with_mounts(job, &how, &inputs, status, err);
    } else if (rc == 0) {
        if (inputs.size <= COPIED_AT_ONCE)
            rc = copy_inputs(&inputs, false, file_copy_unsynced, err);
        rc = rc < 0 ? rc : run_on_copies(job, &how, &inputs, status, err);
    }
    free_inputs(&inputs);
    free_environment(environment);
    return rc;
}

/* The command in a message: its first line, at most 60 bytes of it. */
static void shorten(const char *command, char text[64])
{
    command += strspn(command, " \n");
    size_t all = strlen(command), n = strcspn(command, "\n");
    while (all > 0 && strchr(" \n", command[all - 1]))
        all--;
    bool cut = n < all || n > 60;
    n = n > 60 ? 57 : n < all ? n : all;
    snprintf(text, 64, "%.*s%s", (int)utf8_boundary(command, n), command, cut ? "..." : "");
}

static int run(struct job *job, struct error *err)
{
    char text[64];
    shorten(job_string(job, "run"), text);
    struct program_progress progress;
    int status = 0;
    int rc = program_progress_open(&progress, job, err);
    if (rc < 0)
        return rc;
    rc = run_program(job, &progress, &status, err);
    program_progress_close(&progress);
    if (rc < 0)
        return rc;
    if (WIFSIGNALED(status))
        return error_set(err, EINTR, "'%s' was killed by signal %d (%s)", text, WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, EIO, "'%s' ended with status %d", text, WEXITSTATUS(status));
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
