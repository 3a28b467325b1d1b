/* See explain.h. */
#include "dag/explain.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cache/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const verdict_names[] = {"cached", "stale", "missing", "running", "failed"};

static void add(json_t *reasons, char *text)
{
    struct error line; /* cleans it: JSON takes UTF-8 alone */
    must(text);
    error_set(&line, EINVAL, "%s", text);
    json_array_append_new(reasons, must(json_string(line.text)));
    free(text);
}

/* A line's name is its first word or, for params and ports, its first two. */
static size_t name_length(const char *line)
{
    size_t n = strcspn(line, " ");
    bool two = strncmp(line, "param ", 6) == 0 || strncmp(line, "in ", 3) == 0 ||
               strncmp(line, "out ", 4) == 0 || strncmp(line, "env ", 4) == 0;
    if (two && line[n])
        n += 1 + strcspn(line + n + 1, " ");
    return n;
}

static const char *find_line(char *const *lines, size_t count, const char *like)
{
    size_t n = name_length(like);
    for (size_t i = 0; i < count; i++)
        if (name_length(lines[i]) == n && strncmp(lines[i], like, n) == 0)
            return lines[i];
    return NULL;
}

static size_t split(char *text, char **lines, size_t room)
{
    size_t n = 0;
    for (char *line; n < room && (line = strsep(&text, "\n"));)
        if (*line)
            lines[n++] = line;
    return n;
}

static size_t count_lines(const char *text)
{
    size_t n = 1;
    while ((text = strchr(text, '\n'))) {
        text++;
        n++;
    }
    return n;
}

/* Bytes of the text up to the limit, without a character that the limit would cut. */
static int cut(const char *text, size_t limit)
{
    size_t n = strlen(text);
    if (n > limit)
        for (n = limit; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    return (int)n;
}

/* "param epochs 10" -> "param epochs", "10"; digests are cut to 12 digits, long values to 60 bytes.
 */
static void add_change(json_t *reasons, const char *old, const char *new)
{
    const char *line = new ? new : old;
    size_t n = name_length(line);
    const char *label = strncmp(line, "in ", 3) == 0 ? "input " : "";
    const char *name = *label ? line + 3 : line;
    int width = (int)(n - (size_t)(name - line)), limit = *label ? 12 : 60;
    const char *before = old && old[n] ? old + n + 1 : "", *after = new &&new[n] ? new + n + 1 : "";
    const char *mark = strlen(after) > (size_t)limit || strlen(before) > (size_t)limit ? "..." : "";
    int was = cut(before, (size_t)limit), is = cut(after, (size_t)limit);
    if (old && new)
        add(reasons,
            file_path("%s%.*s: %.*s -> %.*s%s", label, width, name, was, before, is, after, mark));
    else if (new)
        add(reasons, file_path("%s%.*s: new, %.*s%s", label, width, name, is, after, mark));
    else
        add(reasons, file_path("%s%.*s: gone, was %.*s%s", label, width, name, was, before, mark));
}

static void compare(json_t *reasons, const char *old_text, const char *new_text)
{
    char *a = must(strdup(old_text)), *b = must(strdup(new_text));
    size_t n = count_lines(a), m = count_lines(b);
    char **old = must_alloc(n * sizeof *old), **new = must_alloc(m * sizeof *new);
    n = split(a, old, n);
    m = split(b, new, m);
    for (size_t i = 0; i < m; i++) {
        const char *before = find_line(old, n, new[i]);
        if (!before || strcmp(before, new[i]) != 0)
            add_change(reasons, before, new[i]);
    }
    for (size_t i = 0; i < n; i++)
        if (!find_line(new, m, old[i]))
            add_change(reasons, old[i], NULL);
    free(old);
    free(new);
    free(a);
    free(b);
}

static void explain_waiting(const struct plan *plan, const struct task *task, json_t *reasons)
{
    const struct stage *last = NULL;
    for (size_t i = 0; i < task->stage->input_count; i++) {
        const struct stage *from = task->stage->inputs[i].from;
        if (!from || from == last || state_is_settled(plan->tasks[from->place].state))
            continue;
        last = from;
        add(reasons, file_path("input %s: %s %s first", task->stage->inputs[i].as, from->name,
                               plan->tasks[from->place].state == STATE_READY ? "must run"
                                                                             : "may have to run"));
    }
}

/* The task's key is known and the cache has nothing to serve for it. */
static int explain_ready(const struct plan *plan, const struct task *task, json_t *reasons,
                         struct error *err)
{
    struct index *index = plan->cache->index;
    char latest[65] = "";
    struct failure failure;
    struct result result;
    if (task->forced)
        add(reasons, must(strdup("it is forced")));
    int rc = index_find_failure(index, task->key, &failure, err);
    if (rc == 0) {
        add(reasons, file_path("it failed last time: %s", failure.message));
        failure_free(&failure);
        return 0;
    }
    if (rc == -ENOENT)
        rc = index_find(index, task->key, &result, err);
    if (rc == 0) {
        for (size_t i = 0; i < result.output_count; i++)
            if (cache_check(plan->cache, &result.outputs[i].blob, NULL) < 0)
                add(reasons, file_path("its output %s is gone from the cache or damaged",
                                       result.outputs[i].port));
        result_free(&result);
        return 0;
    }
    if (rc == -ENOENT)
        rc = index_latest(index, plan->experiment->full, task->stage->name, latest, err);
    if (rc == 0)
        rc = index_find(index, latest, &result, err);
    if (rc == 0) {
        compare(reasons, result.key_text, task->key_text);
        result_free(&result);
        return 0;
    }
    if (rc == -ENOENT) {
        add(reasons, must(strdup("it has not run yet")));
        rc = 0;
    }
    return rc;
}

int explain_reasons(const struct plan *plan, const struct task *task, json_t **reasons,
                    struct error *err)
{
    *reasons = must(json_array());
    int rc = 0;
    if (task->state == STATE_WAITING)
        explain_waiting(plan, task, *reasons);
    else if (task->state == STATE_READY)
        rc = explain_ready(plan, task, *reasons, err);
    else if (task->message)
        json_array_append_new(*reasons, must(utf8_json(task->message)));
    if (rc < 0) {
        json_decref(*reasons);
        *reasons = NULL;
    }
    return rc;
}

int explain_verdict(const struct plan *plan, const struct task *task, enum verdict *verdict,
                    char **reason, struct error *err)
{
    char latest[65];
    struct failure failure;
    *reason = NULL;
    if (state_has_result(task->state)) {
        *verdict = VERDICT_CACHED;
        return 0;
    }
    int rc =
        index_latest(plan->cache->index, plan->experiment->full, task->stage->name, latest, err);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    *verdict = rc == 0 ? VERDICT_STALE : VERDICT_MISSING;
    if (task->key[0] && work_locked(plan->cache, task->key)) {
        *verdict = VERDICT_RUNNING;
        return 0;
    }
    if (task->key[0] && index_find_failure(plan->cache->index, task->key, &failure, err) == 0) {
        *verdict = VERDICT_FAILED;
        failure_free(&failure);
    }
    json_t *reasons;
    rc = explain_reasons(plan, task, &reasons, err);
    if (rc < 0)
        return rc;
    const char *first = json_string_value(json_array_get(reasons, 0));
    size_t more = json_array_size(reasons) > 1 ? json_array_size(reasons) - 1 : 0;
    if (first && *verdict != VERDICT_MISSING)
        *reason = more ? file_path("%s, and %zu more", first, more) : must(strdup(first));
    json_decref(reasons);
    return 0;
}
