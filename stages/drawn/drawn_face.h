/* A drawn face: a person, an expression and a photograph of it, all from one random stream. */
#ifndef FERDAG_STAGES_DRAWN_DRAWN_FACE_H
#define FERDAG_STAGES_DRAWN_DRAWN_FACE_H

#include "base/random.h"
#include "stages/drawn/canvas.h"

/* Where a head lies on the picture. */
struct head_place {
    double x, y;  /* pixel position of its centre */
    double scale; /* pixels in half the height of the head */
};

/* Uniform in [low, high). */
static inline double drawn_between(struct random *r, double low, double high)
{
    return low + (high - low) * random_unit(r);
}

/* Fills the canvas with some background. */
void drawn_background(struct canvas *c, struct random *r);

/* Draws a head of the class over what is there. difficulty 0 gives full, clean expressions; 1 weak,
 * blended and much varied ones. */
void drawn_head(struct canvas *c, struct random *r, int class, double difficulty,
                struct head_place place);

/* Light, contrast, blur and noise over the whole picture. */
void drawn_photograph(struct canvas *c, struct random *r, double difficulty);

/* One whole picture of a face that fills it, as FER2013's do. */
void drawn_face(struct canvas *c, struct random *r, int class, double difficulty);

#endif
