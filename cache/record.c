/* See record.h. */
#define _GNU_SOURCE
#include "cache/record.h"
#include "base/file.h"
#include "cache/fanout.h"
#include "cache/quarantine.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FORMAT = 1, KEY_LENGTH = 64, RECORD_LIMIT = 64 << 20, OUTPUT_LIMIT = 100000 };

static const char hexadecimal[] = "0123456789abcdef";

char *record_path(const char *cache, const char *key)
{
    char *folder = format_string("%s/results", cache);
    char *path = folder ? fanout_path(folder, key, ".json") : NULL;
    free(folder);
    return path;
}

/* ---- writing ---- */

static const char *form_of(const struct blob *blob)
{
    return blob->tree ? "folder" : blob->executable ? "executable" : "file";
}

static json_t *outputs_json(const struct result *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->output_count; i++) {
        const struct blob *blob = &r->outputs[i].blob;
        if (json_array_append_new(list,
                                  json_pack("{s:s, s:s, s:I, s:s}", "port", r->outputs[i].port,
                                            "digest", blob->digest.hex, "size",
                                            (json_int_t)blob->size, "form", form_of(blob))) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* Malloc'd; NULL when memory is out, or params or inputs aren't JSON. */
static char *first_line(const struct result *r)
{
    json_t *params = json_loads(r->params, 0, NULL), *inputs = json_loads(r->inputs, 0, NULL);
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:f, s:f, s:f, s:f, s:I, s:i, s:s, s:o}",
                  "ferdag_result", FORMAT, "key", r->key, "stage", r->stage, "kind", r->kind,
                  "params", params, "inputs", inputs, "key_text", r->key_text, "started",
                  r->started, "finished", r->finished, "seconds", r->seconds, "cpu_seconds",
                  r->cpu_seconds, "peak_bytes", (json_int_t)r->peak_bytes, "threads", r->threads,
                  "log", r->log.hex, "outputs", outputs_json(r));
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(root);
    return text;
}

static char *record_text(const struct result *r)
{
    char *line = first_line(r), *text = NULL;
    struct digest digest;
    if (line && sha256_memory(line, strlen(line), &digest, NULL) == 0)
        text = format_string("%s\n{\"sha256\": \"%s\"}\n", line, digest.hex);
    free(line);
    return text;
}

/* Makes CACHE/results/ab and its parents; with `sync` its name is synced. */
static int make_folder(const char *cache, const char *folder, bool sync, struct error *err)
{
    if (mkdir(folder, 0777) < 0)
        return errno == EEXIST ? 0 : file_make_folders(folder, err);
    char *above = format_string("%s/results", cache);
    int rc = !above ? error_set(err, ENOMEM, "out of memory") : sync ? file_sync(above, err) : 0;
    free(above);
    return rc;
}

static int write_text(const char *cache, const char *path, const char *text, bool sync,
                      struct error *err)
{
    char *folder = format_string("%s/tmp", cache);
    char *temporary = folder ? file_random_name(folder) : NULL;
    int rc = temporary ? file_write_unsynced(temporary, text, strlen(text), err)
                       : error_set(err, ENOMEM, "out of memory writing %s", path);
    if (rc == 0 && sync)
        rc = file_sync(temporary, err);
    if (rc == 0 && rename(temporary, path) < 0)
        rc = error_errno(err, errno, "cannot write %s", path);
    if (rc < 0 && temporary)
        unlink(temporary);
    free(temporary);
    free(folder);
    return rc;
}

int record_write(const char *cache, const struct result *result, bool sync, struct error *err)
{
    char *folder = format_string("%s/results/%.2s", cache, result->key);
    char *path = record_path(cache, result->key), *text = record_text(result);
    int rc = folder && path && text
                 ? 0
                 : error_set(err, ENOMEM, "out of memory writing a result's record");
    if (rc == 0)
        rc = make_folder(cache, folder, sync, err);
    if (rc == 0)
        rc = write_text(cache, path, text, sync, err);
    if (rc == 0 && sync)
        rc = file_sync(folder, err);
    free(text);
    free(path);
    free(folder);
    return rc;
}

/* ---- reading ---- */

static bool is_digest(const char *text)
{
    return text && strlen(text) == KEY_LENGTH && strspn(text, hexadecimal) == KEY_LENGTH;
}

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* The member as compact JSON, malloc'd; NULL if there is none or memory is out. */
static char *json_of(const json_t *root, const char *name)
{
    const json_t *value = json_object_get(root, name);
    return value ? json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
}

