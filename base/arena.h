/* Arena: memory blocks with one common lifetime, freed together.
 *
 * When memory is out, these functions end the program with one line and status 1. The cache
 * survives kill -9 at any moment, so that is safe, and callers need no check after every
 * allocation. */
#ifndef FERDAG_BASE_ARENA_H
#define FERDAG_BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *arena); /* NULL is allowed */

/* `size` zeroed bytes, aligned for any type. */
void *arena_alloc(struct arena *arena, size_t size);

/* The first `length` bytes of text and a 0 byte. */
char *arena_copy(struct arena *arena, const char *text, size_t length);

/* printf into the arena. */
char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Grows an array of `count` items of `size` bytes so that one more fits, and returns it, moved if
 * it was full. An array starts as NULL with count 0 and may grow only by this function. */
void *arena_push(struct arena *arena, void *items, size_t count, size_t size);

/* Heap memory outside an arena: `size` zeroed bytes, freed with free(). Ends the program when
 * memory is out. */
void *must_alloc(size_t size);

/* Returns the pointer, or ends the program if it is NULL. */
void *must(void *pointer);

#endif
