/* See screen.h. */
#define _GNU_SOURCE
#include "dag/screen.h"
#include "base/arena.h"
#include "base/display.h"
#include "dag/forecast.h"
#include "dag/progress.h"

#include <math.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Columns. Screens narrower than ROOMY show a percentage in place of a bar, and fewer words. */
enum { ROOMY = 60, BAR = 10, TOTAL_BAR = 20, PERCENT = 5, NAME_LEAST = 6, LINE = 1024 };

/* Erases a row; erases all from the cursor's row on. Some terminals keep a screen that is erased
 * whole as lines that have scrolled up, hence the space. Some wrap what was erased up to a row's
 * end when they become narrower, but not a row that was erased whole. */
#define ERASE_ROW "\x1b[2K"
#define ERASE     "\r" ERASE_ROW " \x1b[J\r"
#define NO_WRAP   "\x1b[?7l"
#define WRAP      "\x1b[?7h"

static const char *const style_codes[] = {
    [TEXT_BOLD] = "1", [TEXT_DIM] = "2",     [TEXT_GREEN] = "32",
    [TEXT_RED] = "31", [TEXT_YELLOW] = "33",
};

/* ---- the terminal ---- */

static size_t from_environment(const char *name, size_t otherwise)
{
    const char *text = getenv(name);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < 10000 ? (size_t)n : otherwise;
}

static void read_size(size_t *width, size_t *height)
{
    display_size(STDERR_FILENO, width, height);
    *width = *width ? *width : from_environment("COLUMNS", 80);
    *height = *height ? *height : from_environment("LINES", 24);
}

size_t screen_width(void)
{
    size_t width, height;
    read_size(&width, &height);
    return width;
}

/* By the names of locales: the locale itself need not be installed for its text to be shown. */
static bool locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

void screen_write(const char *text, size_t size)
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

/* Whether it is a terminal that understands escape sequences. */
static bool is_capable(int fd)
{
    const char *kind = getenv("TERM");
    return isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0;
}

static bool colours_allowed(void)
{
    const char *no_color = getenv("NO_COLOR");
    return !no_color || !*no_color;
}

bool screen_possible(void)
{
    return is_capable(STDERR_FILENO);
}

bool screen_has_colours(int fd)
{
    return is_capable(fd) && colours_allowed();
}

/* Whether the terminal is in use by another process group: a shell that has put us in the
 * background. */
static bool in_background(void)
{
    pid_t group = tcgetpgrp(STDERR_FILENO);
    return group > 0 && group != getpgrp();
}

void screen_begin(struct screen *s)
{
    *s = (struct screen){.colour = colours_allowed()};
    s->locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    s->utf8 = s->locale && locale_is_utf8();
    if (s->locale)
        s->before = uselocale(s->locale);
}

void screen_end(struct screen *s)
{
    if (s->drawn && !in_background())
        screen_write(ERASE, sizeof ERASE - 1);
    free(s->drawn);
    if (s->locale) {
        uselocale(s->before);
        freelocale(s->locale);
    }
    *s = (struct screen){0};
}

const char *screen_separator(const struct screen *s)
{
    return s->utf8 ? " · " : ", ";
}

/* ---- lines ---- */

void screen_print_styled(FILE *out, bool colour, enum text_style style, const char *text)
{
    if (*text && style != TEXT_NONE && colour)
        fprintf(out, "\x1b[%sm%s\x1b[0m", style_codes[style], text);
    else
        fputs(text, out);
}

/* The lines as they are built: with styles, and as bare text. */
struct frame {
    const struct screen *screen;
    FILE *out, *text;
    size_t lines; /* number of lines started */
    size_t left;  /* columns of the current line that are free */
};

/* Writes what fits of the text, at most `columns` columns; returns how many it took. */
static size_t put(struct frame *f, enum text_style style, size_t columns, const char *text)
{
    char clean[LINE], shown[LINE];
    display_clean(clean, sizeof clean, text, strlen(text));
    if (!f->screen->utf8)
        display_ascii(clean);
    size_t used = display_copy(shown, sizeof shown, clean, columns < f->left ? columns : f->left);
    screen_print_styled(f->out, f->screen->colour, style, shown);
    fputs(shown, f->text);
    f->left -= used;
    return used;
}

static void put_spaces(struct frame *f, size_t count)
{
    while (count-- > 0 && f->left > 0)
        put(f, TEXT_NONE, 1, " ");
}

