/* A file's metadata that changes with its content. A program can set mtime back but not ctime, so
 * every write through the file system gives other metadata; damage of the medium does not. */
#ifndef FERDAG_BASE_METADATA_H
#define FERDAG_BASE_METADATA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct metadata {
    uint64_t size, inode;
    int64_t mtime_ns, ctime_ns; /* nanoseconds since 1970 */
};

struct metadata metadata_of(const struct stat *st);
bool metadata_equal(const struct metadata *a, const struct metadata *b);

/* A hash of the path of a file in a folder and of the file's metadata. The sum of these over all
 * files of a folder, in any order, changes when a file is written, added or removed. */
uint64_t metadata_hash(const char *path, const struct metadata *metadata);

#endif
