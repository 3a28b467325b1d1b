/* See progress.h. */
#include "dag/progress.h"
#include "base/arena.h"
#include "base/display.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLAIN_EVERY = 30, /* seconds between plain lines of one stage */
    KEPT_FROM = 1,    /* seconds that make a finished stage worth a line on a terminal */
    LINE = 1400       /* bytes of a line that is kept */
};

/* ---- what a stage reported ---- */

struct activity *progress_find(const struct progress *p, const char *stage)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->activities[i].stage, stage) == 0)
            return &p->activities[i];
    return NULL;
}

static void copy_text(char *to, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);
    display_clean(to, size, text ? text : "", text ? strlen(text) : 0);
}

void progress_update(struct progress *p, const char *stage, const json_t *line)
{
    struct activity *a = progress_find(p, stage);
    if (!a || !json_is_number(json_object_get(line, "done")))
        return;
    double now = clock_monotonic();
    a->done = json_number_value(json_object_get(line, "done"));
    a->total = json_number_value(json_object_get(line, "total"));
    a->rate = json_number_value(json_object_get(line, "rate"));
    copy_text(a->unit, sizeof a->unit, json_object_get(line, "unit"));
    copy_text(a->rate_unit, sizeof a->rate_unit, json_object_get(line, "rate_unit"));
    copy_text(a->note, sizeof a->note, json_object_get(line, "note"));
    if (!(a->total > 0))
        return; /* the log has its output */
    a->last_reported = now;
    if (a->first_reported == 0) {
        a->first_reported = now;
        a->first = a->done;
    }
    if (!p->terminal && now - a->printed >= PLAIN_EVERY) {
        char what[LINE / 2];
        activity_text(a, now, " · ", ACTIVITY_PLAIN, what, sizeof what);
        a->printed = now;
        progress_print(p, "%s: %s", stage, what);
    }
}

/* ---- lines that are kept ---- */

static void keep(struct progress *p, enum text_style style, const char *styled, const char *rest)
{
    char text[LINE + 1];
    if (p->terminal) {
        struct kept_line kept = {style, styled, rest};
        screen_draw(&p->screen, p, &kept);
        return;
    }
    int n = snprintf(text, sizeof text - 1, "%s%s", styled, rest);
    if (n < 0)
        return;
    size_t size = strlen(text);
    text[size++] = '\n';
    screen_write(text, size);
}

void progress_print(struct progress *p, const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        keep(p, TEXT_NONE, "", text);
}

void progress_warn(struct progress *p, const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        keep(p, TEXT_YELLOW, text, "");
}

/* ---- the life of a stage ---- */

void progress_start(struct progress *p, const char *stage)
{
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 16;
        p->activities = must(realloc(p->activities, p->room * sizeof *p->activities));
    }
    double now = clock_monotonic();
    p->activities[p->count++] = (struct activity){.stage = stage, .since = now, .printed = now};
    if (!p->terminal)
        progress_print(p, "%s: started", stage);
}

static void forget(struct progress *p, const char *stage)
{
    struct activity *a = progress_find(p, stage);
    if (a) {
        size_t place = (size_t)(a - p->activities);
        memmove(a, a + 1, (p->count - place - 1) * sizeof *a);
        p->count--;
    }
}

void progress_stop(struct progress *p, const char *stage, const char *what)
{
    forget(p, stage);
    if (what)
        progress_warn(p, "%s: %s", stage, what);
}

/* "✓ train/vgg19/full  done in 41 s · loss 0.3", on one row: without the note, and with the name
 * cut, where it is too narrow. */
static void keep_done(struct progress *p, const struct activity *a, double seconds)
{
    const struct screen *s = &p->screen;
    char rest[LINE / 2], name[LINE / 2], text[LINE], time[32];
    size_t width = screen_width(), columns = width > 3 ? width - 3 : 0; /* behind the mark */
    int n = snprintf(rest, sizeof rest, "  done in %s", duration_text(seconds, time, sizeof time));
    size_t needed = display_width(rest);
    display_shorten(name, sizeof name, a->stage, columns > needed ? columns - needed : 0,
                    s->utf8 ? "…" : "..");
    if (a->total > 0 && *a->note)
        snprintf(rest + n, sizeof rest - (size_t)n, "%s%s", screen_separator(s), a->note);
    if (display_width(name) + display_width(rest) > columns)
        rest[n] = 0;
    snprintf(text, sizeof text, " %s%s", name, rest);
    if (!s->utf8)
        display_ascii(text);
    keep(p, TEXT_GREEN, s->utf8 ? "✓" : "+", text);
}

void progress_done(struct progress *p, const char *stage, double seconds)
{
    const struct activity *a = progress_find(p, stage);
    struct activity last = a ? *a : (struct activity){.stage = stage};
    char time[32];
    forget(p, stage);
    if (!p->terminal)
        progress_print(p, "%s: done in %s", stage, duration_text(seconds, time, sizeof time));
    else if (seconds >= KEPT_FROM)
        keep_done(p, &last, seconds);
}

void progress_failed(struct progress *p, const char *stage, const char *message)
{
    char text[LINE];
    forget(p, stage);
    if (!p->terminal) {
        progress_print(p, "ferdag: stage %s failed: %s", stage, message);
        return;
    }
    if (snprintf(text, sizeof text, "%s %s  failed: %s", p->screen.utf8 ? "✗" : "x", stage,
                 message) >= 0)
        keep(p, TEXT_RED, text, "");
}

/* ---- the life of a run ---- */

void progress_begin(struct progress *p, size_t total)
{
    *p = (struct progress){.start = clock_monotonic(), .total = total, .remaining = -1};
    p->terminal = screen_possible();
    if (p->terminal)
        screen_begin(&p->screen);
}

void progress_tick(struct progress *p)
{
    if (p->terminal)
        screen_draw(&p->screen, p, NULL);
}

void progress_end(struct progress *p)
{
    if (p->terminal)
        screen_end(&p->screen);
    free(p->activities);
    p->activities = NULL;
    p->count = p->room = 0;
}
