/* See local.h. */
#include "dag/executors/local.h"
#include "base/file.h"
#include "base/utf8.h"
#include "base/arena.h"
#include "dag/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_FD = 3, LOCK_FD = 4 };

extern char **environ;

static void on_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    if (--child->open == 0)
        child->ended(child);
}

static void read_line(struct child *child, const char *text, size_t size)
{
    json_t *line = json_loadb(text, size, 0, NULL);
    const json_t *usage = json_object_get(line, "usage");
    const char *error = json_string_value(json_object_get(line, "error"));
    if (usage) {
        child->cpu_seconds = json_number_value(json_object_get(usage, "cpu_seconds"));
        child->peak_bytes = json_integer_value(json_object_get(usage, "peak_bytes"));
    }
    if (error)
        snprintf(child->message, sizeof child->message, "%s", error);
    if (line && !usage && !error)
        child->said(child, line);
    json_decref(line);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)suggested;
    struct child *child = handle->data;
    if (child->used == sizeof child->line) { /* no newline in all of it */
        child->used = 0;
        child->dropping = true;
    }
    *buffer =
        uv_buf_init(child->line + child->used, (unsigned int)(sizeof child->line - child->used));
}

static void close_once(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void)buffer;
    struct child *child = stream->data;
    if (n < 0) {
        close_once((uv_handle_t *)stream);
        return;
    }
    child->used += (size_t)n;
    char *start = child->line, *end;
    size_t left = child->used;
    while ((end = memchr(start, '\n', left))) {
        if (!child->dropping)
            read_line(child, start, (size_t)(end - start));
        child->dropping = false;
        left -= (size_t)(end + 1 - start);
        start = end + 1;
    }
    memmove(child->line, start, left);
    child->used = left;
}

static void on_exit_status(uv_process_t *process, int64_t status, int signal)
{
    struct child *child = process->data;
    child->seconds = progress_clock() - child->clock;
    child->clock = progress_clock();
    child->status = status;
    child->signal = signal;
    child->exited = true;
    kill(-process->pid, SIGKILL); /* what it left running, and then what it left elsewhere */
    close_once((uv_handle_t *)process);
}

enum { OURS = 6, SPINS = 1000 };

static bool same_name(const char *a, const char *b)
{
    return strncmp(a, b, strcspn(b, "=") + 1) == 0;
}

/* Our environment with some names set; the array and the new texts are freed by free_environment.
 * Threads that wait for each other spin for some microseconds only and then sleep: at libgomp's own
 * count, two trainings of two threads on two cores reach a thirtieth of what one does alone, with
 * this 85 %; one alone loses 2 %. */
static char **make_environment(const char *folder, int threads)
{
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    char **all = must_alloc((n + OURS + 1) * sizeof *all);
    all[k++] = must(file_path("OMP_NUM_THREADS=%d", threads));
    all[k++] = must(file_path("OPENBLAS_NUM_THREADS=%d", threads));
    all[k++] = must(file_path("GOMP_SPINCOUNT=%d", SPINS));
    all[k++] = must(file_path("FERDAG_PROGRESS_FD=%d", PROGRESS_FD));
    all[k++] = must(file_path("FERDAG_PARENT=%ld", (long)getpid()));
    all[k++] = must(file_path("FERDAG_ATTEMPT=%s", folder));
    for (size_t i = 0; i < n; i++) {
        bool replaced = false;
        for (size_t m = 0; m < OURS; m++)
            replaced |= same_name(environ[i], all[m]);
        if (!replaced)
            all[k++] = environ[i];
    }
    return all;
}

static void free_environment(char **environment)
{
    for (size_t i = 0; i < OURS; i++)
        free(environment[i]);
    free(environment);
}

static int spawn(struct child *child, uv_loop_t *loop, const char *kind, const char *folder,
                 int threads, int log, int lock)
{
    char *arguments[] = {"ferdag", "stage", (char *)kind, NULL};
    char **environment = make_environment(folder, threads);
    uv_stdio_container_t stdio[5] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = log},
        {.flags = UV_INHERIT_FD, .data.fd = log},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&child->pipe},
        {.flags = UV_INHERIT_FD, .data.fd = lock},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = "/proc/self/exe",
        .args = arguments,
        .env = environment,
        .cwd = folder,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = lock < 0 ? 4 : 5,
        .stdio = stdio,
    };
    int rc = uv_spawn(loop, &child->process, &options);
    free_environment(environment);
    return rc;
}

int child_start(struct child *child, uv_loop_t *loop, const char *kind, const char *folder,
                int threads, int lock, struct error *err)
{
    struct timespec now;
    char *path = must(file_path("%s/log.txt", folder));
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int rc = log < 0 ? error_errno(err, errno, "cannot open %s", path) : 0;
    free(path);
    if (rc < 0)
        return rc;
    clock_gettime(CLOCK_REALTIME, &now);
    child->started = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    child->clock = progress_clock();
    child->process.data = child->pipe.data = child;
    uv_pipe_init(loop, &child->pipe, 0);
    rc = spawn(child, loop, kind, folder, threads, log, lock);
    close(log);
    child->open = 2;
    if (rc < 0) {
        snprintf(child->message, sizeof child->message, "cannot start a process: %s",
                 uv_strerror(rc));
        child->status = 127;
        child->exited = true;
        close_once((uv_handle_t *)&child->pipe);
        close_once((uv_handle_t *)&child->process);
        return 0;
    }
    uv_read_start((uv_stream_t *)&child->pipe, on_allocate, on_read);
    return 0;
}

void child_signal(struct child *child, int signal)
{
    if (!child->exited && child->process.pid > 0) /* 0, of one not started, means our own group */
        kill(-child->process.pid, signal);
}

bool child_is(const struct child *child, pid_t pid)
{
    return !child->exited && child->process.pid == pid;
}

void child_tick(struct child *child)
{
    if (child->exited && progress_clock() - child->clock > 2)
        close_once((uv_handle_t *)&child->pipe);
}

/* ---- the other side ---- */

void child_settle(void)
{
    const char *parent = getenv("FERDAG_PARENT");
    if (!parent)
        return; /* started by hand */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)strtol(parent, NULL, 10))
        _exit(1); /* it died before we asked to be told */
    fcntl(PROGRESS_FD, F_SETFD, FD_CLOEXEC);
    fcntl(LOCK_FD, F_SETFD, FD_CLOEXEC);
}

/* Peak resident set in bytes. VmHWM starts anew at exec; ru_maxrss would count what our parent
 * had when it forked us. */
static int64_t own_peak(void)
{
    char line[256];
    long kib = 0;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtol(line + 6, NULL, 10);
    if (status)
        fclose(status);
    return (int64_t)kib * 1024;
}

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void send_line(const json_t *line)
{
    char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text)
        dprintf(PROGRESS_FD, "%s\n", text); /* nobody listening changes nothing */
    free(text);
}

void child_report(int rc, const struct error *err)
{
    if (!getenv("FERDAG_PARENT"))
        return;
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    int64_t peak = own_peak(), below = (int64_t)children.ru_maxrss * 1024;
    json_t *usage = json_pack("{s:{s:f, s:I}}", "usage", "cpu_seconds",
                              cpu_seconds(&own) + cpu_seconds(&children), "peak_bytes",
                              (json_int_t)(peak > below ? peak : below));
    send_line(usage);
    json_decref(usage);
    if (rc < 0) {
        json_t *error = json_pack("{s:o}", "error", utf8_json(err->text));
        send_line(error);
        json_decref(error);
    }
}
