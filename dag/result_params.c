/* See result_params.h. */
#include "dag/result_params.h"
#include "base/arena.h"

#include <string.h>

json_t *result_params(const struct kind *kind, const char *text)
{
    json_t *params = json_loads(text, 0, NULL), *renamed = must(json_object()), *value;
    const char *name;
    json_object_foreach(params, name, value)
    {
        const struct param *p = kind->params;
        while (p->name && strcmp(param_key_name(p), name) != 0)
            p++;
        if (json_object_set(renamed, p->name ? p->name : name, value) < 0)
            must(NULL);
    }
    json_decref(params);
    return renamed;
}
