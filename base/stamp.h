/* What the file system says of a file. ctime can't be set back, so every write through the file
 * system gives another stamp; damage of the medium doesn't. */
#ifndef FERDAG_BASE_STAMP_H
#define FERDAG_BASE_STAMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct stamp {
    uint64_t size, inode;
    int64_t mtime_ns, ctime_ns;
};

struct stamp stamp_of(const struct stat *st);
bool stamp_equal(const struct stamp *a, const struct stamp *b);

/* A number for the stamp of the file at `path` in a folder: the sum of those of all its files, in
 * whatever order, is another one once a file was written, came or went. */
uint64_t stamp_number(const char *path, const struct stamp *stamp);

#endif
