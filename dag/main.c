/* The program: a table of commands, a table of options, and the reading of the command line by
 * them. */
#include "base/arena.h"
#include "dag/commands/commands.h"
#include "base/nearest.h"
#include "dag/cache_folder.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CMD_RUN = 1,
    CMD_REPORT = 2,
    CMD_STATUS = 4,
    CMD_EXPLAIN = 8,
    CMD_GRAPH = 16,
    CMD_SHOW = 32,
    CMD_LOG = 64,
    CMD_KINDS = 128,
    CMD_CHECK = 256,
    CMD_STAGE = 512,
    CMD_FSCK = 1024,
    CMD_MIGRATE = 2048,
    CMD_SCHEMA = 4096,
    CMD_GET = 8192,
    WITH_FILE_AND_CACHE =
        CMD_RUN | CMD_REPORT | CMD_STATUS | CMD_EXPLAIN | CMD_SHOW | CMD_GET | CMD_LOG | CMD_GRAPH,
    WITH_CACHE = WITH_FILE_AND_CACHE | CMD_FSCK,
    WITH_FILE = WITH_FILE_AND_CACHE | CMD_CHECK,
};

static const struct command {
    const char *name, *usage, *text;
    int bit;
    size_t least, most; /* names after the command */
    int (*function)(const struct options *options, struct error *err);
} commands[] = {
    {"run", "FILE [STAGE...]", "make it so", CMD_RUN, 1, 1000, command_run},
    {"report", "FILE", "render tables and report from what is cached", CMD_REPORT, 1, 1,
     command_report},
    {"status", "FILE [STAGE...]", "each stage: cached, stale, missing, running, failed", CMD_STATUS,
     1, 1000, command_status},
    {"explain", "FILE [STAGE...]", "why it would run: which input or param, old and new",
     CMD_EXPLAIN, 1, 1000, command_explain},
    {"graph", "FILE", "the stages as a graph", CMD_GRAPH, 1, 1, command_graph},
    {"show", "FILE [STAGE...]", "outputs, digests, where they came from, time and memory", CMD_SHOW,
     1, 1000, command_show},
    {"get", "FILE STAGE.port DEST", "copy an output to a file or into a folder", CMD_GET, 3, 3,
     command_get},
    {"log", "FILE [STAGE...]", "what the stage printed", CMD_LOG, 1, 1000, command_log},
    {"kinds", "[KIND]", "the stage kinds, their ports, params, defaults", CMD_KINDS, 0, 1,
     command_kinds},
    {"check", "FILE", "all errors in the YAML, without running", CMD_CHECK, 1, 1, command_check},
    {"migrate", "FILE", "rewrite a file of an older format, and what it includes", CMD_MIGRATE, 1,
     1, command_migrate},
    {"schema", "", "JSON Schema of the YAML, for editors", CMD_SCHEMA, 0, 0, command_schema},
    {"fsck", "", "find damage in the cache, and with --repair repair it", CMD_FSCK, 0, 0,
     command_fsck},
    {"stage", "KIND", "run one stage in the current folder, as told by its job.json", CMD_STAGE, 1,
     1, command_stage},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const struct option {
    char letter; /* 0: none */
    const char *name, *argument, *text;
    int commands; /* which take it */
} option_table[] = {
    {'n', "dry-run", NULL, "say what would run, run nothing", CMD_RUN},
    {'j', "jobs", "N", "CPUs to use at once (default: all)", CMD_RUN | CMD_REPORT},
    {'k', "keep-going", NULL, "after a failure go on with what doesn't need it", CMD_RUN},
    {0, "set", "NAME=VALUE", "override a param; NAME may be dotted", WITH_FILE},
    {0, "force", "STAGE", "run it even if its result is known", CMD_RUN},
    {0, "cache", "DIR", "the cache (default: FERDAG_CACHE, or .ferdag here or in a folder above)",
     WITH_CACHE | CMD_CHECK},
    {0, "out", "DIR", "where the report goes (default: out/FILE's name, or apart from it)",
     CMD_RUN | CMD_REPORT},
    {0, "backend", "NAME", "auto, ref, cpu or cuda (default: auto)",
     WITH_FILE_AND_CACHE | CMD_CHECK},
    {0, "format", "NAME", "dot or mermaid (default: dot)", CMD_GRAPH},
    {0, "json", NULL, "results as JSON",
     CMD_RUN | CMD_REPORT | CMD_STATUS | CMD_EXPLAIN | CMD_SHOW | CMD_KINDS | CMD_FSCK},
    {0, "all", NULL, "show cached stages too, and each stage of a matrix", CMD_EXPLAIN | CMD_GRAPH},
    {0, "repair", NULL, "set damaged files aside, so that they are made anew", CMD_FSCK},
    {0, "trial", NULL, "do some seconds of it, and say how long all of it would take", CMD_STAGE},
};

enum { OPTIONS = sizeof option_table / sizeof *option_table };

static void print_help(const struct command *only)
{
    printf("usage: ferdag %s\n\n", only ? only->name : "COMMAND ...");
    for (int i = 0; i < COMMANDS; i++)
        if (!only || only == &commands[i])
            printf("  %-8s %-16s %s\n", commands[i].name, commands[i].usage, commands[i].text);
    puts("\noptions:");
    for (int i = 0; i < OPTIONS; i++) {
        const struct option *o = &option_table[i];
        char name[40];
        if (only && !(o->commands & only->bit))
            continue;
        snprintf(name, sizeof name, "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
        printf("  %c%c%c %-18s %s\n", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
               o->letter ? ',' : ' ', name, o->text);
    }
    puts("  -h, --help             this page\n\n"
         "exit: 0 done, 1 a stage failed, the cache is damaged or migrate left work to do by\n"
         "hand, 2 bad usage or bad YAML, 130 interrupted");
}

static const struct option *find_option(const char *argument, const struct command *command,
                                        struct error *err)
{
    struct nearest nearest = {.wrong = argument};
    size_t n = strcspn(argument, "=");
    while (*nearest.wrong == '-')
        nearest.wrong++;
    for (int i = 0; i < OPTIONS; i++) {
        const struct option *o = &option_table[i];
        if (!(o->commands & command->bit))
            continue;
        if (argument[1] != '-'
                ? o->letter == argument[1]
                : n - 2 == strlen(o->name) && strncmp(argument + 2, o->name, n - 2) == 0)
            return o;
        nearest_offer(&nearest, o->name);
    }
    error_set(err, EINVAL, "%s: unknown option %s%s", command->name, argument,
              nearest_hint(&nearest));
    return NULL;
}

static int set_option(struct options *options, const struct option *o, const char *value,
                      struct error *err)
{
    char *end;
    if (strcmp(o->name, "dry-run") == 0)
        options->dry = true;
    else if (strcmp(o->name, "keep-going") == 0)
        options->keep_going = true;
    else if (strcmp(o->name, "json") == 0)
        options->json = true;
    else if (strcmp(o->name, "all") == 0)
        options->all = true;
    else if (strcmp(o->name, "repair") == 0)
        options->repair = true;
    else if (strcmp(o->name, "trial") == 0)
        options->trial = true;
    else if (strcmp(o->name, "set") == 0)
        options->settings[options->setting_count++] = value;
    else if (strcmp(o->name, "force") == 0)
        options->forced[options->forced_count++] = value;
    else if (strcmp(o->name, "cache") == 0) {
        options->cache = value;
        options->cache_given = true;
    } else if (strcmp(o->name, "out") == 0)
        options->out = value;
    else if (strcmp(o->name, "backend") == 0)
        options->backend = value;
    else if (strcmp(o->name, "format") == 0)
        options->format = value;
    else if (strcmp(o->name, "jobs") == 0) {
        long jobs = strtol(value, &end, 10);
        if (end == value || *end || jobs < 1 || jobs > 4096)
            return error_set(err, EINVAL, "--jobs %s: expected 1 to 4096", value);
        options->jobs = (int)jobs;
    }
    return 0;
}

/* An option's argument is what follows "=" or, of a letter, the letter; or else the next word. */
static int read_option(struct options *options, const struct command *command, int argc,
                       char **argv, int *i, struct error *err)
{
    const char *argument = argv[*i];
    const struct option *o = find_option(argument, command, err);
    if (!o)
        return -EINVAL;
    const char *value = argument[1] == '-' ? strchr(argument, '=') : argument + 1;
    value = value && value[1] ? value + 1 : NULL;
    if (!o->argument && value)
        return error_set(err, EINVAL, "%s takes no value", argument);
    if (o->argument && !value) {
        if (*i + 1 >= argc)
            return error_set(err, EINVAL, "%s: expected %s", argument, o->argument);
        value = argv[++*i];
    }
    return set_option(options, o, value ? value : "", err);
}

static int read_arguments(struct options *options, const struct command *command, int argc,
                          char **argv, struct error *err)
{
    bool only_names = false;
    for (int i = 2; i < argc; i++) {
        if (!only_names && strcmp(argv[i], "--") == 0) {
            only_names = true;
        } else if (!only_names && argv[i][0] == '-' && argv[i][1]) {
            int rc = read_option(options, command, argc, argv, &i, err);
            if (rc < 0)
                return rc;
        } else {
            options->names[options->name_count++] = argv[i];
        }
    }
    if (options->name_count < command->least || options->name_count > command->most)
        return error_set(err, EINVAL, "usage: ferdag %s %s", command->name, command->usage);
    return 0;
}

static const struct command *find_command(const char *name, struct error *err)
{
    struct nearest nearest = {.wrong = name};
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
        nearest_offer(&nearest, commands[i].name);
    }
    error_set(err, EINVAL, "unknown command '%s'%s; `ferdag --help` lists them", name,
              nearest_hint(&nearest));
    return NULL;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return argc == 2 && strcmp(argv[1], "help") == 0;
}

static int run_command(int argc, char **argv, struct error *err)
{
    if (argc < 2) {
        error_set(err, EINVAL, "usage: ferdag COMMAND ...; `ferdag --help` lists the commands");
        return EXIT_BAD;
    }
    if (wants_help(argc, argv)) {
        print_help(argv[1][0] == '-' || strcmp(argv[1], "help") == 0 ? NULL
                                                                     : find_command(argv[1], NULL));
        return EXIT_DONE;
    }
    const struct command *command = find_command(argv[1], err);
    if (!command)
        return EXIT_BAD;
    size_t room = (size_t)argc * sizeof(char *);
    char *cache = cache_folder_default();
    struct options options = {
        .names = must_alloc(room),
        .settings = must_alloc(room),
        .forced = must_alloc(room),
        .cache = cache,
        .backend = "auto",
    };
    int status = EXIT_BAD;
    if (read_arguments(&options, command, argc, argv, err) == 0)
        status = command->function(&options, err);
    free(options.names);
    free(options.settings);
    free(options.forced);
    free(cache);
    return status;
}

/* Whether stdout is a pipe whose reader has gone, as in `ferdag kinds | head -1`: it wants no more,
 * which is no error. A full disk is one. */
static bool reader_gone(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

int main(int argc, char **argv)
{
    struct error err = {""};
    json_set_alloc_funcs(must_alloc, free); /* else a value might be missing for want of memory */
    signal(SIGPIPE, SIG_IGN);               /* talk that nobody hears must not end a run */
    int status = run_command(argc, argv, &err);
    errno = 0;
    bool unwritten = fflush(stdout) != 0 || ferror(stdout);
    if (unwritten && status == EXIT_DONE && !reader_gone()) {
        error_errno(&err, errno ? errno : EIO, "cannot write to stdout");
        status = EXIT_FAILED;
    }
    if (err.text[0])
        fprintf(stderr, "ferdag: %s\n", err.text);
    return status;
}
