/* See similarity.h. */
#include "stages/duplicates/similarity.h"

#include <math.h>
#include <string.h>
#include "kernels/math/target_clones.h"

enum {
    PIXELS = FACE_SIZE * FACE_SIZE,
    TENT = 6, /* radius of the wide blur: weights 1 .. 7 .. 1 */
    TENT_SUM = (TENT + 1) * (TENT + 1),
    SCALE = 16, /* sum of the narrow blur's weights */
    INNER = FACE_SIZE - 2 * DETAIL_REACH,
    CELLS = 8, /* a sketch has 8x8 */
    CELL = FACE_SIZE / CELLS,
    CELL_TENT = 4, /* radius of the blur before cells are summed */
};

/* Details are blurred, so among every second shift in both directions there is one with nearly the
 * best correlation. */
static const double coarse_loss = 0.25;

/* ---- details ---- */

/* out[y][x] = sum over t of weight(t) in[y + t][x], with |t| <= radius, weights from 1 at the ends
 * to radius + 1, and borders repeated. */
WIDEST static void tent_down(const int32_t *in, int radius, int32_t *out)
{
    memset(out, 0, PIXELS * sizeof *out);
    for (int y = 0; y < FACE_SIZE; y++) {
        int32_t *sum = out + y * FACE_SIZE;
        for (int t = -radius; t <= radius; t++) {
            int from = y + t < 0 ? 0 : y + t >= FACE_SIZE ? FACE_SIZE - 1 : y + t;
            const int32_t *row = in + from * FACE_SIZE;
            int32_t weight = radius + 1 - (t < 0 ? -t : t);
#pragma omp simd
            for (int x = 0; x < FACE_SIZE; x++)
                sum[x] += weight * row[x];
        }
    }
}

static void transpose(const int32_t *in, int32_t *out)
{
    for (int y = 0; y < FACE_SIZE; y++)
        for (int x = 0; x < FACE_SIZE; x++)
            out[x * FACE_SIZE + y] = in[y * FACE_SIZE + x];
}

/* A tent both ways; the result is transposed. */
static void tent_blur(const int32_t *in, int radius, int32_t *out)
{
    int32_t down[PIXELS], turned[PIXELS];
    tent_down(in, radius, down);
    transpose(down, turned);
    tent_down(turned, radius, out);
}

void details_make(const uint8_t *pixels, struct details *details)
{
    int32_t image[PIXELS], narrow[PIXELS], wide[PIXELS], turned[PIXELS];
    for (int i = 0; i < PIXELS; i++)
        image[i] = pixels[i];
    tent_blur(image, 1, narrow);
    tent_blur(image, TENT, wide);
    const int32_t sum = TENT_SUM * TENT_SUM;
    for (int i = 0; i < PIXELS; i++)
        turned[i] = narrow[i] - (wide[i] * SCALE + sum / 2) / sum;
    transpose(turned, image);
    for (int i = 0; i < PIXELS; i++)
        details->values[i] = (int16_t)image[i];
}

void details_mirror(const struct details *details, struct details *mirrored)
{
    for (int y = 0; y < FACE_SIZE; y++)
        for (int x = 0; x < FACE_SIZE; x++)
            mirrored->values[y * FACE_SIZE + x] =
                details->values[y * FACE_SIZE + FACE_SIZE - 1 - x];
}

struct sums {
    int64_t x, y, xx, yy, xy;
};

/* Sums over INNER x INNER values. A row's sums are below 2^31: values are within 16 * 255. */
WIDEST static struct sums window_sums(const int16_t *a, const int16_t *b)
{
    struct sums s = {0};
    for (int y = 0; y < INNER; y++) {
        const int16_t *p = a + y * FACE_SIZE, *q = b + y * FACE_SIZE;
        int32_t sp = 0, sq = 0, pp = 0, qq = 0, pq = 0;
#pragma omp simd reduction(+ : sp, sq, pp, qq, pq)
        for (int x = 0; x < INNER; x++) {
            sp += p[x];
            sq += q[x];
            pp += p[x] * p[x];
            qq += q[x] * q[x];
            pq += p[x] * q[x];
        }
        s.x += sp;
        s.y += sq;
        s.xx += pp;
        s.yy += qq;
        s.xy += pq;
    }
    return s;
}

