/* Drawn faces: a person, an expression and a photograph, all from one random stream. */
#ifndef FERDAG_STAGES_DRAWN_DRAWN_FACE_H
#define FERDAG_STAGES_DRAWN_DRAWN_FACE_H

#include "base/random.h"
#include "stages/drawn/canvas.h"

/* Position and size of a head in the image. */
struct head_position {
    double x, y;  /* centre, in pixels */
    double scale; /* half the height, in pixels */
};

/* Uniform in [low, high). */
static inline double drawn_between(struct random *r, double low, double high)
{
    return low + (high - low) * random_unit(r);
}

/* Draws a random background. */
void drawn_background(struct canvas *c, struct random *r);

/* Draws a head with the expression of a class. difficulty 0: strong, clear expressions; 1: weak,
 * blended and varied ones. */
void drawn_head(struct canvas *c, struct random *r, int class, double difficulty,
                struct head_position place);

/* Applies light, contrast, blur and noise to the whole image. */
void drawn_photograph(struct canvas *c, struct random *r, double difficulty);

/* Draws a whole image with one face that fills it, as in FER2013. */
void drawn_face(struct canvas *c, struct random *r, int class, double difficulty);

#endif
