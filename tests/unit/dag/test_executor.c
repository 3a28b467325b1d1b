/* Executors: the reports of the local one about its processes, and a run on a second one, whose
 * jobs report through a file and outlive the run. This program is also the stage that both start:
 * /proc/self/exe stage NAME. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/file.h"
#include "dag/commands/commands.h"
#include "dag/executors/executor.h"
#include "dag/executors/local.h"
#include "dag/progress.h"
#include "dag/run.h"
#include "stages/progress_lines.h"
#include "tests/unit/scratch_folder.h"

/* ---- the stage ---- */

enum { LONG_LINE = 9000 };

/* Waits until a file appears, at most ten seconds. */
static bool wait_for_file(const char *path)
{
    for (int i = 0; i < 1000 && access(path, F_OK) != 0; i++)
        usleep(10000);
    return access(path, F_OK) == 0;
}

static int report_much(void)
{
    int fd = progress_lines_open();
    char text[LONG_LINE + 1];
    memset(text, 'x', LONG_LINE);
    text[LONG_LINE] = 0;
    progress_line_done(fd, 1, 4, "part", 0, NULL, NULL);
    dprintf(fd, "not JSON\n\n%s\n", text);
    progress_line_done(fd, 2, 4, "part", 0, NULL, text); /* too long, so it is dropped */
    dprintf(fd, "{\"done\": 3, ");
    usleep(50000);
    dprintf(fd, "\"total\": 4}\n{\"done\": 4, \"total\": 4}\n");
    progress_line_usage(fd, 1.5, 1 << 20);
    printf("a line for the log\n");
    return 0;
}

static int fail_with_message(void)
{
    progress_line_error(progress_lines_open(), "out of luck");
    return 3;
}

static int ignore_sigterm(void)
{
    signal(SIGTERM, SIG_IGN);
    scratch_put("ready", "");
    pause();
    return 0;
}

/* Leaves a process in a session of its own that holds the pipe open. */
static int leave_process(void)
{
    pid_t child = fork();
    if (child == 0) {
        setsid();
        pause();
    }
    char text[20];
    snprintf(text, sizeof text, "%ld", (long)child);
    scratch_put("left", text);
    return child < 0;
}

static int run_kind(const char *kind)
{
    const char *names[] = {kind};
    struct options options = {.names = names, .name_count = 1};
    struct error err = {""};
    if (!wait_for_file("../../../go")) /* the test creates it when the stage may run */
        return 9;
    int status = command_stage(&options, &err);
    if (err.text[0])
        fprintf(stderr, "%s\n", err.text);
    return status;
}

static int be_stage(const char *name)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } acts[] = {{"reports", report_much},
                {"fails", fail_with_message},
                {"stubborn", ignore_sigterm},
                {"leaves", leave_process}};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (strcmp(name, acts[i].name) == 0)
            return acts[i].run();
    return run_kind(name);
}

/* ---- the local executor ---- */

/* Reports of a job. */
struct seen {
    double sum; /* of the reported "done" */
    int reports;
    bool ended;
};

static void on_report(struct executor_job *job, const json_t *line)
{
    struct seen *seen = job->data;
    seen->sum += json_number_value(json_object_get(line, "done"));
    seen->reports++;
}

static void on_end(struct executor_job *job)
{
    struct seen *seen = job->data;
    seen->ended = true;
}

static void open_local(struct executor *executor)
{
    struct error err;
    *executor = (struct executor){.type = &executor_local, .loop = loop_create()};
    assert_int_equal(executor->type->open(executor, &err), 0);
}

static void close_executor(struct executor *executor)
{
    executor->type->close(executor);
    loop_free(executor->loop);
}

static void begin(struct executor *executor, struct executor_job *job, struct seen *seen,
                  const char *kind)
{
    struct error err = {""};
    *job = (struct executor_job){.kind = kind,
                                 .folder = scratch_folder,
                                 .threads = 1,
                                 .lock = -1,
                                 .data = seen,
                                 .reported = on_report,
                                 .ended = on_end};
    if (executor->type->start(executor, job, &err) < 0)
        fail_msg("%s", err.text);
}

