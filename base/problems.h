/* All that is wrong with a file or a value, each with its place: where an error is the first of
 * them, this is the list. */
#ifndef FERDAG_BASE_PROBLEMS_H
#define FERDAG_BASE_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

struct problem {
    char *file;       /* or a JSON pointer into a value; "" if the text has its own place */
    int line, column; /* 0: no line */
    bool warning;     /* it doesn't make the whole unusable */
    char *text;
};

/* How many errors and how many warnings are kept. */
enum { PROBLEMS_KEPT = 100 };

/* Starts zeroed. */
struct problems {
    struct problem *items;
    size_t count;
    size_t errors, warnings; /* of all that were added */
    bool failed;             /* out of memory */
};

/* Adds an error; one with the same place and text is there only once. Returns -EINVAL. */
int problems_add(struct problems *problems, const char *file, int line, int column,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same with a JSON pointer as its place. */
int problems_at(struct problems *problems, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a warning. */
void problems_warn(struct problems *problems, const char *file, int line, int column,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Whether there is an error among them. */
bool problems_any(const struct problems *problems);
/* The first error as "file:line:column: text", and -EINVAL; 0 if there is none; -ENOMEM. */
int problems_first(const struct problems *problems, struct error *err);
/* "file:line:column: text" */
void problems_print(const struct problem *problem, struct error *line);
/* Sorts them by file, in the order in which the files came up, and then by place. */
void problems_sort(struct problems *problems);
void problems_free(struct problems *problems);

#ifdef __clang_analyzer__ /* see error.h */
#define problems_add(...) (problems_add(__VA_ARGS__), -1)
#define problems_at(...)  (problems_at(__VA_ARGS__), -1)
#endif

#endif
