/* SHA-256 of bytes and files, as 64 lower-case hex digits: the name of everything in the cache.
 * libcrypto does the work (with SHA-NI where the CPU has it: about 2 GB/s). */
#ifndef FERDAG_CACHE_SHA256_H
#define FERDAG_CACHE_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct digest {
    char hex[65]; /* 64 digits and a 0; all zeroes: none */
};

/* The two can fail only for want of memory (-ENOMEM) or, for a file, as open and read can. */
int sha256_memory(const void *data, size_t size, struct digest *digest, struct error *err);
/* *size (may be NULL) is how many bytes were read. */
int sha256_file(const char *path, struct digest *digest, uint64_t *size, struct error *err);

#endif
