/* Measures of one 48x48 grey image: entropies of grey values, lines, flat areas, and two feature
 * vectors. */
#ifndef FERDAG_STAGES_NOISE_IMAGE_MEASURES_H
#define FERDAG_STAGES_NOISE_IMAGE_MEASURES_H

#include <stdint.h>

enum { SHAPE_SIZE = 800, SMALL_SIZE = 576 };

struct tones {
    float entropy;        /* of the grey values, bits, 0 to 8 */
    float centre_entropy; /* of the middle 32x32, contrast stretched to 32 grey values; 0 to 5 */
    float lines; /* mean of a 3x3 closing minus a 3x3 opening, in grey values: thin, sharp lines */
    float flat;  /* share of 3x3 neighbourhoods that span at most 6 grey values */
};

/* Text, icons and blank images have low entropies; drawings have flat areas and many lines. */
struct tones image_tones(const uint8_t *pixels);

/* Histograms of oriented gradients (Dalal and Triggs 2005): 8 unsigned directions in 6x6 cells of
 * 8x8 pixels, normalised in 5x5 overlapping blocks of 2x2 cells. */
void image_shape(const uint8_t *pixels, float shape[SHAPE_SIZE]);

/* The image at half its size, with mean 0 and standard deviation 1 (less for flat images). */
void image_small(const uint8_t *pixels, float small[SMALL_SIZE]);

#endif
