/* A blob: one output of a stage, stored once under the SHA-256 of its bytes and never changed. */
#ifndef FERDAG_CACHE_BLOB_H
#define FERDAG_CACHE_BLOB_H

#include <stdbool.h>
#include <stdint.h>
#include "cache/sha256.h"

/* A file, or a folder of files, which is stored as its manifest (tree.h). */
struct blob {
    struct digest digest;
    uint64_t size;   /* bytes of the file; of a folder, of its manifest */
    bool tree;       /* a folder */
    bool executable; /* a file with an executable bit */
};

#endif
