/* See progress.h. */
#include "dag/progress.h"
#include "base/arena.h"
#include "base/display.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PLAIN_EVERY = 30, /* seconds between plain lines of one stage */
    KEPT_FROM = 1,    /* seconds that make a finished stage worth a line on a terminal */
    LINE = 1400       /* bytes of a line that is kept */
};

double progress_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

const char *progress_duration(double seconds, char *text, size_t size)
{
    long s = lround(seconds);
    if (seconds < 10)
        snprintf(text, size, "%.1f s", seconds);
    else if (s < 60)
        snprintf(text, size, "%ld s", s);
    else if (s < 3600)
        snprintf(text, size, "%ld min %02ld s", s / 60, s % 60);
    else if (s < 48 * 3600)
        snprintf(text, size, "%ld h %02ld min", s / 3600, s / 60 % 60);
    else
        snprintf(text, size, "%ld d %02ld h", s / 86400, s / 3600 % 24);
    return text;
}

void progress_write(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* a closed stderr must not end a run */
        text += n;
        size -= (size_t)n;
    }
}

/* ---- what a stage reported ---- */

struct activity *progress_find(const struct progress *p, const char *stage)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->activities[i].stage, stage) == 0)
            return &p->activities[i];
    return NULL;
}

/* Seconds to go, or -1. From what was done since the first report: what an interrupted run had done
 * took no time in this one. */
static double time_left(const struct activity *a, double now)
{
    double done = a->done - a->first, left = a->total - a->done;
    if (!(done > 0) || !(a->total > 0) || left < 0)
        return -1;
    return fmax((a->heard - a->spoke) / done * left - (now - a->heard), 0);
}

static int decimals(double x)
{
    return x == floor(x) ? 0 : 1;
}

void progress_describe(const struct activity *a, double now, const char *separator,
                       enum progress_form form, char *text, size_t size)
{
    char counts[96] = "", rate[64] = "", left[48] = "", time[32];
    double seconds = time_left(a, now);
    size_t used = 0;
    if (a->total > 0)
        snprintf(counts, sizeof counts, "%s%s%.*f/%.*f", a->unit, *a->unit ? " " : "",
                 decimals(a->done), a->done, decimals(a->total), a->total);
    if (a->rate > 0)
        snprintf(rate, sizeof rate, "%.*f %s", a->rate < 10 ? 2 : 0, a->rate, a->rate_unit);
    if (seconds >= 0)
        snprintf(left, sizeof left, "%s left", progress_duration(seconds, time, sizeof time));
    const char *const facts[][4] = {
        [PROGRESS_PLAIN] = {counts, rate, left, a->note},
        [PROGRESS_WIDE] = {counts, left, a->note, rate},
        [PROGRESS_NARROW] = {left, a->note, "", ""},
    };
    text[0] = 0;
    for (size_t i = 0; i < 4 && used < size; i++)
        if (*facts[form][i])
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? separator : "",
                                     facts[form][i]);
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
    double now = progress_clock();
    a->done = json_number_value(json_object_get(line, "done"));
    a->total = json_number_value(json_object_get(line, "total"));
    a->rate = json_number_value(json_object_get(line, "rate"));
    copy_text(a->unit, sizeof a->unit, json_object_get(line, "unit"));
    copy_text(a->rate_unit, sizeof a->rate_unit, json_object_get(line, "rate_unit"));
    copy_text(a->note, sizeof a->note, json_object_get(line, "note"));
    if (!(a->total > 0))
        return; /* the log has its output */
    a->heard = now;
    if (a->spoke == 0) {
        a->spoke = now;
        a->first = a->done;
    }
    if (!p->terminal && now - a->printed >= PLAIN_EVERY) {
        char what[LINE / 2];
        progress_describe(a, now, " · ", PROGRESS_PLAIN, what, sizeof what);
        a->printed = now;
        progress_say(p, "%s: %s", stage, what);
    }
}

/* ---- lines that are kept ---- */

static void keep(struct progress *p, enum style style, const char *styled, const char *rest)
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
    progress_write(text, size);
}

void progress_say(struct progress *p, const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        keep(p, STYLE_NONE, "", text);
}

void progress_warn(struct progress *p, const char *format, ...)
{
    char text[LINE];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= 0)
        keep(p, STYLE_YELLOW, text, "");
}

/* ---- the life of a stage ---- */

void progress_start_quietly(struct progress *p, const char *name)
{
    if (p->count == p->room) {
        p->room = p->room ? p->room * 2 : 16;
        p->activities = must(realloc(p->activities, p->room * sizeof *p->activities));
    }
    double now = progress_clock();
    p->activities[p->count++] = (struct activity){.stage = name, .since = now, .printed = now};
}

void progress_start(struct progress *p, const char *stage)
{
    progress_start_quietly(p, stage);
    if (!p->terminal)
        progress_say(p, "%s: started", stage);
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
    int n =
        snprintf(rest, sizeof rest, "  done in %s", progress_duration(seconds, time, sizeof time));
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
    keep(p, STYLE_GREEN, s->utf8 ? "✓" : "+", text);
}

void progress_done(struct progress *p, const char *stage, double seconds)
{
    const struct activity *a = progress_find(p, stage);
    struct activity last = a ? *a : (struct activity){.stage = stage};
    char time[32];
    forget(p, stage);
    if (!p->terminal)
        progress_say(p, "%s: done in %s", stage, progress_duration(seconds, time, sizeof time));
    else if (seconds >= KEPT_FROM)
        keep_done(p, &last, seconds);
}

void progress_failed(struct progress *p, const char *stage, const char *message)
{
    char text[LINE];
    forget(p, stage);
    if (!p->terminal) {
        progress_say(p, "ferdag: stage %s failed: %s", stage, message);
        return;
    }
    if (snprintf(text, sizeof text, "%s %s failed: %s", p->screen.utf8 ? "✗" : "x", stage,
                 message) >= 0)
        keep(p, STYLE_RED, text, "");
}

/* ---- the life of a run ---- */

void progress_begin(struct progress *p, size_t total)
{
    *p = (struct progress){.start = progress_clock(), .total = total, .remaining = -1};
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
