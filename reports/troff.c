/* See troff.h. */
#include "reports/troff.h"

#include <stdint.h>
#include <string.h>

/* Reads one UTF-8 character; returns its length, and for malformed bytes 1 and U+FFFD. Surrogates
 * and what lies beyond Unicode are malformed: groff knows no such character. */
static size_t decode(const char *s, uint32_t *c)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t n = u[0] < 0x80                   ? 1
               : u[0] >= 0xc2 && u[0] < 0xe0 ? 2
               : u[0] >= 0xe0 && u[0] < 0xf0 ? 3
               : u[0] >= 0xf0 && u[0] < 0xf5 ? 4
                                             : 0;
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    *c = 0xfffd;
    if (n == 0)
        return 1;
    uint32_t value = u[0] & first[n];
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 1;
        value = value << 6 | (u[i] & 0x3f);
    }
    if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return 1;
    *c = value;
    return n;
}

static const char *named(uint32_t c)
{
    switch (c) {
    case '\\':
        return "\\[rs]";
    case '\'':
        return "\\[cq]";
    case '"':
        return "\\[dq]";
    case '`':
        return "\\[ga]";
    case '^':
        return "\\[ha]";
    case '~':
        return "\\[ti]";
    case 0xfffd:
        return "?"; /* the fonts have no sign for it */
    case 0xa0:
        return "\\~";
    case 0x2212:
        return "\\-";
    case 0xb5:
        return "\\[mc]"; /* micro sign */
    }
    return NULL;
}

static void add_character(struct text *t, uint32_t c)
{
    const char *name = named(c);
    if (name)
        text_add(t, name);
    else if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0))
        text_add(t, " ");
    else if (c < 0x80)
        text_add_bytes(t, (char[]){(char)c}, 1);
    else
        text_print(t, "\\[u%04X]", (unsigned)c);
}

/* A "-" before a digit, at the start or after a space or bracket, is a minus; others are hyphens.
 */
static bool is_minus(char before, const char *s)
{
    return *s == '-' && (s[1] >= '0' && s[1] <= '9') && (!before || before == ' ' || before == '(');
}

void troff_text(struct text *t, const char *s)
{
    uint32_t c;
    char before = 0;
    for (size_t n; *s; before = *s, s += n) {
        n = decode(s, &c);
        add_character(t, is_minus(before, s) ? 0x2212 : c);
    }
}

void troff_path(struct text *t, const char *s)
{
    uint32_t c;
    for (; *s; s += decode(s, &c)) {
        decode(s, &c);
        add_character(t, c);
        bool point = c == '.' && s[1] >= '0' && s[1] <= '9'; /* of a number */
        if (c == '/' || (c == '.' && !point) || c == '_')
            text_add(t, "\\:");
    }
}

/* Adobe's Helvetica and Helvetica-Bold, U+0020 to U+007E (as in groff's font files HR and HB). */
static const uint16_t widths[2][95] = {
    {278,  278, 355, 556, 556, 889, 667, 222, 333, 333, 389, 584, 278, 333, 278, 278,
     556,  556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
     1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
     667,  778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 333, 556,
     222,  556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
     556,  556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 333},
    {278, 333, 474, 556, 556, 889, 722, 278, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
     556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667,
     611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
     667, 611, 333, 278, 333, 333, 556, 278, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556,
     278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 333},
};

static double character_width(uint32_t c, bool bold)
{
    return c >= 0x20 && c < 0x7f ? widths[bold][c - 0x20]
           : c < 0x20            ? 278
           : c < 0x2000          ? 556
                                 : 1000;
}

double troff_width(const char *s, bool bold)
{
    double width = 0;
    uint32_t c;
    for (; *s; s += decode(s, &c)) {
        decode(s, &c);
        width += character_width(c, bold);
    }
    return width;
}

void troff_fitted(struct text *t, const char *s, bool bold, double limit)
{
    if (troff_width(s, bold) <= limit) {
        troff_text(t, s);
        return;
    }
    double width = 1000; /* the ellipsis */
    uint32_t c;
    for (; *s; s += decode(s, &c)) {
        decode(s, &c);
        width += character_width(c, bold);
        if (width > limit)
            break;
        add_character(t, c);
    }
    text_add(t, "\\|.\\|.\\|.");
}

void troff_outline(struct text *t, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool safe = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                    (c && strchr(" ,.:;-_+=/", c));
        text_add_bytes(t, safe ? s : " ", 1);
    }
}
