/* See troff.h. */
#include "reports/pdf/troff.h"

#include <stdint.h>
#include <string.h>

/* Characters that groff would read or print as something else. */
static const struct {
    uint32_t c;
    const char *escape;
} escapes[] = {
    {'\\', "\\[rs]"}, {'\'', "\\[cq]"}, {'"', "\\[dq]"},  {'`', "\\[ga]"},
    {'^', "\\[ha]"},  {'~', "\\[ti]"},  {0xfffd, "?"},    /* the fonts have no sign for it */
    {0xa0, "\\~"},    {0x2212, "\\-"},  {0xb5, "\\[mc]"}, /* micro sign */
};

static void add_character(struct text *t, uint32_t c)
{
    for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
        if (escapes[i].c == c) {
            text_add(t, escapes[i].escape);
            return;
        }
    if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0))
        text_add(t, " ");
    else if (c < 0x80)
        text_add_bytes(t, (char[]){(char)c}, 1);
    else
        text_print(t, "\\[u%04X]", (unsigned)c);
}

/* A "-" before a digit is a minus at the start, after a space and after a bracket; others are
 * hyphens.
 */
static bool is_minus(char before, const char *s)
{
    return *s == '-' && (s[1] >= '0' && s[1] <= '9') && (!before || strchr(" ([", before));
}

/* A word of more than LONG_WORD characters may not fit on a line: it may break after each PIECE. */
enum { LONG_WORD = 40, PIECE = 20 };

void troff_text(struct text *t, const char *s)
{
    uint32_t c;
    char before = 0;
    size_t length = 0; /* of the word so far */
    bool breaks = false;
    for (size_t n; *s; before = *s, s += n) {
        n = text_character(s, &c);
        if (length == 0)
            breaks = strcspn(s, " \n") > LONG_WORD;
        add_character(t, is_minus(before, s) ? 0x2212 : c);
        length = *s == ' ' || *s == '\n' ? 0 : length + 1;
        if (breaks && length && length % PIECE == 0)
            text_add(t, "\\:");
    }
}

void troff_code(struct text *t, const char *s)
{
    uint32_t c;
    for (; *s; s += text_character(s, &c)) {
        text_character(s, &c);
        if (c == '\'')
            text_add(t, "\\[aq]");
        else
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
    static const double minus = 584;
    double width = 0;
    uint32_t c;
    char before = 0;
    for (size_t n; *s; before = *s, s += n) {
        n = text_character(s, &c);
        width += is_minus(before, s) ? minus : character_width(c, bold);
    }
    return width;
}

size_t troff_fits(const char *s, bool bold, double limit)
{
    static const double ellipsis = 1000;
    const char *p = s;
    double width = ellipsis;
    uint32_t c;
    if (troff_width(s, bold) <= limit)
        return strlen(s);
    for (size_t n; *p; p += n) {
        n = text_character(p, &c);
        width += character_width(c, bold);
        if (width > limit)
            break;
    }
    return (size_t)(p - s);
}

void troff_fitted(struct text *t, const char *s, bool bold, double limit)
{
    size_t fits = troff_fits(s, bold, limit);
    if (!s[fits]) {
        troff_text(t, s);
        return;
    }
    uint32_t c;
    for (const char *end = s + fits; s < end; s += text_character(s, &c)) {
        text_character(s, &c);
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
