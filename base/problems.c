/* See problems.h. */
#include "base/problems.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool known(const struct problems *p, const struct problem *q)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *r = &p->items[i];
        if (r->line == q->line && r->column == q->column && r->warning == q->warning &&
            strcmp(r->text, q->text) == 0 && strcmp(r->file, q->file) == 0)
            return true;
    }
    return false;
}

/* False when memory is out. */
static bool keep(struct problems *p, const struct problem *q)
{
    struct problem *larger = realloc(p->items, (p->count + 1) * sizeof *larger);
    if (!larger)
        return false;
    p->items = larger;
    larger[p->count] = *q;
    larger[p->count].file = strdup(q->file);
    larger[p->count].text = strdup(q->text);
    if (larger[p->count].file && larger[p->count].text) {
        p->count++;
        return true;
    }
    free(larger[p->count].file);
    free(larger[p->count].text);
    return false;
}

static void add(struct problems *p, struct problem q, const char *format, va_list args)
{
    char text[900];
    if (!p)
        return;
    vsnprintf(text, sizeof text, format, args);
    q.text = text;
    size_t *count = q.warning ? &p->warnings : &p->errors;
    if (known(p, &q))
        return;
    if (*count < PROBLEMS_KEPT && !keep(p, &q))
        p->failed = true;
    ++*count;
}

int(problems_add)(struct problems *p, const char *file, int line, int column, const char *format,
                  ...)
{
    va_list args;
    va_start(args, format);
    add(p, (struct problem){.file = (char *)file, .line = line, .column = column}, format, args);
    va_end(args);
    return -EINVAL;
}

int(problems_at)(struct problems *p, const char *pointer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add(p, (struct problem){.file = (char *)pointer}, format, args);
    va_end(args);
    return -EINVAL;
}

void problems_warn(struct problems *p, const char *file, int line, int column, const char *format,
                   ...)
{
    va_list args;
    va_start(args, format);
    add(p, (struct problem){.file = (char *)file, .line = line, .column = column, .warning = true},
        format, args);
    va_end(args);
}

bool problems_any(const struct problems *p)
{
    return p->errors > 0 || p->failed;
}

void problems_print(const struct problem *q, struct error *line)
{
    if (q->line > 0)
        error_set(line, EINVAL, "%s:%d:%d: %s", q->file, q->line, q->column, q->text);
    else
        error_set(line, EINVAL, "%s%s%s", q->file, *q->file ? ": " : "", q->text);
}

int problems_first(const struct problems *p, struct error *err)
{
    if (p->failed)
        return error_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < p->count; i++)
        if (!p->items[i].warning) {
            problems_print(&p->items[i], err);
            return -EINVAL;
        }
    return 0;
}

/* ---- order ---- */

/* Index of the first problem with that file. */
static size_t file_order(const struct problems *p, const char *file)
{
    size_t i = 0;
    while (strcmp(p->items[i].file, file) != 0)
        i++;
    return i;
}

static bool before(const struct problems *p, const struct problem *a, const struct problem *b)
{
    size_t x = file_order(p, a->file), y = file_order(p, b->file);
    return x != y ? x < y : a->line != b->line ? a->line < b->line : a->column < b->column;
}

void problems_sort(struct problems *p)
{
    struct problem *sorted = malloc((p->count + 1) * sizeof *sorted);
    if (!sorted)
        return; /* they stay in the order in which they were found */
    for (size_t i = 0; i < p->count; i++) {
        size_t k = i;
        for (; k > 0 && before(p, &p->items[i], &sorted[k - 1]); k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = p->items[i];
    }
    free(p->items);
    p->items = sorted;
}

void problems_free(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].file);
        free(p->items[i].text);
    }
    free(p->items);
    *p = (struct problems){0};
}