static int read_output(const json_t *item, struct result_output *output)
{
    const char *port = text_of(item, "port"), *digest = text_of(item, "digest");
    const char *form = text_of(item, "form");
    const json_t *size = json_object_get(item, "size");
    if (!port || !is_digest(digest) || !form || !json_is_integer(size) ||
        json_integer_value(size) < 0)
        return -EINVAL;
    output->blob = (struct blob){.size = (uint64_t)json_integer_value(size),
                                 .tree = strcmp(form, "folder") == 0,
                                 .executable = strcmp(form, "executable") == 0};
    memcpy(output->blob.digest.hex, digest, KEY_LENGTH + 1);
    output->port = strdup(port);
    return output->port ? 0 : -ENOMEM;
}

static int read_outputs(const json_t *list, struct result *r)
{
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > OUTPUT_LIMIT)
        return -EINVAL;
    r->outputs = calloc(n + 1, sizeof *r->outputs);
    int rc = r->outputs ? 0 : -ENOMEM;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = read_output(json_array_get(list, i), &r->outputs[i]);
        r->output_count += rc == 0;
    }
    return rc;
}

static char *copy_of(const char *text)
{
    return text ? strdup(text) : NULL;
}

static int read_root(const json_t *root, struct result *r)
{
    const char *log = text_of(root, "log");
    *r = (struct result){
        .key = copy_of(text_of(root, "key")),
        .stage = copy_of(text_of(root, "stage")),
        .kind = copy_of(text_of(root, "kind")),
        .params = json_of(root, "params"),
        .inputs = json_of(root, "inputs"),
        .key_text = copy_of(text_of(root, "key_text")),
        .started = json_number_value(json_object_get(root, "started")),
        .finished = json_number_value(json_object_get(root, "finished")),
        .seconds = json_number_value(json_object_get(root, "seconds")),
        .cpu_seconds = json_number_value(json_object_get(root, "cpu_seconds")),
        .peak_bytes = json_integer_value(json_object_get(root, "peak_bytes")),
        .threads = (int)json_integer_value(json_object_get(root, "threads")),
    };
    if (is_digest(log))
        memcpy(r->log.hex, log, KEY_LENGTH + 1);
    if (json_integer_value(json_object_get(root, "ferdag_result")) != FORMAT || !r->key ||
        !r->stage || !r->kind || !r->params || !r->inputs || !r->key_text)
        return -EINVAL;
    return read_outputs(json_object_get(root, "outputs"), r);
}

/* Whether the second line has the digest of the first, of n bytes. */
static bool line_sound(const char *text, size_t n)
{
    struct digest digest;
    char *expected = NULL;
    bool sound = text[n] == '\n' && sha256_memory(text, n, &digest, NULL) == 0 &&
                 (expected = format_string("{\"sha256\": \"%s\"}\n", digest.hex)) &&
                 strcmp(text + n + 1, expected) == 0;
    free(expected);
    return sound;
}

/* The key is the digest of key_text, so a record proves to which key it belongs. */
static bool key_sound(const struct result *r, const char *key)
{
    struct digest digest;
    return strcmp(r->key, key) == 0 &&
           sha256_memory(r->key_text, strlen(r->key_text), &digest, NULL) == 0 &&
           strcmp(digest.hex, key) == 0;
}

int record_read(const char *cache, const char *key, struct result *result, struct error *err)
{
    *result = (struct result){0};
    char *path = record_path(cache, key), *text = NULL;
    size_t size;
    if (!path)
        return error_set(err, ENOMEM, "out of memory");
    if (access(path, F_OK) < 0) {
        free(path);
        return -ENOENT;
    }
    int rc = file_read(path, RECORD_LIMIT, &text, &size, err);
    if (rc == 0) {
        size_t n = strcspn(text, "\n");
        json_t *root = line_sound(text, n) ? json_loadb(text, n, 0, NULL) : NULL;
        rc = root ? read_root(root, result) : -EINVAL;
        json_decref(root);
        if (rc == 0 && !key_sound(result, key))
            rc = -EINVAL;
        if (rc < 0) {
            error_set(err, -rc, "%s is damaged: not the record of a result", path);
            result_free(result);
        }
    }
    free(text);
    free(path);
    return rc;
}

/* ---- listing and moving ---- */

int record_list(const char *cache,
                int (*visit)(void *data, const struct digest *key, struct error *err), void *data,
                struct error *err)
{
    char *folder = format_string("%s/results", cache);
    int rc = folder ? fanout_list(folder, ".json", visit, data, err)
                    : error_set(err, ENOMEM, "out of memory listing %s", cache);
    free(folder);
    return rc;
}

int record_quarantine(const char *cache, const char *key, struct error *err)
{
    char *path = record_path(cache, key), *name = format_string("%s.json", key);
    int rc = path && name ? quarantine(cache, path, name, err)
                          : error_set(err, ENOMEM, "out of memory moving a record");
    free(name);
    free(path);
    return rc;
}
