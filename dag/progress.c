/* See progress.h. A redraw is one write: cursor up over the old lines, each line rewritten and
 * cleared to its end, what is left below cleared; so nothing flickers. Lines are cut to the
 * terminal's width. */
#include "dag/progress.h"
#include "base/arena.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PLAIN_EVERY = 30, BAR = 20, MOST_LINES = 256 };

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

static size_t columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    const char *text = getenv("COLUMNS");
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < 10000 ? (size_t)n : 80;
}

static size_t screen_rows(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2 ? size.ws_row : 24;
}

static void write_out(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t n = write(STDERR_FILENO, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody to talk to is no reason to stop */
        text += n;
        size -= (size_t)n;
    }
}

/* Cuts to at most n characters of one column each (UTF-8 continuation bytes don't count). */
static void cut(char *text, size_t n)
{
    size_t seen = 0;
    for (char *p = text; *p; p++)
        if (((unsigned char)*p & 0xc0) != 0x80 && seen++ == n) {
            *p = 0;
            return;
        }
}

struct activity *progress_find(const struct progress *p, const char *stage)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->activities[i].stage, stage) == 0)
            return &p->activities[i];
    return NULL;
}

/* Seconds to go, or -1: from what was done since its first word, as what an earlier sitting did
 * says nothing of speed. */
static double remaining(const struct activity *a, double now)
{
    double done = a->done - a->first, left = a->total - a->done;
    if (!(done > 0) || !(a->total > 0) || left < 0)
        return -1;
    return fmax((a->heard - a->spoke) / done * left - (now - a->heard), 0);
}

static void describe(const struct activity *a, double now, char *text, size_t size)
{
    char time[32];
    int n = 0;
    text[0] = 0;
    if (a->total > 0)
        n = snprintf(text, size, "%s%s%.*f/%.*f", a->unit, *a->unit ? " " : "",
                     a->done == floor(a->done) ? 0 : 1, a->done,
                     a->total == floor(a->total) ? 0 : 1, a->total);
    if (a->rate > 0 && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, " · %.*f %s", a->rate < 10 ? 2 : 0, a->rate,
                      a->rate_unit);
    double left = remaining(a, now);
    if (left >= 0 && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, " · %s left",
                      progress_duration(left, time, sizeof time));
    if (a->note[0] && (size_t)n < size)
        n += snprintf(text + n, size - (size_t)n, " · %s", a->note);
    if (n == 0)
        snprintf(text, size, "%s", progress_duration(now - a->since, time, sizeof time));
}

static void draw_bar(const struct activity *a, char text[BAR * 3 + 1])
{
    double part = a->total > 0 ? a->done / a->total : 0;
    int full = (int)(part < 0 ? 0 : part > 1 ? BAR : part * BAR);
    for (size_t i = 0; i < BAR; i++) /* a line's piece is 3 bytes of UTF-8 */
        memcpy(text + 3 * i, (int)i < full ? "━" : "─", 4);
}

static size_t length(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void add_line(struct progress *p, FILE *out, char *line, size_t width)
{
    cut(line, width);
    fprintf(out, "%s\x1b[K\n", line);
    if (p->drawn < MOST_LINES)
        p->lengths[p->drawn++] = (unsigned short)length(line);
}

/* Rows of the screen that our lines take, now that it may be narrower than when they were drawn. */
static size_t drawn_rows(const struct progress *p)
{
    size_t rows = 0, width = columns();
    for (size_t i = 0; i < p->drawn; i++)
        rows += p->lengths[i] > width ? (p->lengths[i] + width - 1) / width : 1;
    return rows;
}

/* "02:07", and with hours "1:02:07" */
static const char *write_clock(double seconds, char *text, size_t size)
{
    long s = (long)seconds;
    if (s < 3600)
        snprintf(text, size, "%02ld:%02ld", s / 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

static void draw(struct progress *p)
{
    char *text = NULL, time[32], line[512], bar[BAR * 3 + 1], what[256];
    size_t size = 0, width = columns() - 1, shown = p->count;
    if (shown > screen_rows() - 3)
        shown = screen_rows() - 3;
    if (shown > MOST_LINES - 1)
        shown = MOST_LINES - 1;
    double now = progress_clock(), elapsed = now - p->start;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return;
    if (p->drawn)
        fprintf(out, "\x1b[%zuA\r", drawn_rows(p));
    p->drawn = 0;
    snprintf(line, sizeof line, "[%zu/%zu] %zu cached · %s", p->cached + p->ran, p->total,
             p->cached, write_clock(elapsed, time, sizeof time));
    if (p->failed)
        snprintf(line + strlen(line), sizeof line - strlen(line), " · %zu failed", p->failed);
    if (p->remaining >= 0)
        snprintf(line + strlen(line), sizeof line - strlen(line), " · about %s to go",
                 progress_duration(p->remaining, time, sizeof time));
    add_line(p, out, line, width);
    for (size_t i = 0; i < shown; i++) {
        const struct activity *a = &p->activities[i];
        draw_bar(a, bar);
        describe(a, now, what, sizeof what);
        snprintf(line, sizeof line, "  %-28s %s %s", a->stage, width > 70 ? bar : "", what);
        add_line(p, out, line, width);
    }
    fputs("\x1b[J", out);
    if (fclose(out) == 0)
        write_out(text, size);
    free(text);
}

static void wipe(struct progress *p)
{
    char text[32];
    if (p->drawn) {
        int n = snprintf(text, sizeof text, "\x1b[%zuA\r\x1b[J", drawn_rows(p));
        write_out(text, (size_t)n);
    }
    p->drawn = 0;
}

void progress_say(struct progress *p, const char *format, ...)
{
    char text[1400];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text - 1, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t size = strlen(text);
    text[size++] = '\n';
    wipe(p);
    write_out(text, size);
    if (p->terminal)
        draw(p);
}

void progress_begin(struct progress *p, size_t total)
{
    const char *kind = getenv("TERM");
    *p = (struct progress){.start = progress_clock(), .total = total};
    p->terminal = isatty(STDERR_FILENO) && kind && strcmp(kind, "dumb") != 0;
}

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

static void copy_text(char *to, size_t size, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t n = 0;
    for (; text && *text && n + 1 < size; text++)
        if ((unsigned char)*text >= 0x20 && *text != 0x7f) /* no control bytes to the terminal */
            to[n++] = *text;
    to[n] = 0;
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
    a->heard = now;
    if (a->spoke == 0) {
        a->spoke = now;
        a->first = a->done;
    }
    if (!p->terminal && now - a->printed >= PLAIN_EVERY) {
        char what[256];
        describe(a, now, what, sizeof what);
        a->printed = now;
        progress_say(p, "%s: %s", stage, what);
    }
}

void progress_stop(struct progress *p, const char *stage, const char *what)
{
    struct activity *a = progress_find(p, stage);
    if (a) {
        size_t place = (size_t)(a - p->activities);
        memmove(a, a + 1, (p->count - place - 1) * sizeof *a);
        p->count--;
    }
    if (what)
        progress_say(p, "%s: %s", stage, what);
}

void progress_tick(struct progress *p)
{
    if (p->terminal)
        draw(p);
}

void progress_end(struct progress *p)
{
    if (p->terminal)
        wipe(p);
    free(p->activities);
    p->activities = NULL;
    p->count = p->room = 0;
}
