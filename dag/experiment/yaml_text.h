/* Finds invalid UTF-8 and characters that YAML forbids. libyaml refuses such text but gives neither
 * line and column nor a clear cause. */
#ifndef FERDAG_DAG_EXPERIMENT_YAML_TEXT_H
#define FERDAG_DAG_EXPERIMENT_YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Line and column count from 1; a column is one character, as in libyaml. */
struct text_fault {
    size_t line, column;
    bool coding; /* the bytes are not valid in the text's encoding */
    char what[100];
};

/* Fills *fault with the first fault of a text that libyaml's reader refused with `problem` at byte
 * `offset`. The text has a 0 byte after its end. */
void yaml_text_fault(const char *text, size_t size, size_t offset, const char *problem,
                     struct text_fault *fault);

#endif
