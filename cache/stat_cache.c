/* See cache.h: digests of files outside the cache, and the stat cache that saves reading them. */
#define _GNU_SOURCE
#include "cache/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static bool settled(const struct timespec *t, const struct timespec *now)
{
    return now->tv_sec - t->tv_sec > 2;
}

/* Writing through a mapping (mmap) to a page that is dirty already changes neither mtime nor ctime;
 * the first write after the page was written out does. */
static void write_out(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
        sync_file_range(fd, 0, 0,
                        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                            SYNC_FILE_RANGE_WAIT_AFTER);
        close(fd);
    }
}

int cache_digest(struct cache *cache, const char *path, struct digest *digest, struct stat *st,
                 struct error *err)
{
    struct timespec now;
    if (stat(path, st) < 0)
        return error_errno(err, errno, "cannot open %s", path);
    if (!S_ISREG(st->st_mode))
        return error_set(err, EINVAL, "%s is not a regular file", path);
    int rc = index_find_stat(cache->index, path, st, digest, err);
    if (rc != -ENOENT)
        return rc;
    write_out(path);
    if (stat(path, st) < 0)
        return error_errno(err, errno, "cannot open %s", path);
    clock_gettime(CLOCK_REALTIME, &now);
    rc = sha256_file(path, digest, NULL, err);
    if (rc < 0)
        return rc;
    if (settled(&st->st_mtim, &now) && settled(&st->st_ctim, &now))
        index_put_stat(cache->index, path, st, digest,
                       NULL); /* otherwise it is hashed again next time */
    return 0;
}