static void put_padded(struct frame *f, enum text_style style, size_t columns, const char *text)
{
    put_spaces(f, columns - put(f, style, columns, text));
}

/* Writes the text, and if it doesn't fit, what fits of it and a mark. */
static void put_cut(struct frame *f, const char *text)
{
    const char *mark = f->screen->utf8 ? "…" : "..";
    size_t room = f->left, mark_width = f->screen->utf8 ? 1 : 2;
    if (display_width(text) > room && room > mark_width) {
        put(f, TEXT_NONE, room - mark_width, text);
        put(f, TEXT_NONE, mark_width, mark);
    } else {
        put(f, TEXT_NONE, room, text);
    }
}

/* Begins a line, of at most so many columns. */
static void begin_line(struct frame *f, size_t columns)
{
    fputs(f->lines > 0 ? "\n" ERASE_ROW : ERASE_ROW, f->out);
    f->lines++;
    f->left = columns;
}

static void end_line(struct frame *f)
{
    fputs("\n", f->text);
}

/* "━━━━━━", of at most TOTAL_BAR columns. */
static void put_repeated(struct frame *f, enum text_style style, const char *piece, size_t columns)
{
    char text[TOTAL_BAR * 3 + 1];
    size_t n = strlen(piece);
    for (size_t i = 0; i < columns; i++)
        memcpy(text + n * i, piece, n);
    text[n * columns] = 0;
    put(f, style, columns, text);
}

static void put_bar(struct frame *f, size_t columns, double part)
{
    bool utf8 = f->screen->utf8;
    size_t full = (size_t)(fmin(fmax(part, 0), 1) * (double)columns);
    put_repeated(f, TEXT_GREEN, utf8 ? "━" : "=", full);
    put_repeated(f, TEXT_DIM, utf8 ? "─" : "-", columns - full);
}

/* ---- what they show ---- */

