/* Grey images as PNG files. */
#ifndef FERDAG_STAGES_DATA_GREY_PNG_H
#define FERDAG_STAGES_DATA_GREY_PNG_H

#include <stdint.h>
#include "base/error.h"

/* Writes pixels (height, width), 0 black to 255 white. The same pixels give the same bytes. Returns
 * 0, -ENOMEM, -EIO, or an error of the disk. */
int grey_png_write(const char *path, const uint8_t *pixels, unsigned width, unsigned height,
                   struct error *err);

#endif
