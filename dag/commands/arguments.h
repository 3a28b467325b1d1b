/* Reads the command line by the tables of table.h. */
#ifndef FERDAG_DAG_COMMANDS_ARGUMENTS_H
#define FERDAG_DAG_COMMANDS_ARGUMENTS_H

#include "dag/commands/table.h"

/* Fills options from argv[2] on; fields that no option sets stay as they are. Its arrays belong to
 * the caller, who releases them with arguments_free, also after an error. */
int arguments_read(struct options *options, const struct command *command, int argc, char **argv,
                   struct error *err);
void arguments_free(struct options *options);

/* The option of the table that argument, such as "-j4" or "--cache=x", begins with, whichever
 * commands take it; NULL if there is none. */
const struct option *option_find(const char *argument);

/* The option whose value is the word after argument ("-j", "-nj", "--cache"), or NULL. */
const struct option *option_awaiting(const char *argument);

#endif
