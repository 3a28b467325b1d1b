/* Text that grows while it is written. A failed allocation is remembered, so a writer checks once,
 * at its end. */
#ifndef FERDAG_REPORTS_TEXT_H
#define FERDAG_REPORTS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct text {
    char *data;  /* ends with a 0 byte; NULL while nothing was written */
    size_t size; /* without that byte */
    size_t room;
    bool failed; /* memory ran out: what is here is not whole */
};

void text_add(struct text *t, const char *s);
void text_add_bytes(struct text *t, const char *s, size_t n);
void text_print(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What was written so far; "" if nothing. Belongs to t, until the next write. */
const char *text_string(const struct text *t);
void text_free(struct text *t);

/* Reads one UTF-8 character; returns its length, and for malformed bytes 1 and U+FFFD. Surrogates
 * and what lies beyond Unicode are malformed: groff knows no such character. */
size_t text_character(const char *s, uint32_t *c);

/* Writes the text to a file and frees it; -ENOMEM if it is not whole. */
int text_write(struct text *t, const char *path, struct error *err);

#endif
