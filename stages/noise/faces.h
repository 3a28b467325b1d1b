/* Detection of faces in a 48x48 image with OpenCV's Haar cascades (Viola and Jones 2001).
 * Implemented in faces.cpp, the only file in C++. */
#ifndef FERDAG_STAGES_NOISE_FACES_H
#define FERDAG_STAGES_NOISE_FACES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/error.h"

/* A pass: the image is padded, turned, enlarged and its histogram equalised, then searched. */
struct face_pass {
    const char *cascade; /* file in the folder of cascades */
    int pad;        /* pixels added on each side by repeating the border: faces fill the image */
    double turn;    /* degrees, counterclockwise, about the centre: for tilted heads */
    double enlarge; /* >= 1: for faces smaller than the window of the cascade */
    bool mirrored;  /* profile cascades detect one side only */
    int min_size;   /* smallest face, in pixels of the 48x48 image */
};

/* Detected windows of about the same position and size. */
struct face_box {
    float x, y, size; /* mean corner and side, in pixels of the turned 48x48 image */
    int support;      /* number of windows (minNeighbors of OpenCV) */
};

struct face_finder;

/* Loads the cascade of each pass from a folder. Several threads may open finders at once; a finder
 * may be used by one thread at a time. -ENOENT if a cascade can't be read; *finder is NULL after an
 * error. */
int face_finder_open(struct face_finder **finder, const char *folder,
                     const struct face_pass *passes, int count, struct error *err);
void face_finder_close(struct face_finder *finder);

/* Searches an image (48x48 grey values) with pass number `pass`. boxes (most): the boxes with the
 * most support, in descending order; *found: their number. The same image gives the same boxes.
 * -ENOMEM, -EINVAL. */
int face_finder_detect(struct face_finder *finder, int pass, const uint8_t *pixels,
                       struct face_box *boxes, int most, int *found, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
