/* References such as "@cnn/full/vgg19.metrics:/public/accuracy" against what a stage's output
 * holds, as its kind's table says. */
#ifndef FERDAG_REPORTS_CHECK_PLACES_H
#define FERDAG_REPORTS_CHECK_PLACES_H

#include <jansson.h>
#include "base/error.h"

enum place_use {
    PLACE_NUMBER,  /* of a cell */
    PLACE_LIST,    /* a matrix */
    PLACE_LINES,   /* of curves: JSON lines */
    PLACE_PICTURE, /* a PNG */
};

/* Whether the reference can give what it is used for. stages is {STAGE: {kind, outputs: {PORT:
 * {file, folder}}}}, with outputs where the file declares them. What isn't known, such as what is
 * in the files of programs, may be anything. 0, or -EINVAL with a sentence. */
int place_check(const char *reference, enum place_use use, const json_t *stages, struct error *err);

#endif
