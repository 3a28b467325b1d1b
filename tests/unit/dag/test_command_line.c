/* The tables of the command line agree with each other, and the reader follows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include "dag/commands/arguments.h"

static const struct option *by_name(const char *name)
{
    for (const struct option *o = option_table; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

/* Every option that a command lists exists, and every option has a command. */
static void test_options_of_commands(void **state)
{
    (void)state;
    char word[64];
    for (const struct command *c = commands; c->name; c++)
        for (const char *p = c->options; (p = next_word(p, word, sizeof word));)
            if (!by_name(word))
                fail_msg("%s: there is no option %s", c->name, word);
    for (const struct option *o = option_table; o->name; o++) {
        bool taken = false;
        for (const struct command *c = commands; c->name; c++)
            taken |= command_takes(c, o);
        if (!taken)
            fail_msg("--%s is an option of no command", o->name);
        assert_true((o->type == OPTION_FLAG) == (o->argument == NULL));
        assert_true(by_name(o->name) == o);
    }
}

static void test_commands(void **state)
{
    (void)state;
    char word[64];
    for (const struct command *c = commands; c->name; c++) {
        size_t operands = 0, needed = 0;
        bool many = false;
        assert_true(command_find(c->name, NULL) == c);
        assert_non_null(c->function);
        if (c->group != GROUP_HIDDEN && strlen(c->summary) > 80 - 14)
            fail_msg("%s: its summary takes more than a line", c->name);
        assert_int_not_equal(c->summary[strlen(c->summary) - 1], '.');
        for (const char *p = c->operands; (p = next_word(p, word, sizeof word)); operands++) {
            needed += *word != '[';
            many |= strstr(word, "...") != NULL;
            if (c->group != GROUP_HIDDEN && !operand_find(word))
                fail_msg("%s: operand %s is not described", c->name, word);
        }
        if (needed != c->least || (many ? c->most <= operands : c->most != operands))
            fail_msg("%s: %s is not %zu to %zu operands", c->name, c->operands, c->least, c->most);
        assert_true(!c->reads_experiment || strncmp(c->operands, "FILE", 4) == 0);
        for (int i = 0; i < COMMAND_EXITS && c->exits[i].name; i++)
            for (const struct described *e = common_exits; e->name; e++)
                assert_string_not_equal(c->exits[i].name, e->name);
    }
}

static int read_line(struct options *options, struct error *err, int argc, char **argv)
{
    *options = (struct options){.backend = "auto"};
    const struct command *command = command_find(argv[1], err);
    assert_non_null(command);
    return arguments_read(options, command, argc, argv, err);
}

#define READ(options, ...)                                                                         \
    read_line((options), &err, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)),            \
              (char *[]){__VA_ARGS__})

static void test_values(void **state)
{
    (void)state;
    struct options o;
    struct error err = {""};
    assert_int_equal(READ(&o, "ferdag", "run", "x.yaml", "-j4", "--cache=c", "a", "--set", "p=1",
                          "-k", "--set=q=2", "--", "-n"),
                     0);
    assert_int_equal(o.jobs, 4);
    assert_string_equal(o.cache, "c");
    assert_string_equal(o.backend, "auto");
    assert_true(o.keep_going);
    assert_false(o.dry);
    assert_int_equal(o.setting_count, 2);
    assert_string_equal(o.settings[0], "p=1");
    assert_string_equal(o.settings[1], "q=2");
    assert_int_equal(o.name_count, 3);
    assert_string_equal(o.names[0], "x.yaml");
    assert_string_equal(o.names[1], "a");
    assert_string_equal(o.names[2], "-n");
    arguments_free(&o);

    assert_int_equal(READ(&o, "ferdag", "run", "x.yaml", "-nkj4"), 0);
    assert_true(o.dry && o.keep_going);
    assert_int_equal(o.jobs, 4);
    arguments_free(&o);
    assert_int_equal(READ(&o, "ferdag", "run", "x.yaml", "-nj", "3"), 0);
    assert_true(o.dry);
    assert_int_equal(o.jobs, 3);
    assert_int_equal(o.name_count, 1);
    arguments_free(&o);
}

static void refused(struct options *o, int rc, const struct error *err, const char *text)
{
    assert_int_equal(rc, -EINVAL);
    assert_non_null(strstr(err->text, text));
    arguments_free(o);
}

static void test_refused(void **state)
{
    (void)state;
    struct options o;
    struct error err = {""};
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "-j0"), &err, "expected 1 to 4096");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "-j", "4x"), &err, "expected 1 to 4096");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "--jobs"), &err, "expected N");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "--json=1"), &err, "takes no value");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "-q"), &err, "unknown option -q");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "--jbos", "1"), &err, "did you mean '--jobs'?");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "--repair"), &err,
            "--repair is an option of fsck, not of run");
    refused(&o, READ(&o, "ferdag", "fsck", "-j2"), &err,
            "--jobs is an option of run and report, not of fsck");
    refused(&o, READ(&o, "ferdag", "run"), &err,
            "run needs FILE; usage: ferdag run FILE [STAGE...] [OPTION...]");
    refused(&o, READ(&o, "ferdag", "get", "x.yaml"), &err, "get needs STAGE.port and DEST; usage");
    refused(&o, READ(&o, "ferdag", "graph", "a", "b"), &err,
            "graph: unexpected argument 'b'; usage: ferdag graph FILE [OPTION...]");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "-nq"), &err, "unknown option -q");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "-nj"), &err, "-nj: expected N");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "--cache="), &err, "--cache: DIR is empty");
    refused(&o, READ(&o, "ferdag", "run", "x.yaml", "--out", ""), &err, "--out: DIR is empty");
    refused(&o, READ(&o, "ferdag", "run", "--version"), &err, "`ferdag --version` prints");
}

static void test_option_text(void **state)
{
    (void)state;
    char text[OPTION_TEXT_LIMIT];
    option_text(by_name("backend"), NULL, text, sizeof text);
    assert_string_equal(
        text, "compute nets, SVMs and kNN with this backend: auto (default), ref, cpu or cuda");
    option_text(by_name("json"), command_find("run", NULL), text, sizeof text);
    assert_string_equal(text, "print the results as JSON on stdout");
    option_text(by_name("all"), command_find("graph", NULL), text, sizeof text);
    assert_string_equal(text, "draw each stage of a matrix");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_of_commands),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_option_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
