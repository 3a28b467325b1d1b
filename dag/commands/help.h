/* Prints what the tables of table.h hold: for a terminal, and as a man page. */
#ifndef FERDAG_DAG_COMMANDS_HELP_H
#define FERDAG_DAG_COMMANDS_HELP_H

#include "dag/commands/table.h"

/* The list of all commands, or all about one command, at most 80 columns wide. */
void help_print_commands(void);
void help_print_command(const struct command *command);

/* The program's version, and the libraries and CPU features on which results depend. `verbose`:
 * also the version of each library, and what CUDA finds. */
void help_print_version(bool verbose);

/* The man page ferdag(1), in roff with the macros of man. */
void help_print_man(void);

#endif
