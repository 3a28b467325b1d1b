/* See launcher.h. */
#define _GNU_SOURCE
#include "stages/launcher.h"
#include "base/cgroup.h"
#include "base/file.h"
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIXED_ARGUMENTS = 16 };

/* The signals that wait_for receives with sigtimedwait. */
static void fill_awaited(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGCHLD);
}

/* Makes the death of the parent process a SIGTERM. */
static void watch_parent(void)
{
    const char *parent = getenv("FERDAG_PARENT");
    if (!parent)
        return; /* started by hand */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != (pid_t)strtol(parent, NULL, 10))
        _exit(1);
}

/* ---- the child process ---- */

static void exec_program(const char *const *arguments, char *const *environment,
                         const sigset_t *mask, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvpe(arguments[0], (char *const *)arguments, environment);
    _exit(127);
}

static size_t count_mounts(const struct launch *l)
{
    size_t n = 0;
    while (l->mounts[n].source)
        n++;
    return n;
}

static void free_mount_paths(char **paths, size_t n)
{
    for (size_t i = 0; paths && i < n; i++)
        free(paths[i]);
    free(paths);
}

/* The absolute paths to mount on; to be freed with free_mount_paths. NULL if memory is out. */
static char **make_mount_paths(const struct launch *l, const char *here)
{
    size_t n = count_mounts(l);
    char **paths = calloc(n, sizeof *paths);
    for (size_t i = 0; paths && i < n; i++)
        if (!(paths[i] = format_string("%s/%s", here, l->mounts[i].at))) {
            free_mount_paths(paths, n);
            return NULL;
        }
    return paths;
}

/* bwrap ... /bin/sh -c TEXT: the file system as it is, with read-only mounts. To be freed. */
static const char **sandbox_arguments(const struct launch *l, char *const *paths,
                                      const char *status_fd)
{
    size_t n = count_mounts(l), k = 0;
    const char **a = calloc(FIXED_ARGUMENTS + 3 * n, sizeof(const char *));
    if (!a)
        return NULL;
    static const char *const start[] = {"bwrap", "--dev-bind",        "/",
                                        "/",     "--die-with-parent", "--json-status-fd"};
    for (size_t i = 0; i < sizeof start / sizeof *start; i++)
        a[k++] = start[i];
    a[k++] = status_fd;
    for (size_t i = 0; i < n; i++) {
        a[k++] = "--ro-bind";
        a[k++] = l->mounts[i].source;
        a[k++] = paths[i];
    }
    const char *const end[] = {"--", "/bin/sh", "-c", l->text};
    for (size_t i = 0; i < sizeof end / sizeof *end; i++)
        a[k++] = end[i];
    return a;
}

/* ---- the launcher ---- */

static void end_all(struct cgroup *cgroup)
{
    process_end_children(NULL, NULL);
    cgroup_close(cgroup);
}

/* Waits for the child and reports its progress meanwhile. On SIGTERM or SIGINT kills it and exits.
 */
static int wait_for(pid_t child, struct cgroup *cgroup, const sigset_t *signals,
                    struct program_progress *progress, int *status)
{
    static const struct timespec interval = {.tv_nsec = 1000000L * PROGRAM_LOOK_MS};
    for (;;) {
        pid_t ended = waitpid(child, status, WNOHANG);
        program_progress_look(progress, ended == child);
        if (ended == child)
            return 0;
        if (ended < 0 && errno != EINTR)
            return -errno;
        siginfo_t signal;
        int number = sigtimedwait(signals, &signal, &interval);
        if (number == SIGTERM || number == SIGINT) {
            end_all(cgroup);
            _exit(1);
        }
    }
}

static int run(const char *const *arguments, const struct launch *l, int *status, struct error *err)
{
    sigset_t signals, before;
    fill_awaited(&signals);
    sigprocmask(SIG_BLOCK, &signals, &before);
    watch_parent();
    process_adopt_orphans();
    struct cgroup cgroup;
    cgroup_open(&cgroup, getenv("FERDAG_ATTEMPT"));
    pid_t parent = getpid(), child = cgroup_fork(&cgroup);
    if (child == 0)
        exec_program(arguments, l->environment, &before, parent);
    int rc = child < 0 ? -errno : wait_for(child, &cgroup, &signals, l->progress, status);
    end_all(&cgroup);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return rc < 0 ? error_errno(err, -rc, "cannot run '%.200s'", l->text) : 0;
}

/* Whether the program has run: only then does bubblewrap write {"exit-code": 0}. One that was
 * killed had made its namespace. */
static bool has_run(int fd, int status)
{
    char text[512];
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, "\"exit-code\"") || WIFSIGNALED(status);
}

static int run_in_sandbox(const struct launch *l, int *status, struct error *err)
{
    int pipes[2];
    char number[16], here[4096];
    if (!getcwd(here, sizeof here))
        return error_errno(err, errno, "cannot find the path of the current folder");
    if (pipe2(pipes, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_errno(err, errno, "cannot make a pipe");
    fcntl(pipes[1], F_SETFD, 0);
    snprintf(number, sizeof number, "%d", pipes[1]);
    char **paths = make_mount_paths(l, here);
    const char **arguments = paths ? sandbox_arguments(l, paths, number) : NULL;
    int rc = arguments ? run(arguments, l, status, err) : error_set(err, ENOMEM, "out of memory");
    close(pipes[1]);
    if (rc == 0 && !has_run(pipes[0], *status))
        rc = error_set(err, ENOTSUP, "bubblewrap can't make a mount namespace here");
    close(pipes[0]);
    free(arguments);
    free_mount_paths(paths, count_mounts(l));
    return rc;
}

int launch(const struct launch *l, int *status, struct error *err)
{
    if (l->mounts && l->mounts[0].source)
        return run_in_sandbox(l, status, err);
    const char *const arguments[] = {"/bin/sh", "-c", l->text, NULL};
    return run(arguments, l, status, err);
}
