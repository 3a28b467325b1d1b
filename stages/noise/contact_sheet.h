/* Contact sheets: a PNG with many small grey images, each with a caption below it. */
#ifndef FERDAG_STAGES_NOISE_CONTACT_SHEET_H
#define FERDAG_STAGES_NOISE_CONTACT_SHEET_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { SHEET_COLUMNS = 24, SHEET_MAX_IMAGES = 2400, CAPTION_CHARS = 12 };

struct sheet_cell {
    const uint8_t *pixels;           /* 48x48, borrowed */
    char caption[CAPTION_CHARS + 1]; /* capital letters, digits, '.', '-'; others are blank */
};

/* Writes the cells row by row, SHEET_COLUMNS in each (1,202 pixels wide). n == 0 gives one empty
 * row. The same cells give the same bytes. -EINVAL for more than SHEET_MAX_IMAGES; -ENOMEM; errors
 * of the disk. */
int sheet_write(const char *path, const struct sheet_cell *cells, size_t n, struct error *err);

#endif
