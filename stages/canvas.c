/* See canvas.h. */
#include "stages/canvas.h"

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

/* ---- from frame to pixels and back ---- */

struct box {
    int x0, y0, x1, y1; /* inclusive; empty if x1 < x0 */
};

static double limit(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Pixels that can lie within r of (x, y), all in frame units. */
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

/* Paints one pixel; inside is the distance to the edge, frame units, positive within. */
static void apply(struct canvas *c, int px, int py, double inside, struct paint paint)
{
    double edge = fmax(paint.soft, 1 / c->scale);
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
    double cosine = cos(angle), sine = sin(angle), small = fmin(a, b);
    struct box box = box_about(c, x, y, (power > 2 ? 1.25 : 1) * fmax(a, b) + paint.soft);
    for (int py = box.y0; py <= box.y1; py++)
        for (int px = box.x0; px <= box.x1; px++) {
            double fx, fy;
            to_frame(c, px, py, &fx, &fy);
            double u = (cosine * (fx - x) + sine * (fy - y)) / a;
            double v = (-sine * (fx - x) + cosine * (fy - y)) / b;
            double r = power == 2 ? sqrt(u * u + v * v)
                                  : pow(pow(fabs(u), power) + pow(fabs(v), power), 1 / power);
            apply(c, px, py, (1 - r) * small, paint);
        }
}

enum { STROKE_PIECES = 8 };

/* How far (x, y) is inside a stroke made of capsules between n points (x, y, half width). */
static double inside_stroke(const double (*points)[3], int n, double x, double y)
{
    double best = -1e9;
    for (int i = 0; i + 1 < n; i++) {
        const double *p = points[i], *q = points[i + 1];
        double dx = q[0] - p[0], dy = q[1] - p[1];
        double length2 = dx * dx + dy * dy;
        double t = length2 > 0 ? limit(((x - p[0]) * dx + (y - p[1]) * dy) / length2, 0, 1) : 0;
        double ex = x - p[0] - t * dx, ey = y - p[1] - t * dy;
        best = fmax(best, p[2] + t * (q[2] - p[2]) - sqrt(ex * ex + ey * ey));
    }
    return best;
}

void canvas_stroke(struct canvas *c, const double p[3][2], double r0, double r1, struct paint paint)
{
    double points[STROKE_PIECES + 1][3], reach = 0;
    for (int i = 0; i <= STROKE_PIECES; i++) {
        double t = (double)i / STROKE_PIECES, s = 1 - t;
        for (int k = 0; k < 2; k++)
            points[i][k] = s * s * p[0][k] + 2 * s * t * p[1][k] + t * t * p[2][k];
        points[i][2] = r0 + t * (r1 - r0);
    }
    const double *middle = points[STROKE_PIECES / 2];
    for (int i = 0; i <= STROKE_PIECES; i++)
        reach = fmax(reach, hypot(points[i][0] - middle[0], points[i][1] - middle[1]));
    struct box box = box_about(c, middle[0], middle[1], reach + fmax(r0, r1) + paint.soft);
    for (int py = box.y0; py <= box.y1; py++)
        for (int px = box.x0; px <= box.x1; px++) {
            double fx, fy;
            to_frame(c, px, py, &fx, &fy);
            apply(c, px, py, inside_stroke(points, STROKE_PIECES + 1, fx, fy), paint);
        }
}

void canvas_lens(struct canvas *c, double x0, double y0, double half, double lift, double up,
                 double down, struct paint paint)
{
    double reach = fmax(half, fabs(lift) + up + down) + paint.soft;
    struct box box = box_about(c, x0, y0, reach * 1.2);
    for (int py = box.y0; py <= box.y1; py++)
        for (int px = box.x0; px <= box.x1; px++) {
            double x, y;
            to_frame(c, px, py, &x, &y);
            double t = (x - x0) / half, middle = y0 - lift * t * t, bulge = 1 - t * t;
            double inside = fmin(y - (middle - up * bulge), middle + down * bulge - y);
            apply(c, px, py, fmin(inside, (1 - fabs(t)) * half), paint);
        }
}

/* ---- the whole picture ---- */

static void blur_line(float *line, int step, double radius)
{
    float copy[FACE_SIZE];
    for (int i = 0; i < FACE_SIZE; i++)
        copy[i] = line[i * step];
    int whole = (int)radius;
    float rest = (float)(radius - whole), weight = 1 / (1 + 2 * (float)radius);
    for (int i = 0; i < FACE_SIZE; i++) {
        float sum = 0;
        for (int d = -whole - 1; d <= whole + 1; d++) {
            int j = i + d < 0 ? 0 : i + d >= FACE_SIZE ? FACE_SIZE - 1 : i + d;
            sum += copy[j] * (d < -whole || d > whole ? rest : 1);
        }
        line[i * step] = sum * weight;
    }
}

void canvas_blur(struct canvas *c, double radius)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < FACE_SIZE; i++) {
            blur_line(c->pixels + i * FACE_SIZE, 1, radius);
            blur_line(c->pixels + i, FACE_SIZE, radius);
        }
}

void canvas_bytes(const struct canvas *c, uint8_t out[FACE_SIZE * FACE_SIZE])
{
    for (int i = 0; i < FACE_SIZE * FACE_SIZE; i++)
        out[i] = (uint8_t)lround(limit(255.0 * (double)c->pixels[i], 0, 255));
}
