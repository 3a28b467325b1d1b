/* See continuation.h. */
#include "dag/continuation.h"
#include "base/file.h"
#include "dag/key_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct continuation {
    int64_t value; /* of the param */
    struct result result;
};

/* How many a stage gets: the largest may turn out to be damaged. */
enum { MOST_LINKED = 8 };

static const struct param *length_param(const struct kind *kind)
{
    for (const struct param *p = kind->params; p->name; p++)
        if (p->continues)
            return p;
    return NULL;
}

/* The output that only a continuation reads, or NULL. */
static const struct output *state_output(const struct stage *stage)
{
    for (size_t i = 0; i < stage->output_count; i++)
        if (stage->outputs[i].port[0] == '.')
            return &stage->outputs[i];
    return NULL;
}

/* The line of a key's text that has the param's value. */
static bool length_line(const char *key_text, const struct param *param, struct key_line *line)
{
    char name[200];
    int n = snprintf(name, sizeof name, "param %s", param_key_name(param));
    return n > 0 && (size_t)n < sizeof name && key_line_find(key_text, name, (size_t)n, line);
}

/* The param's value in a key's text, if it is a whole number below the limit. */
static bool read_length(const char *key_text, const struct param *param, int64_t limit,
                        int64_t *value)
{
    struct key_line line;
    char *stop;
    if (!length_line(key_text, param, &line) || line.value_length == 0)
        return false;
    errno = 0;
    *value = strtoll(line.value, &stop, 10);
    return errno == 0 && stop == line.value + line.value_length && *value < limit;
}

static int largest_first(const void *a, const void *b)
{
    const struct continuation *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? 1 : -1)
                                : strcmp(x->result.key, y->result.key);
}

static void free_all(struct continuation *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        result_free(&items[i].result);
    free(items);
}

/* Finds results whose key's text is `before`, a smaller value than limit, and `after`. */
static int find_shorter(const struct plan *plan, const struct kind *kind, const struct param *param,
                        const char *before, const char *after, int64_t limit,
                        struct continuation **items, size_t *count, struct error *err)
{
    struct digest *keys;
    size_t n;
    int rc = index_find_alike(plan->cache->index, kind->name, before, after, &keys, &n, err);
    if (rc < 0)
        return rc;
    *items = must_alloc(n * sizeof **items);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct continuation *item = &(*items)[*count];
        rc = cache_find(plan->cache, keys[i].hex, &item->result, err);
        if (rc == 0 && read_length(item->result.key_text, param, limit, &item->value))
            ++*count;
        else if (rc == 0)
            result_free(&item->result);
        rc = rc == -ENOENT ? 0 : rc;
    }
    free(keys);
    if (*count > 1)
        qsort(*items, *count, sizeof **items, largest_first);
    return rc;
}

/* Finds all in the cache for a task whose key is known, the largest value first. None for a forced
 * task, which starts from the beginning. *items is malloc'd; free it with free_all. */
static int find_all(const struct plan *plan, const struct task *task, struct continuation **items,
                    size_t *count, struct error *err)
{
    const struct kind *kind = task->stage->kind;
    const struct param *param = length_param(kind);
    struct key_line line;
    *items = NULL;
    *count = 0;
    if (!param || task->forced || !length_line(task->key_text, param, &line))
        return 0;
    char *before = must(strndup(task->key_text, (size_t)(line.value - task->key_text)));
    json_int_t own = json_integer_value(json_object_get(task->stage->params, param->name));
    int rc = find_shorter(plan, kind, param, before, line.value + line.value_length, own, items,
                          count, err);
    free(before);
    if (rc < 0) {
        free_all(*items, *count);
        *items = NULL;
        *count = 0;
    }
    return rc;
}

/* Links the outputs under the names that the stage itself writes. */
static int link_outputs(const struct plan *plan, const struct stage *stage,
                        const struct result *result, const char *folder, struct error *err)
{
    int rc = file_make_folders(folder, err);
    for (size_t i = 0; rc == 0 && i < stage->output_count; i++) {
        const struct blob *blob = result_output(result, stage->outputs[i].port);
        char *as = must(format_string("%s/%s", folder, stage->outputs[i].file));
        rc = blob ? cache_place(plan->cache, blob, as, BLOB_LINK, err) : 0;
        free(as);
    }
    return rc;
}

int continuation_link(const struct plan *plan, const struct task *task, const char *folder,
                      json_t **list, struct error *err)
{
    struct continuation *items;
    size_t count;
    *list = must(json_array());
    if (!length_param(task->stage->kind))
        return 0; /* such a stage may itself use the names earlier.N */
    int rc = find_all(plan, task, &items, &count, err);
    for (size_t i = 0; rc == 0 && i < MOST_LINKED; i++) {
        char *name = must(format_string("earlier.%zu", i));
        char *path = must(format_string("%s/%s", folder, name));
        rc = file_remove_tree(path, err); /* a killed run may have left one */
        if (rc == 0 && i < count) {
            rc = link_outputs(plan, task->stage, &items[i].result, path, err);
            json_array_append_new(
                *list, must(json_pack("{s:s, s:s, s:I}", "folder", name, "key", items[i].result.key,
                                      "value", (json_int_t)items[i].value)));
        }
        free(path);
        free(name);
    }
    free_all(items, count);
    if (rc < 0) {
        json_decref(*list);
        *list = NULL;
    }
    return rc;
}

char *continuation_text(const struct kind *kind, int64_t value, const char *key)
{
    const struct param *param = length_param(kind);
    return must(format_string("%s %" PRId64 " of key %.12s", param ? param->name : "", value, key));
}

bool continuation_read_origin(const json_t *line, struct origin *origin)
{
    const json_t *said = json_object_get(line, "continues");
    const char *key = json_string_value(json_object_get(said, "key"));
    if (!key || strlen(key) >= sizeof origin->key)
        return false;
    memcpy(origin->key, key, strlen(key) + 1);
    origin->value = json_integer_value(json_object_get(said, "value"));
    return true;
}

void continuation_record(const struct plan *plan, const struct task *task,
                         const struct origin *origin, json_t *inputs)
{
    const struct param *param = length_param(task->stage->kind);
    const struct output *state = state_output(task->stage);
    struct result from;
    if (!origin->key[0] || !param || !state ||
        index_find(plan->cache->index, origin->key, &from, NULL) < 0)
        return;
    const struct blob *blob = result_output(&from, state->port);
    json_array_append_new(
        inputs, must(json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s, s:I}", "port", state->port, "stage",
                               from.stage, "output", state->port, "key", from.key, "digest",
                               blob ? blob->digest.hex : NULL, "param", param->name, "value",
                               (json_int_t)origin->value)));
    result_free(&from);
}

int continuation_explain(const struct plan *plan, const struct task *task, json_t *reasons,
                         struct error *err)
{
    const struct output *state = state_output(task->stage);
    struct continuation *items;
    size_t count;
    if (task->state != STATE_READY || !state)
        return 0;
    int rc = find_all(plan, task, &items, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (result_output(&items[i].result, state->port)) {
            char *from = continuation_text(task->stage->kind, items[i].value, items[i].result.key);
            char *text = must(format_string("it may continue from %s", from));
            json_array_append_new(reasons, must(json_string(text)));
            free(text);
            free(from);
            break;
        }
    free_all(items, count);
    return rc;
}
