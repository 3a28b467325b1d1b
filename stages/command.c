/* command: any program as a stage. Its inputs stand in the folder under the names that the YAML
 * gives them, and it must leave there the files that `out:` names. */
#include "stages/job.h"
#include "stages/kind.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
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
    if (getenv("FERDAG_PARENT")) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != (pid_t)strtol(getenv("FERDAG_PARENT"), NULL, 10))
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

static int run(struct job *job, struct error *err)
{
    const char *text = job_string(job, "run");
    int status = 0;
    end_together();
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        return error_errno(err, errno, "cannot start a process");
    if (child == 0)
        become(text, parent);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "cannot wait for '%s'", text);
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
