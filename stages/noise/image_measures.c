/* See image_measures.h. */
#include "stages/noise/image_measures.h"

#include <math.h>
#include "stages/data/formats.h"

enum {
    PIXELS = FACE_SIZE * FACE_SIZE,
    MARGIN = 8, /* around the middle part */
    MIDDLE = FACE_SIZE - 2 * MARGIN,
    TONES = 32,         /* grey values after stretching: 32 pixels for each in the middle */
    OUTLIERS = 10,      /* darkest and brightest hundredth, which stretching ignores */
    LEAST_CONTRAST = 8, /* so that the grain of a blank image isn't stretched to all tones */
    EDGE = 4,           /* border that is ignored because of JPEG artefacts and crops */
    /* Spans of grey values in a 3x3 neighbourhood: below, the paper of a drawing or a blank wall;
     * above, an edge. Skin lies between. */
    SMOOTH_LEAST = 7,
    SMOOTH_MOST = 40,
};

static double entropy(const unsigned *counts, int n, double total)
{
    double bits = 0;
    for (int i = 0; i < n; i++)
        if (counts[i] > 0)
            bits -= counts[i] / total * log2(counts[i] / total);
    return bits;
}

/* The grey value below which (step 1) or above which (step -1) OUTLIERS pixels lie. */
static int outlier_bound(const unsigned counts[256], int step)
{
    unsigned seen = 0;
    int value = step > 0 ? 0 : 255;
    while ((seen += counts[value]) <= OUTLIERS)
        value += step;
    return value;
}

static double centre_entropy(const uint8_t *pixels)
{
    unsigned counts[256] = {0}, tones[TONES] = {0};
    for (int y = MARGIN; y < FACE_SIZE - MARGIN; y++)
        for (int x = MARGIN; x < FACE_SIZE - MARGIN; x++)
            counts[pixels[y * FACE_SIZE + x]]++;
    int low = outlier_bound(counts, 1), high = outlier_bound(counts, -1);
    int span = high - low > LEAST_CONTRAST ? high - low : LEAST_CONTRAST;
    for (int value = 0; value < 256; value++) {
        int tone = (value - low) * TONES / span;
        tones[tone < 0 ? 0 : tone >= TONES ? TONES - 1 : tone] += counts[value];
    }
    return entropy(tones, TONES, MIDDLE * MIDDLE);
}

/* Largest (sign 1) or smallest (sign -1) value of each 3x3 neighbourhood, from in to out. */
static void extreme(const int16_t *in, int16_t *out, int sign)
{
    int16_t rows[PIXELS];
    for (int y = 0; y < FACE_SIZE; y++) {
        for (int x = 0; x < FACE_SIZE; x++) {
            int16_t best = in[y * FACE_SIZE + x];
            for (int dx = -1; dx <= 1; dx += 2) {
                int near = x + dx < 0 ? 0 : x + dx >= FACE_SIZE ? FACE_SIZE - 1 : x + dx;
                int16_t value = in[y * FACE_SIZE + near];
                best = sign * value > sign * best ? value : best;
            }
            rows[y * FACE_SIZE + x] = best;
        }
    }
    for (int y = 0; y < FACE_SIZE; y++) {
        const int16_t *above = rows + (y > 0 ? y - 1 : 0) * FACE_SIZE, *here = rows + y * FACE_SIZE;
        const int16_t *below = rows + (y < FACE_SIZE - 1 ? y + 1 : y) * FACE_SIZE;
        for (int x = 0; x < FACE_SIZE; x++) {
            int16_t best = sign * above[x] > sign * here[x] ? above[x] : here[x];
            out[y * FACE_SIZE + x] = sign * below[x] > sign * best ? below[x] : best;
        }
    }
}

static void lines_and_shades(const uint8_t *pixels, struct tones *tones)
{
    int16_t grey[PIXELS], most[PIXELS], least[PIXELS], closed[PIXELS], opened[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        grey[i] = pixels[i];
    extreme(grey, most, 1);
    extreme(grey, least, -1);
    extreme(most, closed, -1);
    extreme(least, opened, 1);
    int lines = 0, shades = 0;
    for (int y = EDGE; y < FACE_SIZE - EDGE; y++) {
        for (int x = EDGE; x < FACE_SIZE - EDGE; x++) {
            int i = y * FACE_SIZE + x;
            lines += closed[i] - opened[i];
            int span = most[i] - least[i];
            shades += span >= SMOOTH_LEAST && span <= SMOOTH_MOST;
        }
    }
    const float area = (FACE_SIZE - 2 * EDGE) * (FACE_SIZE - 2 * EDGE);
    tones->lines = (float)lines / area;
    tones->shades = (float)shades / area;
}

struct tones image_tones(const uint8_t *pixels)
{
    struct tones tones;
    unsigned counts[256] = {0};
    for (int i = 0; i < PIXELS; i++)
        counts[pixels[i]]++;
    tones.entropy = (float)entropy(counts, 256, PIXELS);
    tones.centre_entropy = (float)centre_entropy(pixels);
    lines_and_shades(pixels, &tones);
    return tones;
}
