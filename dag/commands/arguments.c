/* See arguments.h. */
#include "dag/commands/arguments.h"
#include "base/arena.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_long(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-';
}

static const struct option *find_letter(char letter)
{
    for (const struct option *o = option_table; o->name; o++)
        if (o->letter && o->letter == letter)
            return o;
    return NULL;
}

const struct option *option_find(const char *argument)
{
    if (!is_long(argument))
        return find_letter(argument[1]);
    size_t n = strcspn(argument + 2, "=");
    for (const struct option *o = option_table; o->name; o++)
        if (strlen(o->name) == n && strncmp(argument + 2, o->name, n) == 0)
            return o;
    return NULL;
}

const struct option *option_awaiting(const char *argument)
{
    const struct option *o;
    if (is_long(argument)) {
        o = strchr(argument, '=') ? NULL : option_find(argument);
        return o && o->argument ? o : NULL;
    }
    for (const char *p = argument + 1; *p; p++) {
        o = find_letter(*p);
        if (!o || o->argument)
            return o && !p[1] ? o : NULL;
    }
    return NULL;
}

/* The option is none of the command's: lists the commands that take it. */
static int wrong_command(const struct command *command, const struct option *option,
                         struct error *err)
{
    char list[256] = "";
    const struct command *last = NULL;
    size_t n = 0;
    for (const struct command *c = commands; c->name; c++) {
        if (!command_takes(c, option))
            continue;
        if (last)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", last->name);
        last = c;
    }
    return error_set(err, EINVAL, "--%s is an option of %s%s%s, not of %s", option->name, list,
                     n ? " and " : "", last ? last->name : "no command", command->name);
}

/* argument: as it was typed, or "-" and the letters from the unknown one on. */
static int unknown_option(const struct command *command, const char *argument, struct error *err)
{
    char word[64], hint[96] = "";
    snprintf(word, sizeof word, "%s", argument + strspn(argument, "-"));
    word[strcspn(word, "=")] = 0;
    struct nearest nearest = {.wrong = word};
    if (strcmp(argument, "--version") == 0)
        return error_set(err, EINVAL,
                         "%s: unknown option --version; `ferdag --version` prints the version",
                         command->name);
    for (const struct option *o = option_table; o->name; o++)
        if (command_takes(command, o))
            nearest_offer(&nearest, o->name);
    nearest_offer(&nearest, "help");
    if (nearest.best)
        snprintf(hint, sizeof hint, " (did you mean '--%s'?)", nearest.best);
    return error_set(err, EINVAL, "%s: unknown option %s%s; `ferdag %s --help` lists them",
                     command->name, argument, hint, command->name);
}

static int set_option(struct options *options, const struct option *o, const char *value,
                      struct error *err)
{
    void *field = (char *)options + o->field;
    char *end;
    long number;
    switch (o->type) {
    case OPTION_FLAG:
        *(bool *)field = true;
        break;
    case OPTION_TEXT:
        if (!*value)
            return error_set(err, EINVAL, "--%s: %s is empty", o->name, o->argument);
        *(const char **)field = value;
        break;
    case OPTION_LIST: {
        size_t *count = (void *)((char *)options + o->count);
        (*(const char ***)field)[(*count)++] = value;
        break;
    }
    case OPTION_INT:
        number = strtol(value, &end, 10);
        if (end == value || *end || number < o->min || number > o->max)
            return error_set(err, EINVAL, "--%s %s: expected %ld to %ld", o->name, value, o->min,
                             o->max);
        *(int *)field = (int)number;
        break;
    }
    return 0;
}

/* The words of the command line, of which words[at] is read. */
struct words {
    char **words;
    int count, at;
};

/* Sets an option whose value is `value` or, if that is NULL, the next word. */
static int set_with_value(struct options *options, const struct option *o, const char *value,
                          struct words *line, struct error *err)
{
    if (!value && line->at + 1 >= line->count)
        return error_set(err, EINVAL, "%s: expected %s", line->words[line->at], o->argument);
    return set_option(options, o, value ? value : line->words[++line->at], err);
}

/* "--cache=DIR", "--cache DIR" or "--json" */
static int read_long(struct options *options, const struct command *command, struct words *line,
                     struct error *err)
{
    const char *argument = line->words[line->at], *equals = strchr(argument, '=');
    const struct option *o = option_find(argument);
    if (!o)
        return unknown_option(command, argument, err);
    if (!command_takes(command, o))
        return wrong_command(command, o, err);
    if (o->argument)
        return set_with_value(options, o, equals ? equals + 1 : NULL, line, err);
    if (equals)
        return error_set(err, EINVAL, "%s takes no value", argument);
    return set_option(options, o, "", err);
}

/* "-nk", "-nj4" or "-nj 4": flags and then, perhaps, an option with a value. */
static int read_letters(struct options *options, const struct command *command, struct words *line,
                        struct error *err)
{
    for (const char *p = line->words[line->at] + 1; *p; p++) {
        const struct option *o = find_letter(*p);
        char rest[64];
        snprintf(rest, sizeof rest, "-%s", p);
        if (!o)
            return unknown_option(command, rest, err);
        if (!command_takes(command, o))
            return wrong_command(command, o, err);
        if (o->argument)
            return set_with_value(options, o, p[1] ? p + 1 : NULL, line, err);
        int rc = set_option(options, o, "", err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Checks the number of operands. */
static int check_operands(const struct options *options, const struct command *command,
                          struct error *err)
{
    char word[64], usage[USAGE_LIMIT], missing[128] = "";
    size_t i = 0, n = 0;
    usage_line(command, usage, sizeof usage);
    if (options->name_count > command->most)
        return error_set(err, EINVAL, "%s: unexpected argument '%s'; %s", command->name,
                         options->names[command->most], usage);
    for (const char *p = command->operands; (p = next_word(p, word, sizeof word)); i++)
        if (i >= options->name_count && i < command->least)
            n += (size_t)snprintf(missing + n, sizeof missing - n, "%s%s", n ? " and " : "", word);
    if (options->name_count < command->least)
        return error_set(err, EINVAL, "%s needs %s; %s", command->name, missing, usage);
    return 0;
}

int arguments_read(struct options *options, const struct command *command, int argc, char **argv,
                   struct error *err)
{
    size_t size = (size_t)argc * sizeof(char *);
    options->names = must_alloc(size);
    options->settings = must_alloc(size);
    options->forced = must_alloc(size);
    bool only_operands = false;
    struct words line = {.words = argv, .count = argc, .at = 2};
    for (; line.at < argc; line.at++) {
        const char *word = argv[line.at];
        if (only_operands || word[0] != '-' || !word[1]) {
            options->names[options->name_count++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_operands = true;
            continue;
        }
        int rc = is_long(word) ? read_long(options, command, &line, err)
                               : read_letters(options, command, &line, err);
        if (rc < 0)
            return rc;
    }
    return check_operands(options, command, err);
}

void arguments_free(struct options *options)
{
    free(options->names);
    free(options->settings);
    free(options->forced);
}
