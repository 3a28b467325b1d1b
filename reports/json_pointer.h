/* JSON pointers (RFC 6901), which jansson lacks: "/public/accuracy", "/confusion/3/0". In a name
 * "~1" is a "/" and "~0" a "~". */
#ifndef FERDAG_REPORTS_JSON_POINTER_H
#define FERDAG_REPORTS_JSON_POINTER_H

#include <jansson.h>

/* The value at the pointer in root, borrowed; NULL if there is none. "" is root itself. */
const json_t *json_pointer_find(const json_t *root, const char *pointer);

#endif
