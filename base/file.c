/* See file.h. */
#define _GNU_SOURCE
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

char *file_path(const char *format, ...)
{
    va_list args;
    char *path = NULL;
    va_start(args, format);
    int n = vasprintf(&path, format, args);
    va_end(args);
    return n < 0 ? NULL : path;
}

int file_read(const char *path, size_t limit, char **data, size_t *size, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    size_t room = 4096, used = 0;
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size <= limit)
        room = (size_t)st.st_size + 1;
    char *buffer = malloc(room + 1);
    int rc = 0;
    while (buffer) {
        ssize_t n = read(fd, buffer + used, room - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = error_errno(err, errno, "cannot read %s", path);
            break;
        }
        used += (size_t)n;
        if (used > limit) {
            rc = error_set(err, EFBIG, "%s is larger than %zu bytes", path, limit);
            break;
        }
        if (n == 0)
            break;
        if (used == room) {
            char *larger = realloc(buffer, room * 2 + 1);
            if (!larger) {
                rc = error_set(err, ENOMEM, "out of memory reading %s", path);
                break;
            }
            buffer = larger;
            room *= 2;
        }
    }
    close(fd);
    if (!buffer)
        return error_set(err, ENOMEM, "out of memory reading %s", path);
    if (rc < 0) {
        free(buffer);
        return rc;
    }
    buffer[used] = 0;
    *data = buffer;
    *size = used;
    return 0;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Opens PATH.tmp.CHANCE, a new file, for writing; *temporary is malloc'd. A process's number won't
 * do for a name: two containers on one folder may both have it. */
static int open_temporary(const char *path, char **temporary, struct error *err)
{
    uint32_t chance;
    if (getentropy(&chance, sizeof chance) < 0)
        return error_errno(err, errno, "cannot name a temporary file for %s", path);
    *temporary = file_path("%s.tmp.%08x", path, (unsigned)chance);
    if (!*temporary)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    int fd = open(*temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        int rc = error_errno(err, errno, "cannot write %s", path);
        free(*temporary);
        *temporary = NULL;
        return rc;
    }
    return fd;
}

/* Syncs and renames what open_temporary opened, or removes it if rc < 0; frees temporary. */
static int close_temporary(int fd, char *temporary, const char *path, int rc, struct error *err)
{
    if (rc == 0 && fsync(fd) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && rename(temporary, path) < 0)
        rc = -errno;
    if (rc < 0) {
        unlink(temporary);
        error_errno(err, -rc, "cannot write %s", path);
    }
    free(temporary);
    return rc;
}

int file_write(const char *path, const void *data, size_t size, struct error *err)
{
    char *temporary;
    int fd = open_temporary(path, &temporary, err);
    if (fd < 0)
        return fd;
    return close_temporary(fd, temporary, path, write_all(fd, data, size), err);
}

static int copy_bytes(int in, int out)
{
    if (ioctl(out, FICLONE, in) == 0)
        return 0;
    char buffer[1 << 16];
    for (;;) {
        ssize_t n = read(in, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int rc = write_all(out, buffer, (size_t)n);
        if (rc < 0)
            return rc;
    }
}

int file_copy(const char *from, const char *to, struct error *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return error_errno(err, errno, "cannot open %s", from);
    char *temporary;
    int out = open_temporary(to, &temporary, err);
    if (out < 0) {
        close(in);
        return out;
    }
    int rc = close_temporary(out, temporary, to, copy_bytes(in, out), err);
    close(in);
    return rc;
}

int file_make_folders(const char *path, struct error *err)
{
    char *copy = strdup(path);
    if (!copy)
        return error_set(err, ENOMEM, "out of memory making %s", path);
    int rc = 0;
    for (char *p = copy + 1; rc == 0; p++) {
        if (*p && *p != '/')
            continue;
        char kept = *p;
        *p = 0;
        struct stat st;
        if (mkdir(copy, 0777) < 0 &&
            !(errno == EEXIST && stat(copy, &st) == 0 && S_ISDIR(st.st_mode)))
            rc = error_errno(err, errno == EEXIST ? ENOTDIR : errno, "cannot make folder %s", copy);
        if (!kept)
            break;
        *p = kept;
    }
    free(copy);
    return rc;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int file_remove_tree(const char *path, struct error *err)
{
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_errno(err, errno, "cannot look at %s", path);
    if (nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS) < 0)
        return error_errno(err, errno, "cannot remove %s", path);
    return 0;
}
