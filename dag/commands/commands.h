/* The commands of the program, each a function over the same options. */
#ifndef FERDAG_DAG_COMMANDS_COMMANDS_H
#define FERDAG_DAG_COMMANDS_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

/* What the program exits with. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_BAD = 2, EXIT_INTERRUPTED = 130 };

/* The command line, read. */
struct options {
    const char **names; /* operands: FILE, then STAGEs; or a KIND */
    size_t name_count;
    const char **settings; /* of --set */
    size_t setting_count;
    const char **forced; /* of --force */
    size_t forced_count;
    const char *cache, *backend, *format, *out; /* out: NULL if not given */
    int jobs;
    bool all;         /* explain, graph: show what they leave out otherwise */
    bool cache_given; /* by --cache */
    bool dry, keep_going, json, repair, man;
};

/* Each returns what the program exits with, and fills err if it has something to say on stderr. */
int command_run(const struct options *options, struct error *err);
int command_report(const struct options *options, struct error *err);
int command_status(const struct options *options, struct error *err);
int command_explain(const struct options *options, struct error *err);
int command_graph(const struct options *options, struct error *err);
int command_show(const struct options *options, struct error *err);
int command_get(const struct options *options, struct error *err);
int command_log(const struct options *options, struct error *err);
int command_fsck(const struct options *options, struct error *err);
int command_kinds(const struct options *options, struct error *err);
int command_check(const struct options *options, struct error *err);
int command_migrate(const struct options *options, struct error *err);
int command_schema(const struct options *options, struct error *err);
int command_stage(const struct options *options, struct error *err);
int command_help(const struct options *options, struct error *err);
int command_completion(const struct options *options, struct error *err);
int command_complete(const struct options *options, struct error *err);

#endif
