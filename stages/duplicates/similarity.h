/* Whether two 48x48 images show the same picture: the correlation of their details, at the best of
 * some small shifts. Details are grey values minus a wide blur, so that brightness, contrast and
 * shading hardly count, and what differs between two faces in the same pose does. Compression,
 * watermarks and a crop that differs by a pixel or two leave the correlation high.
 *
 * All sums are of integers, so every machine gets the same bits. */
#ifndef FERDAG_STAGES_DUPLICATES_SIMILARITY_H
#define FERDAG_STAGES_DUPLICATES_SIMILARITY_H

#include <stdint.h>
#include "stages/data/formats.h"

enum {
    DETAIL_REACH = 2, /* largest shift in each direction, in pixels */
    SKETCH_HALF = 32, /* numbers in one half of a sketch */
    SKETCH_NORM = 2048,
};

/* The details of an image: 16 times the difference of a blur over 3x3 pixels ([1 2 1] both ways)
 * and one over 13x13 (a tent), borders repeated. */
struct details {
    int16_t values[FACE_SIZE * FACE_SIZE];
};

void details_make(const uint8_t *pixels, struct details *details);
void details_mirror(const struct details *details, struct details *mirrored);

/* The correlation, -1 to 1, of the inner 44x44 details of a with those of b at the best of 25
 * shifts. 0 where the details of either have a standard deviation below one grey value: images
 * without content are like nothing. Where the result is far below `least`, not all shifts are
 * tried. */
double details_similarity(const struct details *a, const struct details *b, double least);

/* A coarse picture of the details, 8x8 integers with length SKETCH_NORM, or all 0 for an image
 * without content. It is stored as sum (even) and difference (odd) of each number and its mirror
 * image's. With E = a.even . b.even and O = a.odd . b.odd, the correlation of two sketches is
 * (E + O) / (2 SKETCH_NORM^2), and that of one with the other's mirror image (E - O) / ... . E and
 * O are below 2^24, so float32 has them exactly, whatever the order of the sum. */
struct sketch {
    float even[SKETCH_HALF], odd[SKETCH_HALF];
};

void sketch_make(const uint8_t *pixels, struct sketch *sketch);

#endif
