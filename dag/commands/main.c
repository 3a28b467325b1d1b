/* The program: finds the command in the table, reads the command line and calls its function. */
#include "base/arena.h"
#include "dag/commands/arguments.h"
#include "dag/commands/help.h"
#include "dag/cache_folder.h"
#include "dag/find_experiment.h"
#include "stages/gpus.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool help_requested(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int call(const struct command *command, int argc, char **argv, struct error *err)
{
    struct options options = {.backend = "auto"};
    char *file = NULL, *cache = cache_folder_default();
    int status = EXIT_BAD;
    int rc = arguments_read(&options, command, argc, argv, err);
    options.cache_given = options.cache != NULL;
    if (!options.cache)
        options.cache = cache;
    if (rc == 0 && options.gpus)
        rc = gpus_select(options.gpus, err);
    if (rc == 0 && command_takes(command, option_find("--cache")))
        rc = cache_folder_check(options.cache, options.cache_given && command->reads_cache, err);
    if (rc == 0 && command->reads_experiment) {
        rc = find_experiment(options.names[0], &file, err);
        options.names[0] = file;
    }
    if (rc == 0)
        status = command->function(&options, err);
    free(file);
    free(cache);
    arguments_free(&options);
    return status;
}

static int run_command(int argc, char **argv, struct error *err)
{
    const char *name = argc < 2 ? "" : argv[1];
    if (!*name) {
        error_set(
            err, EINVAL,
            "usage: ferdag COMMAND [ARGUMENT...] [OPTION...]; `ferdag --help` lists the commands");
        return EXIT_BAD;
    }
    bool help = help_requested(argc, argv);
    if (strcmp(name, "--version") == 0) {
        help_print_version(argc > 2 && strcmp(argv[2], "--verbose") == 0);
        return EXIT_DONE;
    }
    if (*name == '-' && help) {
        help_print_commands();
        return EXIT_DONE;
    }
    if (*name == '-' && !option_find(name)) {
        error_set(err, EINVAL, "unknown option %s; `ferdag --help` lists the commands", name);
        return EXIT_BAD;
    }
    if (*name == '-') {
        error_set(err, EINVAL, "%s: options follow the command: ferdag COMMAND ... %s", name, name);
        return EXIT_BAD;
    }
    const struct command *command = command_find(name, err);
    if (!command)
        return EXIT_BAD;
    if (help) {
        help_print_command(command);
        return EXIT_DONE;
    }
    return call(command, argc, argv, err);
}

/* Whether stdout is a pipe whose reader has gone, as in `ferdag kinds | head -1`: that is no error.
 * A full disk is one. */
static bool reader_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

int main(int argc, char **argv)
{
    struct error err = {""};
    json_set_alloc_funcs(must_alloc, free); /* out of memory ends the program, loses no value */
    signal(SIGPIPE, SIG_IGN);               /* a closed stdout or stderr must not end a run */
    int status = run_command(argc, argv, &err);
    errno = 0;
    bool unwritten = fflush(stdout) != 0 || ferror(stdout);
    bool answered = status == EXIT_DONE || status == EXIT_NOT_REPRODUCED;
    if (unwritten && (answered || !err.text[0]) && !reader_gone()) {
        error_errno(&err, errno ? errno : EIO, "cannot write to stdout");
        status = answered ? EXIT_FAILED : status;
    }
    if (err.text[0])
        fprintf(stderr, "ferdag: %s\n", err.text);
    return status;
}
