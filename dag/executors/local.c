/* The executor `local`: a stage is a process on this machine.
 *
 * Its descriptors: 0 /dev/null, 1 and 2 log.txt, 3 a pipe for the lines that it reports, 4 the lock
 * on its key, so that the lock is held until the stage has ended even if we are killed first. It
 * leads a session of its own, so that all that it starts can be ended with it, and it is killed
 * when this process dies. */
#define _GNU_SOURCE
#include "base/arena.h"
#include "base/file.h"
#include "base/process.h"
#include "dag/executors/executor.h"
#include "dag/executors/local.h"
#include "base/clock.h"
#include "stages/gpus.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

/* Seconds for which the pipe of a process that has ended is read on while another holds it open. */
enum { PIPE_SECONDS = 2 };

/* Threads that wait for each other spin for some microseconds and then sleep: at libgomp's default,
 * two trainings of two threads each on two cores reach a thirtieth of the speed of one alone, with
 * this 85 %; one alone loses 2 %. */
enum { SPINS = 1000 };

extern char **environ;

/* A running job. */
struct process {
    struct process *next;
    struct local *local;
    struct executor_job *job;
    uv_process_t handle;
    uv_pipe_t pipe;
    char chunk[4096];
    struct line_buffer lines;
    double clock; /* monotonic: of the start; then of the exit */
    bool exited;
    int open; /* handles still to close */
};

struct local {
    struct process *processes;
};

/* ---- the end of a process ---- */

static void on_closed(uv_handle_t *handle)
{
    struct process *p = handle->data;
    if (--p->open > 0)
        return;
    struct executor_job *job = p->job;
    for (struct process **q = &p->local->processes; *q; q = &(*q)->next)
        if (*q == p) {
            *q = p->next;
            break;
        }
    free(p);
    job->handle = NULL;
    job->ended(job);
}

static void close_once(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, on_closed);
}

static void on_exit_status(uv_process_t *handle, int64_t status, int signal)
{
    struct process *p = handle->data;
    double now = clock_monotonic();
    p->job->seconds = now - p->clock;
    p->job->status = (int)status;
    p->job->signal = signal;
    p->clock = now;
    p->exited = true;
    kill(-handle->pid, SIGKILL); /* the rest of its session */
    close_once((uv_handle_t *)handle);
}

static void on_allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct process *p = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(p->chunk, sizeof p->chunk);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct process *p = stream->data;
    if (n < 0)
        close_once((uv_handle_t *)stream);
    else
        executor_read(p->job, &p->lines, buffer->base, (size_t)n);
}

/* ---- the start ---- */

enum { OURS = 7 };

static bool same_name(const char *a, const char *b)
{
    return strncmp(a, b, strcspn(b, "=") + 1) == 0;
}

/* Our environment with some variables set; free_environment frees it. */
static char **make_environment(const struct executor_job *job)
{
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    char **all = must_alloc((n + OURS + 1) * sizeof *all);
    all[k++] = must(format_string("OMP_NUM_THREADS=%d", job->threads));
    all[k++] = must(format_string("OPENBLAS_NUM_THREADS=%d", job->threads));
    all[k++] = must(format_string("GOMP_SPINCOUNT=%d", SPINS));
    all[k++] = must(format_string("FERDAG_PROGRESS_FD=%d", STAGE_PROGRESS_FD));
    all[k++] = must(format_string("FERDAG_PARENT=%ld", (long)getpid()));
    all[k++] = must(format_string("FERDAG_ATTEMPT=%s", job->folder));
    char *gpus = must(gpus_variable(getenv(GPUS_VARIABLE), job->gpus.numbers, job->gpus.count));
    all[k++] = must(format_string(GPUS_VARIABLE "=%s", gpus));
    free(gpus);
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

static int spawn(struct process *p, uv_loop_t *loop, int log)
{
    const struct executor_job *job = p->job;
    char *arguments[] = {"ferdag", "stage", (char *)job->kind, NULL};
    char **environment = make_environment(job);
    uv_stdio_container_t stdio[STAGE_LOCK_FD + 1] = {
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = log},
        {.flags = UV_INHERIT_FD, .data.fd = log},
        [STAGE_PROGRESS_FD] = {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE,
                               .data.stream = (uv_stream_t *)&p->pipe},
        [STAGE_LOCK_FD] = {.flags = UV_INHERIT_FD, .data.fd = job->lock},
    };
    uv_process_options_t options = {
        .exit_cb = on_exit_status,
        .file = "/proc/self/exe",
        .args = arguments,
        .env = environment,
        .cwd = job->folder,
        .flags = UV_PROCESS_DETACHED,
        .stdio_count = job->lock < 0 ? STAGE_LOCK_FD : STAGE_LOCK_FD + 1,
        .stdio = stdio,
    };
    int rc = uv_spawn(loop, &p->handle, &options);
    free_environment(environment);
    return rc;
}

