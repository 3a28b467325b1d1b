/* See arguments.h. */
#include "dag/commands/arguments.h"
#include "base/arena.h"
#include "base/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct option *option_find(const char *argument)
{
    bool is_long = argument[1] == '-';
    size_t n = is_long ? strcspn(argument + 2, "=") : 0;
    for (const struct option *o = option_table; o->name; o++)
        if (is_long ? strlen(o->name) == n && strncmp(argument + 2, o->name, n) == 0
                    : o->letter == argument[1])
            return o;
    return NULL;
}

const char *option_value(const char *argument)
{
    const char *value = argument[1] == '-' ? strchr(argument, '=') : argument + 1;
    return value && value[1] ? value + 1 : NULL;
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

static int unknown_option(const struct command *command, const char *argument, struct error *err)
{
    struct nearest nearest = {.wrong = argument};
    while (*nearest.wrong == '-')
        nearest.wrong++;
    for (const struct option *o = option_table; o->name; o++)
        if (command_takes(command, o))
            nearest_offer(&nearest, o->name);
    return error_set(err, EINVAL, "%s: unknown option %s%s; `ferdag %s --help` lists them",
                     command->name, argument, nearest_hint(&nearest), command->name);
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

/* An option's value follows "=" or, after a letter, the letter; otherwise it is the next word. */
static int read_option(struct options *options, const struct command *command, int argc,
                       char **argv, int *i, struct error *err)
{
    const char *argument = argv[*i], *value = option_value(argument);
    const struct option *o = option_find(argument);
    if (!o)
        return unknown_option(command, argument, err);
    if (!command_takes(command, o))
        return wrong_command(command, o, err);
    if (!o->argument && value)
        return error_set(err, EINVAL, "%s takes no value", argument);
    if (o->argument && !value) {
        if (*i + 1 >= argc)
            return error_set(err, EINVAL, "%s: expected %s", argument, o->argument);
        value = argv[++*i];
    }
    return set_option(options, o, value ? value : "", err);
}

int arguments_read(struct options *options, const struct command *command, int argc, char **argv,
                   struct error *err)
{
    size_t size = (size_t)argc * sizeof(char *);
    options->names = must_alloc(size);
    options->settings = must_alloc(size);
    options->forced = must_alloc(size);
    bool only_operands = false;
    for (int i = 2; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
        } else if (!only_operands && argv[i][0] == '-' && argv[i][1]) {
            int rc = read_option(options, command, argc, argv, &i, err);
            if (rc < 0)
                return rc;
        } else {
            options->names[options->name_count++] = argv[i];
        }
    }
    if (options->name_count < command->least || options->name_count > command->most)
        return error_set(err, EINVAL, "usage: ferdag %s%s%s", command->name,
                         *command->operands ? " " : "", command->operands);
    return 0;
}

void arguments_free(struct options *options)
{
    free(options->names);
    free(options->settings);
    free(options->forced);
}
