/* See metadata.h. */
#include "base/metadata.h"
#include "base/clock.h"
#include "base/hash.h"

#include <stddef.h>
#include <string.h>

struct metadata metadata_of(const struct stat *st)
{
    return (struct metadata){.size = (uint64_t)st->st_size,
                             .inode = (uint64_t)st->st_ino,
                             .mtime_ns = clock_ns(&st->st_mtim),
                             .ctime_ns = clock_ns(&st->st_ctim)};
}

bool metadata_equal(const struct metadata *a, const struct metadata *b)
{
    return a->size == b->size && a->inode == b->inode && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}

uint64_t metadata_hash(const char *path, const struct metadata *metadata)
{
    uint64_t hash = hash_add(HASH_START, path, strlen(path) + 1);
    hash = hash_add(hash, &metadata->size, sizeof metadata->size);
    hash = hash_add(hash, &metadata->inode, sizeof metadata->inode);
    hash = hash_add(hash, &metadata->mtime_ns, sizeof metadata->mtime_ns);
    return hash_add(hash, &metadata->ctime_ns, sizeof metadata->ctime_ns);
}