static int open_log(const char *folder, struct error *err)
{
    char *path = must(format_string("%s/log.txt", folder));
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (log < 0)
        log = error_errno(err, errno, "cannot open %s", path);
    free(path);
    return log;
}

static int start(struct executor *executor, struct executor_job *job, struct error *err)
{
    struct local *local = executor->state;
    int log = open_log(job->folder, err);
    if (log < 0)
        return log;
    struct process *p = must_alloc(sizeof *p);
    *p = (struct process){.next = local->processes, .local = local, .job = job, .open = 2};
    local->processes = p;
    job->handle = p;
    job->started = clock_now();
    p->clock = clock_monotonic();
    p->handle.data = p->pipe.data = p;
    uv_pipe_init(loop_uv(executor->loop), &p->pipe, 0);
    int rc = spawn(p, loop_uv(executor->loop), log);
    close(log);
    if (rc < 0) {
        snprintf(job->message, sizeof job->message, "cannot start a process: %s", uv_strerror(rc));
        job->status = 127;
        p->exited = true;
        close_once((uv_handle_t *)&p->pipe);
        close_once((uv_handle_t *)&p->handle);
        return 0;
    }
    uv_read_start((uv_stream_t *)&p->pipe, on_allocate, on_read);
    return 0;
}

/* ---- the rest of the interface ---- */

static void cancel(struct executor *executor, struct executor_job *job, bool force)
{
    struct process *p = job->handle;
    (void)executor;
    if (p && !p->exited && p->handle.pid > 0) /* 0, of one not started, means our own group */
        kill(-p->handle.pid, force ? SIGKILL : SIGTERM);
}

static bool is_stage(void *data, pid_t pid)
{
    const struct local *local = data;
    for (const struct process *p = local->processes; p; p = p->next)
        if (!p->exited && p->handle.pid == pid)
            return true;
    return false;
}

static void poll_processes(struct executor *executor)
{
    struct local *local = executor->state;
    process_kill_children(is_stage, local); /* orphans of stages that were killed */
    for (struct process *p = local->processes; p; p = p->next)
        if (p->exited && clock_monotonic() - p->clock > PIPE_SECONDS)
            close_once((uv_handle_t *)&p->pipe);
}

static int count_cpus(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? n : 1;
}

static struct capacity capacity(const struct executor *executor)
{
    (void)executor;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGE_SIZE);
    return (struct capacity){
        .cpus = count_cpus(),
        .memory = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : UINT64_MAX,
        .gpus = gpus_count(NULL),
    };
}

static int open_local(struct executor *executor, struct error *err)
{
    (void)err;
    executor->state = must_alloc(sizeof(struct local));
    process_adopt_orphans();
    return 0;
}

static void close_local(struct executor *executor)
{
    process_end_children(NULL, NULL);
    free(executor->state);
}

const struct executor_type executor_local = {
    .name = "local",
    .text = "processes on this machine",
    .open = open_local,
    .close = close_local,
    .capacity = capacity,
    .start = start,
    .cancel = cancel,
    .poll = poll_processes,
};
