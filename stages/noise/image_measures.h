/* Measures of one 48x48 grey image that tell photographs from drawings, text and blank images. */
#ifndef FERDAG_STAGES_NOISE_IMAGE_MEASURES_H
#define FERDAG_STAGES_NOISE_IMAGE_MEASURES_H

#include <stdint.h>

struct tones {
    float entropy;        /* of the grey values, bits, 0 to 8 */
    float centre_entropy; /* of the middle 32x32, contrast stretched to 32 grey values; 0 to 5 */
    float lines;  /* mean of a 3x3 closing minus a 3x3 opening, in grey values: thin, sharp lines */
    float shades; /* share of 3x3 neighbourhoods that span 7 to 40 grey values: smooth shading */
};

/* Text, icons and blank images have low entropies; drawings have many lines and few shades. */
struct tones image_tones(const uint8_t *pixels);

#endif
