/* `check`: all errors in a file. Runs nothing and doesn't open the cache. */
#include "dag/commands/commands.h"
#include "dag/session.h"

#include <stdio.h>

/* What else `run` would refuse: inputs that can't be read, a GPU that isn't there. A missing file
 * or GPU is only a warning here, since the run may be on another machine. */
static int check_surroundings(const struct options *options, struct experiment *e,
                              struct problems *problems, struct error *err)
{
    const char *backend;
    int rc = session_find_backend(options, e, &backend, err);
    if (rc == 0)
        rc = session_check_report_folder(options, e, err);
    if (rc < 0)
        return EXIT_BAD;
    plan_check_surroundings(e, backend, options->cache, true, problems);
    session_print_problems(problems);
    return problems_any(problems) ? EXIT_BAD : EXIT_DONE;
}

int command_check(const struct options *options, struct error *err)
{
    struct experiment e;
    struct problems problems = {0};
    int status = session_load(options, &e);
    if (status != EXIT_DONE)
        return status;
    status = check_surroundings(options, &e, &problems, err);
    if (status == EXIT_DONE)
        printf("%s: %zu stage%s, no errors\n", e.file, e.stage_count,
               e.stage_count == 1 ? "" : "s");
    problems_free(&problems);
    experiment_free(&e);
    return status;
}
