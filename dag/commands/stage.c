/* `stage`: one stage in the current folder. Every stage of a run is this command in
 * a process of its own. */
#include "dag/commands/commands.h"
#include "dag/executors/local.h"
#include "stages/job.h"

#include <errno.h>

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
        rc = kind->run(&job, err);
        job_close(&job);
    }
    child_report(rc, err);
    return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}
