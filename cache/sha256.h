/* SHA-256 (FIPS 180-4) of bytes and files, by libcrypto: about 2 GB/s on CPUs with SHA-NI. */
#ifndef FERDAG_CACHE_SHA256_H
#define FERDAG_CACHE_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct digest {
    char hex[65]; /* 64 lower-case digits and a 0 byte; "": none */
};

/* -ENOMEM is its only error. */
int sha256_memory(const void *data, size_t size, struct digest *digest, struct error *err);

/* *size (may be NULL): bytes read. Errors are those of open and read, and -ENOMEM. */
int sha256_file(const char *path, struct digest *digest, uint64_t *size, struct error *err);

#endif
