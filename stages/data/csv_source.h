/* Reads a CSV block by block. It may be uncompressed, compressed (.gz, .xz, .bz2, .zst), or in a
 * tar, compressed or not. */
#ifndef FERDAG_STAGES_DATA_CSV_SOURCE_H
#define FERDAG_STAGES_DATA_CSV_SOURCE_H

#include <stddef.h>
#include "base/error.h"

struct csv_source;

/* Opens a file; `name` is its name in errors, borrowed until it is closed. The type is recognised
 * by the first bytes, not by the name. In a tar, the first entry whose name ends in fer2013.csv is
 * read, or else the first in .csv. csv_source_close closes. Errors of the disk; -EINVAL, -EIO. */
int csv_source_open(struct csv_source **source, const char *path, const char *name,
                    struct error *err);

/* Reads the next block, borrowed until the next call; *size is 0 at the end. -EIO if the file is
 * truncated or damaged; errors of the disk. */
int csv_source_next(struct csv_source *source, const char **block, size_t *size, struct error *err);

/* Share of the file read so far, 0 to 1. */
double csv_source_fraction(const struct csv_source *source);

void csv_source_close(struct csv_source *source); /* NULL: does nothing */

#endif
