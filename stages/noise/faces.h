/* Looks for faces (or eyes) in a 48x48 image with OpenCV's Haar cascades. The only file in C++ is
 * behind this header; which cascades are tried, and what follows from it, is rules.c's. */
#ifndef FERDAG_STAGES_NOISE_FACES_H
#define FERDAG_STAGES_NOISE_FACES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/error.h"

/* One way to look. The image is continued by `pad` pixels on each side (its border repeated, since
 * many faces fill the frame), turned, enlarged and equalised. */
struct face_look {
    const char *cascade; /* file in the folder of cascades */
    int pad;             /* pixels of the 48x48 image */
    double turn;         /* degrees, counterclockwise, about the centre: for heads that lean */
    double enlarge;      /* 1 and up: finds what is smaller than the cascade's own window */
    bool mirrored;       /* profile cascades know one side only */
    int min_size;        /* smallest face, in pixels of the 48x48 image */
};

/* Detections that agree. */
struct face_box {
    float x, y, size; /* mean corner and side, in pixels of the (turned) 48x48 image */
    int support;      /* how many windows say so: the neighbours of OpenCV */
};

struct face_finder;

/* Loads the cascade of each look from a folder. Several threads may open finders at once; a finder
 * serves one thread at a time. On an error *finder is NULL. */
int face_finder_open(struct face_finder **finder, const char *folder, const struct face_look *looks,
                     int count, struct error *err);
void face_finder_close(struct face_finder *finder);

/* Looks at an image (48x48 grey values) in way number `look`. Fills at most `room` boxes, those
 * of most support first, and *found with their number. The same image gives the same boxes. */
int face_finder_look(struct face_finder *finder, int look, const uint8_t *pixels,
                     struct face_box *boxes, int room, int *found, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
