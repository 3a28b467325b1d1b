/* FNV-1a, 64 bits: a fast hash that is not cryptographic
 * (https://datatracker.ietf.org/doc/draft-eastlake-fnv/). */
#ifndef FERDAG_BASE_HASH_H
#define FERDAG_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 14695981039346656037u

/* Continues a hash with more bytes; starts with HASH_START. */
static inline uint64_t hash_add(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ p[i]) * 1099511628211u;
    return hash;
}

#endif
