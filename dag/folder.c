/* See folder.h. */
#include "dag/folder.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cache/record.h"
#include "cache/attempts.h"
#include "dag/continuation.h"
#include "dag/key.h"
#include "dag/result_params.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST_NAME = 400 };

static void set(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, must(value)) < 0)
        must(NULL);
}

static json_t *parse(const char *text)
{
    json_t *value = text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
    return value ? value : json_null();
}

/* The path of an external file, for the errors of the stage: the name of a port tells users
 * nothing. A path so long that an error would be cut is left out. */
static void add_name(const struct external *external, json_t *item)
{
    if (strlen(external->path) <= LONGEST_NAME)
        set(item, "name", utf8_json(external->path));
}

/* Lets a stage that copies the input check that it is still the file that was hashed. */
static void add_stamps(const struct source *source, json_t *item)
{
    char text[20];
    snprintf(text, sizeof text, "%016" PRIx64, source->stamps);
    set(item, "stamps", json_string(text));
}

/* The full origin of a report's source. */
static void add_provenance(const struct plan *plan, const struct edge *edge, json_t *item)
{
    const struct task *task = &plan->tasks[edge->from->place];
    set(item, "stage", json_string(edge->from->name));
    set(item, "port", json_string(edge->from->outputs[edge->output].port));
    set(item, "kind", json_string(edge->from->kind->name));
    struct blob blob;
    if (!plan_input(plan, edge, &blob)) {
        set(item, "missing", json_true());
        if (task->message)
            set(item, "message", utf8_json(task->message));
        return;
    }
    const struct result *r = &task->result;
    set(item, "key", json_string(task->key));
    set(item, "digest", json_string(blob.digest.hex));
    set(item, "seconds", json_real(r->seconds));
    set(item, "cpu_seconds", json_real(r->cpu_seconds));
    set(item, "peak_bytes", json_integer(r->peak_bytes));
    set(item, "finished", json_real(r->finished));
    set(item, "threads", json_integer(r->threads));
    set(item, "params", result_params(edge->from->kind, r->params));
    set(item, "inputs", parse(r->inputs));
}

static json_t *inputs_json(const struct plan *plan, const struct stage *stage)
{
    json_t *inputs = must(json_object());
    for (size_t i = 0; i < stage->input_count; i++) {
        const struct edge *edge = &stage->inputs[i];
        struct blob blob;
        bool there = plan_input(plan, edge, &blob);
        if (!there && !stage->kind->report)
            continue;
        json_t *list = json_object_get(inputs, edge->port);
        if (!list) {
            list = must(json_array());
            set(inputs, edge->port, list);
        }
        json_t *item = must(json_object());
        if (there)
            set(item, "path", json_string(edge->as));
        if (edge->external)
            add_name(edge->external, item);
        if (edge->external && !edge->external->code && stage->kind->open_ports)
            add_stamps(plan_source(plan, edge->external), item);
        if (stage->kind->report && edge->from)
            add_provenance(plan, edge, item);
        json_array_append_new(list, item);
    }
    return inputs;
}

/* Every stage of the run, for the report's page on provenance. */
static json_t *stages_json(const struct plan *plan)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct task *task = &plan->tasks[i];
        if (task->stage->implicit)
            continue;
        json_t *item = must(json_object());
        set(item, "name", json_string(task->stage->name));
        set(item, "kind", json_string(task->stage->kind->name));
        set(item, "missing", json_boolean(!state_has_result(task->state)));
        if (task->key[0])
            set(item, "key", json_string(task->key));
        if (state_has_result(task->state)) {
            set(item, "cached", json_boolean(task->state == STATE_CACHED));
            set(item, "seconds", json_real(task->result.seconds));
            set(item, "cpu_seconds", json_real(task->result.cpu_seconds));
            set(item, "peak_bytes", json_integer(task->result.peak_bytes));
            set(item, "finished", json_real(task->result.finished));
        }
        json_array_append_new(list, item);
    }
    return list;
}

static json_t *env_json(const struct stage *stage)
{
    json_t *list = must(json_array());
    for (size_t i = 0; i < stage->env_count; i++)
        json_array_append_new(list, must(json_string(stage->env[i])));
    return list;
}

