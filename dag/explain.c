/* See explain.h. */
#include "dag/explain.h"
#include "base/file.h"
#include "base/utf8.h"
#include "dag/key_text.h"
#include "dag/stage_progress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const verdict_names[] = {"cached", "stale", "missing", "running", "failed"};

struct reasons {
    json_t *list;
    bool whole;        /* nothing is cut */
    char compared[65]; /* key of the result from which something changed; "": none */
};

/* A copy without bytes that are no UTF-8, malloc'd; unless `whole`, one line of limited length. */
static char *clean_text(const char *text, bool whole)
{
    struct error line;
    error_set(&line, EINVAL, "%s", text);
    char *copy = must(strdup(whole ? text : line.text));
    utf8_repair(copy);
    return copy;
}

/* Takes over the text. */
static void add(struct reasons *reasons, char *text)
{
    char *clean = clean_text(must(text), reasons->whole);
    json_array_append_new(reasons->list, must(json_string(clean)));
    free(clean);
    free(text);
}

/* ---- values, shortened ---- */

enum { SHOWN = 60, BEFORE = 20, DIGEST_LENGTH = 64, DIGEST_SHOWN = 12 };

/* At most SHOWN bytes of the text around a place, malloc'd. */
static char *excerpt(const char *text, size_t place)
{
    size_t n = strlen(text), start = place > BEFORE ? utf8_boundary(text, place - BEFORE) : 0;
    if (n - start < SHOWN)
        start = n > SHOWN && start > 0 ? utf8_boundary(text, n - SHOWN) : 0;
    size_t end = start + SHOWN < n ? utf8_boundary(text, start + SHOWN) : n;
    return format_string("%s%.*s%s", start ? "..." : "", (int)(end - start), text + start,
                         end < n ? "..." : "");
}

