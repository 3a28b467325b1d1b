/* See sources.h. */
#include "reports/sources.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/file.h"
#include "reports/json_pointer.h"

static const size_t SOURCE_LIMIT = 256u << 20;

void sources_open(struct sources *s, const struct job *job)
{
    const json_t *inputs = json_object_get(job->root, "inputs");
    *s = (struct sources){.list = json_object_get(inputs, "sources"),
                          .loaded = json_object(),
                          .broken = json_object()};
}

void sources_close(struct sources *s)
{
    json_decref(s->loaded);
    json_decref(s->broken);
    *s = (struct sources){0};
}

/* Whether the text has the form of a reference: "@stage.port", with or without ":/pointer". */
static bool is_reference(const char *text)
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
static int split(const struct sources *s, const char *reference, struct lookup *found,
                 struct error *err)
{
    *found = (struct lookup){.pointer = ""};
    if (!is_reference(reference))
        return error_set(err, EINVAL, "'%s' is not a reference: expected @stage.port:/pointer",
                         reference ? reference : "");
    size_t n = strcspn(reference, ":");
    found->pointer = reference + n + (reference[n] == ':');
    found->entry = find_entry(s, reference + 1, n - 1);
    if (!found->entry || json_is_true(json_object_get(found->entry, "missing")) ||
        !*member(found->entry, "path"))
        found->missing = "not run";
    return 0;
}

/* One JSON value for each line, as an array; NULL if a line is not JSON, or without memory. */
static json_t *load_lines(const char *text, size_t size, bool *no_memory)
{
    json_t *lines = json_array();
    json_error_t where;
    *no_memory = !lines;
    for (const char *p = text, *end = text + size; lines && p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (n) {
            json_t *line = json_loadb(p, n, JSON_DECODE_ANY, &where);
            if (!line || json_array_append_new(lines, line) < 0) {
                *no_memory = line || json_error_code(&where) == json_error_out_of_memory;
                json_decref(lines);
                return NULL;
            }
        }
        p += n + 1;
    }
    return lines;
}

/* Remembers that the file can't be used: the reason in a few words, and the error. */
static int set_broken(struct sources *s, const char *path, const char *missing,
                      const struct error *detail, struct error *err)
{
    json_t *entry = json_pack("{s:s, s:s}", "missing", missing, "detail", detail->text);
    return json_object_set_new(s->broken, path, entry) < 0
               ? error_set(err, ENOMEM, "out of memory reading %s", path)
               : 0;
}

/* Text of a file as JSON, or as JSON lines. */
static int parse(struct sources *s, const char *path, const char *text, size_t size,
                 struct error *err)
{
    json_error_t where;
    struct error detail;
    json_t *json = json_loadb(text, size, JSON_DECODE_ANY, &where);
    bool no_memory = !json && json_error_code(&where) == json_error_out_of_memory;
    if (!json && !no_memory)
        json = load_lines(text, size, &no_memory);
    if (!json && !no_memory) {
        error_set(&detail, EINVAL, "line %d, column %d: neither JSON nor JSON lines: %s",
                  where.line, where.column, where.text);
        return set_broken(s, path, "not JSON", &detail, err);
    }
    return json_object_set_new(s->loaded, path, json) < 0
               ? error_set(err, ENOMEM, "out of memory reading %s", path)
               : 0;
}

/* Reads the file, unless it was read before. */
static int load(struct sources *s, const char *path, struct error *err)
{
    char *text;
    size_t size;
    struct error detail;
    if (json_object_get(s->loaded, path) || json_object_get(s->broken, path))
        return 0;
    int rc = file_read(path, SOURCE_LIMIT, &text, &size, err);
    if (rc == -EFBIG) {
        error_set(&detail, EFBIG, "larger than %zu MB", SOURCE_LIMIT >> 20);
        return set_broken(s, path, "too large", &detail, err);
    }
    if (rc < 0)
        return rc;
    rc = parse(s, path, text, size, err);
    free(text);
    return rc;
}

int sources_find(struct sources *s, const char *reference, struct lookup *found, struct error *err)
{
    int rc = split(s, reference, found, err);
    if (rc < 0 || found->missing)
        return rc;
    const char *path = member(found->entry, "path");
    rc = load(s, path, err);
    if (rc < 0) {
        error_prefix(err, "%s", reference);
        return rc;
    }
    const json_t *broken = json_object_get(s->broken, path);
    if (broken) {
        found->missing = member(broken, "missing");
        found->detail = member(broken, "detail");
        return 0;
    }
    found->value = json_pointer_find(json_object_get(s->loaded, path), found->pointer);
    if (!found->value || json_is_null(found->value)) {
        found->value = NULL;
        found->missing = "no such value";
    }
    return 0;
}

bool sources_path_is_safe(const char *path)
{
    for (const char *p = path; *p; p += strcspn(p, "/"), p += *p == '/')
        if (strcspn(p, "/") == 2 && strncmp(p, "..", 2) == 0)
            return false;
    return true;
}

int sources_path(struct sources *s, const char *reference, struct lookup *found, char **path,
                 struct error *err)
{
    *path = NULL;
    int rc = split(s, reference, found, err);
    if (rc < 0 || found->missing)
        return rc;
    if (!sources_path_is_safe(found->pointer))
        return error_set(err, EINVAL, "%s: '..' is not allowed in a path", reference);
    *path = format_string("%s%s", member(found->entry, "path"), found->pointer);
    if (!*path)
        return error_set(err, ENOMEM, "out of memory at %s", reference);
    struct stat st;
    if (stat(*path, &st) == 0 && S_ISREG(st.st_mode))
        return 0;
    free(*path);
    *path = NULL;
    found->missing = "no such file";
    return 0;
}
