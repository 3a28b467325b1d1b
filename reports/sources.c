/* See sources.h. */
#include "reports/sources.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "reports/pointer.h"

static const size_t SOURCE_LIMIT = 256u << 20;

void sources_open(struct sources *s, const struct job *job)
{
    const json_t *inputs = json_object_get(job->root, "inputs");
    *s = (struct sources){.list = json_object_get(inputs, "sources"), .loaded = json_object()};
}

void sources_close(struct sources *s)
{
    json_decref(s->loaded);
    *s = (struct sources){0};
}

bool sources_is_reference(const char *text)
{
    if (!text || text[0] != '@')
        return false;
    size_t n = strcspn(text, ":");
    return n > 1 && (text[n] == 0 || text[n + 1] == '/' || text[n + 1] == 0);
}

static const char *member(const json_t *entry, const char *name)
{
    const char *text = json_string_value(json_object_get(entry, name));
    return text ? text : "";
}

/* The entry of "stage.port" (n bytes, without @). */
static const json_t *find_entry(const struct sources *s, const char *name, size_t n)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)s->list, i, entry)
    {
        const char *stage = member(entry, "stage"), *port = member(entry, "port");
        size_t length = strlen(stage);
        if (length < n && memcmp(name, stage, length) == 0 && name[length] == '.' &&
            strlen(port) == n - length - 1 && memcmp(name + length + 1, port, strlen(port)) == 0)
            return entry;
    }
    return NULL;
}

/* Splits a reference and finds its entry; sets missing if the stage has no result. */
static int split(const struct sources *s, const char *reference, struct found *found,
                 struct error *err)
{
    *found = (struct found){.pointer = ""};
    if (!sources_is_reference(reference))
        return error_set(err, EINVAL, "'%s' is no reference: expected @stage.port:/pointer",
                         reference ? reference : "");
    size_t n = strcspn(reference, ":");
    found->pointer = reference + n + (reference[n] == ':');
    found->entry = find_entry(s, reference + 1, n - 1);
    if (!found->entry || json_is_true(json_object_get(found->entry, "missing")) ||
        !*member(found->entry, "path"))
        found->missing = "not run";
    return 0;
}

/* One JSON value a line, as an array; NULL if a line is none. */
static json_t *load_lines(const char *text, size_t size)
{
    json_t *lines = json_array();
    for (const char *p = text, *end = text + size; lines && p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (n) {
            json_t *line = json_loadb(p, n, JSON_DECODE_ANY, NULL);
            if (!line || json_array_append_new(lines, line) < 0) {
                json_decref(lines);
                return NULL;
            }
        }
        p += n + 1;
    }
    return lines;
}

static int load(struct sources *s, const char *path, const json_t **value, struct error *err)
{
    *value = json_object_get(s->loaded, path);
    if (*value)
        return 0;
    char *text;
    size_t size;
    int rc = file_read(path, SOURCE_LIMIT, &text, &size, err);
    if (rc < 0)
        return rc;
    json_error_t where;
    json_t *json = json_loadb(text, size, JSON_DECODE_ANY, &where);
    if (!json)
        json = load_lines(text, size);
    free(text);
    if (!json)
        return error_set(err, EINVAL, "line %d, column %d: neither JSON nor JSON lines: %s",
                         where.line, where.column, where.text);
    *value = json;
    if (json_object_set_new(s->loaded, path, json) < 0)
        return error_set(err, ENOMEM, "out of memory reading %s", path);
    return 0;
}

int sources_find(struct sources *s, const char *reference, struct found *found, struct error *err)
{
    int rc = split(s, reference, found, err);
    if (rc < 0 || found->missing)
        return rc;
    const json_t *root;
    rc = load(s, member(found->entry, "path"), &root, err);
    if (rc < 0) {
        error_prefix(err, "%s", reference);
        return rc;
    }
    found->value = pointer_find(root, found->pointer);
    if (!found->value || json_is_null(found->value)) {
        found->value = NULL;
        found->missing = "no such value";
    }
    return 0;
}

bool sources_path_sound(const char *path)
{
    for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
        if (strcspn(p, "/") == 2 && strncmp(p, "..", 2) == 0)
            return false;
    return true;
}

int sources_path(struct sources *s, const char *reference, struct found *found, char **path,
                 struct error *err)
{
    *path = NULL;
    int rc = split(s, reference, found, err);
    if (rc < 0 || found->missing)
        return rc;
    if (!sources_path_sound(found->pointer))
        return error_set(err, EINVAL, "%s: '..' is not allowed in a path", reference);
    *path = file_path("%s%s", member(found->entry, "path"), found->pointer);
    if (!*path)
        return error_set(err, ENOMEM, "out of memory at %s", reference);
    if (access(*path, R_OK) < 0) {
        free(*path);
        *path = NULL;
        found->missing = "no such file";
    }
    return 0;
}
