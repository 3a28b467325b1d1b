/* The bytes of a CSV that may be plain, compressed (.gz, .xz, .bz2, .zst) or inside a tar of any of
 * those, block by block, so that a large file never stands in memory. */
#ifndef FERDAG_STAGES_DATA_CSV_SOURCE_H
#define FERDAG_STAGES_DATA_CSV_SOURCE_H

#include <stddef.h>
#include "base/error.h"

struct csv_source;

/* Opens a file, which errors call `name` (borrowed until the close). What it is shows in its first
 * bytes, not in its name. Inside a tar the entry whose name ends in fer2013.csv is taken, or else
 * the first that ends in .csv. The caller closes. */
int csv_source_open(struct csv_source **source, const char *path, const char *name,
                    struct error *err);

/* Gives the next block: borrowed until the next call; *size is 0 at the end. Errors: a file that is
 * cut or damaged, a disk that fails. */
int csv_source_next(struct csv_source *source, const char **block, size_t *size, struct error *err);

/* Share of the file read so far, 0 to 1. */
double csv_source_fraction(const struct csv_source *source);

void csv_source_close(struct csv_source *source); /* NULL is fine */

#endif
