/* See arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1 << 16, ALIGN = 16 };

struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGN) char bytes[];
};

struct arena {
    struct block *blocks;
};

void *must(void *pointer)
{
    if (!pointer) {
        fputs("ferdag: out of memory\n", stderr);
        exit(1);
    }
    return pointer;
}

void *must_alloc(size_t size)
{
    return must(calloc(1, size ? size : 1));
}

struct arena *arena_create(void)
{
    return must_alloc(sizeof(struct arena));
}

void arena_destroy(struct arena *arena)
{
    if (!arena)
        return;
    for (struct block *b = arena->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct block *b = arena->blocks;
    if (size > SIZE_MAX / 2)
        must(NULL);
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    if (!b || b->size - b->used < size) {
        size_t block_size = size > BLOCK ? size : BLOCK;
        b = must_alloc(sizeof *b + block_size);
        b->size = block_size;
        b->next = arena->blocks;
        arena->blocks = b;
    }
    void *p = b->bytes + b->used;
    b->used += size;
    return p;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    memcpy(copy, text, length);
    return copy;
}

char *arena_print(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        must(NULL);
    char *text = arena_alloc(arena, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

void *arena_push(struct arena *arena, void *items, size_t count, size_t size)
{
    if (count == 1 || count & (count - 1)) /* full only at 0, 2, 4, 8, ... items */
        return items;
    if (count > SIZE_MAX / 4 / size)
        must(NULL);
    size_t capacity = count ? count * 2 : 2;
    void *larger = arena_alloc(arena, capacity * size);
    if (count)
        memcpy(larger, items, count * size);
    return larger;
}
