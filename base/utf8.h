/* Text from outside that may not be valid UTF-8: paths, output of programs. */
#ifndef FERDAG_BASE_UTF8_H
#define FERDAG_BASE_UTF8_H

#include <stddef.h>

struct json_t; /* jansson.h, which most files that include this one don't need */

/* Length of the UTF-8 character at p, a text that ends with a 0 byte; 0 if it is not valid: a byte
 * that starts no character, a truncated one, an overlong form, a surrogate, above U+10FFFF. */
size_t utf8_length(const char *p);

/* The place, or the one before it where its character begins: a text that is cut there keeps whole
 * characters. */
size_t utf8_boundary(const char *text, size_t place);

/* Replaces each byte that is not part of a valid character with "?". */
void utf8_repair(char *text);

/* The text as a JSON string, with invalid bytes replaced; NULL when memory is out. For display
 * only: the path that it stands for may be another. */
struct json_t *utf8_json(const char *text);

#endif
