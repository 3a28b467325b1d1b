/* See earlier.h. */
#include "dag/earlier.h"
#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The longest that a stage is given to choose from: the largest may be damaged. */
enum { MOST_LINKED = 8 };

static const struct param *length_param(const struct kind *kind)
{
    for (const struct param *p = kind->params; p->name; p++)
        if (p->continues)
            return p;
    return NULL;
}

/* The output that is there for this, or NULL. */
static const struct output *state_output(const struct stage *stage)
{
    for (size_t i = 0; i < stage->output_count; i++)
        if (stage->outputs[i].port[0] == '.')
            return &stage->outputs[i];
    return NULL;
}

/* The value between start and end of a key's text, if it is a number below the limit. */
static bool value_between(const char *text, const char *start, const char *end, int64_t limit,
                          int64_t *value)
{
    size_t all = strlen(text), before = strlen(start), after = strlen(end);
    if (all <= before + after)
        return false;
    char *stop;
    errno = 0;
    *value = strtoll(text + before, &stop, 10);
    return errno == 0 && stop == text + all - after && *value < limit;
}

static int largest_first(const void *a, const void *b)
{
    const struct earlier *x = a, *y = b;
    return x->value != y->value ? (x->value < y->value ? 1 : -1)
                                : strcmp(x->result.key, y->result.key);
}

void earlier_free(struct earlier *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        result_free(&items[i].result);
    free(items);
}

static int find_between(const struct plan *plan, const struct task *task, const char *start,
                        const char *end, int64_t limit, struct earlier **items, size_t *count,
                        struct error *err)
{
    struct digest *keys;
    size_t n;
    int rc =
        index_find_alike(plan->cache->index, task->stage->kind->name, start, end, &keys, &n, err);
    if (rc < 0)
        return rc;
    *items = must_alloc(n * sizeof **items);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct earlier *item = &(*items)[*count];
        rc = cache_find(plan->cache, keys[i].hex, &item->result, err);
        if (rc == 0 && value_between(item->result.key_text, start, end, limit, &item->value))
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

int earlier_find(const struct plan *plan, const struct task *task, struct earlier **items,
                 size_t *count, struct error *err)
{
    const struct param *param = length_param(task->stage->kind);
    *items = NULL;
    *count = 0;
    if (!param || task->forced)
        return 0;
    char *line = must(file_path("\nparam %s ", param_key_name(param)));
    char *start = must(strdup(task->key_text)), *found = strstr(start, line);
    int rc = 0;
    if (found) {
        found += strlen(line);
        char *end = must(strdup(found + strcspn(found, "\n")));
        *found = 0;
        json_int_t own = json_integer_value(json_object_get(task->stage->params, param->name));
        rc = find_between(plan, task, start, end, own, items, count, err);
        free(end);
    }
    free(start);
    free(line);
    if (rc < 0) {
        earlier_free(*items, *count);
        *items = NULL;
        *count = 0;
    }
    return rc;
}

/* Links under the names that the stage itself would give its outputs. */
static int link_outputs(const struct plan *plan, const struct stage *stage,
                        const struct result *result, const char *folder, struct error *err)
{
    int rc = file_make_folders(folder, err);
    for (size_t i = 0; rc == 0 && i < stage->output_count; i++) {
        const struct blob *blob = result_output(result, stage->outputs[i].port);
        char *as = must(file_path("%s/%s", folder, stage->outputs[i].file));
        rc = blob ? cache_place(plan->cache, blob, as, BLOB_LINK, err) : 0;
        free(as);
    }
    return rc;
}

int earlier_link(const struct plan *plan, const struct task *task, const char *folder,
                 json_t **list, struct error *err)
{
    struct earlier *items;
    size_t count;
    *list = must(json_array());
    if (!length_param(task->stage->kind))
        return 0; /* the names are its own */
    int rc = earlier_find(plan, task, &items, &count, err);
    for (size_t i = 0; rc == 0 && i < MOST_LINKED; i++) {
        char *name = must(file_path("earlier.%zu", i));
        char *path = must(file_path("%s/%s", folder, name));
        rc = file_remove_tree(path, err); /* of a run that was killed */
        if (rc == 0 && i < count) {
            rc = link_outputs(plan, task->stage, &items[i].result, path, err);
            json_array_append_new(
                *list, must(json_pack("{s:s, s:s, s:I}", "folder", name, "key", items[i].result.key,
                                      "value", (json_int_t)items[i].value)));
        }
        free(path);
        free(name);
    }
    earlier_free(items, count);
    if (rc < 0) {
        json_decref(*list);
        *list = NULL;
    }
    return rc;
}

char *earlier_words(const struct kind *kind, int64_t value, const char *key)
{
    const struct param *param = length_param(kind);
    return must(file_path("%s %" PRId64 " of key %.12s", param ? param->name : "", value, key));
}

bool earlier_origin(const json_t *line, struct origin *origin)
{
    const json_t *said = json_object_get(line, "continues");
    const char *key = json_string_value(json_object_get(said, "key"));
    if (!key || strlen(key) >= sizeof origin->key)
        return false;
    memcpy(origin->key, key, strlen(key) + 1);
    origin->value = json_integer_value(json_object_get(said, "value"));
    return true;
}

void earlier_record(const struct plan *plan, const struct task *task, const struct origin *origin,
                    json_t *inputs)
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

int earlier_explain(const struct plan *plan, const struct task *task, json_t *reasons,
                    struct error *err)
{
    const struct output *state = state_output(task->stage);
    struct earlier *items;
    size_t count;
    if (task->state != STATE_READY || !state)
        return 0;
    int rc = earlier_find(plan, task, &items, &count, err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (result_output(&items[i].result, state->port)) {
            char *from = earlier_words(task->stage->kind, items[i].value, items[i].result.key);
            char *text = must(file_path("it may go on from %s", from));
            json_array_append_new(reasons, must(json_string(text)));
            free(text);
            free(from);
            break;
        }
    earlier_free(items, count);
    return rc;
}
