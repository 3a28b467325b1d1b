/* See key_text.h. */
#include "dag/key_text.h"

#include <string.h>

static bool has_two_words(const char *line)
{
    static const char *const first[] = {"param ", "in ", "out ", "env "};
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (strncmp(line, first[i], strlen(first[i])) == 0)
            return true;
    return false;
}

static size_t name_length(const char *line)
{
    size_t n = strcspn(line, " \n");
    return has_two_words(line) ? n + 1 + strcspn(line + n + 1, " \n") : n;
}

bool key_line_next(const char **text, struct key_line *line)
{
    const char *start = *text + strspn(*text, "\n");
    size_t length = strcspn(start, "\n"), name = name_length(start);
    if (length == 0)
        return false;
    size_t value = name < length ? name + 1 : length;
    *line = (struct key_line){
        .name = start, .name_length = name, .value = start + value, .value_length = length - value};
    *text = start + length;
    return true;
}

bool key_line_find(const char *text, const char *name, size_t name_length, struct key_line *line)
{
    while (key_line_next(&text, line))
        if (line->name_length == name_length && memcmp(line->name, name, name_length) == 0)
            return true;
    return false;
}

bool key_line_equal(const struct key_line *a, const struct key_line *b)
{
    return a->name_length == b->name_length && a->value_length == b->value_length &&
           memcmp(a->name, b->name, a->name_length) == 0 &&
           memcmp(a->value, b->value, a->value_length) == 0;
}
