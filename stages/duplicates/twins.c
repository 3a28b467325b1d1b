/* See twins.h. */
#include "stages/duplicates/twins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

enum { FILE_LIMIT = 1 << 26 }; /* bytes; all test images of FER2013 would take 0.1 MB */

json_t *twins_entry(const uint8_t *has_twin, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        if (has_twin[i] && json_array_append_new(list, json_integer((json_int_t)i)) < 0) {
            json_decref(list);
            return NULL;
        }
    return json_pack("{s:I, s:o}", "images", (json_int_t)n, "with_twin", list);
}

static int read_entry(const char *path, enum split split, const json_t *root, size_t n,
                      uint8_t *has_twin, struct error *err)
{
    const char *name = split_names[split];
    const json_t *entry = json_object_get(root, name), *value;
    const json_t *count = json_object_get(entry, "images"),
                 *list = json_object_get(entry, "with_twin");
    if (!json_is_integer(count) || !json_is_array(list))
        return error_set(err, EINVAL,
                         "%s: expected {\"images\": N, \"with_twin\": [...]} for the %s split, as "
                         "find_duplicates writes",
                         path, name);
    if (json_integer_value(count) != (json_int_t)n)
        return error_set(err, EINVAL,
                         "%s: has %" JSON_INTEGER_FORMAT
                         " images in the %s split, but there are predictions of %zu: is it of "
                         "another data set?",
                         path, json_integer_value(count), name, n);
    memset(has_twin, 0, n);
    size_t i;
    json_array_foreach(list, i, value)
    {
        json_int_t index = json_is_integer(value) ? json_integer_value(value) : -1;
        if (index < 0 || index >= (json_int_t)n)
            return error_set(err, EINVAL, "%s: %s/with_twin/%zu: expected an index from 0 to %zu",
                             path, name, i, n - 1);
        has_twin[index] = 1;
    }
    return 0;
}

int twins_read(const char *path, enum split split, size_t n, uint8_t *has_twin, struct error *err)
{
    char *text;
    size_t size;
    int rc = file_read(path, FILE_LIMIT, &text, &size, err);
    if (rc < 0)
        return rc;
    json_error_t why;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (!root)
        return error_set(err, EINVAL, "%s:%d:%d: %s", path, why.line, why.column, why.text);
    rc = read_entry(path, split, root, n, has_twin, err);
    json_decref(root);
    return rc;
}
