/* See error.h. */
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character at p, or 0 if there is none. */
static size_t character(const unsigned char *p)
{
    if (*p < 0x80)
        return 1;
    if (*p < 0xc2 || *p > 0xf4)
        return 0;
    size_t n = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (*p == 0xe0 && p[1] < 0xa0) || (*p == 0xf0 && p[1] < 0x90);
    bool beyond = (*p == 0xed && p[1] >= 0xa0) || (*p == 0xf4 && p[1] >= 0x90);
    return overlong || beyond ? 0 : n;
}

static void one_line(char *text)
{
    while (*text) {
        size_t n = character((const unsigned char *)text);
        if (n == 0)
            *text = '?'; /* a file's name in another coding, or a character that was cut */
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
        text += n ? n : 1;
    }
}

int(error_set)(struct error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        one_line(err->text);
    }
    return -code;
}

int(error_errno)(struct error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        size_t used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s", strerror(code));
        one_line(err->text);
    }
    return -code;
}

void error_prefix(struct error *err, const char *format, ...)
{
    if (!err)
        return;
    struct error inner = *err;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    size_t used = strlen(err->text);
    /* The inner text loses its tail rather than the place in front of it. */
    snprintf(err->text + used, sizeof err->text - used, ": %.*s",
             (int)(sizeof err->text > used + 3 ? sizeof err->text - used - 3 : 0), inner.text);
    one_line(err->text);
}
