/* Arrays that lie in a file when there is too little memory for them. The file is mapped, so that
 * code sees plain arrays; what it has touched is let go of as soon as that is more than a limit,
 * and stays in the file, or in memory that the system takes back when it needs it. Every function
 * takes NULL for the spill: then arrays are plain memory. Not for several threads at once. */
#ifndef FERDAG_KERNELS_CLASSIFIERS_SVM_SPILL_H
#define FERDAG_KERNELS_CLASSIFIERS_SVM_SPILL_H

#include <stddef.h>
#include "base/error.h"

struct spill_map;

struct spill {
    int file;
    size_t end;            /* of the file: places are not used twice */
    size_t limit, touched; /* bytes: most in our memory, and at most so many are */
    struct spill_map *maps;
    size_t count;
};

/* Less than this can't be in our memory: the system brings pages in by groups. */
enum { SPILL_LEAST = 16 << 20 };

/* Takes over the descriptor of an empty file that can be written. */
void spill_open(struct spill *spill, int file, size_t limit);
/* Arrays still there are given back. A zeroed spill that was never opened is fine. */
void spill_close(struct spill *spill);

/* An array of count items; NULL: too little memory, or room on the disk. */
void *spill_take(struct spill *spill, size_t count, size_t size);
void spill_give(struct spill *spill, void *array);

/* Says that `rows` stretches of `bytes` each, `stride` bytes apart, were read or written since the
 * last call. */
void spill_touch(struct spill *spill, size_t rows, size_t bytes, size_t stride);

#endif
