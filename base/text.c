/* See text.h. */
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

static bool reserve(struct text *t, size_t n)
{
    if (t->failed)
        return false;
    if (t->size + n + 1 <= t->capacity)
        return true;
    size_t capacity = t->capacity ? t->capacity : 256;
    while (capacity < t->size + n + 1)
        capacity *= 2;
    char *data = realloc(t->data, capacity);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->capacity = capacity;
    return true;
}

void text_add_bytes(struct text *t, const char *s, size_t n)
{
    if (!reserve(t, n))
        return;
    memcpy(t->data + t->size, s, n);
    t->size += n;
    t->data[t->size] = 0;
}

void text_add(struct text *t, const char *s)
{
    text_add_bytes(t, s, strlen(s));
}

void text_print(struct text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n >= 0 && reserve(t, (size_t)n)) {
        vsnprintf(t->data + t->size, (size_t)n + 1, format, again);
        t->size += (size_t)n;
    }
    va_end(again);
}

const char *text_string(const struct text *t)
{
    return t->data ? t->data : "";
}

void text_free(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

size_t text_character(const char *s, uint32_t *c)
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

int text_write(struct text *t, const char *path, struct error *err)
{
    int rc = t->failed ? error_set(err, ENOMEM, "out of memory writing %s", path)
                       : file_write(path, text_string(t), t->size, err);
    text_free(t);
    return rc;
}
