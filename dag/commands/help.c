/* `help`, and --help and --version of the program. See help.h. */
#include "dag/commands/help.h"
#include "dag/version.h"
#include "stages/libraries.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 80, WORD_LIMIT = 64 };

/* Prints text in lines of at most WIDTH columns that break at blanks and begin at column `indent`;
 * the cursor is at `column`. An empty line separates paragraphs. Ends with a newline. */
static void print_wrapped(const char *text, int column, int indent)
{
    bool first = true;
    while (*text) {
        int n = (int)strcspn(text, " \n");
        if (n > 0) {
            if (!first && column + 1 + n > WIDTH) {
                putchar('\n');
                column = 0;
                first = true;
            }
            if (column < indent) {
                printf("%*s", indent - column, "");
                column = indent;
            }
            column += printf("%s%.*s", first ? "" : " ", n, text);
            first = false;
            text += n;
        }
        for (; *text == '\n'; text++) {
            putchar('\n');
            column = 0;
            first = true;
        }
        text += strspn(text, " ");
    }
    putchar('\n');
}

/* "  name   text", the text from column `indent` on. */
static void print_row(const char *name, const char *text, int indent)
{
    int column = printf("  %s", name);
    if (column > indent - 2) {
        putchar('\n');
        column = 0;
    }
    print_wrapped(text, column, indent);
}

void help_print_commands(void)
{
    puts("usage: ferdag COMMAND [ARGUMENT...] [OPTION...]");
    for (int group = 0; group < GROUPS; group++) {
        puts(group_titles[group]);
        for (const struct command *c = commands; c->name; c++)
            if (c->group == (enum command_group)group)
                print_row(c->name, c->summary, 14);
    }
    puts("`ferdag COMMAND --help` describes a command, `ferdag --version` the program, and\n"
         "`ferdag --version --verbose` the libraries and GPUs that it uses.");
}

static void print_operands(const struct command *command)
{
    char word[WORD_LIMIT], text[OPERAND_TEXT_LIMIT];
    bool any = false;
    for (const char *p = command->operands; (p = next_word(p, word, sizeof word));) {
        const struct operand *o = operand_find(word);
        if (!o || !o->text)
            continue;
        if (!any)
            puts("\nArguments:");
        any = true;
        snprintf(text, sizeof text, "%s%s", o->text,
                 o->more && command->reads_experiment ? o->more : "");
        print_row(o->name, text, 14);
    }
}

/* In the order of the command's list. */
static void print_options(const struct command *command)
{
    char word[WORD_LIMIT], name[80], text[OPTION_TEXT_LIMIT];
    puts("\nOptions:");
    for (const char *p = command->options; (p = next_word(p, word, sizeof word));)
        for (const struct option *o = option_table; o->name; o++) {
            if (strcmp(o->name, word) != 0)
                continue;
            snprintf(name, sizeof name, "%c%c%c --%s%s%s", o->letter ? '-' : ' ',
                     o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name,
                     o->argument ? " " : "", o->argument ? o->argument : "");
            option_text(o, command, text, sizeof text);
            print_row(name, text, 28);
        }
    print_row("-h, --help", "print this text", 28);
}

/* "    1  a stage failed", in ascending order of the codes. */
static void print_exits(const struct command *command)
{
    puts("\nExit status:");
    size_t own = 0;
    for (const struct described *e = common_exits; e->name; e++) {
        for (; own < COMMAND_EXITS && command->exits[own].name; own++) {
            if (strlen(command->exits[own].name) > 1 || *command->exits[own].name > *e->name)
                break;
            print_row(command->exits[own].name, command->exits[own].text, 7);
        }
        print_row(e->name, exit_text(e, command), 7);
    }
    for (; own < COMMAND_EXITS && command->exits[own].name; own++)
        print_row(command->exits[own].name, command->exits[own].text, 7);
}

void help_print_command(const struct command *command)
{
    char usage[USAGE_LIMIT];
    usage_line(command, usage, sizeof usage);
    printf("%s\n\n", usage);
    print_wrapped(command->text, 0, 0);
    print_operands(command);
    print_options(command);
    for (int i = 0; i < COMMAND_EXAMPLES && command->examples[i].name; i++) {
        if (i == 0)
            puts("\nExamples:");
        printf("  %s\n", command->examples[i].name);
        print_wrapped(command->examples[i].text, 0, 6);
    }
    print_exits(command);
}

void help_print_version(bool verbose)
{
    char libraries[512];
    libraries_describe(libraries, sizeof libraries);
    printf("ferdag %s%s%s%s\n%s\n", version_number, *version_commit ? " (commit " : "",
           version_commit, *version_commit ? ")" : "", libraries);
    if (verbose)
        libraries_print(stdout);
}

int command_help(const struct options *options, struct error *err)
{
    if (options->man) {
        help_print_man();
        return EXIT_DONE;
    }
    if (options->name_count == 0) {
        help_print_commands();
        return EXIT_DONE;
    }
    const struct command *command = command_find(options->names[0], err);
    if (!command)
        return EXIT_BAD;
    help_print_command(command);
    return EXIT_DONE;
}
