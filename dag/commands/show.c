/* The commands that look and change nothing: status, explain, show, log, graph. */
#include "dag/commands/commands.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cache/tree.h"
#include "cache/work.h"
#include "dag/earlier.h"
#include "dag/explain.h"
#include "dag/progress.h"
#include "dag/session.h"
#include "dag/stage_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Says something of one stage: appended to list, or printed where list is NULL. */
typedef int say_stage(const struct plan *plan, const struct task *task, json_t *list,
                      struct error *err);

/* Opens the session, lets `say` speak of each picked stage, and returns the exit status. */
static int for_picked(const struct options *options, say_stage *say, struct error *err)
{
    struct session s;
    int rc = session_open(&s, options, false, err);
    if (rc != EXIT_DONE)
        return rc;
    json_t *list = options->json ? must(json_array()) : NULL;
    for (size_t i = 0; rc == 0 && i < s.experiment.stage_count; i++)
        if (s.picked[i])
            rc = say(&s.plan, &s.plan.tasks[i], list, err);
    if (list)
        session_print(list);
    session_close(&s);
    return session_status(rc);
}

/* ---- status ---- */

static int print_status(const struct plan *plan, const struct task *task, json_t *list,
                        struct error *err)
{
    enum verdict verdict;
    char *reason;
    int rc = explain_verdict(plan, task, list != NULL, &verdict, &reason, err);
    if (rc < 0)
        return rc;
    if (list)
        json_array_append_new(
            list, must(json_pack("{s:s, s:s, s:s, s:s, s:s?}", "name", task->stage->name, "kind",
                                 task->stage->kind->name, "state", verdict_names[verdict], "key",
                                 task->key, "reason", reason)));
    else
        printf("%-8s %-*s%s%s\n", verdict_names[verdict], reason ? 36 : 0, task->stage->name,
               reason ? " " : "", reason ? reason : "");
    free(reason);
    return 0;
}

int command_status(const struct options *options, struct error *err)
{
    return for_picked(options, print_status, err);
}

/* ---- explain ---- */

static int print_reasons(const struct plan *plan, const struct task *task, json_t *list,
                         struct error *err)
{
    json_t *reasons;
    int rc = explain_reasons(plan, task, list != NULL, &reasons, err);
    if (rc < 0)
        return rc;
    rc = earlier_explain(plan, task, reasons, err);
    const char *what = state_has_result(task->state)  ? "is cached"
                       : task->state == STATE_READY   ? "would run"
                       : task->state == STATE_WAITING ? "may run"
                                                      : "can't run";
    if (list) {
        json_array_append_new(list, must(json_pack("{s:s, s:s, s:O}", "name", task->stage->name,
                                                   "state", what, "reasons", reasons)));
    } else {
        printf("%s %s\n", task->stage->name, what);
        for (size_t i = 0; i < json_array_size(reasons); i++)
            printf("  %s\n", json_string_value(json_array_get(reasons, i)));
    }
    json_decref(reasons);
    return rc;
}

int command_explain(const struct options *options, struct error *err)
{
    return for_picked(options, print_reasons, err);
}

/* ---- show ---- */

/* The task's result or, for one whose key isn't known or has none, the latest under its name. */
static int find_result(const struct plan *plan, const struct task *task, struct result *result,
                       struct error *err)
{
    char key[65];
    int rc = task->key[0] ? index_find(plan->cache->index, task->key, result, err) : -ENOENT;
    if (rc != -ENOENT)
        return rc;
    rc = index_latest(plan->cache->index, plan->experiment->full, task->stage->name, key, err);
    return rc < 0 ? rc : index_find(plan->cache->index, key, result, err);
}

static json_t *result_json(const struct plan *plan, const struct task *task, const struct result *r)
{
    json_t *outputs = must(json_array());
    for (size_t i = 0; i < r->output_count; i++) {
        char *path = must(blob_path(plan->cache->folder, &r->outputs[i].blob.digest));
        json_array_append_new(
            outputs, must(json_pack("{s:s, s:s, s:I, s:b, s:o}", "port", r->outputs[i].port,
                                    "digest", r->outputs[i].blob.digest.hex, "size",
                                    (json_int_t)r->outputs[i].blob.size, "tree",
                                    r->outputs[i].blob.tree, "path", must(utf8_json(path)))));
        free(path);
    }
    json_t *params = json_loads(r->params, 0, NULL), *inputs = json_loads(r->inputs, 0, NULL);
    return json_pack("{s:s, s:s, s:s, s:b, s:f, s:f, s:f, s:I, s:i, s:o, s:o, s:o}", "name",
                     task->stage->name, "kind", r->kind, "key", r->key, "current",
                     strcmp(r->key, task->key) == 0, "finished", r->finished, "seconds", r->seconds,
                     "cpu_seconds", r->cpu_seconds, "peak_bytes", (json_int_t)r->peak_bytes,
                     "threads", r->threads, "params", params ? params : json_object(), "inputs",
                     inputs ? inputs : json_array(), "outputs", outputs);
}

