/* The rules by which an image is noise: no face, a drawing (or text, an icon, a blank image), a
 * small face, several faces. Each rule gives a score; an image is removed if its highest score is
 * at least
 * 1. Rules and thresholds are the same for all classes. */
#ifndef FERDAG_STAGES_NOISE_RULES_H
#define FERDAG_STAGES_NOISE_RULES_H

#include <stddef.h>
#include "base/error.h"
#include "stages/noise/evidence.h"

enum noise_rule { NO_FACE, DRAWING, SMALL_FACE, SEVERAL_FACES, NOISE_RULES };

extern const char *const noise_rule_names[NOISE_RULES]; /* "no_face", ... */

struct noise_settings {
    double threshold;  /* of NO_FACE and DRAWING: mean rarity of the evidence, as a power of ten */
    double min_face;   /* least width and height of a face region, in pixels */
    double face_share; /* side of the face region (brows to chin) relative to a cascade's window */
    int size_support;  /* least support at which a size is reliable */
    int max_faces;
    double weights[2][EVIDENCES]; /* of the evidence in the rules NO_FACE and DRAWING */
};

struct noise_verdict {
    float scores[NOISE_RULES]; /* >= 1: noise by that rule */
    float score;               /* the highest of scores */
    enum noise_rule rule;      /* the rule of that score, the first among equals */
    float face;                /* side of the face region in pixels; 0: not reliable */
};

/* verdicts (evidence->n): the verdict on every image. The rarity of a piece of evidence is -log10
 * of the share of images at least as unusual: 2 for the most unusual hundredth. The scores of
 * NO_FACE and DRAWING are weighted means of rarities divided by `threshold`; SMALL_FACE is min_face
 * divided by the side of the face region, below 1 if they are equal; SEVERAL_FACES is faces /
 * (max_faces + 1). Returns 0 or -ENOMEM. */
int noise_judge(const struct noise_evidence *evidence, const struct noise_settings *settings,
                struct noise_verdict *verdicts, struct error *err);

#endif