/* "02:07", and with hours "1:02:07" */
static void write_clock(double seconds, char *text, size_t size)
{
    long s = (long)seconds;
    if (s < 3600)
        snprintf(text, size, "%02ld:%02ld", s / 60, s % 60);
    else
        snprintf(text, size, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

/* The most important first: a narrow screen cuts the end. */
static void add_total(struct frame *f, const struct progress *p, bool roomy, double now)
{
    const char *separator = screen_separator(f->screen);
    char text[64];
    double done = (double)(p->cached + p->ran);
    if (roomy) {
        put_bar(f, TOTAL_BAR, p->total ? done / (double)p->total : 0);
        put_spaces(f, 1);
    }
    snprintf(text, sizeof text, "%zu/%zu%s", p->cached + p->ran, p->total, roomy ? " stages" : "");
    put(f, TEXT_BOLD, f->left, text);
    if (p->failed) {
        snprintf(text, sizeof text, "%zu failed", p->failed);
        put(f, TEXT_NONE, f->left, separator);
        put(f, TEXT_RED, f->left, text);
    }
    if (p->stopping) {
        put(f, TEXT_NONE, f->left, separator);
        put(f, TEXT_YELLOW, f->left, "stopping");
    }
    write_clock(now - p->start, text, sizeof text);
    put(f, TEXT_NONE, f->left, separator);
    put(f, TEXT_NONE, f->left, text);
    if (p->remaining >= 0 && !p->stopping) {
        put(f, TEXT_NONE, f->left, separator);
        put(f, TEXT_NONE, f->left, forecast_words(p->remaining, text, sizeof text));
        put(f, TEXT_NONE, f->left, " to go");
    }
    if (p->cached) {
        snprintf(text, sizeof text, "%s%zu cached", separator, p->cached);
        put(f, TEXT_DIM, f->left, text);
    }
    end_line(f);
}

static void add_activity(struct frame *f, const struct activity *a, size_t name_columns, bool roomy,
                         double now)
{
    char name[256], text[512], time[32];
    size_t columns = roomy ? BAR : PERCENT;
    display_shorten(name, sizeof name, a->stage, name_columns, f->screen->utf8 ? "…" : "..");
    put_padded(f, TEXT_BOLD, name_columns, name);
    put_spaces(f, roomy ? 2 : 1);
    if (!(a->total > 0)) {
        duration_text(floor(now - a->since), time, sizeof time);
        if (now - a->since < 10) /* without tenths */
            snprintf(time, sizeof time, "%.0f s", floor(now - a->since));
        put_padded(f, TEXT_DIM, columns, time);
    } else if (roomy) {
        put_bar(f, BAR, a->done / a->total);
    } else {
        double percent = floor(100 * fmin(fmax(a->done / a->total, 0), 1));
        snprintf(text, sizeof text, "%.0f%%", percent);
        put_padded(f, TEXT_GREEN, columns, text);
    }
    put_spaces(f, roomy ? 2 : 1);
    activity_text(a, now, screen_separator(f->screen), roomy ? ACTIVITY_WIDE : ACTIVITY_NARROW,
                  text, sizeof text);
    put_cut(f, text);
    end_line(f);
}

/* The widest name that is shown, within a third of the screen. */
static size_t widest_name(const struct progress *p, size_t shown, size_t width)
{
    size_t widest = NAME_LEAST, most = width / 3 > NAME_LEAST ? width / 3 : NAME_LEAST;
    for (size_t i = 0; i < shown; i++) {
        size_t n = display_width(p->activities[i].stage);
        widest = n > widest ? n : widest;
    }
    return widest < most ? widest : most;
}

/* At most half of the screen. */
static void add_lines(struct frame *f, const struct progress *p, size_t width, size_t height)
{
    size_t most = height >= 4 ? height / 2 : height > 2 ? 2 : 1, shown = p->count;
    double now = clock_monotonic();
    bool roomy = width >= ROOMY;
    char text[64];
    if (width < 2)
        return;
    if (shown + 1 > most)
        shown = most < 2 ? 0 : most - 2;
    size_t name_columns = widest_name(p, shown, width);
    for (size_t i = 0; i < shown; i++) {
        begin_line(f, width - 1);
        put_spaces(f, roomy ? 2 : 0);
        add_activity(f, &p->activities[i], name_columns, roomy, now);
    }
    if (shown < p->count && most > 1) {
        begin_line(f, width - 1);
        snprintf(text, sizeof text, shown ? "+%zu more running" : "%zu running", p->count - shown);
        put_spaces(f, roomy ? 2 : 0);
        put(f, TEXT_DIM, f->left, text);
        end_line(f);
    }
    begin_line(f, width - 1);
    add_total(f, p, roomy, now);
}

/* ---- drawing ---- */

static void print_kept(const struct screen *s, FILE *out, const struct kept_line *kept)
{
    screen_print_styled(out, s->colour, kept->style, kept->styled);
    fprintf(out, "%s\n", kept->rest);
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Writes the lines, which don't wrap whatever the terminal's width has become meanwhile, and goes
 * back to the first. */
static void print_lines(FILE *out, const char *lines, size_t count)
{
    if (count == 0)
        return;
    fprintf(out, NO_WRAP "\r%s" WRAP "\r", lines);
    if (count > 1)
        fprintf(out, "\x1b[%zuA", count - 1);
}

/* The lines as they are to be now: none in the background. Both texts are to be freed. */
static void build_lines(const struct screen *s, const struct progress *p, size_t width,
                        size_t height, char **lines, char **text)
{
    size_t lines_size, text_size;
    struct frame f = {.screen = s};
    f.out = must(open_memstream(lines, &lines_size));
    f.text = must(open_memstream(text, &text_size));
    if (!in_background())
        add_lines(&f, p, width, height);
    if (fclose(f.out) != 0 || fclose(f.text) != 0)
        must(NULL);
}

static void forget_drawn(struct screen *s)
{
    free(s->drawn);
    s->drawn = NULL;
}

void screen_draw(struct screen *s, const struct progress *p, const struct kept_line *kept)
{
    char *lines, *text, *all = NULL;
    size_t size, width, height;
    read_size(&width, &height);
    build_lines(s, p, width, height, &lines, &text);
    if (!*text) /* the shell writes here now */
        forget_drawn(s);
    size_t count = count_lines(text);
    bool erase = s->drawn && (kept || width != s->width || height != s->height ||
                              count < count_lines(s->drawn));
    if (kept || erase || !s->drawn || strcmp(text, s->drawn) != 0) {
        FILE *out = must(open_memstream(&all, &size));
        if (erase)
            fputs(ERASE, out);
        if (kept)
            print_kept(s, out, kept);
        print_lines(out, lines, count);
        if (fclose(out) != 0)
            must(NULL);
        screen_write(all, size);
        free(all);
        forget_drawn(s);
        s->drawn = *text ? must(strdup(text)) : NULL;
        s->width = width;
        s->height = height;
    }
    free(text);
    free(lines);
}
