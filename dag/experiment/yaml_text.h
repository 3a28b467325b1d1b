/* What in a text keeps it from being YAML, before its grammar: bytes that are no UTF-8, characters
 * that YAML forbids. libyaml says neither where nor what. */
#ifndef FERDAG_DAG_EXPERIMENT_YAML_TEXT_H
#define FERDAG_DAG_EXPERIMENT_YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Lines and columns as libyaml counts them: from 1, a column a character. */
struct text_fault {
    size_t line, column;
    bool coding; /* its bytes aren't what its coding allows, so it may be saved in another */
    char what[100];
};

/* Finds the first fault of a text that libyaml's reader refused at `offset` (in bytes) with
 * `problem`. The text has a 0 byte after its end. */
void yaml_text_fault(const char *text, size_t size, size_t offset, const char *problem,
                     struct text_fault *fault);

#endif
