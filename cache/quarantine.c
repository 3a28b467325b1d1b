/* See quarantine.h. */
#include "cache/quarantine.h"
#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int quarantine(const char *cache, const char *path, const char *name, struct error *err)
{
    char *folder = format_string("%s/damaged", cache);
    char *to = format_string("%s/damaged/%s", cache, name);
    int rc = folder && to ? file_make_folders(folder, err)
                          : error_set(err, ENOMEM, "out of memory moving %s", path);
    if (rc == 0 && rename(path, to) < 0 && errno != ENOENT) {
        rc = file_remove_tree(to, err); /* rename doesn't replace a folder */
        if (rc == 0 && rename(path, to) < 0 && errno != ENOENT)
            rc = error_errno(err, errno, "cannot move %s to %s", path, to);
    }
    free(to);
    free(folder);
    return rc;
}
