/* See backend_change.h. */
#include "dag/backend_change.h"
#include "dag/key.h"
#include "dag/key_text.h"

#include <stdlib.h>
#include <string.h>

static bool is_numerics(const struct key_line *line)
{
    return line->name_length == 8 && memcmp(line->name, "numerics", 8) == 0;
}

static bool is_input(const struct key_line *line)
{
    return line->name_length > 3 && memcmp(line->name, "in ", 3) == 0;
}

/* Whether b has all lines of a, except for numerics and, unless `inputs`, inputs. */
static bool has_lines(const char *a, const char *b, bool inputs)
{
    struct key_line line, other;
    while (key_line_next(&a, &line)) {
        if (is_numerics(&line) || (!inputs && is_input(&line)))
            continue;
        if (!key_line_find(b, line.name, line.name_length, &other) ||
            !key_line_equal(&line, &other))
            return false;
    }
    return true;
}

/* The backend that a result was computed with, or NULL. */
static const char *backend_of(const struct stage *stage, const char *key_text)
{
    struct key_line line;
    if (!key_line_find(key_text, "numerics", 8, &line))
        return NULL;
    char *numerics = must(strndup(line.value, line.value_length));
    const char *backend = numerics_backend(stage->kind->numerics, numerics);
    free(numerics);
    return backend;
}

/* The backend of the stage's last result, if only the numerics differ from what would run now;
 * else NULL. */
static const char *other_backend(const struct plan *plan, const struct task *task)
{
    const struct stage *stage = task->stage;
    char latest[65] = "", key[65], *text = NULL;
    const char *backend = NULL;
    struct result result = {0};
    bool resolved = task->state != STATE_WAITING;
    if (index_latest(plan->cache->index, plan->experiment->full, stage->name, latest, NULL) == 0 &&
        index_find(plan->cache->index, latest, &result, NULL) == 0) {
        if (plan_key(plan, stage, key, &text, NULL) == 0 &&
            has_lines(result.key_text, text, resolved) &&
            has_lines(text, result.key_text, resolved))
            backend = backend_of(stage, result.key_text);
        free(text);
        result_free(&result);
    }
    return backend && strcmp(backend, stage_backend(stage, plan->backend)) != 0 ? backend : NULL;
}

size_t backend_change_count(const struct plan *plan, const char **backend)
{
    enum { NAMES = 4 };
    const char *names[NAMES];
    size_t counts[NAMES] = {0}, known = 0, most = 0;
    for (size_t i = 0; i < plan->experiment->stage_count; i++) {
        const struct task *task = &plan->tasks[i];
        bool runs = task->wanted && !task->forced &&
                    (task->state == STATE_READY || task->state == STATE_WAITING);
        const char *other =
            runs && task->stage->kind->numerics != NUMERICS_NONE ? other_backend(plan, task) : NULL;
        size_t k = 0;
        while (other && k < known && strcmp(names[k], other) != 0)
            k++;
        if (!other || k == NAMES)
            continue;
        names[k] = other;
        known += k == known;
        counts[k]++;
    }
    for (size_t k = 1; k < known; k++)
        most = counts[k] > counts[most] ? k : most;
    *backend = known ? names[most] : NULL;
    return known ? counts[most] : 0;
}
