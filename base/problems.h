/* A list of errors and warnings about a file or a value, each with its place. (error.h holds one
 * error.) */
#ifndef FERDAG_BASE_PROBLEMS_H
#define FERDAG_BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct problem {
    char *file;       /* or a JSON pointer into a value; "" if the text gives the place */
    int line, column; /* from 1; 0: none */
    bool warning;     /* the file can be used all the same */
    char *text;
};

/* At most so many errors and so many warnings are kept. */
enum { PROBLEMS_KEPT = 100 };

/* Zeroed at first; problems_free frees. */
struct problems {
    struct problem *items;
    size_t count;
    size_t errors, warnings; /* added, whether kept or not */
    bool failed;             /* out of memory */
};

/* Adds an error unless it is there with the same place and text. NULL problems are allowed: the
 * error is dropped. Returns -EINVAL. */
int problems_add(struct problems *problems, const char *file, int line, int column,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same; the place is a JSON pointer. */
int problems_at(struct problems *problems, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a warning. */
void problems_warn(struct problems *problems, const char *file, int line, int column,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Whether there is at least one error. */
bool problems_any(const struct problems *problems);
/* The first error as "file:line:column: text", and -EINVAL; 0 if there is none; -ENOMEM. */
int problems_first(const struct problems *problems, struct error *err);
/* Formats a problem as "file:line:column: text". */
void problems_print(const struct problem *problem, struct error *line);
/* Sorts by file, in the order of their first problems, then by line and column. */
void problems_sort(struct problems *problems);
void problems_free(struct problems *problems);

#ifdef __clang_analyzer__ /* see error.h */
#define problems_add(...) (problems_add(__VA_ARGS__), -1)
#define problems_at(...)  (problems_at(__VA_ARGS__), -1)
#endif

#endif
