/* See spill.h. */
#define _GNU_SOURCE
#include "kernels/classifiers/svm/spill.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    PAGE = 1 << 12,
    AROUND = 1 << 16
}; /* bytes that the system may read around a touched page */

struct spill_map {
    void *at;
    size_t bytes, offset;
};

void spill_open(struct spill *spill, int file, size_t limit)
{
    *spill = (struct spill){.file = file, .limit = limit};
}

void spill_close(struct spill *spill)
{
    if (spill->limit == 0)
        return;
    while (spill->count > 0)
        spill_free(spill, spill->maps[0].at);
    free(spill->maps);
    close(spill->file);
    *spill = (struct spill){0};
}

/* Allocates the disk space at once: a write to a mapped page without disk space raises SIGBUS. */
static void *map(struct spill *spill, size_t bytes)
{
    struct spill_map *maps = realloc(spill->maps, (spill->count + 1) * sizeof *maps);
    if (!maps)
        return NULL;
    spill->maps = maps;
    off_t offset = (off_t)spill->end;
    if (posix_fallocate(spill->file, offset, (off_t)bytes) != 0)
        return NULL;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, spill->file, offset);
    if (at == MAP_FAILED)
        return NULL;
    maps[spill->count++] = (struct spill_map){at, bytes, spill->end};
    spill->end += bytes;
    return at;
}

void *spill_alloc(struct spill *spill, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - PAGE)
        return NULL;
    bytes = (bytes / PAGE + 1) * PAGE;
    return spill ? map(spill, bytes) : malloc(bytes);
}

void spill_free(struct spill *spill, void *array)
{
    if (!spill) {
        free(array);
        return;
    }
    for (size_t i = 0; array && i < spill->count; i++)
        if (spill->maps[i].at == array) {
            struct spill_map *m = &spill->maps[i];
            munmap(m->at, m->bytes);
            fallocate(spill->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)m->offset,
                      (off_t)m->bytes); /* if this fails, the space is freed at the end */
            *m = spill->maps[--spill->count];
            return;
        }
}

void spill_touch(struct spill *spill, size_t rows, size_t bytes, size_t stride)
{
    if (!spill)
        return;
    size_t each = bytes + AROUND;
    spill->touched += AROUND + rows * (each < stride ? each : stride);
    if (spill->touched < spill->limit)
        return;
    for (size_t i = 0; i < spill->count; i++)
        madvise(spill->maps[i].at, spill->maps[i].bytes, MADV_DONTNEED);
    spill->touched = 0;
}