/* Waits for the job, at most so many seconds. */
static void wait_for_end(struct executor *executor, const struct seen *seen, double seconds)
{
    for (double end = clock_monotonic() + seconds; !seen->ended && clock_monotonic() < end;) {
        loop_wait(executor->loop, 20);
        executor->type->poll(executor);
    }
    assert_true(seen->ended);
}

static void a_job_reports(void **state)
{
    (void)state;
    struct executor executor;
    struct executor_job job;
    struct seen seen = {0};
    open_local(&executor);
    begin(&executor, &job, &seen, "reports");
    assert_false(seen.ended); /* only from loop_wait and poll */
    wait_for_end(&executor, &seen, 20);
    assert_int_equal(seen.reports, 3);
    assert_true(seen.sum == 1 + 3 + 4);
    assert_int_equal(job.status, 0);
    assert_int_equal(job.signal, 0);
    assert_string_equal(job.message, "");
    assert_true(job.cpu_seconds == 1.5);
    assert_int_equal(job.peak_bytes, 1 << 20);
    assert_true(job.seconds > 0.04 && job.seconds < 20);
    char *log;
    size_t size;
    assert_int_equal(file_read("log.txt", 1000, &log, &size, NULL), 0);
    assert_string_equal(log, "a line for the log\n");
    free(log);
    close_executor(&executor);
}

static void a_failure_has_a_message(void **state)
{
    (void)state;
    struct executor executor;
    struct executor_job job;
    struct seen seen = {0};
    struct error err = {""};
    open_local(&executor);
    begin(&executor, &job, &seen, "fails");
    wait_for_end(&executor, &seen, 20);
    assert_int_equal(job.status, 3);
    assert_string_equal(job.message, "out of luck");
    job.folder = "missing";
    assert_int_equal(executor.type->start(&executor, &job, &err), -ENOENT);
    assert_non_null(strstr(err.text, "missing/log.txt"));
    close_executor(&executor);
}

static void a_job_is_cancelled(void **state)
{
    (void)state;
    struct executor executor;
    struct executor_job job;
    struct seen seen = {0};
    open_local(&executor);
    begin(&executor, &job, &seen, "stubborn");
    assert_true(wait_for_file("ready"));
    executor.type->cancel(&executor, &job, false);
    for (int i = 0; i < 10; i++)
        loop_wait(executor.loop, 20);
    assert_false(seen.ended);
    executor.type->cancel(&executor, &job, true);
    wait_for_end(&executor, &seen, 20);
    assert_int_equal(job.signal, SIGKILL);
    executor.type->cancel(&executor, &job, true); /* has no effect after the end */
    close_executor(&executor);
}

/* The job ends although another process holds its pipe open; that process is killed. */
static void leftovers_are_ended(void **state)
{
    (void)state;
    struct executor executor;
    struct executor_job job;
    struct seen seen = {0};
    open_local(&executor);
    begin(&executor, &job, &seen, "leaves");
    wait_for_end(&executor, &seen, 20);
    assert_int_equal(job.status, 0);
    close_executor(&executor);
    char *pid;
    size_t size;
    assert_int_equal(file_read("left", 100, &pid, &size, NULL), 0);
    assert_true(kill((pid_t)strtol(pid, NULL, 10), 0) < 0 && errno == ESRCH);
    free(pid);
}

static void the_table_is_complete(void **state)
{
    (void)state;
    struct executor executor;
    assert_ptr_equal(executors[0], &executor_local);
    for (size_t i = 0; executors[i]; i++) {
        const struct executor_type *t = executors[i];
        assert_true(t->name && t->text && t->open && t->close && t->capacity && t->start &&
                    t->cancel && t->poll);
    }
    open_local(&executor);
    struct capacity capacity = executor.type->capacity(&executor);
    assert_true(capacity.cpus >= 1 && capacity.memory > 1 << 20 && capacity.gpus >= 0);
    close_executor(&executor);
}

