/* command: any program as a stage. Its inputs stand in the folder under the names that the YAML
 * gives them, and it must leave there the files that `out:` names. */
#include "stages/job.h"
#include "stages/kind.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* We lead a process group when the scheduler started us; by hand we mustn't end our caller's. */
static void end_group(int number)
{
    (void)number;
    if (getpgrp() == getpid())
        kill(0, SIGKILL);
    _exit(1);
}

/* Whatever the program has started ends when we are told to stop, or when our parent is gone. */
static void end_together(void)
{
    struct sigaction action = {.sa_handler = end_group};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    const char *parent = getenv("FERDAG_PARENT");
    if (parent) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != (pid_t)strtol(parent, NULL, 10))
            _exit(1);
    }
}

static void become(const char *text, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGPIPE, SIG_DFL);
    unsetenv("FERDAG_PROGRESS_FD");
    unsetenv("FERDAG_PARENT");
    execl("/bin/sh", "sh", "-c", text, (char *)NULL);
    _exit(127);
}

/* Ends what the program left running, in our group or not: since we are their subreaper, all are
 * our children by now. It might still write to an output that is about to be stored. */
static void end_strays(void)
{
    for (int tries = 0; tries < 1000 && waitpid(-1, NULL, WNOHANG) >= 0; tries++) {
        FILE *children = fopen("/proc/thread-self/children", "re");
        for (int pid; children && fscanf(children, "%d", &pid) == 1;)
            kill(pid, SIGKILL);
        if (children)
            fclose(children);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static int run(struct job *job, struct error *err)
{
    const char *text = job_string(job, "run");
    int status = 0;
    end_together();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return error_errno(err, errno, "cannot start a process");
    if (child == 0)
        become(text, parent);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "cannot wait for '%s'", text);
    end_strays();
    if (WIFSIGNALED(status))
        return error_set(err, EINTR, "'%.200s' was killed by signal %d (%s)", text,
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WEXITSTATUS(status) != 0)
        return error_set(err, EIO, "'%.200s' ended with status %d", text, WEXITSTATUS(status));
    return 0;
}

static const struct port none[] = {{0}};

static const struct param params[] = {
    {.name = "run", .type = PARAM_STRING, .max = 65536, .text = "what /bin/sh -c runs"},
    {0},
};

const struct kind kind_command = {
    .name = "command",
    .version = 1,
    .text = "any program, with inputs and outputs that the YAML names",
    .inputs = none,
    .outputs = none,
    .params = params,
    .open_ports = true,
    .run = run,
};