static size_t first_difference(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* The text with only the first digits of its digests, malloc'd. */
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

/* The value, shortened: of a number, which has 17 digits in a key's text, the digits that tell it
 * from others. malloc'd. */
static char *short_value(const char *text, size_t place)
{
    char number[40], *end;
    double value = strtod(text, &end);
    if (end == text || *end || !strpbrk(text, ".e"))
        return excerpt(text, place);
    snprintf(number, sizeof number, "%.15g", value);
    if (strtod(number, NULL) != value)
        snprintf(number, sizeof number, "%.17g", value);
    return strdup(number);
}

static bool has_name(const struct key_line *line, const char *first_word)
{
    size_t n = strlen(first_word);
    return line->name_length > n && strncmp(line->name, first_word, n) == 0 && line->name[n] == ' ';
}

/* The input that a line "in AS DIGEST" of the key's text belongs to, or NULL. */
static const struct edge *edge_of_line(const struct stage *stage, const struct key_line *line)
{
    if (!has_name(line, "in"))
        return NULL;
    for (size_t i = 0; i < stage->input_count; i++) {
        size_t n = strlen(stage->inputs[i].as);
        if (strncmp(line->name + 3, stage->inputs[i].as, n) == 0 &&
            strchr(" \n", line->name[3 + n]))
            return &stage->inputs[i]; /* the name itself may have blanks */
    }
    return NULL;
}

/* The path as the YAML may have it: relative to the experiment's folder if it is below. */
static const char *short_path(const struct plan *plan, const char *path)
{
    const char *full = plan->experiment->full, *slash = strrchr(full, '/');
    size_t n = slash ? (size_t)(slash + 1 - full) : 0;
    return strncmp(path, full, n) == 0 ? path + n : path;
}

/* What users call a line of a key's text: "param epochs", "environment variable ZED", "file
 * tidy.sh", "input table (table.csv)". malloc'd. */
static char *line_label(const struct plan *plan, const struct stage *stage,
                        const struct key_line *line)
{
    static const struct {
        const char *word, *label;
    } labels[] = {{"in", "input"}, {"out", "output"}, {"env", "environment variable"}};
    const struct edge *edge = edge_of_line(stage, line);
    if (edge && edge->external && edge->external->code)
        return format_string("file %s", edge->as);
    if (edge && edge->external)
        return format_string("input %s (%s)", edge->as, short_path(plan, edge->external->path));
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        if (has_name(line, labels[i].word)) {
            size_t skip = strlen(labels[i].word) + 1;
            return format_string("%s %.*s", labels[i].label, (int)(line->name_length - skip),
                                 line->name + skip);
        }
    return format_string("%.*s", (int)line->name_length, line->name);
}

/* Of environment variables the key's text has digests only. */
static const char *variable_change(const char *before, const char *after)
{
    if (!before || !after)
        return after ? "added to `env`" : "removed from `env`";
    if (strcmp(before, "unset") == 0)
        return "is set now";
    return strcmp(after, "unset") == 0 ? "is not set now" : "its value changed";
}

/* Whether the values are of one input, before and after a change of its content. */
static bool is_content(const struct key_line *line, const char *before, const char *after)
{
    return has_name(line, "in") && strspn(before, "0123456789abcdef") == DIGEST_LENGTH &&
           strspn(after, "0123456789abcdef") == DIGEST_LENGTH &&
           strncmp(before, after, DIGEST_LENGTH) != 0;
}

static char *shown_value(const struct reasons *reasons, const struct key_line *line,
                         const char *value, size_t place)
{
    if (reasons->whole)
        return must(strdup(value));
    return must(has_name(line, "in") ? short_digests(value) : short_value(value, place));
}

static char *copy_value(const struct key_line *line)
{
    return must(line ? strndup(line->value, line->value_length) : strdup(""));
}

/* "param epochs 10" -> "param epochs: 2 -> 10". A long value is shown around the place where it
 * changed. old, new: NULL if there is no such line. */
static void add_change(const struct plan *plan, const struct stage *stage,
                       const struct key_line *old, const struct key_line *new,
                       struct reasons *reasons)
{
    const struct key_line *line = new ? new : old;
    char *before = copy_value(old), *after = copy_value(new);
    size_t place = old && new ? first_difference(before, after) : 0;
    char *label = must(line_label(plan, stage, line));
    char *was = shown_value(reasons, line, before, place);
    char *is = shown_value(reasons, line, after, place);
    if (has_name(line, "env"))
        add(reasons, format_string("%s: %s", label,
                                   variable_change(old ? before : NULL, new ? after : NULL)));
    else if (is_content(line, before, after))
        add(reasons, format_string("%s: content changed (%s -> %s)", label, was, is));
    else if (old && new)
        add(reasons, format_string("%s: %s -> %s", label, was, is));
    else if (new)
        add(reasons, format_string("%s: added, %s", label, is));
    else
        add(reasons, format_string("%s: removed, was %s", label, was));
    free(label);
    free(was);
    free(is);
    free(before);
    free(after);
}

/* Whether the content of an input isn't known. */
static bool input_is_open(const struct plan *plan, const struct edge *edge)
{
    return edge->from ? !state_has_result(plan->tasks[edge->from->place].state)
                      : plan_source(plan, edge->external)->obstacle != NULL;
}

/* Whether the line is of an input whose content isn't known yet. */
static bool is_open(const struct plan *plan, const struct stage *stage, const struct key_line *line)
{
    const struct edge *edge = edge_of_line(stage, line);
    return edge && input_is_open(plan, edge);
}

/* Compares all that is known of the stage now with the key's text of a result. */
static void compare(const struct plan *plan, const struct stage *stage, const char *old_text,
                    const char *new_text, struct reasons *reasons)
{
    struct key_line old, new;
    for (const char *rest = new_text; key_line_next(&rest, &new);) {
        bool had = key_line_find(old_text, new.name, new.name_length, &old);
        if ((!had || !key_line_equal(&old, &new)) && !is_open(plan, stage, &new))
            add_change(plan, stage, had ? &old : NULL, &new, reasons);
    }
    for (const char *rest = old_text; key_line_next(&rest, &old);)
        if (!key_line_find(new_text, old.name, old.name_length, &new) &&
            !is_open(plan, stage, &old))
            add_change(plan, stage, &old, NULL, reasons);
}

/* What changed since the stage's last result, so far as its inputs are known. */
static int explain_changes(const struct plan *plan, const struct task *task,
                           struct reasons *reasons, struct error *err)
{
    char latest[65], key[65], *text = NULL;
    struct result result;
    int rc =
        index_latest(plan->cache->index, plan->experiment->full, task->stage->name, latest, err);
    if (rc == -ENOENT) {
        if (json_array_size(reasons->list) == 0)
            add(reasons, must(strdup("no result yet")));
        return 0;
    }
    if (rc < 0)
        return rc;
    rc = index_find(plan->cache->index, latest, &result, err);
    if (rc == -ENOENT) {
        add(reasons, must(strdup("its last result is no longer in the cache")));
        return 0;
    }
    if (rc < 0)
        return rc;
    if (!task->key_text)
        rc = plan_key(plan, task->stage, key, &text, err);
    size_t before = json_array_size(reasons->list);
    if (rc == 0)
        compare(plan, task->stage, result.key_text, task->key_text ? task->key_text : text,
                reasons);
    if (json_array_size(reasons->list) > before)
        memcpy(reasons->compared, latest, sizeof latest);
    free(text);
    result_free(&result);
    return rc;
}

/* Whether an input before this one comes from the same stage. */
static bool named_before(const struct stage *stage, size_t input)
{
    for (size_t i = 0; i < input; i++)
        if (stage->inputs[i].from == stage->inputs[input].from)
            return true;
    return false;
}

static const char *input_state_words(const struct plan *plan, const struct stage *from)
{
    if (plan_obstacle(plan, from))
        return "cannot run";
    switch (plan->tasks[from->place].state) {
    case STATE_READY:
        return "must run first";
    case STATE_WAITING:
    case STATE_RUNNING:
        return "may have to run first";
    default:
        return "cannot run";
    }
}

/* The stages whose results aren't there. Of more than SHOWN_INPUTS the rest is counted. */
static void explain_inputs(const struct plan *plan, const struct task *task,
                           struct reasons *reasons)
{
    enum { SHOWN_INPUTS = 5 };
    size_t count = 0;
    for (size_t i = 0; i < task->stage->input_count; i++) {
        const struct edge *edge = &task->stage->inputs[i];
        if (!edge->from || !input_is_open(plan, edge) || named_before(task->stage, i))
            continue;
        count++;
        if (reasons->whole || count <= SHOWN_INPUTS)
            add(reasons, format_string("input %s: %s %s", edge->as, edge->from->name,
                                       input_state_words(plan, edge->from)));
    }
    if (!reasons->whole && count > SHOWN_INPUTS)
        add(reasons, format_string("and %zu more inputs like these", count - SHOWN_INPUTS));
}

/* The key's result, if there is one, has lost outputs. */
static int explain_lost(const struct plan *plan, const struct task *task, struct reasons *reasons,
                        struct error *err)
{
    struct result result;
    int rc = index_find(plan->cache->index, task->key, &result, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < result.output_count; i++)
        if (cache_check(plan->cache, &result.outputs[i].blob, NULL) < 0)
            add(reasons, format_string("output %s: missing from the cache or damaged",
                                       result.outputs[i].port));
    result_free(&result);
    return 0;
}

/* The task's key is known and the cache has nothing to serve for it. */
static int explain_ready(const struct plan *plan, const struct task *task, struct reasons *reasons,
                         struct error *err)
{
    struct stage_progress progress;
    struct failure failure;
    if (task->forced)
        add(reasons, must(strdup("--force was given")));
    stage_progress_find(plan, task, &progress);
    char *words = stage_progress_words(&progress);
    if (words)
        add(reasons, words);
    if (progress.running)
        return 0;
    int rc = index_find_failure(plan->cache->index, task->key, &failure, err);
    if (rc == 0) {
        if (!progress.interrupted)
            add(reasons, format_string("failed: %s", failure.message));
        failure_free(&failure);
    }
    if (rc == 0 || rc == -ENOENT)
        rc = explain_lost(plan, task, reasons, err);
    return rc == -ENOENT ? explain_changes(plan, task, reasons, err) : rc;
}

/* The external inputs that can't be read. */
static void explain_obstacles(const struct plan *plan, const struct task *task,
                              struct reasons *reasons)
{
    for (size_t i = 0; i < task->stage->input_count; i++) {
        const struct external *external = task->stage->inputs[i].external;
        const char *obstacle = external ? plan_source(plan, external)->obstacle : NULL;
        if (obstacle)
            add(reasons, must(strdup(obstacle)));
    }
}

static int explain_waiting(const struct plan *plan, const struct task *task,
                           struct reasons *reasons, struct error *err)
{
    explain_obstacles(plan, task, reasons);
    int rc = explain_changes(plan, task, reasons, err);
    if (rc == 0)
        explain_inputs(plan, task, reasons);
    return rc;
}

int explain_reasons(const struct plan *plan, const struct task *task, bool whole, json_t **reasons,
                    char compared[65], struct error *err)
{
    struct reasons all = {.list = must(json_array()), .whole = whole};
    int rc = 0;
    if (task->state == STATE_WAITING || task->state == STATE_NOT_RUN)
        rc = explain_waiting(plan, task, &all, err);
    else if (task->state == STATE_READY)
        rc = explain_ready(plan, task, &all, err);
    else if (task->message)
        json_array_append_new(all.list, must(utf8_json(task->message)));
    if (rc < 0)
        json_decref(all.list);
    *reasons = rc < 0 ? NULL : all.list;
    memcpy(compared, all.compared, sizeof all.compared);
    return rc;
}

/* The first reason, and how many more there are; NULL if there is none. */
static int first_reason(const struct plan *plan, const struct task *task, bool whole, char **reason,
                        struct error *err)
{
    json_t *reasons;
    char compared[65];
    int rc = explain_reasons(plan, task, whole, &reasons, compared, err);
    if (rc < 0)
        return rc;
    const char *first = json_string_value(json_array_get(reasons, 0));
    size_t count = json_array_size(reasons);
    if (first)
        *reason = must(count > 1 ? format_string("%s (and %zu more reason%s)", first, count - 1,
                                                 count > 2 ? "s" : "")
                                 : strdup(first));
    json_decref(reasons);
    return 0;
}

int explain_verdict(const struct plan *plan, const struct task *task, bool whole,
                    enum verdict *verdict, char **reason, struct error *err)
{
    char latest[65];
    struct failure failure;
    struct stage_progress progress;
    *reason = NULL;
    *verdict = VERDICT_CACHED;
    if (state_has_result(task->state))
        return 0;
    int rc =
        index_latest(plan->cache->index, plan->experiment->full, task->stage->name, latest, err);
    if (rc < 0 && rc != -ENOENT)
        return rc;
    *verdict = rc == 0 ? VERDICT_STALE : VERDICT_MISSING;
    stage_progress_find(plan, task, &progress);
    if (progress.running || progress.interrupted) {
        *verdict = progress.running ? VERDICT_RUNNING : *verdict;
        *reason = stage_progress_words(&progress);
        return 0;
    }
    if (task->key[0] && index_find_failure(plan->cache->index, task->key, &failure, err) == 0) {
        *verdict = VERDICT_FAILED;
        *reason = clean_text(failure.message, whole);
        failure_free(&failure);
        return 0;
    }
    const char *obstacle = plan_obstacle(plan, task->stage);
    if (*verdict == VERDICT_MISSING && obstacle)
        *reason = must(strdup(obstacle));
    return *verdict == VERDICT_MISSING ? 0 : first_reason(plan, task, whole, reason, err);
}
