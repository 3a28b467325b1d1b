/* See safetensors.h. */
#include "stages/data/safetensors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

enum { LENGTH_BYTES = 8, ALIGNMENT = 8 };

static const size_t HEADER_LIMIT = 100u << 20; /* as in the format */

static const struct {
    const char *name;
    size_t size;
} types[] = {[TENSOR_F32] = {"F32", 4}, [TENSOR_I64] = {"I64", 8}};

enum { TYPES = sizeof types / sizeof *types };

static uint64_t get_length(const char *p)
{
    uint64_t value = 0;
    for (int i = LENGTH_BYTES - 1; i >= 0; i--)
        value = value << 8 | (unsigned char)p[i];
    return value;
}

/* ---- reading ---- */

/* Reads an integer from 0 to limit. Returns whether value is one. */
static int get_size(const json_t *value, size_t limit, size_t *out)
{
    json_int_t x = json_integer_value(value);
    if (!json_is_integer(value) || x < 0 || (unsigned long long)x > limit)
        return 0;
    *out = (size_t)x;
    return 1;
}

static int read_type(const json_t *entry, const char *name, struct tensor *t, struct error *err)
{
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    for (int i = 0; text && i < TYPES; i++)
        if (strcmp(text, types[i].name) == 0) {
            t->type = (enum tensor_type)i;
            return 0;
        }
    return error_set(err, EINVAL, "tensor %.80s: dtype %.20s, expected F32 or I64", name,
                     text ? text : "missing");
}

static int read_shape(const json_t *entry, const char *name, size_t limit, struct tensor *t,
                      struct error *err)
{
    const json_t *shape = json_object_get(entry, "shape");
    t->dims = json_array_size(shape);
    t->count = 1;
    if (!json_is_array(shape) || t->dims > TENSOR_MAX_DIMS)
        return error_set(err, EINVAL, "tensor %.80s: shape: expected a list of up to %d sizes",
                         name, TENSOR_MAX_DIMS);
    for (size_t i = 0; i < t->dims; i++) {
        if (!get_size(json_array_get(shape, i), limit, &t->shape[i]) ||
            (t->shape[i] > 0 && t->count > limit / t->shape[i]))
            return error_set(err, EINVAL, "tensor %.80s: shape: larger than the file", name);
        t->count *= t->shape[i];
    }
    return 0;
}

/* Reads an entry of the header; the data of all tensors is data (data_size bytes). */
static int read_tensor(const char *name, const json_t *entry, const char *data, size_t data_size,
                       struct tensor *t, struct error *err)
{
    *t = (struct tensor){.name = name};
    if (!json_is_object(entry))
        return error_set(err, EINVAL, "tensor %.80s: expected an object", name);
    int rc = read_type(entry, name, t, err);
    if (rc == 0)
        rc = read_shape(entry, name, data_size, t, err);
    if (rc < 0)
        return rc;
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t begin = 0, end = 0;
    if (json_array_size(offsets) != 2 || !get_size(json_array_get(offsets, 0), data_size, &begin) ||
        !get_size(json_array_get(offsets, 1), data_size, &end) || begin > end)
        return error_set(err, EINVAL, "tensor %.80s: data_offsets outside of the file", name);
    if (end - begin != t->count * types[t->type].size)
        return error_set(err, EINVAL, "tensor %.80s: %zu bytes for %zu values of %s", name,
                         end - begin, t->count, types[t->type].name);
    t->data = data + begin;
    return 0;
}

static int by_data(const void *a, const void *b)
{
    const struct tensor *s = a, *t = b;
    if (s->data != t->data)
        return (const char *)s->data < (const char *)t->data ? -1 : 1;
    return s->count < t->count ? -1 : s->count > t->count; /* empty tensors first */
}

static int read_tensors(struct safetensors *s, const char *data, size_t data_size,
                        struct error *err)
{
    const char *name;
    json_t *entry;
    s->tensors = calloc(json_object_size(s->header) + 1, sizeof *s->tensors);
    if (!s->tensors)
        return error_set(err, ENOMEM, "out of memory");
    json_object_foreach(s->header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        int rc = read_tensor(name, entry, data, data_size, &s->tensors[s->n], err);
        if (rc < 0)
            return rc;
        s->n++;
    }
    qsort(s->tensors, s->n, sizeof *s->tensors, by_data);
    const char *next = data;
    for (size_t i = 0; i < s->n; i++) {
        const struct tensor *t = &s->tensors[i];
        if (t->data != next)
            return error_set(err, EINVAL, "tensor %.80s: overlaps another tensor or leaves a gap",
                             t->name);
        next += t->count * types[t->type].size;
    }
    if (next != data + data_size)
        return error_set(err, EINVAL, "%zu bytes after the last tensor",
                         (size_t)(data + data_size - next));
    return 0;
}

