/* A PNG as pixels. */
#ifndef FERDAG_REPORTS_PICTURE_H
#define FERDAG_REPORTS_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct picture {
    size_t width, height;
    bool grey;             /* one byte for each pixel; else three: red, green, blue */
    unsigned char *pixels; /* row by row, from the top */
};

/* Reads a PNG of at most 64 million pixels and 1 GiB. Grey stays grey, everything else becomes RGB
 * on white. The caller frees *p with picture_free, also after an error. -EINVAL if the file is no
 * PNG or too large; another error if it can't be read. */
int picture_read(const char *path, struct picture *p, struct error *err);
void picture_free(struct picture *p);

/* Whether picture_read can read it: 0, or its error. */
int picture_check(const char *path, struct error *err);

#endif
