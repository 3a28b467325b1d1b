/* See program.h. */
#define _GNU_SOURCE
#include "reports/program.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/file.h"

enum { VARIABLES = 3 };

/* NULL-terminated; its first `passed` entries are malloc'd. */
struct environment {
    char *entries[VARIABLES + 5];
    size_t passed;
};

static void make_environment(struct environment *e)
{
    static const char *const names[VARIABLES] = {"PATH", "HOME", "TMPDIR"};
    size_t n = 0;
    for (size_t i = 0; i < VARIABLES; i++) {
        const char *value = getenv(names[i]);
        if (value && (e->entries[n] = format_string("%s=%s", names[i], value)))
            n++;
    }
    e->passed = n;
    e->entries[n++] = "LC_ALL=C.UTF-8";
    e->entries[n++] = "TZ=UTC";
    e->entries[n++] = "SOURCE_DATE_EPOCH=1";
    e->entries[n] = NULL;
}

static void free_environment(struct environment *e)
{
    for (size_t i = 0; i < e->passed; i++)
        free(e->entries[i]);
}

/* In a process group of its own, so that the time limit applies to its children too. */
static int spawn(const char *const argv[], const char *output, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    struct environment environment;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    make_environment(&environment);
    rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&actions, 1, output ? output : "/dev/null",
                                              O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (rc == 0)
        rc = posix_spawnattr_setpgroup(&attributes, 0);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    if (rc == 0)
        rc = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv,
                          environment.entries);
    free_environment(&environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Waits for the child, at most `limit` seconds, then kills it; returns whether it ended itself. */
static int wait_for(pid_t pid, double limit, int *status)
{
    double end = clock_monotonic() + limit;
    for (long pause = 1000000; clock_monotonic() < end;
         pause = pause < 20000000 ? pause * 2 : pause) {
        pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid)
            return 1;
        if (got < 0 && errno != EINTR)
            break;
        nanosleep(&(struct timespec){0, pause}, NULL);
    }
    kill(-pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        continue;
    return 0;
}

int program_run(const char *const argv[], const char *output, double limit, const char *package,
                struct error *err)
{
    pid_t pid;
    int status = 0, rc = spawn(argv, output, &pid);
    if (rc == ENOENT || rc == EACCES)
        return error_set(err, ENOENT,
                         "%s is not installed: the report needs it (apt-get install %s)", argv[0],
                         package);
    if (rc != 0)
        return error_errno(err, rc, "cannot start %s", argv[0]);
    if (!wait_for(pid, limit, &status))
        return error_set(err, ETIMEDOUT, "%s took more than %.0f s and was stopped", argv[0],
                         limit);
    if (WIFSIGNALED(status))
        return error_set(err, EIO, "%s was killed by signal %d", argv[0], WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, EIO, "%s failed with status %d; its messages are in the stage's log",
                         argv[0], WEXITSTATUS(status));
    return 0;
}
