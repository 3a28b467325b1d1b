/* `explain`: why a stage would run. */
#include "dag/commands/commands.h"
#include "cache/attempts.h"
#include "dag/continuation.h"
#include "dag/explain.h"
#include "dag/session.h"

#include <stdio.h>

static const struct {
    const char *name; /* in JSON, as in `run -n --json` */
    const char *words;
} states[] = {
    [STATE_WAITING] = {"may_run", "may run, depending on its inputs"},
    [STATE_READY] = {"would_run", "would run"},
    [STATE_RUNNING] = {"running", "is running (another ferdag computes it)"},
    [STATE_CACHED] = {"cached", "is cached"},
    [STATE_RAN] = {"cached", "is cached"},
    [STATE_FAILED] = {"cannot_run", "cannot run"},
    [STATE_NOT_RUN] = {"cannot_run", "cannot run"},
};

/* In terms of `explain`: also of a stage that another run computes, or whose inputs can't be
 * read. */
static enum state stage_state(const struct plan *plan, const struct task *task)
{
    if (plan_obstacle(plan, task->stage))
        return STATE_NOT_RUN;
    return task->key[0] && !state_has_result(task->state) && key_is_locked(plan->cache, task->key)
               ? STATE_RUNNING
               : task->state;
}

static int print_reasons(const struct plan *plan, const struct task *task, json_t *list,
                         struct error *err)
{
    enum state state = stage_state(plan, task);
    json_t *reasons;
    char compared[65];
    int rc = explain_reasons(plan, task, list != NULL, &reasons, compared, err);
    if (rc < 0)
        return rc;
    if (state == STATE_READY || state == STATE_WAITING)
        rc = continuation_explain(plan, task, reasons, err);
    if (list) {
        json_array_append_new(list,
                              must(json_pack("{s:s, s:s, s:O, s:s?}", "name", task->stage->name,
                                             "state", states[state].name, "reasons", reasons,
                                             "compared_with", *compared ? compared : NULL)));
    } else {
        printf("%s %s%s\n", task->stage->name, states[state].words,
               json_array_size(reasons) ? ":" : "");
        for (size_t i = 0; i < json_array_size(reasons); i++)
            printf("  %s\n", json_string_value(json_array_get(reasons, i)));
        if (*compared)
            printf("  (compared with its last result, key %.12s)\n", compared);
    }
    json_decref(reasons);
    return rc;
}

/* Cached stages are printed if they were named, with --all, and in JSON. */
int command_explain(const struct options *options, struct error *err)
{
    struct session s;
    int status = session_open(&s, options, false, err);
    if (status != EXIT_DONE)
        return status;
    json_t *list = options->json ? must(json_array()) : NULL;
    bool all = options->all || list || options->name_count > 1;
    size_t hidden = 0, shown = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s.experiment.stage_count; i++) {
        const struct task *task = &s.plan.tasks[i];
        if (!s.picked[i])
            continue;
        if (!all && state_has_result(task->state)) {
            hidden++;
            continue;
        }
        shown++;
        rc = print_reasons(&s.plan, task, list, err);
    }
    if (list)
        session_print(list);
    else if (rc == 0 && hidden && shown)
        printf("%zu cached stage%s not shown; --all shows %s\n", hidden, hidden == 1 ? "" : "s",
               hidden == 1 ? "it" : "them");
    else if (rc == 0 && hidden)
        printf("all %zu stage%s cached\n", hidden, hidden == 1 ? " is" : "s are");
    session_close(&s);
    return session_status(rc);
}
