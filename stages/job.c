/* See job.h. The scheduler writes job.json; to try a stage, it may be written by hand. */
#define _GNU_SOURCE
#include "stages/job.h"
#include "stages/progress_lines.h"

#include <errno.h>
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

static int check_param(const struct param *param, const json_t *value, struct error *err)
{
    char *shown = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    int rc = shown ? param_check(param, value,
                                 json_is_string(value) ? json_string_value(value) : shown, err)
                   : error_set(err, ENOMEM, "out of memory");
    free(shown);
    return rc;
}

static int take_default(const struct param *param, json_t *params, struct error *err)
{
    json_t *value;
    if (!param->standard)
        return error_set(err, EINVAL, "must be given");
    int rc = param_default(param, &value, err);
    if (rc == 0 && json_object_set_new(params, param->name, value) < 0)
        rc = error_set(err, ENOMEM, "out of memory");
    return rc;
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
        int rc = value ? check_param(p, value, err) : take_default(p, params, err);
        if (rc < 0) {
            error_prefix(err, "job.json: param %s of %s", p->name, job->kind->name);
            return rc;
        }
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

int job_check_numerics(const struct job *job, struct error *err)
{
    char own[500];
    const char *planned = string_of(job->root, "numerics", "");
    if (!*planned)
        return 0;
    int rc = kind_numerics(job->kind->numerics, job->backend, job->threads, own, sizeof own, err);
    if (rc < 0 || strcmp(own, planned) == 0)
        return rc;
    return error_set(err, EINVAL,
                     "numerics: the stage was planned for '%s', and this process computes with "
                     "'%s'; `numerics` in the experiment file states those of the machine where "
                     "stages run",
                     planned, own);
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

int job_write_json(const char *path, json_t *value, struct error *err)
{
    char *text = value ? json_dumps(value, JSON_INDENT(2) | JSON_SORT_KEYS |
                                               JSON_REAL_PRECISION(17) | JSON_ENCODE_ANY)
                       : NULL;
    json_decref(value);
    char *line = text ? format_string("%s\n", text) : NULL;
    free(text);
    if (!line)
        return error_set(err, ENOMEM, "out of memory writing %s", path);
    int rc = file_write(path, line, strlen(line), err);
    free(line);
    return rc;
}
