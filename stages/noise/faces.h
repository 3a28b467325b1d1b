/* Detection of faces in a 48x48 image with dlib's frontal face detector: five linear filters on
 * histograms of oriented gradients, for heads seen from the front, turned and tilted (King,
 * "Max-margin object detection", 2015). Implemented in faces.cpp, the only file in C++. */
#ifndef FERDAG_STAGES_NOISE_FACES_H
#define FERDAG_STAGES_NOISE_FACES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "base/error.h"

/* Detections are searched down to this score. dlib's own decision is 0: a face from there on. */
#define FACE_LEAST_SCORE (-2.0F)

/* A box as a human would draw it around a face, from the middle of the forehead to the chin. */
struct face_box {
    float x, y, size; /* corner and side, in pixels of the image; may reach beyond it */
    float score;      /* at least FACE_LEAST_SCORE */
};

struct face_finder;

/* The first call unpacks the detector, a third of a second. Several threads may open finders at
 * once; a finder may be used by one thread at a time. *finder is NULL after an error: -ENOMEM,
 * -EINVAL. */
int face_finder_open(struct face_finder **finder, struct error *err);
void face_finder_close(struct face_finder *finder);

/* Searches an image (48x48 grey values). boxes (most): those with the highest scores, in descending
 * order, none of which overlaps another by much; *found: their number, 0 for a blank image. Boxes
 * are 18 pixels wide or more. The same image gives the same boxes. -ENOMEM, -EINVAL. */
int face_finder_detect(struct face_finder *finder, const uint8_t *pixels, struct face_box *boxes,
                       int most, int *found, struct error *err);

#ifdef __cplusplus
}
#endif

#endif
