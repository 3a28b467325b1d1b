/* See canvas.h. */
#include "stages/drawn/canvas.h"

#include <math.h>
#include <string.h>

void canvas_frame(struct canvas *c, double x, double y, double angle, double scale)
{
    c->x = x;
    c->y = y;
    c->cosine = cos(angle);
    c->sine = sin(angle);
    c->scale = scale;
    canvas_turn(c, 0, 0, 1);
}

void canvas_turn(struct canvas *c, double dx, double dy, double squeeze)
{
    c->dx = dx;
    c->dy = dy;
    c->squeeze = squeeze;
}

void canvas_fill(struct canvas *c, double value)
{
    for (int i = 0; i < FACE_SIZE * FACE_SIZE; i++)
        c->pixels[i] = (float)value;
}

/* As fmax and fmin, without their check for NaN, which costs a call. */
static double larger(double a, double b)
{
    return a > b ? a : b;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

/* ---- from frame to pixels and back ---- */

struct box {
    int x0, y0, x1, y1; /* inclusive; empty if x1 < x0 */
};

static double limit(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* The pixels that may be within distance r of (x, y), in frame units. */
static struct box box_about(const struct canvas *c, double x, double y, double r)
{
    double fx = c->squeeze * x + c->dx, fy = y + c->dy;
    double px = c->x + c->scale * (c->cosine * fx - c->sine * fy);
    double py = c->y + c->scale * (c->sine * fx + c->cosine * fy);
    double pr = r * c->scale + 1.5;
    return (struct box){.x0 = (int)limit(floor(px - pr), 0, FACE_SIZE),
                        .y0 = (int)limit(floor(py - pr), 0, FACE_SIZE),
                        .x1 = (int)limit(ceil(px + pr), -1, FACE_SIZE - 1),
                        .y1 = (int)limit(ceil(py + pr), -1, FACE_SIZE - 1)};
}

static void to_frame(const struct canvas *c, int px, int py, double *x, double *y)
{
    double ex = (px + 0.5 - c->x) / c->scale, ey = (py + 0.5 - c->y) / c->scale;
    *x = (c->cosine * ex + c->sine * ey - c->dx) / c->squeeze;
    *y = -c->sine * ex + c->cosine * ey - c->dy;
}

/* Paints a pixel; inside: distance to the edge in frame units, positive inside the shape. */
static void apply(struct canvas *c, int px, int py, double inside, struct paint paint)
{
    double edge = larger(paint.soft, 1 / c->scale);
    double cover = limit(0.5 + inside / edge, 0, 1);
    if (cover <= 0)
        return;
    if (paint.soft > 0)
        cover = cover * cover * (3 - 2 * cover);
    float *p = &c->pixels[py * FACE_SIZE + px];
    double a = cover * paint.alpha;
    if (paint.mode == PAINT_MIX)
        *p = (float)(*p + a * (paint.value - *p));
    else
        *p = (float)(*p * (1 + a * paint.value));
}

/* ---- shapes ---- */

void canvas_ellipse(struct canvas *c, double x, double y, double a, double b, double angle,
                    double power, struct paint paint)
{
    double cosine = cos(angle), sine = sin(angle), small = smaller(a, b);
    double edge = larger(paint.soft, 1 / c->scale), reach = 1 + .5 * edge / small;
    struct box box = box_about(c, x, y, (power > 2 ? 1.25 : 1) * larger(a, b) + paint.soft);
    for (int py = box.y0; py <= box.y1; py++)
        for (int px = box.x0; px <= box.x1; px++) {
            double fx, fy;
            to_frame(c, px, py, &fx, &fy);
            double u = (cosine * (fx - x) + sine * (fy - y)) / a;
            double v = (-sine * (fx - x) + cosine * (fy - y)) / b;
            if (fabs(u) > reach || fabs(v) > reach)
                continue;
            double r = sqrt(u * u + v * v);
            if (power != 2 &&
                (1 - r) * small < edge) /* further inside, both norms give full coverage */
                r = pow(pow(fabs(u), power) + pow(fabs(v), power), 1 / power);
            apply(c, px, py, (1 - r) * small, paint);
        }
}

enum { STROKE_PIECES = 6 };

struct piece { /* a segment from (x, y) to (x + dx, y + dy), half width from r to r + dr */
    double x, y, dx, dy, inverse; /* 1 / length^2 */
    double r, dr;
};

/* Distance of (x, y) to the edge of the union of the pieces, positive inside. */
static double inside_stroke(const struct piece *pieces, double x, double y)
{
    double best = -1e9;
    for (int i = 0; i < STROKE_PIECES; i++) {
        const struct piece *p = &pieces[i];
        double ex = x - p->x, ey = y - p->y;
        double t = limit((ex * p->dx + ey * p->dy) * p->inverse, 0, 1);
        ex -= t * p->dx;
        ey -= t * p->dy;
        best = larger(best, p->r + t * p->dr - sqrt(ex * ex + ey * ey));
    }
    return best;
}

static struct box box_join(struct box a, struct box b)
{
    return (struct box){.x0 = a.x0 < b.x0 ? a.x0 : b.x0,
                        .y0 = a.y0 < b.y0 ? a.y0 : b.y0,
                        .x1 = a.x1 > b.x1 ? a.x1 : b.x1,
                        .y1 = a.y1 > b.y1 ? a.y1 : b.y1};
}

void canvas_stroke(struct canvas *c, const double p[3][2], double r0, double r1, struct paint paint)
{
    struct piece pieces[STROKE_PIECES];
    struct box box = {.x0 = FACE_SIZE, .y0 = FACE_SIZE, .x1 = -1, .y1 = -1};
    double x = p[0][0], y = p[0][1];
    for (int i = 0; i < STROKE_PIECES; i++) {
        double t = (i + 1.0) / STROKE_PIECES, s = 1 - t;
        double nx = s * s * p[0][0] + 2 * s * t * p[1][0] + t * t * p[2][0];
        double ny = s * s * p[0][1] + 2 * s * t * p[1][1] + t * t * p[2][1];
        double dx = nx - x, dy = ny - y, length2 = dx * dx + dy * dy;
        pieces[i] = (struct piece){.x = x,
                                   .y = y,
                                   .dx = dx,
                                   .dy = dy,
                                   .inverse = length2 > 0 ? 1 / length2 : 0,
                                   .r = r0 + (r1 - r0) * i / STROKE_PIECES,
                                   .dr = (r1 - r0) / STROKE_PIECES};
        double reach = larger(r0, r1) + .5 * paint.soft;
        box = box_join(box, box_join(box_about(c, x, y, reach), box_about(c, nx, ny, reach)));
        x = nx;
        y = ny;
    }
    for (int py = box.y0; py <= box.y1; py++)
        for (int px = box.x0; px <= box.x1; px++) {
            double fx, fy;
            to_frame(c, px, py, &fx, &fy);
            apply(c, px, py, inside_stroke(pieces, fx, fy), paint);
        }
}

void canvas_lens(struct canvas *c, double x0, double y0, double half, double lift, double up,
                 double down, struct paint paint)
{
    double reach = larger(half, fabs(lift) + up + down) + paint.soft;
    struct box box = box_about(c, x0, y0, reach * 1.2);
    for (int py = box.y0; py <= box.y1; py++)
        for (int px = box.x0; px <= box.x1; px++) {
            double x, y;
            to_frame(c, px, py, &x, &y);
            double t = (x - x0) / half, middle = y0 - lift * t * t, bulge = 1 - t * t;
            double inside = smaller(y - (middle - up * bulge), middle + down * bulge - y);
            apply(c, px, py, smaller(inside, (1 - fabs(t)) * half), paint);
        }
}

/* ---- the whole image ---- */

/* Blurs a row or column; pixels outside equal the nearest end. */
static void blur_line(float *line, int step, double radius)
{
    enum { PAD = 4 };
    float padded[FACE_SIZE + 2 * PAD], *copy = padded + PAD;
    for (int i = -PAD; i < FACE_SIZE + PAD; i++)
        copy[i] = line[(i < 0 ? 0 : i >= FACE_SIZE ? FACE_SIZE - 1 : i) * step];
    int whole = radius < PAD - 1 ? (int)radius : PAD - 1;
    float rest = (float)(radius - whole), weight = 1 / (1 + 2 * (float)radius);
    for (int i = 0; i < FACE_SIZE; i++) {
        float sum = rest * (copy[i - whole - 1] + copy[i + whole + 1]);
        for (int d = -whole; d <= whole; d++)
            sum += copy[i + d];
        line[i * step] = sum * weight;
    }
}

void canvas_blur(struct canvas *c, double radius)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int y = 0; y < FACE_SIZE; y++)
            blur_line(c->pixels + y * FACE_SIZE, 1, radius);
        for (int x = 0; x < FACE_SIZE; x++)
            blur_line(c->pixels + x, FACE_SIZE, radius);
    }
}

void canvas_bytes(const struct canvas *c, uint8_t out[FACE_SIZE * FACE_SIZE])
{
    for (int i = 0; i < FACE_SIZE * FACE_SIZE; i++)
        out[i] = (uint8_t)lround(limit(255.0 * (double)c->pixels[i], 0, 255));
}
