/* A small grey picture and soft, anti-aliased shapes on it: what drawn faces are made of.
 *
 * Shapes are given in the units of a frame (a head: its centre is 0, 0, its half height is 1, y
 * grows downwards); the frame says where that lies on the picture. Every shape is a coverage in
 * 0-1 for each pixel, from an approximate distance to its edge, and paints with it. */
#ifndef FERDAG_STAGES_DRAWN_CANVAS_H
#define FERDAG_STAGES_DRAWN_CANVAS_H

#include <stdint.h>
#include "stages/data/formats.h"

struct canvas {
    float pixels[FACE_SIZE * FACE_SIZE]; /* brightness, 0 black to 1 white; may run over */
    double x, y;                         /* pixel position of the frame's origin */
    double cosine, sine, scale;          /* its rotation, and pixels a unit */
    double dx, dy, squeeze; /* shift and horizontal factor inside the frame: a turned head */
};

/* What a shape does where it covers. */
struct paint {
    double value; /* MIX: the brightness; LIGHT: by how much to brighten (+) or darken (-) */
    double alpha; /* strength, 0-1 */
    double soft;  /* width of the edge, frame units; at least one pixel is used */
    enum { PAINT_MIX, PAINT_LIGHT } mode;
};

void canvas_frame(struct canvas *c, double x, double y, double angle, double scale);
/* Shift and squeeze of what is drawn from now on, in frame units. */
void canvas_turn(struct canvas *c, double dx, double dy, double squeeze);

void canvas_fill(struct canvas *c, double value);
/* Ellipse about (x, y) with half axes a, b; power 2 is an ellipse, higher ones are boxier. */
void canvas_ellipse(struct canvas *c, double x, double y, double a, double b, double angle,
                    double power, struct paint paint);
/* A brush stroke along the quadratic curve through p[0], p[1], p[2] ({x, y} each; p[1] is the
 * control point), of half width from r0 at its start to r1 at its end. */
void canvas_stroke(struct canvas *c, const double p[3][2], double r0, double r1,
                   struct paint paint);
/* The lens between two parabolas over x0 -+ half: y = y0 - lift*t^2 and beyond by `up` above and
 * `down` below in its middle; t = (x-x0)/half. A mouth or an eye. */
void canvas_lens(struct canvas *c, double x0, double y0, double half, double lift, double up,
                 double down, struct paint paint);

/* Box blur of the whole picture, radius in pixels, 0 to 4 (fractions count), applied twice. */
void canvas_blur(struct canvas *c, double radius);
/* Rounds to bytes, clamped. */
void canvas_bytes(const struct canvas *c, uint8_t out[FACE_SIZE * FACE_SIZE]);

#endif
