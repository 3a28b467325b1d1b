/* FER2013's CSV, row by row: `emotion,pixels,Usage`, 48x48 grey values a row, into one growing
 * struct images a split. It is fed blocks of any size, so it never sees the whole file. */
#ifndef FERDAG_STAGES_DATA_CSV_FACES_H
#define FERDAG_STAGES_DATA_CSV_FACES_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "stages/data/formats.h"

enum {
    CSV_MAX_ROWS = 400000,  /* FER2013 has 35,887 */
    CSV_MAX_LINE = 1 << 14, /* bytes; a row of FER2013 has at most 9,230 */
};

/* "Training", "PublicTest", "PrivateTest". */
extern const char *const csv_usage_names[SPLITS];

struct csv_faces {
    const char *path;             /* for errors only; borrowed */
    struct images splits[SPLITS]; /* what was read so far; shapes are set by csv_faces_finish */
    size_t room[SPLITS];          /* rows for which each has memory */
    size_t line;                  /* lines seen so far */
    size_t blank;                 /* number of the first empty line, 0 if none */
    size_t rows;                  /* in all splits */
    char *carry;    /* a line that began in an earlier block; CSV_MAX_LINE + 1 bytes */
    size_t carried; /* bytes of it */
};

/* Starts an empty reader. The caller frees it with csv_faces_free, also after an error. */
int csv_faces_begin(struct csv_faces *faces, const char *path, struct error *err);

/* Takes the next bytes. An error names PATH:LINE:COLUMN (bytes, from 1), the field, what was
 * expected and what was found; the reader is of no use after it. */
int csv_faces_feed(struct csv_faces *faces, const char *bytes, size_t size, struct error *err);

/* Takes the end of the file: a last line without its newline counts. No rows is an error. */
int csv_faces_finish(struct csv_faces *faces, struct error *err);

void csv_faces_free(struct csv_faces *faces);

#endif
