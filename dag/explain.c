/* See explain.h. */
#include "dag/explain.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cache/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const verdict_names[] = {"cached", "stale", "missing", "running", "failed"};

struct reasons {
    json_t *list;
    bool whole; /* nothing is cut */
};

static void add(struct reasons *reasons, char *text)
{
    struct error line; /* cleans it: JSON takes UTF-8 alone */
    must(text);
    error_set(&line, EINVAL, "%s", text);
    json_array_append_new(reasons->list,
                          must(reasons->whole ? utf8_json(text) : json_string(line.text)));
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

/* ---- what is shown of two values ---- */

enum { SHOWN = 60, BEFORE = 20, DIGEST_LENGTH = 64, DIGEST_SHOWN = 12 };

/* The place, or the next one below it where a character begins. */
static size_t character(const char *text, size_t place)
{
    while (place > 0 && ((unsigned char)text[place] & 0xc0) == 0x80)
        place--;
    return place;
}

/* At most SHOWN bytes of the text around a place, malloc'd. */
static char *excerpt(const char *text, size_t place)
{
    size_t n = strlen(text), start = place > BEFORE ? character(text, place - BEFORE) : 0;
    if (n - start < SHOWN)
        start = n > SHOWN && start > 0 ? character(text, n - SHOWN) : 0;
    size_t end = start + SHOWN < n ? character(text, start + SHOWN) : n;
    return file_path("%s%.*s%s", start ? "..." : "", (int)(end - start), text + start,
                     end < n ? "..." : "");
}

static size_t first_difference(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* The text with its digests cut, malloc'd; the others of its words are names. */
static char *short_digests(const char *text)
{
    char *out = must(strdup(text)), *to = out;
    while (*text) {
        size_t n = strcspn(text, " ");
        bool digest = n == DIGEST_LENGTH && strspn(text, "0123456789abcdef") == n;
        size_t shown = digest ? DIGEST_SHOWN : n;
        memcpy(to, text, shown);
        to += shown;
        text += n;
        while (*text == ' ')
            *to++ = *text++;
    }
    *to = 0;
    return out;
}

/* "param epochs 10" -> "param epochs", "10". Of a value that changed the part is shown in which it
 * did, and of digests the first digits. */
static void add_change(struct reasons *reasons, const char *old, const char *new)
{
    const char *line = new ? new : old;
    size_t n = name_length(line);
    bool input = strncmp(line, "in ", 3) == 0;
    const char *label = input ? "input " : "", *name = input ? line + 3 : line;
    int width = (int)(n - (size_t)(name - line));
    const char *before = old && old[n] ? old + n + 1 : "", *after = new &&new[n] ? new + n + 1 : "";
    size_t place = old && new ? first_difference(before, after) : 0;
    char *was = must(reasons->whole ? strdup(before)
                     : input        ? short_digests(before)
                                    : excerpt(before, place));
    char *is = must(reasons->whole ? strdup(after)
                    : input        ? short_digests(after)
                                   : excerpt(after, place));
    if (old && new)
        add(reasons, file_path("%s%.*s: %s -> %s", label, width, name, was, is));
    else if (new)
        add(reasons, file_path("%s%.*s: new, %s", label, width, name, is));
    else
        add(reasons, file_path("%s%.*s: gone, was %s", label, width, name, was));
    free(was);
    free(is);
}

static void compare(struct reasons *reasons, const char *old_text, const char *new_text)
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

static void explain_waiting(const struct plan *plan, const struct task *task,
                            struct reasons *reasons)
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
static int explain_ready(const struct plan *plan, const struct task *task, struct reasons *reasons,
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

int explain_reasons(const struct plan *plan, const struct task *task, bool whole, json_t **reasons,
                    struct error *err)
{
    struct reasons all = {.list = must(json_array()), .whole = whole};
    int rc = 0;
    if (task->state == STATE_WAITING)
        explain_waiting(plan, task, &all);
    else if (task->state == STATE_READY)
        rc = explain_ready(plan, task, &all, err);
    else if (task->message)
        json_array_append_new(all.list, must(utf8_json(task->message)));
    if (rc < 0)
        json_decref(all.list);
    *reasons = rc < 0 ? NULL : all.list;
    return rc;
}

int explain_verdict(const struct plan *plan, const struct task *task, bool whole,
                    enum verdict *verdict, char **reason, struct error *err)
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
    rc = explain_reasons(plan, task, whole, &reasons, err);
    if (rc < 0)
        return rc;
    const char *first = json_string_value(json_array_get(reasons, 0));
    size_t more = json_array_size(reasons) > 1 ? json_array_size(reasons) - 1 : 0;
    if (first && *verdict != VERDICT_MISSING)
        *reason = more ? file_path("%s, and %zu more", first, more) : must(strdup(first));
    json_decref(reasons);
    return 0;
}