/* ---- a second executor: jobs report through a file and outlive the run, as a cluster's do ---- */

/* In the job's folder: `lines`, which the stage writes; `status`, its exit status once it has
 * ended; `pid`. */
struct file_job {
    struct file_job *next;
    struct executor_job *job;
    struct line_buffer lines;
    long offset; /* bytes of `lines` read so far */
};

static char *path_in(const struct executor_job *job, const char *name)
{
    return must(format_string("%s/%s", job->folder, name));
}

static int open_files(struct executor *executor, struct error *err)
{
    (void)err;
    executor->state = NULL; /* the list of its jobs */
    return 0;
}

static void close_files(struct executor *executor)
{
    assert_null(executor->state);
}

static struct capacity no_limit(const struct executor *executor)
{
    (void)executor;
    return (struct capacity){.cpus = INT_MAX, .memory = UINT64_MAX, .gpus = INT_MAX};
}

static void watch(struct executor *executor, struct executor_job *job)
{
    struct file_job *f = must_alloc(sizeof *f);
    *f = (struct file_job){.next = executor->state, .job = job};
    executor->state = job->handle = f;
}

static const char script[] = "cd \"$1\" || exit; echo $$ > pid\n"
                             "FERDAG_PROGRESS_FD=3 \"$0\" stage \"$2\" 3>> lines >> log.txt 2>&1\n"
                             "echo $? > status.new; mv status.new status\n";