static void print_entry(const struct tree_entry *entry)
{
    if (entry->form == TREE_LINK)
        printf("    %s -> %s\n", entry->path, entry->target);
    else if (entry->form == TREE_FOLDER)
        printf("    %s/\n", entry->path);
    else
        printf("    %-32s %12" PRIu64 " bytes  %.12s%s\n", entry->path, entry->size,
               entry->digest.hex, entry->form == TREE_EXECUTABLE ? " executable" : "");
}

static void print_outputs(const struct plan *plan, const struct result *r)
{
    for (size_t i = 0; i < r->output_count; i++) {
        const struct blob *blob = &r->outputs[i].blob;
        char *path = must(blob_path(plan->cache->folder, &blob->digest));
        struct tree tree = {0};
        printf("  output %-16s %s\n", r->outputs[i].port, path);
        if (blob->tree && tree_read(plan->cache->folder, blob, &tree, NULL) == 0)
            for (size_t k = 0; k < tree.count; k++)
                print_entry(&tree.entries[k]);
        tree_free(&tree);
        free(path);
    }
}

static const char *text_of(const json_t *item, const char *name)
{
    const char *text = json_string_value(json_object_get(item, name));
    return text ? text : "";
}

static void print_input(const struct result *r, const json_t *item)
{
    const char *output = text_of(item, "output");
    const json_t *value = json_object_get(item, "value");
    const struct kind *kind = kind_find(r->kind);
    if (value && kind) {
        char *from = earlier_words(kind, json_integer_value(value), text_of(item, "key"));
        printf("  continued from   %s, %s\n", from, text_of(item, "stage"));
        free(from);
        return;
    }
    printf("  input  %-16s %.12s from %s%s%s%s\n", text_of(item, "port"), text_of(item, "digest"),
           text_of(item, "stage"), text_of(item, "input"), *output ? "." : "", output);
}

static void print_result(const struct plan *plan, const struct task *task, const struct result *r)
{
    char when[64] = "", time[32];
    time_t seconds = (time_t)r->finished;
    struct tm local;
    if (localtime_r(&seconds, &local))
        strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &local);
    printf("%s%s\n", task->stage->name,
           strcmp(r->key, task->key) == 0 ? "" : " (not current: its last result)");
    printf("  kind   %s\n  key    %s\n", r->kind, r->key);
    printf("  ran    %s, %s (cpu %.1f s, peak %.1f MB, %d thread%s)\n", when,
           progress_duration(r->seconds, time, sizeof time), r->cpu_seconds,
           (double)r->peak_bytes / 1e6, r->threads, r->threads == 1 ? "" : "s");
    json_t *params = json_loads(r->params, 0, NULL), *inputs = json_loads(r->inputs, 0, NULL);
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach(params, name, value)
    {
        char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        printf("  param  %-16s %.200s\n", name, text ? text : "");
        free(text);
    }
    json_array_foreach(inputs, i, value) print_input(r, value);
    json_decref(params);
    json_decref(inputs);
    print_outputs(plan, r);
}

static int show(const struct plan *plan, const struct task *task, json_t *list, struct error *err)
{
    struct result result;
    int rc = find_result(plan, task, &result, err);
    if (rc == -ENOENT) {
        if (!list)
            printf("%s\n  no result yet\n", task->stage->name);
        return 0;
    }
    if (rc < 0)
        return rc;
    if (list)
        json_array_append_new(list, must(result_json(plan, task, &result)));
    else
        print_result(plan, task, &result);
    result_free(&result);
    return 0;
}

int command_show(const struct options *options, struct error *err)
{
    return for_picked(options, show, err);
}

/* ---- log ---- */

