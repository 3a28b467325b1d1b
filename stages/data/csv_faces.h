/* Parser of FER2013's CSV: rows of `emotion,pixels,Usage`, with 48x48 grey values each, are added
 * to one struct images per split. The input comes in blocks of any size, so that the file is never
 * in memory as a whole. */
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
    struct images splits[SPLITS]; /* rows read so far; csv_faces_finish sets the shapes */
    size_t capacity[SPLITS];      /* rows for which each has memory */
    size_t line;                  /* lines read so far */
    size_t blank;                 /* number of the first empty line, 0 if none */
    size_t rows;                  /* in all splits */
    char *carry;                  /* the start of a line, from earlier blocks; CSV_MAX_LINE + 1 */
    size_t carried;               /* bytes in carry */
};

/* Starts an empty parser. -ENOMEM. csv_faces_free frees it, also after an error. */
int csv_faces_begin(struct csv_faces *faces, const char *path, struct error *err);

/* Parses the next bytes. An error names PATH:LINE:COLUMN (in bytes, from 1), the field, what was
 * expected and what was found; after it the parser can only be freed. */
int csv_faces_feed(struct csv_faces *faces, const char *bytes, size_t size, struct error *err);

/* Ends the file; the last line needs no newline. -EINVAL if there are no rows. */
int csv_faces_finish(struct csv_faces *faces, struct error *err);

void csv_faces_free(struct csv_faces *faces);

#endif
