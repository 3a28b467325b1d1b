/* `stage`: one stage, or its trial, in the current folder. Every stage of a run is this command in
 * a process of its own. */
#include "dag/commands/commands.h"
#include "dag/executors/local.h"
#include "base/nearest.h"
#include "stages/job.h"

#include <errno.h>

static int try_out(struct job *job, struct error *err)
{
    double seconds = 0;
    if (!job->kind->trial)
        return error_set(err, ENOTSUP, "%s has no trial", job->kind->name);
    int rc = job->kind->trial(job, &seconds, err);
    if (rc == 0)
        child_foretell(seconds);
    return rc;
}

int command_stage(const struct options *options, struct error *err)
{
    child_settle();
    struct job job;
    const struct kind *kind = kind_find(options->names[0]);
    if (!kind) {
        error_set(err, EINVAL, "unknown kind '%s'; `ferdag kinds` lists them", options->names[0]);
        return EXIT_BAD;
    }
    int rc = job_open(&job, kind, err);
    if (rc == 0) {
        rc = options->trial ? try_out(&job, err) : kind->run(&job, err);
        job_close(&job);
    }
    child_report(rc, err);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}
