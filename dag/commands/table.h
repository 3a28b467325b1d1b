/* The command line as data: commands, options, operands, exit codes, environment and files.
 *
 * `--help`, the man page, the shell completions and the reader of the command line all walk these
 * tables. A new command is one row of `commands`, a new option one row of `option_table` and its
 * name in `options` of the commands that take it. */
#ifndef FERDAG_DAG_COMMANDS_TABLE_H
#define FERDAG_DAG_COMMANDS_TABLE_H

#include "dag/commands/commands.h"

enum command_group {
    GROUP_RUN,
    GROUP_INSPECT,
    GROUP_WRITE,
    GROUP_MAINTAIN,
    GROUPS,
    GROUP_HIDDEN = GROUPS /* not in `ferdag --help` */
};

/* A name and a text: an exit code's meaning, an environment variable, a file, an example. */
struct described {
    const char *name, *text;
};

enum { COMMAND_EXITS = 3, COMMAND_EXAMPLES = 3 };

struct command {
    const char *name;
    const char *operands; /* "FILE [STAGE...]"; see operand_table */
    const char *summary;  /* one line, without a full stop */
    const char *text;     /* paragraphs, separated by an empty line */
    const char *options;  /* names, separated by blanks, in the order in which they are shown */
    struct described examples[COMMAND_EXAMPLES]; /* command line, what it does */
    struct described exits[COMMAND_EXITS];       /* besides those of all commands */
    struct described own_option; /* an option's name, and its text for this command, or NULL */
    enum command_group group;
    size_t least, most;    /* number of operands */
    bool reads_experiment; /* the first operand may name an installed experiment */
    bool reads_cache; /* without creating it: a cache that does not exist is likely a mistake */
    int (*function)(const struct options *options, struct error *err);
};

/* How an option's argument is stored in struct options. */
enum option_type {
    OPTION_FLAG, /* bool; the option has no argument */
    OPTION_TEXT, /* const char * */
    OPTION_LIST, /* const char **, and its size_t count */
    OPTION_INT   /* int */
};

struct option {
    char letter; /* 0: none */
    const char *name;
    const char *argument; /* "DIR", NULL for a flag */
    const char *values;   /* what the argument may be, separated by blanks, the default first; NULL:
                             anything */
    const char *text;     /* one sentence, without a full stop; option_text adds the values */
    enum option_type type;
    size_t field, count; /* offsets in struct options; count: of OPTION_LIST */
    long min, max;       /* of OPTION_INT */
};

/* What an operand, or an option's argument, names. */
enum operand_type {
    OPERAND_EXPERIMENT,
    OPERAND_STAGE,
    OPERAND_CLAIM,
    OPERAND_OUTPUT, /* STAGE.port */
    OPERAND_PATH,
    OPERAND_FOLDER,
    OPERAND_KIND,
    OPERAND_COMMAND,
    OPERAND_SHELL,
    OPERAND_SETTING, /* NAME=VALUE */
    OPERAND_OTHER
};

enum { OPERAND_TEXT_LIMIT = 512 }; /* bytes of text and more together, for a buffer */

struct operand {
    const char *name; /* as in struct command's operands: "FILE" */
    enum operand_type type;
    const char *text; /* NULL: none; the text of its option is enough */
    const char *more; /* added for commands with reads_experiment, or NULL */
};

/* Each ends with an entry whose name is NULL. */
extern const struct command commands[];
extern const struct option option_table[];
extern const struct operand operand_table[];
extern const struct described common_exits[], environment_table[], file_table[], page_examples[];

extern const char *const group_titles[GROUPS];
extern const char *const shells; /* "bash zsh" */
extern const char page_text[];   /* what ferdag is, for the man page */

/* The command of that name, or NULL with "did you mean" in err. */
const struct command *command_find(const char *name, struct error *err);

bool command_takes(const struct command *command, const struct option *option);

/* What the option does for that command or, if command is NULL, for all. */
const char *option_summary(const struct option *option, const struct command *command);

/* Writes that text into text (size bytes), with the option's values: "format of the graph: dot
 * (default) or mermaid". */
enum { OPTION_TEXT_LIMIT = 256 };
void option_text(const struct option *option, const struct command *command, char *text,
                 size_t size);

/* Writes "usage: ferdag run FILE [STAGE...] [OPTION...]" into text (size bytes). */
enum { USAGE_LIMIT = 128 };
void usage_line(const struct command *command, char *text, size_t size);

/* What an exit status of common_exits means for that command. */
const char *exit_text(const struct described *status, const struct command *command);

/* Copies the next word of a list separated by blanks into word (of size bytes) and returns what
 * follows it, or NULL at the end of the list. Words are shorter than size. */
const char *next_word(const char *list, char *word, size_t size);

/* The operand that a word of `operands`, such as "[STAGE...]", or an option's argument names; NULL
 * if the table doesn't have it. */
const struct operand *operand_find(const char *word);

#endif
