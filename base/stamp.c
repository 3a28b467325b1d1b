/* See stamp.h. */
#include "base/stamp.h"
#include "base/clock.h"
#include "base/hash.h"

#include <stddef.h>
#include <string.h>

struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){.size = (uint64_t)st->st_size,
                          .inode = (uint64_t)st->st_ino,
                          .mtime_ns = clock_ns(&st->st_mtim),
                          .ctime_ns = clock_ns(&st->st_ctim)};
}

bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->size == b->size && a->inode == b->inode && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}

uint64_t stamp_number(const char *path, const struct stamp *stamp)
{
    uint64_t hash = hash_add(HASH_START, path, strlen(path) + 1);
    hash = hash_add(hash, &stamp->size, sizeof stamp->size);
    hash = hash_add(hash, &stamp->inode, sizeof stamp->inode);
    hash = hash_add(hash, &stamp->mtime_ns, sizeof stamp->mtime_ns);
    return hash_add(hash, &stamp->ctime_ns, sizeof stamp->ctime_ns);
}
