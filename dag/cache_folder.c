/* See cache_folder.h. */
#include "dag/cache_folder.h"
#include "base/arena.h"
#include "base/file.h"
#include "cache/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME ".ferdag"

bool cache_folder_is_here(const char *path)
{
    return strcmp(path, NAME) == 0;
}

static bool is_folder(const char *path, struct stat *st)
{
    return stat(path, st) == 0 && S_ISDIR(st->st_mode);
}

/* Whether `above` is another folder than `folder`: they are the same at the root. */
static bool is_other(const char *folder, const char *above)
{
    struct stat a, b;
    return stat(folder, &a) == 0 && stat(above, &b) == 0 &&
           (a.st_dev != b.st_dev || a.st_ino != b.st_ino);
}

char *cache_folder_search(void)
{
    struct stat st;
    if (is_folder(NAME, &st))
        return must(strdup(NAME));
    char *folder = must(strdup("."));
    for (;;) {
        char *above =
            must(strcmp(folder, ".") == 0 ? strdup("..") : format_string("%s/..", folder));
        if (!is_other(folder, above)) {
            free(above);
            break;
        }
        free(folder);
        folder = above;
        char *cache = must(format_string("%s/" NAME, folder));
        if (is_folder(cache, &st) && st.st_uid == geteuid() && cache_exists(cache)) {
            free(folder);
            return cache;
        }
        free(cache);
    }
    free(folder);
    return must(strdup(NAME));
}

char *cache_folder_default(void)
{
    const char *given = getenv("FERDAG_CACHE");
    return given && *given ? must(strdup(given)) : cache_folder_search();
}

int cache_folder_check(const char *path, bool warn, struct error *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return error_set(err, ENOTDIR, "cache %s is not a folder", path);
    if (warn && !cache_exists(path))
        fprintf(stderr, "ferdag: warning: no cache at %s\n", path);
    return 0;
}
