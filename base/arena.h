/* Memory that lives as long as the experiment: handed out, never given back one by one.
 *
 * When memory is out, these end the program with one line and status 1. That is as safe as
 * kill -9, which the cache is built for, and spares the reader a check on every line. */
#ifndef FERDAG_BASE_ARENA_H
#define FERDAG_BASE_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_create(void);
void arena_destroy(struct arena *arena); /* NULL is fine */

/* size zeroed bytes, aligned for anything. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_copy(struct arena *arena, const char *text, size_t length);
char *arena_print(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Room for one more item of `size` bytes after `count`: the array, moved when it was full.
 * Arrays start as NULL with count 0 and grow by this alone. */
void *arena_push(struct arena *arena, void *items, size_t count, size_t size);

/* malloc, realloc's kin for what the arena isn't for; also end the program when memory is out. */
void *must_alloc(size_t size);
/* Passes text through, or ends the program if it is NULL. */
void *must(void *pointer);

#endif