static int read_metadata(const struct safetensors *s, struct error *err)
{
    const json_t *metadata = json_object_get(s->header, "__metadata__");
    const char *key;
    json_t *value;
    if (metadata && !json_is_object(metadata))
        return error_set(err, EINVAL, "__metadata__: expected an object");
    json_object_foreach((json_t *)metadata, key, value) if (
        !json_is_string(value)) return error_set(err, EINVAL,
                                                 "__metadata__: %.80s: expected a string", key);
    return 0;
}

static int parse(struct safetensors *s, size_t size, struct error *err)
{
    if (size < LENGTH_BYTES)
        return error_set(err, EINVAL, "file of %zu bytes is too short for a header", size);
    uint64_t length = get_length(s->file);
    if (length > HEADER_LIMIT || length > size - LENGTH_BYTES)
        return error_set(err, EINVAL, "header of %llu bytes in a file of %zu",
                         (unsigned long long)length, size);
    json_error_t where;
    s->header = json_loadb(s->file + LENGTH_BYTES, (size_t)length, JSON_REJECT_DUPLICATES, &where);
    if (!s->header)
        return error_set(err, EINVAL, "header: byte %d: %s", where.position, where.text);
    if (!json_is_object(s->header))
        return error_set(err, EINVAL, "header: expected an object");
    int rc = read_metadata(s, err);
    size_t begin = LENGTH_BYTES + (size_t)length;
    return rc < 0 ? rc : read_tensors(s, s->file + begin, size - begin, err);
}

int safetensors_read(const char *path, size_t limit, struct safetensors *s, struct error *err)
{
    size_t size;
    *s = (struct safetensors){0};
    int rc = file_read(path, limit, &s->file, &size, err);
    if (rc < 0)
        return rc;
    rc = parse(s, size, err);
    if (rc < 0) {
        error_prefix(err, "%s", path);
        safetensors_free(s);
    }
    return rc;
}

void safetensors_free(struct safetensors *s)
{
    free(s->tensors);
    json_decref(s->header);
    free(s->file);
    *s = (struct safetensors){0};
}

const struct tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    return NULL;
}

const char *safetensors_note(const struct safetensors *s, const char *key)
{
    return json_string_value(json_object_get(json_object_get(s->header, "__metadata__"), key));
}

/* ---- writing ---- */

static json_t *header_entry(const struct tensor *t, size_t begin, size_t bytes)
{
    json_t *shape = json_array();
    for (size_t i = 0; i < t->dims; i++)
        json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", types[t->type].name, "shape", shape,
                     "data_offsets", (json_int_t)begin, (json_int_t)begin + (json_int_t)bytes);
}

/* The header, padded so that the data is aligned; *data_size: bytes of data. NULL: out of memory.
 */
static char *make_header(const struct tensor *tensors, size_t n, const json_t *metadata,
                         size_t *length, size_t *data_size)
{
    json_t *header = json_object();
    int bad = json_object_set(header, "__metadata__", (json_t *)metadata);
    *data_size = 0;
    for (int type = TYPES - 1; type >= 0; type--)
        for (size_t i = 0; i < n; i++) {
            if ((int)tensors[i].type != type)
                continue;
            size_t bytes = tensors[i].count * types[type].size;
            bad |= json_object_set_new(header, tensors[i].name,
                                       header_entry(&tensors[i], *data_size, bytes));
            *data_size += bytes;
        }
    char *text = bad ? NULL : json_dumps(header, JSON_COMPACT);
    json_decref(header);
    char *padded = NULL;
    if (text) {
        size_t used = strlen(text);
        *length = (used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        padded = format_string("%-*s", (int)*length, text);
    }
    free(text);
    return padded;
}

int safetensors_write(const char *path, const struct tensor *tensors, size_t n,
                      const json_t *metadata, struct error *err)
{
    size_t length = 0, data_size = 0;
    char *header = make_header(tensors, n, metadata, &length, &data_size);
    char *bytes = header ? malloc(LENGTH_BYTES + length + data_size) : NULL;
    if (!bytes) {
        free(header);
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    }
    for (int i = 0; i < LENGTH_BYTES; i++)
        bytes[i] = (char)(unsigned char)(length >> (8 * i));
    memcpy(bytes + LENGTH_BYTES, header, length);
    free(header);
    char *p = bytes + LENGTH_BYTES + length;
    for (int type = TYPES - 1; type >= 0; type--)
        for (size_t i = 0; i < n; i++)
            if ((int)tensors[i].type == type && tensors[i].count > 0) {
                memcpy(p, tensors[i].data, tensors[i].count * types[type].size);
                p += tensors[i].count * types[type].size;
            }
    int rc = file_write(path, bytes, (size_t)(p - bytes), err);
    free(bytes);
    return rc;
}
