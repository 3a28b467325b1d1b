/* Arrays in a mapped file, for data that doesn't fit into memory. When more bytes than a limit have
 * been touched, all pages are dropped from the process; their contents stay in the file, or in the
 * page cache while the system has memory. With NULL for the spill the functions use plain memory. A
 * spill may be used by one thread at a time. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_SPILL_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_SPILL_H

#include <stddef.h>
#include "base/error.h"

struct spill_map;

struct spill {
    int file;
    size_t end;     /* bytes of the file in use; ranges are never reused */
    size_t limit;   /* most bytes in the memory of the process */
    size_t touched; /* upper bound of the bytes that are there now */
    struct spill_map *maps;
    size_t count; /* of maps */
};

/* The least limit that can be kept: the system reads pages in groups. */
enum { SPILL_LEAST = 16 << 20 };

/* Takes ownership of the descriptor of an empty, writable file. */
void spill_open(struct spill *spill, int file, size_t limit);
/* Frees all arrays and closes the file. Does nothing for a zeroed spill. */
void spill_close(struct spill *spill);

/* An array of count items, uninitialised; NULL: too little memory or disk space. */
void *spill_alloc(struct spill *spill, size_t count, size_t size);
void spill_free(struct spill *spill, void *array);

/* Reports that `rows` ranges of `bytes` bytes each, `stride` bytes apart, were read or written
 * since the last call. */
void spill_touch(struct spill *spill, size_t rows, size_t bytes, size_t stride);

#endif