static double correlation(const struct sums *s)
{
    const int64_t n = INNER * INNER, least = n * n * SCALE * SCALE; /* deviation 1 */
    int64_t xx = n * s->xx - s->x * s->x, yy = n * s->yy - s->y * s->y;
    if (xx < least || yy < least)
        return 0;
    return (double)(n * s->xy - s->x * s->y) / (sqrt((double)xx) * sqrt((double)yy));
}

/* The best correlation at shifts whose distance from -DETAIL_REACH is a multiple of `step`. */
static double best_shift(const struct details *a, const struct details *b, int step)
{
    const int16_t *middle = a->values + DETAIL_REACH * FACE_SIZE + DETAIL_REACH;
    double best = -1;
    for (int dy = 0; dy <= 2 * DETAIL_REACH; dy += step)
        for (int dx = 0; dx <= 2 * DETAIL_REACH; dx += step) {
            struct sums s = window_sums(middle, b->values + dy * FACE_SIZE + dx);
            best = fmax(best, correlation(&s));
        }
    return best;
}

double details_similarity(const struct details *a, const struct details *b, double least)
{
    double coarse = best_shift(a, b, 2);
    return coarse < least - coarse_loss ? coarse : best_shift(a, b, 1);
}

/* ---- sketches ---- */

/* cells: sums of blurred pixels over 6x6, minus the mean of the 3x3 cells around each, times 9. */
static void sketch_cells(const uint8_t *pixels, int32_t cells[CELLS][CELLS])
{
    int32_t image[PIXELS], blurred[PIXELS], sums[CELLS][CELLS] = {{0}};
    for (int i = 0; i < PIXELS; i++)
        image[i] = pixels[i];
    tent_blur(image, CELL_TENT, blurred);
    for (int y = 0; y < FACE_SIZE; y++)
        for (int x = 0; x < FACE_SIZE; x++)
            sums[y / CELL][x / CELL] += blurred[x * FACE_SIZE + y];
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS; x++) {
            cells[y][x] = 9 * sums[y][x];
            for (int v = y - 1; v <= y + 1; v++)
                for (int u = x - 1; u <= x + 1; u++) {
                    int row = v < 0 ? 0 : v >= CELLS ? CELLS - 1 : v;
                    int column = u < 0 ? 0 : u >= CELLS ? CELLS - 1 : u;
                    cells[y][x] -= sums[row][column];
                }
        }
}

/* Subtracts the mean. Returns the sum of squares, below 2^58. */
static int64_t centre_cells(int32_t cells[CELLS][CELLS])
{
    int64_t sum = 0, squares = 0;
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS; x++)
            sum += cells[y][x];
    int32_t mean = (int32_t)(sum / (CELLS * CELLS));
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS; x++) {
            cells[y][x] -= mean;
            squares += (int64_t)cells[y][x] * cells[y][x];
        }
    return squares;
}

void sketch_make(const uint8_t *pixels, struct sketch *sketch)
{
    /* what a grey value adds to a cell: the weights of the tent and the cell, times 9 */
    const double unit =
        9.0 * CELL * CELL * (CELL_TENT + 1) * (CELL_TENT + 1) * (CELL_TENT + 1) * (CELL_TENT + 1);
    int32_t cells[CELLS][CELLS];
    sketch_cells(pixels, cells);
    double length = sqrt((double)centre_cells(cells));
    double scale = length < unit ? 0 : SKETCH_NORM / length;
    for (int y = 0; y < CELLS; y++)
        for (int x = 0; x < CELLS / 2; x++) {
            double left = rint(cells[y][x] * scale);
            double right = rint(cells[y][CELLS - 1 - x] * scale);
            sketch->even[y * (CELLS / 2) + x] = (float)(left + right);
            sketch->odd[y * (CELLS / 2) + x] = (float)(left - right);
        }
}
