/* `log`: prints the log of a stage. */
#include "dag/commands/commands.h"
#include "dag/session.h"
#include "dag/stage_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int copy_out(const char *path, struct error *err)
{
    FILE *in = fopen(path, "re");
    if (!in)
        return error_errno(err, errno, "cannot open %s", path);
    char buffer[1 << 14];
    size_t n;
    while (!ferror(stdout) && (n = fread(buffer, 1, sizeof buffer, in)) > 0)
        fwrite(buffer, 1, n, stdout); /* main reports errors of stdout */
    int rc = ferror(in) ? error_set(err, EIO, "cannot read %s", path) : 0;
    fclose(in);
    return rc;
}

static void warn_older(const char *stage)
{
    fprintf(stderr,
            "ferdag: %s: this log is from an earlier run; inputs or params have changed since\n",
            stage);
}

static int print_log(const struct plan *plan, const struct task *task, bool one, struct error *err)
{
    const char *name = task->stage->name;
    char *path;
    enum stage_log which = stage_log_find(plan, task, &path);
    if (which == STAGE_LOG_NONE)
        return one ? error_set(err, ENODATA, "no log: %s has not run yet", name) : 0;
    if (which == STAGE_LOG_LOST)
        return one ? error_set(err, ENODATA, "the log of %s could not be stored", name) : 0;
    if (!one)
        printf("==> %s <==\n", name);
    if (which == STAGE_LOG_OLDER)
        warn_older(name);
    int rc = copy_out(path, err);
    free(path);
    return rc < 0 ? rc : 1;
}

int command_log(const struct options *options, struct error *err)
{
    struct session s;
    int rc = session_open(&s, options, false, err);
    if (rc != EXIT_DONE)
        return rc;
    size_t picked = 0;
    bool found = false;
    for (size_t i = 0; i < s.experiment.stage_count; i++)
        picked += s.picked[i];
    for (size_t i = 0; rc >= 0 && i < s.experiment.stage_count; i++) {
        if (s.picked[i])
            rc = print_log(&s.plan, &s.plan.tasks[i], picked == 1, err);
        found |= rc > 0;
    }
    if (rc >= 0 && !found)
        rc = error_set(err, ENODATA, "no log: none of the stages has run yet");
    session_close(&s);
    return session_status(rc < 0 ? rc : 0);
}
