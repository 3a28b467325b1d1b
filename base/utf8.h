/* Bytes from outside that should be UTF-8 and may not be: paths, what programs say. */
#ifndef FERDAG_BASE_UTF8_H
#define FERDAG_BASE_UTF8_H

#include <jansson.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at p, which ends with a 0 byte; 0 if there is none: a byte that
 * begins no character, one too few, an overlong form, a surrogate, what lies beyond Unicode. */
size_t utf8_character(const char *p);

/* Replaces each byte that belongs to no character by a "?". */
void utf8_mend(char *text);

/* The text as JSON, mended, since JSON is UTF-8 alone; NULL when memory is out. Only for showing: a
 * path that is to be opened can't be told from it. */
json_t *utf8_json(const char *text);

#endif
