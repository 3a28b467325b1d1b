/* See fanout.h. */
#include "cache/fanout.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 64, PREFIX = 2 };

typedef int visit_digest(void *data, const struct digest *digest, struct error *err);

char *fanout_path(const char *folder, const char *hex, const char *suffix)
{
    return format_string("%s/%.*s/%s%s", folder, PREFIX, hex, hex + PREFIX, suffix);
}

/* Whether the name is that many hex digits and the suffix. */
static bool is_name(const char *name, size_t digits, const char *suffix)
{
    return strspn(name, "0123456789abcdef") == digits && strcmp(name + digits, suffix) == 0;
}

static int list_prefix(const char *folder, const char *prefix, const char *suffix,
                       visit_digest *visit, void *data, struct error *err)
{
    char *path = format_string("%s/%s", folder, prefix);
    DIR *dir = path ? opendir(path) : NULL;
    struct dirent *entry;
    int rc = path ? 0 : error_set(err, ENOMEM, "out of memory listing %s", folder);
    if (path && !dir && errno != ENOTDIR && errno != ENOENT)
        rc = error_errno(err, errno, "cannot open folder %s", path);
    while (dir && rc == 0 && (entry = readdir(dir))) {
        struct digest digest;
        if (!is_name(entry->d_name, DIGITS - PREFIX, suffix))
            continue;
        snprintf(digest.hex, sizeof digest.hex, "%.2s%.62s", prefix, entry->d_name);
        rc = visit(data, &digest, err);
    }
    if (dir)
        closedir(dir);
    free(path);
    return rc;
}

int fanout_list(const char *folder, const char *suffix, visit_digest *visit, void *data,
                struct error *err)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int rc = dir || errno == ENOENT ? 0 : error_errno(err, errno, "cannot open folder %s", folder);
    while (dir && rc == 0 && (entry = readdir(dir)))
        if (is_name(entry->d_name, PREFIX, ""))
            rc = list_prefix(folder, entry->d_name, suffix, visit, data, err);
    if (dir)
        closedir(dir);
    return rc;
}
