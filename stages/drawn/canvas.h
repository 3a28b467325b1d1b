/* A grey image of 48x48 pixels, and soft, anti-aliased shapes to draw faces with.
 *
 * Coordinates of shapes are in the units of a frame, such as a head: the origin is its centre, 1 is
 * half its height, y points down. canvas_frame sets the position of the frame in the image. A shape
 * has a coverage from 0 to 1 in each pixel, computed from an approximate distance to its edge. */
#ifndef FERDAG_STAGES_DRAWN_CANVAS_H
#define FERDAG_STAGES_DRAWN_CANVAS_H

#include <stdint.h>
#include "stages/data/formats.h"

struct canvas {
    float pixels[FACE_SIZE * FACE_SIZE]; /* brightness, 0 black to 1 white; may be outside */
    double x, y;                         /* origin of the frame, in pixels */
    double cosine, sine, scale;          /* rotation of the frame; pixels per unit */
    double dx, dy, squeeze; /* shift and horizontal factor in the frame, for turned heads */
};

/* How a shape changes the pixels that it covers. */
struct paint {
    double value; /* MIX: the brightness; LIGHT: relative change of the brightness */
    double alpha; /* strength, 0-1 */
    double soft;  /* width of the edge in frame units; at least one pixel */
    enum { PAINT_MIX, PAINT_LIGHT } mode;
};

/* Sets the frame: origin (x, y) in pixels, angle in radians, scale in pixels per unit. No turn. */
void canvas_frame(struct canvas *c, double x, double y, double angle, double scale);
/* Shift and horizontal factor of the shapes drawn from now on, in frame units. */
void canvas_turn(struct canvas *c, double dx, double dy, double squeeze);

/* Sets all pixels. */
void canvas_fill(struct canvas *c, double value);
/* Draws a superellipse with centre (x, y) and half axes a, b; power 2 is an ellipse, higher powers
 * are closer to a rectangle. */
void canvas_ellipse(struct canvas *c, double x, double y, double a, double b, double angle,
                    double power, struct paint paint);
/* Draws a stroke along the quadratic Bezier curve from p[0] to p[2] with control point p[1] ({x, y}
 * each); its half width is r0 at the start and r1 at the end. */
void canvas_stroke(struct canvas *c, const double p[3][2], double r0, double r1,
                   struct paint paint);
/* Draws a lens, such as a mouth or an eye: between x0 - half and x0 + half, around the parabola y =
 * y0 - lift t^2 with t = (x - x0) / half, reaching `up` above and `down` below it at t = 0. */
void canvas_lens(struct canvas *c, double x0, double y0, double half, double lift, double up,
                 double down, struct paint paint);

/* Applies a box blur twice; radius from 0 to 4 pixels, may be a fraction. */
void canvas_blur(struct canvas *c, double radius);
/* out: the pixels rounded to 0 .. 255, clamped. */
void canvas_bytes(const struct canvas *c, uint8_t out[FACE_SIZE * FACE_SIZE]);

#endif
