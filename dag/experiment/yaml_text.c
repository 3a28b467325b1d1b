/* See yaml_text.h. */
#include "dag/experiment/yaml_text.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdio.h>

/* Decodes the character of n bytes at p. */
static uint32_t decode(const char *p, size_t n)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t c = (unsigned char)p[0] & first[n];
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    return c;
}

static bool allowed(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || c == 0x85 || (c >= 0x20 && c < 0x7f) ||
           (c >= 0xa0 && c != 0xfffe && c != 0xffff);
}

/* Moves line and column past a character; `after` is the next byte. */
static void step(struct text_fault *place, uint32_t c, uint32_t after)
{
    bool ends =
        c == '\n' || (c == '\r' && after != '\n') || c == 0x85 || c == 0x2028 || c == 0x2029;
    place->line += ends;
    place->column = ends ? 1 : place->column + 1;
}

static void describe(struct text_fault *fault, uint32_t c)
{
    if (c == 0)
        snprintf(fault->what, sizeof fault->what, "the file contains a NUL byte");
    else if (c < 0x20 || c == 0x7f)
        snprintf(fault->what, sizeof fault->what,
                 "the control character 0x%02x is not allowed; in double quotes it is \"\\x%02x\"",
                 (unsigned)c, (unsigned)c);
    else
        snprintf(fault->what, sizeof fault->what, "the character U+%04X is not allowed",
                 (unsigned)c);
    fault->coding = c == 0; /* UTF-16 without a byte order mark has many */
}

static uint32_t unit_at(const char *text, size_t size, size_t i)
{
    const unsigned char *u = (const unsigned char *)text;
    size_t high = u[0] == 0xfe ? 0 : 1; /* index of the high byte of a pair */
    return i + 1 < size ? (uint32_t)u[i + high] << 8 | u[i + 1 - high] : 0;
}

/* UTF-16 with a byte order mark: counts characters up to the offset at which libyaml stopped. */
static void find_in_utf16(const char *text, size_t size, size_t offset, const char *problem,
                          struct text_fault *fault)
{
    for (size_t i = 2; i + 1 < size && i < offset; i += 2) {
        uint32_t unit = unit_at(text, size, i);
        if ((unit & 0xfc00) != 0xd800) /* a surrogate pair is one character */
            step(fault, unit, unit_at(text, size, i + 2));
    }
    fault->coding = true;
    snprintf(fault->what, sizeof fault->what, "in UTF-16: %.60s", problem);
}

void yaml_text_fault(const char *text, size_t size, size_t offset, const char *problem,
                     struct text_fault *fault)
{
    *fault = (struct text_fault){.line = 1, .column = 1};
    const unsigned char *u = (const unsigned char *)text;
    if (size >= 2 && ((u[0] == 0xff && u[1] == 0xfe) || (u[0] == 0xfe && u[1] == 0xff))) {
        find_in_utf16(text, size, offset, problem, fault);
        return;
    }
    size_t i =
        size >= 3 && u[0] == 0xef && u[1] == 0xbb && u[2] == 0xbf ? 3 : 0; /* the byte order mark */
    for (size_t n; i < size; i += n) {
        n = utf8_length(text + i);
        if (n == 0) {
            fault->coding = true;
            snprintf(fault->what, sizeof fault->what, "byte 0x%02x is not UTF-8", u[i]);
            return;
        }
        uint32_t c = decode(text + i, n);
        if (!allowed(c)) {
            describe(fault, c);
            return;
        }
        step(fault, c, u[i + n]);
    }
    snprintf(fault->what, sizeof fault->what, "not YAML text: %.60s", problem);
}
