/* See error.h. */
#include "base/error.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A path may hold other bytes than UTF-8 and control bytes, and truncation may cut a character. */
static void one_line(char *text)
{
    utf8_repair(text);
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
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
    /* If it gets too long, the end of the inner text is cut, not the place in front of it. */
    snprintf(err->text + used, sizeof err->text - used, ": %.*s",
             (int)(sizeof err->text > used + 3 ? sizeof err->text - used - 3 : 0), inner.text);
    one_line(err->text);
}
