/* Reads the canonical text of a key (key.h): one fact a line, "NAME VALUE".
 *
 * A name is the first word or, of `param`, `in`, `out` and `env`, the first two: "numerics",
 * "param epochs", "in images". */
#ifndef FERDAG_DAG_KEY_TEXT_H
#define FERDAG_DAG_KEY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* One line. The pointers are into the text; nothing is terminated by a 0 byte. */
struct key_line {
    const char *name, *value; /* value: "" if the line has none */
    size_t name_length, value_length;
};

/* Reads the line at *text and moves *text behind it. Empty lines are skipped. False at the end. */
bool key_line_next(const char **text, struct key_line *line);

/* Finds the line with that name. False if there is none. */
bool key_line_find(const char *text, const char *name, size_t name_length, struct key_line *line);

/* Whether two lines have the same name and value. */
bool key_line_equal(const struct key_line *a, const struct key_line *b);

#endif
