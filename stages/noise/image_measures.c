/* See image_measures.h. */
#include "stages/noise/image_measures.h"

#include <math.h>
#include <string.h>
#include "stages/data/formats.h"

enum {
    PIXELS = FACE_SIZE * FACE_SIZE,
    MARGIN = 8, /* around the middle part */
    MIDDLE = FACE_SIZE - 2 * MARGIN,
    TONES = 32,    /* grey values after stretching */
    OUTLIERS = 10, /* darkest and brightest pixels that stretching ignores */
    LEAST_CONTRAST = 8,
    EDGE = 4, /* border that is ignored because of JPEG artefacts and crops */
    FLAT_SPAN = 6,
    CELL = 8,
    CELLS = FACE_SIZE / CELL,
    BLOCKS = CELLS - 1,
    DIRECTIONS = 8,
    HALF = FACE_SIZE / 2,
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

static void lines_and_flats(const uint8_t *pixels, struct tones *tones)
{
    int16_t grey[PIXELS], most[PIXELS], least[PIXELS], closed[PIXELS], opened[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        grey[i] = pixels[i];
    extreme(grey, most, 1);
    extreme(grey, least, -1);
    extreme(most, closed, -1);
    extreme(least, opened, 1);
    int lines = 0, flats = 0;
    for (int y = EDGE; y < FACE_SIZE - EDGE; y++) {
        for (int x = EDGE; x < FACE_SIZE - EDGE; x++) {
            int i = y * FACE_SIZE + x;
            lines += closed[i] - opened[i];
            flats += most[i] - least[i] <= FLAT_SPAN;
        }
    }
    const float area = (FACE_SIZE - 2 * EDGE) * (FACE_SIZE - 2 * EDGE);
    tones->lines = (float)lines / area;
    tones->flat = (float)flats / area;
}

struct tones image_tones(const uint8_t *pixels)
{
    struct tones tones;
    unsigned counts[256] = {0};
    for (int i = 0; i < PIXELS; i++)
        counts[pixels[i]]++;
    tones.entropy = (float)entropy(counts, 256, PIXELS);
    tones.centre_entropy = (float)centre_entropy(pixels);
    lines_and_flats(pixels, &tones);
    return tones;
}

static void cell_histograms(const uint8_t *pixels, float cells[CELLS][CELLS][DIRECTIONS])
{
    memset(cells, 0, sizeof(float[CELLS][CELLS][DIRECTIONS]));
    for (int y = 0; y < FACE_SIZE; y++) {
        for (int x = 0; x < FACE_SIZE; x++) {
            const uint8_t *p = pixels + y * FACE_SIZE + x;
            float dx = x > 0 && x < FACE_SIZE - 1 ? (float)(p[1] - p[-1]) : 0;
            float dy = y > 0 && y < FACE_SIZE - 1 ? (float)(p[FACE_SIZE] - p[-FACE_SIZE]) : 0;
            float angle = atan2f(dy, dx);
            if (angle < 0)
                angle += (float)M_PI;
            int direction = (int)(angle / (float)M_PI * DIRECTIONS);
            cells[y / CELL][x / CELL][direction % DIRECTIONS] += sqrtf(dx * dx + dy * dy);
        }
    }
}

void image_shape(const uint8_t *pixels, float shape[SHAPE_SIZE])
{
    static const float weak = 0.05f * CELL * CELL * CELL * CELL * DIRECTIONS * DIRECTIONS;
    float cells[CELLS][CELLS][DIRECTIONS];
    cell_histograms(pixels, cells);
    for (int y = 0; y < BLOCKS; y++) {
        for (int x = 0; x < BLOCKS; x++) {
            float *block = shape + (y * BLOCKS + x) * 4 * DIRECTIONS, length = weak;
            for (int i = 0; i < 4; i++)
                memcpy(block + i * DIRECTIONS, cells[y + i / 2][x + i % 2], sizeof cells[0][0]);
            for (int i = 0; i < 4 * DIRECTIONS; i++)
                length += block[i] * block[i];
            for (int i = 0; i < 4 * DIRECTIONS; i++)
                block[i] /= sqrtf(length);
        }
    }
}

void image_small(const uint8_t *pixels, float small[SMALL_SIZE])
{
    double sum = 0, squares = 0;
    for (int y = 0; y < HALF; y++) {
        for (int x = 0; x < HALF; x++) {
            const uint8_t *p = pixels + 2 * y * FACE_SIZE + 2 * x;
            float value = (float)(p[0] + p[1] + p[FACE_SIZE] + p[FACE_SIZE + 1]) / 4;
            small[y * HALF + x] = value;
            sum += value;
            squares += (double)value * value;
        }
    }
    double mean = sum / SMALL_SIZE, variance = squares / SMALL_SIZE - mean * mean;
    double deviation = variance > 16 ? sqrt(variance) : 4;
    for (int i = 0; i < SMALL_SIZE; i++)
        small[i] = (float)((small[i] - mean) / deviation);
}
