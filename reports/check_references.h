/* Checks references such as "@cnn/full/vgg19/1.metrics:/public/accuracy" against the contents of a
 * stage's output, which the table of its kind declares (`holds` in stages/kind.h). */
#ifndef FERDAG_REPORTS_CHECK_REFERENCES_H
#define FERDAG_REPORTS_CHECK_REFERENCES_H

#include <jansson.h>
#include "base/error.h"

enum reference_use {
    REFERENCE_NUMBER,  /* of a cell */
    REFERENCE_LIST,    /* a matrix */
    REFERENCE_LINES,   /* of curves: JSON lines */
    REFERENCE_PICTURE, /* a PNG */
};

/* Checks that the reference can have a value for that use. stages is {STAGE: {kind, outputs: {PORT:
 * {file, folder}}}}, with outputs where the experiment file declares them. Unknown contents, such
 * as those of the files of programs, are accepted. Returns 0 or -EINVAL. */
int reference_check(const char *reference, enum reference_use use, const json_t *stages,
                    struct error *err);

#endif
