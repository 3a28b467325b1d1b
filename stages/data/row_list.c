/* See row_list.h. */
#include "stages/data/row_list.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

enum { FILE_LIMIT = 1 << 26, FIELD_SHOWN = 31 }; /* bytes */

enum field_end { FIELD_ENDS, LINE_ENDS, FILE_ENDS };

struct scanner {
    const char *at, *end;
    size_t line;                 /* of the field, from 1 */
    size_t lines;                /* newlines before `at` */
    char field[FIELD_SHOWN + 1]; /* the field without quotes; a longer one is cut */
};

/* Reads the next field, which a comma, a newline or the end of the file ends unless it is within
 * quotes. */
static enum field_end next_field(struct scanner *s)
{
    size_t n = 0;
    bool quoted = false;
    enum field_end end = FILE_ENDS;
    s->line = s->lines + 1;
    while (s->at < s->end) {
        char c = *s->at++;
        s->lines += c == '\n';
        if (!quoted && (c == ',' || c == '\n')) {
            end = c == ',' ? FIELD_ENDS : LINE_ENDS;
            break;
        }
        if (c == '"')
            quoted = !quoted;
        else if (n < FIELD_SHOWN && !(c == '\r' && !quoted))
            s->field[n++] = c;
    }
    s->field[n] = 0;
    return end;
}

/* Reads the header. *column: the place of `row` in it. */
static int find_column(struct scanner *s, const char *name, size_t *column, struct error *err)
{
    enum field_end end = FIELD_ENDS;
    bool found = false;
    for (size_t i = 0; end == FIELD_ENDS; i++) {
        end = next_field(s);
        if (!found && strcmp(s->field, "row") == 0) {
            found = true;
            *column = i;
        }
    }
    return found ? 0 : error_set(err, EINVAL, "%s:1: the header has no column 'row'", name);
}

static int parse_row(const struct scanner *s, const char *name, int32_t *row, struct error *err)
{
    char *rest;
    errno = 0;
    long value = strtol(s->field, &rest, 10);
    if (errno || rest == s->field || *rest || value < 0 || value > INT32_MAX)
        return error_set(err, EINVAL, "%s:%zu: expected a row number, not '%s'", name, s->line,
                         s->field);
    *row = (int32_t)value;
    return 0;
}

/* Reads a line. *has_row is false for an empty one. */
static int read_line(struct scanner *s, const char *name, size_t column, bool *has_row,
                     int32_t *row, struct error *err)
{
    enum field_end end = FIELD_ENDS;
    size_t fields = 0;
    bool found = false, empty = false;
    for (; end == FIELD_ENDS; fields++) {
        end = next_field(s);
        empty = fields == 0 && end != FIELD_ENDS && !*s->field;
        if (fields == column && !empty) {
            int rc = parse_row(s, name, row, err);
            if (rc < 0)
                return rc;
            found = true;
        }
    }
    *has_row = found;
    return found || empty
               ? 0
               : error_set(err, EINVAL, "%s:%zu: has %zu fields, but 'row' is number %zu", name,
                           s->line, fields, column + 1);
}

static int ascending(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void sort_unique(struct row_list *list)
{
    size_t kept = 0;
    if (list->n)
        qsort(list->rows, list->n, sizeof *list->rows, ascending);
    for (size_t i = 0; i < list->n; i++)
        if (kept == 0 || list->rows[i] != list->rows[kept - 1])
            list->rows[kept++] = list->rows[i];
    list->n = kept;
}

static int parse(const char *text, size_t size, const char *name, struct row_list *list,
                 struct error *err)
{
    static const char mark[] = "\xef\xbb\xbf"; /* byte order mark */
    size_t skipped = strncmp(text, mark, 3) == 0 ? 3 : 0, column = 0, lines = 0;
    struct scanner s = {.at = text + skipped, .end = text + size};
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    list->rows = malloc((lines + 1) * sizeof *list->rows);
    if (!list->rows)
        return error_set(err, ENOMEM, "out of memory for %zu rows", lines);
    int rc = find_column(&s, name, &column, err);
    while (rc == 0 && s.at < s.end) {
        bool has_row = false;
        rc = read_line(&s, name, column, &has_row, &list->rows[list->n], err);
        list->n += has_row;
    }
    sort_unique(list);
    return rc;
}

int row_list_read(const char *path, const char *name, struct row_list *list, struct error *err)
{
    char *text;
    size_t size;
    *list = (struct row_list){0};
    int rc = file_read(path, FILE_LIMIT, &text, &size, err);
    if (rc < 0)
        return rc;
    rc = parse(text, size, name, list, err);
    free(text);
    if (rc < 0)
        row_list_free(list);
    return rc;
}

void row_list_free(struct row_list *list)
{
    free(list->rows);
    *list = (struct row_list){0};
}
