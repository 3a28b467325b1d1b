/* See job.h. The scheduler writes job.json; to try a stage, it may be written by hand. */
#define _GNU_SOURCE
#include "stages/job.h"
#include "stages/progress_lines.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"
#include "base/nearest.h"

static const size_t JOB_LIMIT = 64u << 20;

static const char *string_of(const json_t *object, const char *name, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : otherwise;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if (strcspn(c, "|") == n && strncmp(c, text, n) == 0)
            return true;
    return false;
}

/* Whether a value has the type that the table asks for, and is one that it allows. */
static bool fits(const struct param *param, const json_t *value)
{
    bool bounded = param->min != 0 || param->max != 0;
    double x = json_number_value(value);
    switch (param->type) {
    case PARAM_INT:
        return json_is_integer(value) && (!bounded || (x >= param->min && x <= param->max));
    case PARAM_REAL:
        return json_is_number(value) && isfinite(x) &&
               (!bounded || (x >= param->min && x <= param->max));
    case PARAM_BOOL:
        return json_is_boolean(value);
    case PARAM_ENUM:
        return json_is_string(value) && is_choice(param->choices, json_string_value(value));
    case PARAM_STRING:
        return json_is_string(value);
    case PARAM_SIZE:
        return json_is_integer(value);
    case PARAM_LIST:
        return json_is_array(value);
    case PARAM_MAP:
    case PARAM_NAMED:
        return json_is_object(value);
    case PARAM_JSON:
        return true;
    }
    return false;
}

/* The param's default as a JSON value; NULL if it has none. */
static json_t *standard_value(const struct param *param)
{
    const char *text = param->standard;
    if (!text)
        return NULL;
    switch (param->type) {
    case PARAM_INT:
        return json_integer(strtoll(text, NULL, 10));
    case PARAM_REAL:
        return json_real(strtod(text, NULL));
    case PARAM_BOOL:
        return json_boolean(strcmp(text, "true") == 0);
    case PARAM_ENUM:
    case PARAM_STRING:
        return json_string(text);
    case PARAM_SIZE:
    case PARAM_LIST:
    case PARAM_MAP:
    case PARAM_NAMED:
    case PARAM_JSON:
        return json_loads(text, JSON_DECODE_ANY, NULL);
    }
    return NULL;
}

/* Rejects names that the kind doesn't have, as they would be ignored. */
static int check_param_names(const struct kind *kind, const json_t *params, struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)params, name, value)
    {
        struct nearest nearest = {.wrong = name};
        const struct param *p = kind->params;
        for (; p->name && strcmp(p->name, name) != 0; p++)
            nearest_offer(&nearest, p->name);
        if (!p->name)
            return error_set(err, EINVAL, "job.json: unknown param '%s' of kind %s%s", name,
                             kind->name, nearest_hint(&nearest));
    }
    return 0;
}

static int check_params(struct job *job, struct error *err)
{
    json_t *params = json_object_get(job->root, "params");
    if (!json_is_object(params))
        return error_set(err, EINVAL, "job.json: params: expected an object");
    if (check_param_names(job->kind, params, err) < 0)
        return -EINVAL;
    for (const struct param *p = job->kind->params; p->name; p++) {
        json_t *value = json_object_get(params, p->name);
        if (!value && p->standard) {
            value = standard_value(p);
            if (!value || json_object_set_new(params, p->name, value) < 0)
                return error_set(err, ENOMEM, "out of memory reading job.json");
        }
        if (!value)
            return error_set(err, EINVAL, "job.json: param %s of %s must be given", p->name,
                             job->kind->name);
        if (!fits(p, value))
            return error_set(err, EINVAL, "job.json: param %s of %s: wrong type or out of range",
                             p->name, job->kind->name);
    }
    return 0;
}

