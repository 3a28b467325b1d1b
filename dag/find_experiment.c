/* See find_experiment.h. The folder of the installed experiments is FERDAG_EXPERIMENTS, or lies
 * where `make install` puts it relative to the running program, so that an installation can be
 * moved; or beside the program, as in the folder where it was built. */
#include "dag/find_experiment.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/nearest.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ending[] = ".yaml";

enum { FILE_LIMIT = 1 << 20 }; /* a larger file is not listed */

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The folder of the installed experiments, malloc'd, or NULL. */
static char *installed_folder(void)
{
    const char *named = getenv("FERDAG_EXPERIMENTS");
    if (named && *named)
        return must(strdup(named));
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0)
        return NULL;
    program[n] = 0;
    char *slash = strrchr(program, '/');
    if (!slash)
        return NULL;
    *slash = 0;
    char *beside = must(format_string("%s/experiments", program));
    slash = strrchr(program, '/');
    char *installed = must(format_string("%.*s/share/ferdag/experiments",
                                         slash ? (int)(slash - program) : 0, program));
    bool is_installed = is_folder(installed);
    free(is_installed ? beside : installed);
    return is_installed ? installed : beside;
}

/* Whether the file is an experiment of its own: it states its format, which files that are
 * included leave to the file that includes them. */
static bool is_experiment(const char *folder, const char *file)
{
    char *path = must(format_string("%s/%s", folder, file)), *text;
    size_t size;
    int rc = file_read(path, FILE_LIMIT, &text, &size, NULL);
    free(path);
    if (rc < 0)
        return false;
    bool found = strncmp(text, "ferdag:", 7) == 0 || strstr(text, "\nferdag:") != NULL;
    free(text);
    return found;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void find_installed(char ***names, size_t *count)
{
    char *folder = installed_folder();
    DIR *dir = folder ? opendir(folder) : NULL;
    *names = NULL;
    *count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t n = strlen(entry->d_name), end = strlen(ending);
        if (n <= end || entry->d_name[0] == '.' || strcmp(entry->d_name + n - end, ending) != 0 ||
            !is_experiment(folder, entry->d_name))
            continue;
        *names = must(realloc(*names, (*count + 1) * sizeof(char *)));
        (*names)[(*count)++] = must(strndup(entry->d_name, n - end));
    }
    if (*count > 1)
        qsort(*names, *count, sizeof(char *), by_text);
    if (dir)
        closedir(dir);
    free(folder);
}

/* The length of a file's name without its ending. */
static size_t stem(const char *file)
{
    const char *point = strrchr(file, '.');
    return point ? (size_t)(point - file) : strlen(file);
}

/* The .yaml file in the name's folder whose own name is nearest, with its folder: malloc'd, or NULL
 * if none is near. */
static char *nearest_file(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    int above = (int)(base - name);
    char *folder = must(above ? format_string("%.*s", above, name) : strdup("."));
    char *wrong = must(strndup(base, stem(base))), *best = NULL;
    struct nearest nearest = {.wrong = wrong};
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t n = stem(entry->d_name);
        if (n == 0 || strcmp(entry->d_name + n, ending) != 0)
            continue;
        char *candidate = must(strndup(entry->d_name, n));
        nearest_offer(&nearest, candidate);
        if (nearest.best == candidate) { /* borrowed */
            free(best);
            best = candidate;
        } else {
            free(candidate);
        }
    }
    if (dir)
        closedir(dir);
    char *path = best ? must(format_string("%.*s%s%s", above, name, best, ending)) : NULL;
    free(best);
    free(wrong);
    free(folder);
    return path;
}

/* Fills err with the names of the installed experiments, and the nearest file or experiment. */
static int not_found(const char *name, struct error *err)
{
    const char *slash = strrchr(name, '/');
    char **names, *word = must(strdup(slash ? slash + 1 : name)), *list = must(strdup(""));
    size_t count, n = strlen(word), end = strlen(ending);
    if (n > end && strcmp(word + n - end, ending) == 0)
        word[n - end] = 0;
    struct nearest nearest = {.wrong = word};
    find_installed(&names, &count);
    for (size_t i = 0; i < count; i++) {
        char *longer =
            must(format_string("%s%s%s", list, i ? ", " : "; installed experiments: ", names[i]));
        free(list);
        list = longer;
        nearest_offer(&nearest, names[i]);
    }
    char *file = nearest_file(name);
    char *hint =
        must(file ? format_string(" (did you mean '%s'?)", file) : strdup(nearest_hint(&nearest)));
    error_set(err, ENOENT, "cannot open %s: No such file or directory%s%s", name, hint, list);
    free(hint);
    free(file);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    free(list);
    free(word);
    return -ENOENT;
}

/* FOLDERnameENDING if it is a file, malloc'd, or NULL. */
static char *candidate(const char *folder, const char *name, const char *suffix)
{
    char *path = must(format_string("%s%s%s", folder, name, suffix));
    if (is_file(path))
        return path;
    free(path);
    return NULL;
}

int find_experiment(const char *name, char **path, struct error *err)
{
    struct stat st;
    bool exists = lstat(name, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
    *path = NULL;
    if (!*name)
        return error_set(err, EINVAL, "the name of the experiment file is empty");
    if (!exists || is_folder(name))
        *path = candidate("", name, ending);
    if (!*path && !strchr(name, '/') && (!exists || is_folder(name))) {
        char *installed = installed_folder();
        char *folder = installed ? must(format_string("%s/", installed)) : NULL;
        if (folder)
            *path = candidate(folder, name, "");
        if (!*path && folder)
            *path = candidate(folder, name, ending);
        free(folder);
        free(installed);
    }
    if (!*path && !exists)
        return not_found(name, err);
    if (!*path) /* if it can't be read, its reader reports why */
        *path = must(strdup(name));
    return 0;
}
