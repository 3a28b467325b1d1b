/* A stage's key: SHA-256 over a canonical text of all that decides its outputs.
 *
 * One fact a line, in an order that the YAML can't change:
 *   ferdag-key 1
 *   kind NAME VERSION
 *   param NAME JSON          each param but the keyless, sorted by name
 *   numerics TEXT            of kinds whose bits depend on backend and threads
 *   out PORT FILE            of open ports
 *   env NAME DIGEST          of open ports: of the value of a variable, or unset
 *   threads N                of open ports, if it is given more than one: a program sees how many
 *   in NAME DIGEST           the content, not where it came from; of a program, with " exec" if the
 *                            file is executable; with " folder" of a folder from outside, or an
 *                            empty one, since a file could have the bytes of its manifest
 *   in NAME STAGE.PORT KEY DIGEST, or missing   of report kinds, which show where it came from */
#ifndef FERDAG_DAG_KEY_H
#define FERDAG_DAG_KEY_H

#include "cache/sha256.h"
#include "dag/experiment/experiment.h"

/* What an edge of the stage brings. */
struct key_input {
    bool missing;
    bool executable; /* and the stage is a program, which may run it */
    bool folder;     /* from outside, or empty */
    struct digest digest;
    const char *key; /* of the stage that it comes from; NULL: from outside */
};

/* Fills key and *text (malloc'd, also after an error). inputs are as many as the stage's, in their
 * order. */
int key_make(const struct stage *stage, const char *backend, const struct key_input *inputs,
             char key[65], char **text, struct error *err);

#endif
