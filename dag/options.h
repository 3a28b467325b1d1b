/* The options of the command line, and the exit statuses of the program. */
#ifndef FERDAG_DAG_OPTIONS_H
#define FERDAG_DAG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses of the program. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_BAD = 2,
    EXIT_NOT_REPRODUCED = 3, /* `verify`: a claim */
    EXIT_INTERRUPTED = 130
};

/* The command line. */
struct options {
    const char **names; /* operands: FILE, then STAGEs or CLAIMs; or a KIND */
    size_t name_count;
    const char **settings; /* of --set */
    size_t setting_count;
    const char **forced; /* of --force */
    size_t forced_count;
    const char *cache, *backend, *format, *out; /* out: NULL if not given */
    const char *gpus;                           /* of --gpus, or NULL */
    int jobs;
    bool all;         /* explain: cached stages too; graph: each stage of a matrix */
    bool cache_given; /* by --cache */
    bool dry, keep_going, json, repair, man, verbose;
};

#endif
