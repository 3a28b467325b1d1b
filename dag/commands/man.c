/* The man page: the tables of table.h as roff with the macros of man. */
#include "dag/commands/help.h"
#include "dag/version.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { WORD_LIMIT = 64, LINE = 72 };

/* How roff writes a character that it would read as a quote, an escape or a hyphen. */
static const char *escape(char c)
{
    switch (c) {
    case '\\':
        return "\\e";
    case '-':
        return "\\-";
    case '\'':
        return "\\(aq";
    case '~':
        return "\\(ti";
    case '^':
        return "\\(ha";
    default:
        return NULL;
    }
}

/* Prints a text so that roff finds no request in it. Lines end after a sentence, and before column
 * LINE; roff fills them again. An empty line ends a paragraph; what stands between backquotes is
 * bold. */
static void print_text(const char *text)
{
    bool line_start = true, bold = false;
    int column = 0;
    for (char last = 0; *text; last = *text++) {
        const char *escaped = escape(*text);
        bool blank = *text == ' ';
        if (text[0] == '\n' && text[1] == '\n') {
            puts("\n.PP");
            text++;
            column = 0;
        } else if (blank && (last == '.' || column + (int)strcspn(text + 1, " ") > LINE)) {
            putchar('\n');
            column = 0;
        } else {
            if (line_start && *text == '.')
                fputs("\\&", stdout);
            if (*text == '`')
                column += printf((bold = !bold) ? "\\fB" : "\\fR");
            else
                column += escaped ? printf("%s", escaped) : printf("%c", *text);
        }
        line_start = column == 0;
    }
}

static void print_bold(const char *text)
{
    fputs("\\fB", stdout);
    print_text(text);
    fputs("\\fR", stdout);
}

/* The text with a capital at its start and a full stop at its end. */
static void print_sentence(const char *text)
{
    char first[2] = {(char)toupper((unsigned char)*text)};
    print_text(first);
    print_text(text + 1);
    puts(text[strlen(text) - 1] == '.' ? "" : ".");
}

static void print_described(const struct described *d, const char *tag)
{
    puts(".TP");
    fputs(tag, stdout);
    print_bold(d->name);
    putchar('\n');
    print_sentence(d->text);
}

static void print_option_name(const struct option *o)
{
    if (o->letter)
        printf("\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", stdout);
    print_text(o->name);
    fputs("\\fR", stdout);
    if (o->argument) {
        fputs(" \\fI", stdout);
        print_text(o->argument);
        fputs("\\fR", stdout);
    }
}

static void print_command(const struct command *c)
{
    char word[WORD_LIMIT];
    const char *comma = "Options:\n";
    printf(".SS \"ferdag %s%s%s%s\"\n", c->name, *c->operands ? " " : "", c->operands,
           *c->options ? " [OPTION...]" : "");
    print_text(c->text);
    putchar('\n');
    if (*c->options)
        puts(".PP");
    for (const char *p = c->options; (p = next_word(p, word, sizeof word)); comma = ",\n") {
        fputs(comma, stdout);
        fputs("\\fB\\-\\-", stdout);
        print_text(word);
        fputs("\\fR", stdout);
    }
    if (*c->options)
        puts(".");
    for (int i = 0; i < COMMAND_EXITS && c->exits[i].name; i++)
        print_described(&c->exits[i], "Exit status ");
}

static void print_options(void)
{
    puts(".SH OPTIONS");
    for (const struct option *o = option_table; o->name; o++) {
        const char *comma = "(";
        char text[OPTION_TEXT_LIMIT];
        puts(".TP");
        print_option_name(o);
        putchar('\n');
        option_text(o, NULL, text, sizeof text);
        print_sentence(text);
        for (const struct command *c = commands; c->name; c++)
            if (command_takes(c, o)) {
                printf("%s\\fB%s\\fR", comma, c->name);
                comma = ",\n";
            }
        puts(")");
    }
    puts(
        ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nPrint the help of the command, or the list of "
        "commands.\n.TP\n\\fB\\-\\-version\\fR\nPrint the version, the commit that was built,\nand "
        "the versions of the libraries on which results depend. With \\fB\\-\\-verbose\\fR, also "
        "all\nother libraries, the GPUs that CUDA finds and, if none can be used, the reason.");
}

static void print_tables(const char *title, const struct described *rows)
{
    printf(".SH %s\n", title);
    for (; rows->name; rows++)
        print_described(rows, "");
}

void help_print_man(void)
{
    printf(".TH FERDAG 1 %s \"ferdag %s\" \"User Commands\"\n", version_date, version_number);
    puts(".SH NAME\nferdag \\- run experiments as graphs of cached stages");
    puts(".SH SYNOPSIS\n\\fBferdag\\fR \\fICOMMAND\\fR [\\fIARGUMENT\\fR...] "
         "[\\fIOPTION\\fR...]\n.br\n\\fBferdag\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR\n.br\n"
         "\\fBferdag \\-\\-version\\fR [\\fB\\-\\-verbose\\fR]");
    puts(".SH DESCRIPTION");
    print_text(page_text);
    puts("\n.SH COMMANDS");
    for (const struct command *c = commands; c->name; c++)
        print_command(c);
    puts(".SH ARGUMENTS");
    for (const struct operand *o = operand_table; o->name; o++)
        if (o->text) {
            printf(".TP\n\\fI%s\\fR\n", o->name);
            char text[OPERAND_TEXT_LIMIT];
            snprintf(text, sizeof text, "%s%s", o->text, o->more ? o->more : "");
            print_sentence(text);
        }
    print_options();
    print_tables("ENVIRONMENT", environment_table);
    print_tables("FILES", file_table);
    print_tables("EXIT STATUS", common_exits);
    puts(".PP\nOther codes are listed with the commands that return them.");
    print_tables("EXAMPLES", page_examples);
    puts(".SH SEE ALSO\n.BR make (1),\n.BR git (1)\n.PP\n"
         "\\fIPREFIX\\fB/share/doc/ferdag/experiments.md\\fR describes the experiment file,\n"
         "\\fIPREFIX\\fB/share/doc/ferdag/cache.md\\fR the cache.");
}
