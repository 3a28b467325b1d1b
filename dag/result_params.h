/* The params of a stored result. */
#ifndef FERDAG_DAG_RESULT_PARAMS_H
#define FERDAG_DAG_RESULT_PARAMS_H

#include <jansson.h>
#include "stages/kind.h"

/* Parses the params of a result of the kind, a JSON object, and renames those that had another name
 * when the result was computed. Returns a new object, empty if the text is damaged. */
json_t *result_params(const struct kind *kind, const char *text);

#endif
