/* The commands of the program, each a function over the same options. */
#ifndef FERDAG_DAG_COMMANDS_COMMANDS_H
#define FERDAG_DAG_COMMANDS_COMMANDS_H

#include "base/error.h"
#include "dag/options.h"

/* Each returns what the program exits with, and fills err if it has something to say on stderr. */
int command_run(const struct options *options, struct error *err);
int command_report(const struct options *options, struct error *err);
int command_status(const struct options *options, struct error *err);
int command_explain(const struct options *options, struct error *err);
int command_graph(const struct options *options, struct error *err);
int command_show(const struct options *options, struct error *err);
int command_get(const struct options *options, struct error *err);
int command_verify(const struct options *options, struct error *err);
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
