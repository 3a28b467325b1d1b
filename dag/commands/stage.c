/* `stage`: runs one stage in the current folder. Every stage of a run is this command in a process
 * of its own, started by an executor. */
#include "dag/commands/commands.h"
#include "dag/executors/local.h"
#include "stages/job.h"
#include "stages/progress_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Under the executor `local`: makes this process die with its parent, and keeps its descriptors
 * from the programs that it starts. */
static void prepare_process(void)
{
    const char *parent = getenv("FERDAG_PARENT");
    if (!parent)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)strtol(parent, NULL, 10))
        _exit(1); /* it died before the call above */
    fcntl(STAGE_PROGRESS_FD, F_SETFD, FD_CLOEXEC);
    fcntl(STAGE_LOCK_FD, F_SETFD, FD_CLOEXEC);
}

/* Largest resident set of this process in bytes. VmHWM starts anew at exec; ru_maxrss would include
 * what the parent had when it forked. */
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

static void report_usage(int fd)
{
    struct rusage own, children;
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    int64_t peak = own_peak(), below = (int64_t)children.ru_maxrss * 1024;
    progress_line_usage(fd, cpu_seconds(&own) + cpu_seconds(&children),
                        peak > below ? peak : below);
}

int command_stage(const struct options *options, struct error *err)
{
    prepare_process();
    struct job job;
    const struct kind *kind = kind_find(options->names[0]);
    if (!kind) {
        error_set(err, EINVAL, "unknown kind '%s'; `ferdag kinds` lists them", options->names[0]);
        return EXIT_BAD;
    }
    int rc = job_open(&job, kind, err);
    if (rc == 0) {
        rc = job_check_numerics(&job, err);
        if (rc == 0)
            rc = kind->run(&job, err);
        job_close(&job);
    }
    int fd = progress_lines_open();
    report_usage(fd);
    if (rc < 0)
        progress_line_error(fd, err->text);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}
