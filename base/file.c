/* See file.h. */
#define _GNU_SOURCE
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

/* Of file_remove_tree: each level of folders keeps a file descriptor open. */
enum { MAX_DEPTH = 100, MAX_PASSES = 1000 };

char *format_string(const char *format, ...)
{
    va_list args;
    char *path = NULL;
    va_start(args, format);
    int n = vasprintf(&path, format, args);
    va_end(args);
    return n < 0 ? NULL : path;
}

char *file_random_name(const char *folder)
{
    uint64_t number;
    if (getentropy(&number, sizeof number) < 0)
        return NULL;
    return format_string("%s/%016" PRIx64, folder, number);
}

int file_read(const char *path, size_t limit, char **data, size_t *size, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    size_t capacity = 4096, used = 0;
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (size_t)st.st_size <= limit)
        capacity = (size_t)st.st_size + 1;
    char *buffer = malloc(capacity + 1);
    int rc = 0;
    while (buffer) {
        ssize_t n = read(fd, buffer + used, capacity - used);
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
        if (used == capacity) {
            char *larger = realloc(buffer, capacity * 2 + 1);
            if (!larger) {
                rc = error_set(err, ENOMEM, "out of memory reading %s", path);
                break;
            }
            buffer = larger;
            capacity *= 2;
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

char *file_temporary_name(const char *path)
{
    uint32_t number;
    return getentropy(&number, sizeof number) < 0
               ? NULL
               : format_string("%s.tmp.%08x", path, (unsigned)number);
}

/* Opens a new file beside `path` for writing; *temporary is its malloc'd name. */
static int open_temporary(const char *path, char **temporary, struct error *err)
{
    *temporary = file_temporary_name(path);
    if (!*temporary)
        return error_set(err, ENOMEM, "cannot name a temporary file for %s", path);
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

int file_write_unsynced(const char *path, const void *data, size_t size, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return error_errno(err, errno, "cannot write %s", path);
    int rc = write_all(fd, data, size);
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    if (rc < 0) {
        unlink(path);
        return error_errno(err, -rc, "cannot write %s", path);
    }
    return 0;
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

/* Makes a new file from another by `copy`. mode 0: as the umask gives. */
static int make_copy(const char *from, const char *to, int mode, int (*copy)(int in, int out),
                     struct error *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return error_errno(err, errno, "cannot open %s", from);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode ? 0600 : 0666);
    int rc = out < 0 ? -errno : copy(in, out);
    if (rc == 0 && mode && fchmod(out, (mode_t)mode) < 0)
        rc = -errno;
    if (out >= 0 && close(out) < 0 && rc == 0)
        rc = -errno;
    if (out >= 0 && rc < 0)
        unlink(to);
    close(in);
    return rc < 0 ? error_errno(err, -rc, "cannot copy %s to %s", from, to) : 0;
}

int file_copy_unsynced(const char *from, const char *to, int mode, struct error *err)
{
    return make_copy(from, to, mode, copy_bytes, err);
}

static int clone_bytes(int in, int out)
{
    return ioctl(out, FICLONE, in) < 0 ? -errno : 0;
}

int file_reflink(const char *from, const char *to, int mode, struct error *err)
{
    return make_copy(from, to, mode, clone_bytes, err);
}

int file_sync(const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "cannot open %s", path);
    int rc = fsync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc < 0 ? error_errno(err, -rc, "cannot sync %s", path) : 0;
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

int file_make_parents(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    char *folder = strndup(path, (size_t)(slash - path));
    int rc = folder ? file_make_folders(folder, err)
                    : error_set(err, ENOMEM, "out of memory making the folder of %s", path);
    free(folder);
    return rc;
}

/* State of file_remove_tree. */
struct removal {
    int top;        /* descriptor of the folder to remove; -1 until it is open */
    unsigned moved; /* folders moved up to it so far */
};

static int remove_entry(struct removal *r, int folder, const char *name, int depth);

/* Removes what is in the folder and closes it. */
static int empty_folder(struct removal *r, int fd, int depth)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int code = errno;
        close(fd);
        return -code;
    }
    if (depth == 0)
        r->top = fd;
    struct dirent *entry;
    int rc = 0;
    while (rc == 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            rc = remove_entry(r, fd, entry->d_name, depth + 1);
    closedir(dir);
    return rc;
}

static int remove_folder(struct removal *r, int folder, const char *name, int depth)
{
    if (depth > MAX_DEPTH) { /* moved to the top, for the next pass */
        char up[40];
        snprintf(up, sizeof up, ".deep.%u", r->moved++);
        return renameat(folder, name, r->top, up) < 0 ? -errno : 0;
    }
    int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = empty_folder(r, fd, depth);
    if (rc < 0)
        return rc;
    if (unlinkat(folder, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return depth == 0 ? -errno : errno == ENOTEMPTY ? 0 : -errno;
    return 0;
}

static int remove_entry(struct removal *r, int folder, const char *name, int depth)
{
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    int code = errno;
    struct stat st;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
        return -code;
    /* Programs leave read-only folders: Go's module cache, for one. */
    if ((st.st_mode & S_IRWXU) != S_IRWXU)
        fchmodat(folder, name, (st.st_mode & 07777) | S_IRWXU, 0);
    return remove_folder(r, folder, name, depth);
}

int file_remove_tree(const char *path, struct error *err)
{
    struct removal r = {.top = -1};
    int rc = -ENOTEMPTY;
    /* More than one pass if folders were too deep or another process still writes there. */
    for (int pass = 0; pass < MAX_PASSES && rc == -ENOTEMPTY; pass++)
        rc = remove_entry(&r, AT_FDCWD, path, 0);
    return rc < 0 ? error_errno(err, -rc, "cannot remove %s", path) : 0;
}
