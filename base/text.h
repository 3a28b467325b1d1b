/* A text that grows as parts are added. A failed allocation is remembered, so that a writer checks
 * for it once, at the end. */
#ifndef FERDAG_BASE_TEXT_H
#define FERDAG_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct text {
    char *data;  /* ends with a 0 byte; NULL while nothing was written */
    size_t size; /* without that byte */
    size_t capacity;
    bool failed; /* out of memory: the text is incomplete */
};

void text_add(struct text *t, const char *s);
void text_add_bytes(struct text *t, const char *s, size_t n);
void text_print(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text so far; "" if nothing was added. Belongs to t and is valid until the next addition. */
const char *text_string(const struct text *t);
void text_free(struct text *t);

/* Reads one UTF-8 character and returns its length in bytes; 1, with U+FFFD, for a malformed one.
 * Surrogates and numbers beyond Unicode are malformed: groff has no such characters. */
size_t text_character(const char *s, uint32_t *c);

/* Writes the text to a file and frees it. -ENOMEM if it is incomplete. */
int text_write(struct text *t, const char *path, struct error *err);

#endif
