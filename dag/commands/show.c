/* `show`: the outputs of a stage, and what they were computed from. */
#include "dag/commands/commands.h"
#include "base/utf8.h"
#include "cache/tree.h"
#include "dag/continuation.h"
#include "dag/explain.h"
#include "dag/progress.h"
#include "dag/session.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The result of the task's key or, if there is none, the last result of the stage. */
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
        char *path = must(cache_blob_path(plan->cache, &r->outputs[i].blob.digest));
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

/* Each output with its digest; below it its blob's path and, of a folder, the entries. */
static void print_outputs(const struct plan *plan, const struct result *r)
{
    for (size_t i = 0; i < r->output_count; i++) {
        const struct blob *blob = &r->outputs[i].blob;
        char *path = must(cache_blob_path(plan->cache, &blob->digest));
        struct tree tree = {0};
        printf("  output %-16s %.12s", r->outputs[i].port, blob->digest.hex);
        if (blob->tree)
            printf("  folder\n    %s\n", path);
        else
            printf(" %12" PRIu64 " bytes\n    %s\n", blob->size, path);
        if (blob->tree && cache_read_tree(plan->cache, blob, &tree, NULL) == 0)
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
        char *from = continuation_text(kind, json_integer_value(value), text_of(item, "key"));
        printf("  continued from   %s, %s\n", from, text_of(item, "stage"));
        free(from);
        return;
    }
    printf("  input  %-16s %.12s from %s%s%s%s\n", text_of(item, "port"), text_of(item, "digest"),
           text_of(item, "stage"), text_of(item, "input"), *output ? "." : "", output);
}

/* A long value is cut between two characters; --json has all of it. */
static void print_param(const char *name, const json_t *value)
{
    enum { SHOWN = 200 };
    char *text = must(json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15)));
    size_t n = strlen(text), shown = n > SHOWN ? SHOWN : n;
    shown = utf8_boundary(text, shown);
    printf("  param  %-16s %.*s%s\n", name, (int)shown, text, shown < n ? "..." : "");
    free(text);
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
           duration_text(r->seconds, time, sizeof time), r->cpu_seconds,
           (double)r->peak_bytes / 1e6, r->threads, r->threads == 1 ? "" : "s");
    json_t *params = json_loads(r->params, 0, NULL), *inputs = json_loads(r->inputs, 0, NULL);
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach(params, name, value)
    {
        print_param(name, value);
    }
    json_array_foreach(inputs, i, value) print_input(r, value);
    json_decref(params);
    json_decref(inputs);
    print_outputs(plan, r);
}

static int print_no_result(const struct plan *plan, const struct task *task, struct error *err)
{
    enum verdict verdict;
    char *reason;
    int rc = explain_verdict(plan, task, false, &verdict, &reason, err);
    if (rc < 0)
        return rc;
    const char *before = verdict == VERDICT_RUNNING  ? ": running"
                         : verdict == VERDICT_FAILED ? ": it failed"
                                                     : "";
    printf("%s\n  no result yet%s%s%s\n", task->stage->name, before, reason ? ": " : "",
           reason ? reason : "");
    free(reason);
    return 0;
}

static int show(const struct plan *plan, const struct task *task, json_t *list, struct error *err)
{
    struct result result;
    int rc = find_result(plan, task, &result, err);
    if (rc == -ENOENT)
        return list ? 0 : print_no_result(plan, task, err);
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
    return session_each_picked(options, show, err);
}