/* Steals the reference to `earlier`. */
static int write_job(const struct plan *plan, const struct task *task, const char *folder,
                     json_t *earlier, struct error *err)
{
    const struct stage *stage = task->stage;
    char numerics[NUMERICS_LIMIT];
    json_t *job = must(json_object()), *outputs = must(json_object());
    set(job, "stage", json_string(stage->name));
    set(job, "kind", json_string(stage->kind->name));
    set(job, "key", json_string(task->key));
    set(job, "backend", json_string(stage_backend(stage, plan->backend)));
    if (key_numerics(stage, plan->backend, numerics, sizeof numerics, NULL) == 0 && *numerics)
        set(job, "numerics", json_string(numerics));
    set(job, "threads", json_integer(stage->cpu));
    set(job, "params", json_incref(stage->params));
    set(job, "inputs", inputs_json(plan, stage));
    for (size_t i = 0; i < stage->output_count; i++)
        set(outputs, stage->outputs[i].port, json_string(stage->outputs[i].file));
    set(job, "outputs", outputs);
    if (json_array_size(earlier) > 0)
        set(job, "earlier", json_incref(earlier));
    json_decref(earlier);
    if (stage->env_count)
        set(job, "env", env_json(stage));
    if (stage->kind->report) {
        set(job, "experiment", utf8_json(plan->experiment->file));
        set(job, "stages", stages_json(plan));
    }
    char *text = must(json_dumps(job, JSON_INDENT(1) | JSON_REAL_PRECISION(17)));
    char *path = must(format_string("%s/job.json", folder));
    int rc = file_write_unsynced(path, text, strlen(text), err);
    free(path);
    free(text);
    json_decref(job);
    return rc;
}

/* Creates the folders above an input whose name has slashes. */
static int make_folders_above(const char *folder, const char *as, struct error *err)
{
    const char *slash = strrchr(as, '/');
    if (!slash)
        return 0;
    char *path = must(format_string("%s/%.*s", folder, (int)(slash - as), as));
    int rc = file_make_folders(path, err);
    free(path);
    return rc;
}

static int place_input(const struct plan *plan, const struct edge *edge, const char *folder,
                       struct error *err)
{
    struct blob blob;
    if (!plan_input(plan, edge, &blob))
        return 0;
    int rc = make_folders_above(folder, edge->as, err);
    if (rc < 0)
        return rc;
    char *as = must(format_string("%s/%s", folder, edge->as));
    rc = edge->from ? cache_place(plan->cache, &blob, as, BLOB_LINK, err)
                    : source_place(edge->external, plan_source(plan, edge->external), as, err);
    free(as);
    return rc;
}

int folder_prepare(const struct plan *plan, const struct task *task, char **out, struct error *err)
{
    const struct stage *stage = task->stage;
    bool resume = !stage->kind->open_ports && !task->forced;
    char *folder;
    int rc = attempt_start(plan->cache, task->key, resume, &folder, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < stage->input_count; i++)
        rc = place_input(plan, &stage->inputs[i], folder, err);
    json_t *earlier = NULL;
    if (rc == 0)
        rc = continuation_link(plan, task, folder, &earlier, err);
    if (rc == 0)
        rc = write_job(plan, task, folder, earlier, err);
    if (rc < 0)
        free(folder);
    else
        *out = folder;
    return rc;
}

static int store_log(struct blob_writer *writer, const char *folder, struct digest *log,
                     struct error *err)
{
    struct blob blob;
    char *path = must(format_string("%s/log.txt", folder));
    int rc = blob_writer_add(writer, path, false, &blob, err);
    free(path);
    if (rc == 0)
        *log = blob.digest;
    return rc;
}

int folder_store_log(struct blob_writer *writer, const char *folder, struct digest *log,
                     struct error *err)
{
    int rc = store_log(writer, folder, log, err);
    return rc < 0 ? rc : blob_writer_finish(writer, err);
}

static int store_output(struct blob_writer *writer, const char *folder, const struct output *output,
                        struct result *result, struct error *err)
{
    char *path = must(format_string("%s/%s", folder, output->file));
    struct result_output *to = &result->outputs[result->output_count];
    struct stat st;
    int rc = 0;
    bool there = stat(path, &st) == 0;
    if (!there && output->optional && errno == ENOENT) {
        free(path);
        return 0;
    }
    if (!there)
        rc = error_set(err, ENOENT, "it ended without its output %s, the %s '%s'", output->port,
                       output->tree ? "folder" : "file", output->file);
    else if (S_ISDIR(st.st_mode) != output->tree)
        rc = error_set(err, EINVAL, "its output %s, '%s', is %s", output->port, output->file,
                       output->tree ? "no folder" : "a folder, not a file");
    else if ((rc = blob_writer_add(writer, path, output->tree, &to->blob, err)) < 0)
        error_prefix(err, "output %s", output->port);
    free(path);
    if (rc < 0)
        return rc;
    to->port = must(strdup(output->port));
    result->output_count++;
    return 0;
}

int folder_gather(struct blob_writer *writer, const char *folder, const struct stage *stage,
                  struct result *result, struct error *err)
{
    int rc = 0;
    result->outputs = must_alloc(stage->output_count * sizeof *result->outputs);
    for (size_t i = 0; rc == 0 && i < stage->output_count; i++)
        rc = store_output(writer, folder, &stage->outputs[i], result, err);
    if (rc == 0)
        rc = store_log(writer, folder, &result->log, err);
    if (rc == 0)
        rc = blob_writer_finish(writer, err);
    return rc < 0 ? rc : record_write(writer->cache->folder, result, true, err);
}