static int start_detached(struct executor *executor, struct executor_job *job, struct error *err)
{
    (void)err;
    char self[PATH_MAX] = "";
    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    FILE *starts = fopen("all_starts", "a");
    fprintf(starts, "%s\n", job->kind);
    fclose(starts);
    pid_t between = fork();
    if (between == 0) {
        if (fork() == 0) {
            setsid();
            execl("/bin/sh", "sh", "-c", script, self, job->folder, job->kind, NULL);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(between, NULL, 0), between);
    watch(executor, job);
    return 0;
}

static int attach_detached(struct executor *executor, struct executor_job *job)
{
    char *pid = path_in(job, "pid");
    bool there = access(pid, F_OK) == 0;
    free(pid);
    if (!there)
        return -ENOENT;
    watch(executor, job);
    return 0;
}

static void cancel_detached(struct executor *executor, struct executor_job *job, bool force)
{
    (void)executor;
    char *pid = path_in(job, "pid"), *status = path_in(job, "status"), *text;
    size_t size;
    assert_true(wait_for_file(pid));
    assert_int_equal(file_read(pid, 100, &text, &size, NULL), 0);
    kill(-(pid_t)strtol(text, NULL, 10), force ? SIGKILL : SIGTERM);
    scratch_put(status, "143");
    unlink(pid); /* so that no later run takes it over */
    free(text);
    free(status);
    free(pid);
}

static void read_lines(struct file_job *f)
{
    char *path = path_in(f->job, "lines"), text[512];
    FILE *lines = fopen(path, "r");
    free(path);
    if (!lines)
        return;
    fseek(lines, f->offset, SEEK_SET);
    for (size_t n; (n = fread(text, 1, sizeof text, lines)) > 0; f->offset += (long)n)
        executor_read(f->job, &f->lines, text, n);
    fclose(lines);
}

static void poll_files(struct executor *executor)
{
    struct file_job *all = executor->state, *next;
    executor->state = NULL;
    for (struct file_job *f = all; f; f = next) {
        char *path = path_in(f->job, "status"), *status = NULL;
        size_t size;
        next = f->next;
        bool ended = file_read(path, 100, &status, &size, NULL) == 0;
        free(path);
        read_lines(f);
        if (!ended) {
            f->next = executor->state;
            executor->state = f;
            continue;
        }
        f->job->status = (int)strtol(status, NULL, 10);
        f->job->seconds = 1;
        f->job->ended(f->job);
        free(status);
        free(f);
    }
}

static const struct executor_type executor_files = {
    .name = "files",
    .text = "processes that outlive the run",
    .open = open_files,
    .close = close_files,
    .capacity = no_limit,
    .start = start_detached,
    .attach = attach_detached,
    .cancel = cancel_detached,
    .poll = poll_files,
};

static struct run_totals run_on_files(void)
{
    struct experiment e;
    struct problems problems = {0};
    struct cache cache;
    struct plan plan;
    struct error err = {""};
    struct run_totals totals;
    struct run_options options = {.same = "", .executor = &executor_files};
    assert_int_equal(experiment_load(&e, "x.yaml", NULL, 0, &problems), 0);
    problems_free(&problems);
    e.problems = NULL;
    plan_create(&plan, &e, &cache, "auto", NULL);
    if (cache_open(&cache, "cache", true, &err) < 0 || plan_start(&plan, &err) < 0 ||
        run_plan(&plan, &options, &totals, &err) < 0)
        fail_msg("%s", err.text);
    plan_free(&plan);
    cache_close(&cache);
    experiment_free(&e);
    return totals;
}

static void expect_starts(const char *expected)
{
    char *text;
    size_t size;
    assert_int_equal(file_read("all_starts", 1000, &text, &size, NULL), 0);
    assert_string_equal(text, expected);
    free(text);
}

/* Sends a signal to the run when its stage has started, within ten seconds. */
static void signal_when_started(pid_t run, int signal)
{
    glob_t found;
    int i = 0;
    while (glob("cache/work/*/pid", 0, NULL, &found) != 0 && i++ < 1000)
        usleep(10000);
    globfree(&found);
    kill(run, signal);
}

/* The run is killed while a stage runs; the next run attaches to the stage's job. */
static void jobs_outlive_the_run(void **state)
{
    (void)state;
    scratch_put("x.yaml",
                "ferdag: 2\nstages:\n"
                "  faces: {kind: synthetic_faces, with: {train: 14, public: 7, private: 7}}\n"
                "  full: {kind: ingest_csv, in: {csv: faces}}\n");
    fflush(NULL);
    pid_t run = fork();
    if (run == 0) {
        run_on_files();
        _exit(0);
    }
    signal_when_started(run, SIGKILL);
    waitpid(run, NULL, 0);
    scratch_put("go", "");
    struct run_totals totals = run_on_files();
    assert_int_equal(totals.ran, 2);
    assert_int_equal(totals.failed, 0);
    expect_starts("synthetic_faces\ningest_csv\n");
    assert_int_equal(run_on_files().cached, 2);
}

/* A signal cancels its jobs; the next run starts them again. */
static void an_interrupted_run_cancels(void **state)
{
    (void)state;
    scratch_put("x.yaml",
                "ferdag: 2\nstages:\n"
                "  faces: {kind: synthetic_faces, with: {train: 14, public: 7, private: 7}}\n");
    fflush(NULL);
    pid_t run = getpid(), other = fork();
    if (other == 0) {
        signal_when_started(run, SIGINT);
        _exit(0);
    }
    struct run_totals totals = run_on_files();
    waitpid(other, NULL, 0);
    assert_true(totals.interrupted);
    assert_int_equal(totals.not_run, 1);
    scratch_put("go", "");
    assert_int_equal(run_on_files().ran, 1);
    expect_starts("synthetic_faces\nsynthetic_faces\n");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "stage") == 0)
        return be_stage(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jobs_outlive_the_run, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(an_interrupted_run_cancels, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(the_table_is_complete, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_job_reports, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_failure_has_a_message, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(a_job_is_cancelled, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(leftovers_are_ended, scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
