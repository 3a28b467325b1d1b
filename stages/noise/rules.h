/* The rules that call an image noise, given the evidence: no face, a drawing (or text, an icon, a
 * blank), a small face, several faces. Each rule gives a score, and a row whose highest score
 * reaches 1 goes; the rules and the one threshold are the same for all classes. */
#ifndef FERDAG_STAGES_NOISE_RULES_H
#define FERDAG_STAGES_NOISE_RULES_H

#include <stddef.h>
#include "base/error.h"
#include "stages/noise/evidence.h"

enum noise_rule { NO_FACE, DRAWING, SMALL_FACE, SEVERAL_FACES, NOISE_RULES };

extern const char *const noise_rule_names[NOISE_RULES]; /* "no_face", ... */

struct noise_settings {
    double threshold; /* of no_face and drawing: how rare, in powers of ten, the evidence is on
                         average */
    double min_face;  /* pixels, width and height of the smallest face region that stays */
    double
        face_share;   /* of a cascade's window that is face region: brows to chin, cheek to cheek */
    int size_support; /* windows that must agree before a size is believed */
    int max_faces;
    double weights[2][EVIDENCES]; /* of the evidence in the rules NO_FACE and DRAWING */
};

struct noise_verdict {
    float scores[NOISE_RULES]; /* 1 and up: noise by that rule */
    float score;               /* the highest of them */
    enum noise_rule rule;      /* whose it is, the first of equals */
    float face;                /* side of the face region in pixels; 0: none is believed */
};

/* Judges every image; verdicts has evidence->n entries. A piece of evidence counts by the share of
 * the set that is at least as odd: -log10 of it, so 2 for the oddest hundredth. NO_FACE and DRAWING
 * are weighted means of those over `threshold`; SMALL_FACE is min_face over the side of the face
 * region, below 1 where they are equal; SEVERAL_FACES is faces over max_faces + 1. Returns 0 or
 * -ENOMEM. */
int noise_judge(const struct noise_evidence *evidence, const struct noise_settings *settings,
                struct noise_verdict *verdicts, struct error *err);

#endif
