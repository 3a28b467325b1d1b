/* The lines that a run redraws at the bottom of a terminal: one for each running stage, then the
 * total. What scrolls up above them is printed through screen_draw as well, so that both reach the
 * terminal in one write and nothing flickers.
 *
 * The size is read at each redraw, and no line is as wide as the screen. Between two redraws the
 * cursor stands at the first of the lines: wherever a terminal that changes its size moves them,
 * and whether it wraps or cuts them, what is to be replaced begins at the cursor. */
#ifndef FERDAG_DAG_SCREEN_H
#define FERDAG_DAG_SCREEN_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct progress;

enum text_style { TEXT_NONE, TEXT_BOLD, TEXT_DIM, TEXT_GREEN, TEXT_RED, TEXT_YELLOW };

/* A line that scrolls up: its beginning in a style, and the rest. */
struct kept_line {
    enum text_style style;
    const char *styled, *rest;
};

struct screen {
    bool colour;             /* no if NO_COLOR is set and not empty */
    bool utf8;               /* the user's locale is UTF-8; else all is ASCII */
    locale_t locale, before; /* the one that widths come from; the thread's own */
    char *drawn;             /* the text of the lines that are on the screen, or NULL */
    size_t width, height;    /* of the screen then */
};

/* Whether stderr is a terminal that lines can be redrawn on. */
bool screen_possible(void);

/* Whether text on that file descriptor may have colours: a terminal, not a dumb one, and NO_COLOR
 * is not set or empty. */
bool screen_has_colours(int fd);

/* Prints a text, in a style if `colour`. */
void screen_print_styled(FILE *out, bool colour, enum text_style style, const char *text);

/* Sets the thread's LC_CTYPE until screen_end, which removes the redrawn lines. */
void screen_begin(struct screen *screen);
void screen_end(struct screen *screen);

/* Prints `kept` (NULL: none) above the redrawn lines, and draws these anew; does nothing if nothing
 * has changed. */
void screen_draw(struct screen *screen, const struct progress *progress,
                 const struct kept_line *kept);

/* Writes to stderr. A failure is ignored: a closed stderr must not end a run. */
void screen_write(const char *text, size_t size);

/* Columns of the terminal now. */
size_t screen_width(void);

/* The separator between facts on a line, " · " or ", "; it depends on the locale. */
const char *screen_separator(const struct screen *screen);

#endif
