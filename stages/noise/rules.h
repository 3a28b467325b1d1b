/* The rules by which an image is noise: no face, a drawing (or text, an icon, a blank image), a
 * small face, several faces. Each rule gives a score; an image is removed if its highest score is
 * at least 1. Rules and thresholds are the same for all classes. */
#ifndef FERDAG_STAGES_NOISE_RULES_H
#define FERDAG_STAGES_NOISE_RULES_H

#include <stddef.h>
#include "base/error.h"
#include "stages/noise/evidence.h"

enum noise_rule { NO_FACE, DRAWING, SMALL_FACE, SEVERAL_FACES, NOISE_RULES };

extern const char *const noise_rule_names[NOISE_RULES]; /* "no_face", ... */

struct noise_settings {
    double threshold; /* of NO_FACE and DRAWING: mean unusualness of the evidence, see below */
    double min_face;  /* least height of a face region, brows to chin, in pixels; 0: no limit */
    int max_faces;    /* 1 to MOST_FACES - 1 */
};

struct noise_verdict {
    float scores[NOISE_RULES]; /* >= 1: noise by that rule */
    float score;               /* the highest of scores */
    enum noise_rule rule;      /* the rule of that score, the first among equals */
    float face; /* height of the face region in pixels; 0: no face, or none surely detected */
};

/* verdicts (evidence->n): the verdict on every image.
 *
 * How unusual a piece of evidence is: its distance from the median of the set, to the unusual side,
 * in robust standard deviations (1.4826 times the median absolute deviation), at most 7.5. The
 * scores of NO_FACE and DRAWING are weighted means of that, divided by `threshold`. SMALL_FACE is
 * min_face divided by the height of the face region, below 1 if they are equal; it isn't judged
 * where there are too many faces, or where none is surely detected. SEVERAL_FACES is 1 plus the
 * score of the first face beyond max_faces, minus the score from which a face counts. Returns 0 or
 * -ENOMEM. */
int noise_judge(const struct noise_evidence *evidence, const struct noise_settings *settings,
                struct noise_verdict *verdicts, struct error *err);

#endif