int job_open(struct job *job, const struct kind *kind, struct error *err)
{
    *job = (struct job){.kind = kind, .progress = -1};
    char *text;
    size_t size;
    int rc = file_read("job.json", JOB_LIMIT, &text, &size, err);
    if (rc < 0)
        return rc;
    json_error_t where;
    job->root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    free(text);
    if (!json_is_object(job->root)) {
        rc = job->root ? error_set(err, EINVAL, "job.json:1:1: expected an object")
                       : error_set(err, EINVAL, "job.json:%d:%d: %s", where.line, where.column,
                                   where.text);
        job_close(job);
        return rc;
    }
    job->stage = string_of(job->root, "stage", kind->name);
    job->key = string_of(job->root, "key", "");
    job->backend = string_of(job->root, "backend", "auto");
    json_int_t threads = json_integer_value(json_object_get(job->root, "threads"));
    job->threads = threads < 1 ? 1 : threads > 1024 ? 1024 : (int)threads;
    job->progress = progress_lines_open();
    rc = check_params(job, err);
    if (rc < 0)
        job_close(job);
    return rc;
}

void job_close(struct job *job)
{
    json_decref(job->root);
    *job = (struct job){.progress = -1};
}

static const json_t *param_value(const struct job *job, const char *name, enum param_type a,
                                 enum param_type b)
{
    for (const struct param *p = job->kind->params; p->name; p++)
        if (strcmp(p->name, name) == 0 && (p->type == a || p->type == b))
            return json_object_get(json_object_get(job->root, "params"), name);
    fprintf(stderr, "%s has no param %s of this type\n", job->kind->name, name);
    abort();
}

int64_t job_int(const struct job *job, const char *param)
{
    return json_integer_value(param_value(job, param, PARAM_INT, PARAM_INT));
}

double job_real(const struct job *job, const char *param)
{
    return json_number_value(param_value(job, param, PARAM_REAL, PARAM_REAL));
}

bool job_bool(const struct job *job, const char *param)
{
    return json_is_true(param_value(job, param, PARAM_BOOL, PARAM_BOOL));
}

const char *job_string(const struct job *job, const char *param)
{
    return json_string_value(param_value(job, param, PARAM_ENUM, PARAM_STRING));
}

const json_t *job_json(const struct job *job, const char *param)
{
    for (const struct param *p = job->kind->params; p->name; p++)
        if (strcmp(p->name, param) == 0 && p->type >= PARAM_JSON)
            return param_value(job, param, p->type, p->type);
    return param_value(job, param, PARAM_JSON, PARAM_JSON);
}

static const json_t *input_list(const struct job *job, const char *port)
{
    return json_object_get(json_object_get(job->root, "inputs"), port);
}

size_t job_input_count(const struct job *job, const char *port)
{
    return json_array_size(input_list(job, port));
}

const json_t *job_provenance(const struct job *job, const char *port, size_t i)
{
    return json_array_get(input_list(job, port), i);
}

const char *job_input(const struct job *job, const char *port, size_t i)
{
    return string_of(job_provenance(job, port, i), "path", port);
}

const char *job_input_name(const struct job *job, const char *port, size_t i)
{
    const char *name = json_string_value(json_object_get(job_provenance(job, port, i), "name"));
    return name ? name : job_input(job, port, i);
}

const char *job_output(const struct job *job, const char *port)
{
    const char *path = string_of(json_object_get(job->root, "outputs"), port, NULL);
    for (const struct port *p = job->kind->outputs; !path && p && p->name; p++)
        if (strcmp(p->name, port) == 0)
            path = p->file;
    if (!path) {
        fprintf(stderr, "%s has no output %s\n", job->kind->name, port);
        abort();
    }
    return path;
}

size_t job_earlier_count(const struct job *job)
{
    return json_array_size(json_object_get(job->root, "earlier"));
}

struct job_earlier job_earlier(const struct job *job, size_t i)
{
    const json_t *item = json_array_get(json_object_get(job->root, "earlier"), i);
    return (struct job_earlier){
        .folder = string_of(item, "folder", ""),
        .key = string_of(item, "key", ""),
        .value = json_integer_value(json_object_get(item, "value")),
    };
}

void job_continues(const struct job *job, const char *key, int64_t value)
{
    progress_line_continues(job->progress, key, value);
}

void job_progress(const struct job *job, double done, double total, const char *unit, double rate,
                  const char *rate_unit, const char *note)
{
    progress_line_done(job->progress, done, total, unit, rate, rate_unit, note);
}

double job_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int job_write_json(const char *path, json_t *value, struct error *err)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS |
                                               JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY)
                       : NULL;
    json_decref(value);
    char *line = text ? file_path("%s\n", text) : NULL;
    free(text);
    if (!line)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    int rc = file_write(path, line, strlen(line), err);
    free(line);
    return rc;
}
