/* The progress of a user's program: which lines are reports, which line of the output is shown, and
 * the effect of a file with arbitrary content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "stages/program_progress.h"

static void reports(void **state)
{
    static const struct {
        const char *line;
        struct program_report expected;
    } cases[] = {
        {"3/10", {.done = 3, .total = 10}},
        {"3/10 epoch", {.done = 3, .total = 10, .unit = "epoch"}},
        {" 3/10\tepoch  loss 0.3\r", {.done = 3, .total = 10, .unit = "epoch", .note = "loss 0.3"}},
        {"2.5/4 GB", {.done = 2.5, .total = 4, .unit = "GB"}},
        {"{\"done\": 3, \"total\": 10}", {.done = 3, .total = 10}},
        {"{\"done\":3,\"total\":10,\"unit\":\"epoch\",\"rate\":5.2,\"rate_unit\":\"images/s\","
         "\"note\":\"loss 0.3\",\"usage\":{}}",
         {3, 10, 5.2, "epoch", "images/s", "loss 0.3"}},
        {"{\"done\":0,\"total\":1,\"note\":7,\"unit\":\"\\u001b[31mred\"}",
         {.done = 0, .total = 1, .unit = "red"}},
        {"1/2 a\x1b[2Jb \xff", {.done = 1, .total = 2, .unit = "ab", .note = "?"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct program_report r = {.done = -1};
        const struct program_report *e = &cases[i].expected;
        if (!program_report_parse(cases[i].line, strlen(cases[i].line), &r))
            fail_msg("no report: %s", cases[i].line);
        assert_true(r.done == e->done && r.total == e->total && r.rate == e->rate);
        assert_string_equal(r.unit, e->unit);
        assert_string_equal(r.rate_unit, e->rate_unit);
        if (strcmp(e->note, "loss 0.3") == 0)
            assert_memory_equal(r.note, e->note, strlen(e->note));
        else
            assert_string_equal(r.note, e->note);
    }
}

static void no_reports(void **state)
{
    static const char *const lines[] = {
        "",
        "3",
        "3/",
        "/10",
        "3 / 10",
        "3/10epoch",
        "epoch 3/10",
        "3/0",
        "-1/10",
        "nan/10",
        "3/inf",
        "3/1e300",
        "{",
        "{\"done\": 3}",
        "{\"done\": \"3\", \"total\": 10}",
        "{\"done\": 3, \"total\": 0}",
        "{\"done\": 3, \"total\": 10, \"rate\": -1}",
        "{\"done\": 1e999, \"total\": 10}",
        "[3, 10]",
        "\xff\xfe/10",
    };
    char *deep = malloc(4000);
    struct program_report r = {.done = 5, .total = 6, .note = "kept"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (program_report_parse(lines[i], strlen(lines[i]), &r))
            fail_msg("a report: %s", lines[i]);
    assert_non_null(deep);
    memset(deep, '[', 4000);
    deep[0] = '{';
    assert_false(program_report_parse(deep, 4000, &r));
    assert_false(program_report_parse("3/1\0000", 5, &r));
    assert_true(r.done == 5 && r.total == 6 && strcmp(r.note, "kept") == 0);
    free(deep);
}

static void last_lines(void **state)
{
    static const struct {
        const char *text, *line;
    } cases[] = {
        {"", ""},
        {"\n\n", ""},
        {"one", "one"},
        {"one\ntwo\n", "two"},
        {"one\ntw", "tw"},
        {"one\n \n\n", "one"},
        {"10%\r50%\r100%", "100%"},
        {"10%\r50%\r", "50%"},
        {"one\r\ntwo\r\n", "two"},
        {"  \x1b[31mred\x1b[0m\x07", "red"},
        {"\x80\x80x", "??x"},
    };
    char line[64];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        program_last_line(cases[i].text, strlen(cases[i].text), line, sizeof line);
        assert_string_equal(line, cases[i].line);
    }
    program_last_line("0123456789", 10, line, 5);
    assert_string_equal(line, "0123");
}

/* ---- whole files ---- */

static struct job job = {.progress = -1};

static void write_report(const char *text, size_t size)
{
    int fd = open(".ferdag-progress", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
}

/* The stage's report after the file was read; "" if there is none. */
static const char *look(struct program_progress *p, int from)
{
    static char text[8192];
    program_progress_look(p, true);
    ssize_t n = read(from, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static void looks(void **state)
{
    char folder[] = "/tmp/test_program_progress.XXXXXX", *big = calloc(1, 1 << 20);
    int pipes[2] = {-1, -1};
    struct program_progress p;
    struct error err;
    (void)state;
    assert_true(big && mkdtemp(folder) && chdir(folder) == 0 && pipe(pipes) == 0);
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    job.progress = pipes[1];
    assert_int_equal(program_progress_open(&p, &job, &err), 0);
    if (p.output >= 0)
        close(p.output); /* of this test */
    p.output = open("output", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(access(".ferdag-progress", F_OK) <
                0); /* the file isn't visible in a listing of the folder */
    assert_string_equal(look(&p, pipes[0]), "");
    write_report("1/4 step\n2/4 st", 15);
    assert_non_null(strstr(look(&p, pipes[0]), "\"done\":1.0"));
    assert_string_equal(look(&p, pipes[0]), ""); /* nothing new */
    write_report("ep\n", 3);
    assert_non_null(strstr(look(&p, pipes[0]), "\"done\":2.0"));
    memset(big, ' ', 1 << 20);
    write_report(big, 1 << 20);
    assert_string_equal(look(&p, pipes[0]), "");
    write_report("1/9\n", 4);
    assert_string_equal(look(&p, pipes[0]), ""); /* the line is too long */
    write_report("3/4 step\n", 9);
    assert_non_null(strstr(look(&p, pipes[0]), "\"done\":3.0"));
    assert_int_equal(truncate(".ferdag-progress", 0), 0);
    assert_string_equal(look(&p, pipes[0]), "");
    assert_int_equal(write(p.output, "10%\r20%", 7), 7);
    const char *both = look(&p, pipes[0]);
    assert_non_null(strstr(both, "\"note\":\"20%\""));
    assert_non_null(strstr(both, "\"done\":3.0"));

    /* Only a regular file of the program is read; a pipe doesn't block. */
    assert_int_equal(unlink(".ferdag-progress"), 0);
    assert_int_equal(mkfifo(".ferdag-progress", 0600), 0);
    assert_string_equal(look(&p, pipes[0]), "");
    unlink(".ferdag-progress");
    assert_int_equal(mkdir(".ferdag-progress", 0700), 0);
    assert_string_equal(look(&p, pipes[0]), "");
    rmdir(".ferdag-progress");
    assert_int_equal(symlink("other", ".ferdag-progress"), 0);
    int fd = open("other", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write(fd, "4/4\n", 4) == 4);
    close(fd);
    assert_string_equal(look(&p, pipes[0]), "");
    unlink(".ferdag-progress");
    unlink("other");
    unlink("output");
    program_progress_close(&p);
    assert_true(chdir("/") == 0 && rmdir(folder) == 0);
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports),
        cmocka_unit_test(no_reports),
        cmocka_unit_test(last_lines),
        cmocka_unit_test(looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
