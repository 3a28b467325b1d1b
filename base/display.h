/* Text for a terminal: how many columns it takes, cut to a number of columns, without bytes that a
 * terminal would take for commands.
 *
 * Widths are those of wcwidth in the thread's locale: the caller sets a UTF-8 one with uselocale.
 * A character that can't be printed counts as one column and is shown as "?". */
#ifndef FERDAG_BASE_DISPLAY_H
#define FERDAG_BASE_DISPLAY_H

#include <stddef.h>

/* Size of the terminal on a file descriptor; 0 where it is no terminal or the size is unknown. */
void display_size(int fd, size_t *columns, size_t *rows);

/* Columns of the text on a line that is wide enough. */
size_t display_width(const char *text);

/* Copies the beginning of the text, at most `columns` columns and size - 1 bytes, whole characters
 * only. Returns the columns used. */
size_t display_copy(char *to, size_t size, const char *text, size_t columns);

/* Copies a name, cut in its middle if it is wider than `columns`: "train/full/vgg19" becomes
 * "train/fu…/vgg19", "train/…/vgg19" or, if parts don't fit whole, "trai…gg19". `mark` stands for
 * what is left out. */
void display_shorten(char *to, size_t size, const char *name, size_t columns, const char *mark);

/* Copies `length` bytes without escape sequences, control characters and characters of no width
 * that change the direction or form of others; a tab becomes a space, a byte that is not UTF-8 a
 * "?". Stops before a character that `to` can't hold whole. Needs no locale. */
void display_clean(char *to, size_t size, const char *from, size_t length);

/* Replaces each character that is not ASCII by a "?". */
void display_ascii(char *text);

#endif
