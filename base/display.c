/* See display.h. */
#define _GNU_SOURCE
#include "base/display.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <wchar.h>

void display_size(int fd, size_t *columns, size_t *rows)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0)
        size = (struct winsize){0};
    *columns = size.ws_col;
    *rows = size.ws_row;
}

/* The character at p, which has n bytes. */
static wchar_t decode(const char *p, size_t n)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned code = (unsigned char)*p & first[n];
    for (size_t i = 1; i < n; i++)
        code = code << 6 | ((unsigned char)p[i] & 0x3f);
    return (wchar_t)code;
}

/* Columns of the character at p, or -1 if it can't be printed; *bytes is how long it is. */
static int character_width(const char *p, size_t *bytes)
{
    size_t n = utf8_length(p);
    *bytes = n ? n : 1;
    return n ? wcwidth(decode(p, n)) : -1;
}

size_t display_width(const char *text)
{
    size_t width = 0, bytes;
    for (; *text; text += bytes) {
        int w = character_width(text, &bytes);
        width += w < 0 ? 1 : (size_t)w;
    }
    return width;
}

size_t display_copy(char *to, size_t size, const char *text, size_t columns)
{
    size_t used = 0, bytes, n = 0;
    for (; *text; text += bytes) {
        int w = character_width(text, &bytes);
        size_t width = w < 0 ? 1 : (size_t)w, length = w < 0 ? 1 : bytes;
        if (used + width > columns || n + length >= size)
            break;
        memcpy(to + n, w < 0 ? "?" : text, length);
        n += length;
        used += width;
    }
    to[n] = 0;
    return used;
}

/* The longest end of the text that takes at most `columns` columns. */
static const char *end_of(const char *text, size_t columns)
{
    size_t bytes;
    while (display_width(text) > columns) {
        character_width(text, &bytes);
        text += bytes;
    }
    return text;
}

void display_shorten(char *to, size_t size, const char *name, size_t columns, const char *mark)
{
    size_t mark_width = display_width(mark);
    size_t room = columns > mark_width ? columns - mark_width : 0;
    if (display_width(name) <= columns) {
        display_copy(to, size, name, columns);
        return;
    }
    const char *end = strchr(name, '/');
    size_t before = display_width(name) - (end ? display_width(end) : 0) + 1;
    while (end && (end = strchr(end + 1, '/')))
        if (before + display_width(end) <= room)
            break;
    if (!end)
        end = end_of(name, room / 2);
    display_copy(to, size, name, room - display_width(end));
    size_t n = strlen(to);
    display_copy(to + n, size - n, mark, columns - display_width(to));
    n += strlen(to + n);
    display_copy(to + n, size - n, end, columns - display_width(to));
}

/* ---- text from outside ---- */

/* The first byte behind the escape sequence whose kind is the byte at p ("[" for a control
 * sequence); one that has no end reaches to `end`. */
static const char *skip_sequence(const char *p, const char *end)
{
    bool string = p < end && memchr("]P_^X", *p, 5);
    if (string) { /* up to BEL or ESC \ */
        for (p++; p < end && *p != '\a' && *p != '\x1b'; p++)
            ;
        return p < end && *p == '\x1b' ? (p + 1 < end && p[1] == '\\' ? p + 2 : p)
                                       : (p < end ? p + 1 : end);
    }
    bool control = p < end && *p == '[';
    p += control;
    while (p < end && *p >= 0x20 && *p < (control ? 0x40 : 0x30))
        p++;
    return p < end && *p >= 0x30 && *p < 0x7f ? p + 1 : p;
}

/* Characters of no width that change others, and the controls of ISO 6429. */
static bool is_invisible(wchar_t c)
{
    static const struct {
        wchar_t from, to;
    } ranges[] = {{0, 0x1f},          {0x7f, 0x9f},      {0xad, 0xad},     {0x61c, 0x61c},
                  {0x180b, 0x180f},   {0x200b, 0x200f},  {0x2028, 0x202e}, {0x2060, 0x206f},
                  {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},  {0xfff0, 0xfffb}, {0x1bca0, 0x1bca3},
                  {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

void display_clean(char *to, size_t size, const char *from, size_t length)
{
    const char *end = from + length;
    size_t n = 0;
    while (from < end) {
        char piece[5] = "";
        memcpy(piece, from, end - from < 4 ? (size_t)(end - from) : 4);
        size_t bytes = utf8_length(piece);
        wchar_t c = bytes ? decode(piece, bytes) : L'?';
        from += bytes ? bytes : 1;
        if (c == 0x1b) {
            from = skip_sequence(from, end);
            continue;
        }
        if (c == '\t' || !bytes) {
            piece[0] = c == '\t' ? ' ' : '?';
            bytes = 1;
        } else if (is_invisible(c)) {
            continue;
        }
        if (n + bytes >= size)
            break;
        memcpy(to + n, piece, bytes);
        n += bytes;
    }
    to[n] = 0;
}

void display_ascii(char *text)
{
    char *to = text;
    for (size_t bytes; *text; text += bytes) {
        bytes = utf8_length(text);
        *to++ = bytes == 1 ? *text : '?';
        bytes = bytes ? bytes : 1;
    }
    *to = 0;
}
