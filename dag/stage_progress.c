/* See stage_progress.h. */
#include "dag/stage_progress.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cache/attempts.h"
#include "dag/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME "progress.json"

enum { SIZE_LIMIT = 1 << 16 };

static const double KEEP_SECONDS = 1;

/* A reader finds the old line or the new one. */
static void write_line(const char *folder, const char *text)
{
    char *path = must(format_string("%s/" FILE_NAME, folder));
    char *new = must(format_string("%s/" FILE_NAME ".new", folder));
    unlink(new); /* of a write that was killed */
    if (file_write_unsynced(new, text, strlen(text), NULL) == 0 && rename(new, path) < 0)
        unlink(new);
    free(new);
    free(path);
}

void stage_progress_keep(const char *folder, const json_t *line, double *kept)
{
    double now = clock_monotonic();
    if (*kept > 0 && now - *kept < KEEP_SECONDS)
        return;
    if (!json_is_number(json_object_get(line, "done")) ||
        !json_is_number(json_object_get(line, "total")))
        return;
    char *text = must(json_dumps(line, JSON_COMPACT));
    write_line(folder, text);
    free(text);
    *kept = now;
}

/* ---- reading ---- */

static void copy_text(const json_t *line, const char *name, char *text, size_t size)
{
    const char *value = json_string_value(json_object_get(line, name));
    struct error clean = {""}; /* one line without control characters */
    if (value)
        error_set(&clean, 1, "%s", value);
    snprintf(text, size, "%s", clean.text);
    utf8_repair(text); /* it may be cut within a character */
}

/* Whether there is a file; one that isn't sound counts as no report. */
static bool read_line(const char *folder, struct stage_progress *p)
{
    char *text, *path = must(format_string("%s/" FILE_NAME, folder));
    size_t size;
    bool there = file_read(path, SIZE_LIMIT, &text, &size, NULL) == 0;
    free(path);
    if (!there)
        return false;
    json_t *line = json_loadb(text, size, 0, NULL);
    double done = json_number_value(json_object_get(line, "done"));
    double total = json_number_value(json_object_get(line, "total"));
    if (isfinite(done) && isfinite(total) && total > 0 && done >= 0) {
        p->done = done < total ? done : total;
        p->total = total;
        copy_text(line, "unit", p->unit, sizeof p->unit);
        copy_text(line, "note", p->note, sizeof p->note);
    }
    json_decref(line);
    free(text);
    return true;
}

/* The attempt of the key that was touched last, or NULL. */
static const struct attempt *last_attempt(const struct attempt *attempts, size_t count,
                                          const char *key)
{
    const struct attempt *last = NULL;
    for (size_t i = 0; i < count; i++)
        if (strcmp(attempts[i].key, key) == 0 && (!last || attempts[i].touched >= last->touched))
            last = &attempts[i];
    return last;
}

void stage_progress_find(const struct plan *plan, const struct task *task, struct stage_progress *p)
{
    struct attempt *attempts;
    size_t count;
    *p = (struct stage_progress){0};
    if (!task->key[0] || state_has_result(task->state))
        return;
    p->running = key_is_locked(plan->cache, task->key);
    int rc = attempt_list(plan->cache, &attempts, &count, NULL);
    const struct attempt *last = rc == 0 ? last_attempt(attempts, count, task->key) : NULL;
    if (last) {
        read_line(last->folder, p);
        p->interrupted = !p->running && !last->failed;
        p->resumes = p->interrupted && last->checkpoint && !task->stage->kind->open_ports;
    }
    attempts_free(attempts, count);
}

char *stage_progress_words(const struct stage_progress *p)
{
    char at[100] = "";
    double done = floor(p->done * 10) / 10; /* not more than was done */
    if (p->total > 0)
        snprintf(at, sizeof at, "%s%s%.*f of %.0f", p->unit, *p->unit ? " " : "",
                 done == floor(done) ? 0 : 1, done, p->total);
    if (p->interrupted)
        return must(format_string("interrupted%s%s; it %s when run again", *at ? " at " : "", at,
                                  p->resumes ? "resumes" : "starts over"));
    return p->running && *at ? must(format_string("%s%s%s", at, *p->note ? ", " : "", p->note))
                             : NULL;
}

json_t *stage_progress_json(const struct stage_progress *p)
{
    if (!(p->total > 0))
        return NULL;
    return must(json_pack("{s:f, s:f, s:s, s:s}", "done", p->done, "total", p->total, "unit",
                          p->unit, "note", p->note));
}
