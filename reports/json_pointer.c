/* See json_pointer.h. */
#include "reports/json_pointer.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 256 };

/* Copies one name of the pointer, from after its "/", into name; returns where the next "/" or
 * the end is, or NULL if the name is malformed or too long. */
static const char *read_name(const char *p, char name[NAME_LIMIT])
{
    size_t n = 0;
    for (; *p && *p != '/'; p++) {
        char c = *p;
        if (c == '~') {
            p++;
            if (*p != '0' && *p != '1')
                return NULL;
            c = *p == '0' ? '~' : '/';
        }
        if (n + 1 >= NAME_LIMIT)
            return NULL;
        name[n++] = c;
    }
    name[n] = 0;
    return p;
}

/* An array's index: digits only, no leading zero. */
static const json_t *item(const json_t *array, const char *name)
{
    size_t digits = strspn(name, "0123456789");
    if (digits == 0 || name[digits] || digits > 9 || (name[0] == '0' && digits > 1))
        return NULL;
    return json_array_get(array, strtoul(name, NULL, 10));
}

const json_t *json_pointer_find(const json_t *root, const char *pointer)
{
    const json_t *value = root;
    char name[NAME_LIMIT];
    const char *p = pointer;
    while (value && *p) {
        if (*p != '/' || !(p = read_name(p + 1, name)))
            return NULL;
        value = json_is_array(value) ? item(value, name) : json_object_get(value, name);
    }
    return value;
}
