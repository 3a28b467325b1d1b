/* Text as JSON (utf8.h). In a file of its own, so that the rest needs no jansson. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/utf8.h"

json_t *utf8_json(const char *text)
{
    json_t *json = json_string(text);
    char *copy = json ? NULL : strdup(text);
    if (copy) {
        utf8_repair(copy);
        json = json_string(copy);
    }
    free(copy);
    return json;
}