static int copy_out(const char *path, struct error *err)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return error_errno(err, errno, "cannot open %s", path);
    char buffer[1 << 14];
    size_t n;
    while (!ferror(stdout) && (n = fread(buffer, 1, sizeof buffer, in)) > 0)
        fwrite(buffer, 1, n, stdout); /* an error of stdout is main's to report */
    int rc = ferror(in) ? error_set(err, EIO, "cannot read %s", path) : 0;
    fclose(in);
    return rc;
}

/* Whose output a log that isn't of the present key is. */
static void say_older(const char *stage)
{
    fprintf(stderr,
            "ferdag: %s: this log is of an earlier run: its inputs or params have changed since\n",
            stage);
}

static int print_log(const struct plan *plan, const struct task *task, bool one, struct error *err)
{
    const char *name = task->stage->name;
    char *path;
    enum stage_log which = stage_log_find(plan, task, &path);
    if (which == STAGE_LOG_NONE)
        return one ? error_set(err, ENODATA, "no log: %s has not run yet", name) : 0;
    if (which == STAGE_LOG_LOST)
        return one ? error_set(err, ENODATA, "the log of %s could not be kept", name) : 0;
    if (!one)
        printf("==> %s <==\n", name);
    if (which == STAGE_LOG_OLDER)
        say_older(name);
    int rc = copy_out(path, err);
    free(path);
    return rc < 0 ? rc : 1;
}

int command_log(const struct options *options, struct error *err)
{
    struct session s;
    int rc = session_open(&s, options, false, err);
    if (rc != EXIT_DONE)
        return rc;
    size_t picked = 0;
    bool found = false;
    for (size_t i = 0; i < s.experiment.stage_count; i++)
        picked += s.picked[i];
    for (size_t i = 0; rc >= 0 && i < s.experiment.stage_count; i++) {
        if (s.picked[i])
            rc = print_log(&s.plan, &s.plan.tasks[i], picked == 1, err);
        found |= rc > 0;
    }
    if (rc >= 0 && !found)
        rc = error_set(err, ENODATA, "no log: none of the stages has run yet");
    session_close(&s);
    return session_status(rc < 0 ? rc : 0);
}

/* ---- graph: no cache ---- */

static void print_dot(const struct experiment *e)
{
    puts("digraph experiment {\n  rankdir=LR; node [shape=box];");
    for (size_t i = 0; i < e->external_count; i++)
        printf("  \"input %s\" [label=\"%s\", shape=ellipse];\n", e->externals[i]->name,
               e->externals[i]->name);
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->stages[i];
        printf("  \"%s\" [label=\"%s\\n%s\"];\n", stage->name, stage->name, stage->kind->name);
        for (size_t k = 0; k < stage->input_count; k++) {
            const struct edge *edge = &stage->inputs[k];
            if (edge->from)
                printf("  \"%s\" -> \"%s\" [label=\"%s\"];\n", edge->from->name, stage->name,
                       edge->from->outputs[edge->output].port);
            else
                printf("  \"input %s\" -> \"%s\";\n", edge->external->name, stage->name);
        }
    }
    puts("}");
}

static void print_mermaid(const struct experiment *e)
{
    puts("graph LR");
    for (size_t i = 0; i < e->external_count; i++)
        printf("  i%zu([\"%s\"])\n", i, e->externals[i]->name);
    for (size_t i = 0; i < e->stage_count; i++) {
        const struct stage *stage = e->stages[i];
        printf("  s%zu[\"%s\"]\n", stage->place, stage->name);
        for (size_t k = 0; k < stage->input_count; k++) {
            const struct edge *edge = &stage->inputs[k];
            if (edge->from)
                printf("  s%zu -->|%s| s%zu\n", edge->from->place,
                       edge->from->outputs[edge->output].port, stage->place);
            else
                printf("  i%zu --> s%zu\n", edge->external->place, stage->place);
        }
    }
}

int command_graph(const struct options *options, struct error *err)
{
    struct experiment e;
    bool mermaid = options->format && strcmp(options->format, "mermaid") == 0;
    if (options->format && !mermaid && strcmp(options->format, "dot") != 0) {
        error_set(err, EINVAL, "--format %s: expected dot or mermaid", options->format);
        return EXIT_BAD;
    }
    int status = session_load(options, &e);
    if (status != EXIT_DONE)
        return status;
    if (mermaid)
        print_mermaid(&e);
    else
        print_dot(&e);
    experiment_free(&e);
    return EXIT_DONE;
}
