/* A stage's key: SHA-256 of a canonical text that lists everything its outputs depend on.
 *
 * The text has one fact a line. Its order does not depend on the order in the YAML:
 *   ferdag-key 1
 *   kind NAME VERSION
 *   param NAME JSON          each param that can change a result, sorted by name
 *   numerics TEXT            kinds whose bits depend on backend, CPU features and threads
 *   out PORT FILE            open ports
 *   env NAME DIGEST          open ports: SHA-256 of a variable's value, or "unset"
 *   threads N                open ports with more than one thread
 *   in NAME DIGEST           content of an input. " exec" follows if the stage is a program and the
 *                            file is executable; " folder" if it is an external or empty folder,
 *                            since a file could have the same bytes as the folder's manifest
 *   in NAME STAGE.PORT KEY DIGEST, or "missing"   report kinds, which print the origin
 *
 * key_text.h reads the text. */
#ifndef FERDAG_DAG_KEY_H
#define FERDAG_DAG_KEY_H

#include "cache/sha256.h"
#include "dag/experiment/experiment.h"

/* The value of one input of the stage. */
struct key_input {
    bool missing;
    bool executable; /* an executable file, and the stage is a program */
    bool folder;     /* an external or empty folder */
    struct digest digest;
    const char *key; /* of the stage that made it; NULL: external */
};

/* The name of the backend that a stage computes with: the one that the file states in `numerics`,
 * else that of the run. */
const char *stage_backend(const struct stage *stage, const char *backend);

/* Writes the numerics in the stage's key: those that the file states, else this machine's; "" if
 * its kind has none. Returns 0, or a negative code as kind_numerics. */
enum { NUMERICS_LIMIT = 400 };
int key_numerics(const struct stage *stage, const char *backend, char *text, size_t size,
                 struct error *err);

/* Computes the stage's key (64 hex digits) and its text. inputs has one entry for each of the
 * stage's inputs, in their order. *text is malloc'd, also after an error. Returns 0 or a negative
 * code: an unknown backend, or SHA-256 failed. */
int key_make(const struct stage *stage, const char *backend, const struct key_input *inputs,
             char key[65], char **text, struct error *err);

#endif
