/* `status`: the state of each stage. */
#include "dag/commands/commands.h"
#include "dag/explain.h"
#include "dag/session.h"
#include "dag/stage_progress.h"

#include <stdio.h>
#include <stdlib.h>

/* Of a stage that runs or was interrupted, also how far it is. */
static json_t *status_json(const struct plan *plan, const struct task *task, enum verdict verdict,
                           const char *reason)
{
    struct stage_progress progress;
    json_t *item = must(json_pack("{s:s, s:s, s:s, s:s, s:s?}", "name", task->stage->name, "kind",
                                  task->stage->kind->name, "state", verdict_names[verdict], "key",
                                  task->key, "reason", reason));
    stage_progress_find(plan, task, &progress);
    json_t *reported = stage_progress_json(&progress);
    json_object_set_new(item, "interrupted", json_boolean(progress.interrupted));
    if (progress.interrupted)
        json_object_set_new(item, "resumes", json_boolean(progress.resumes));
    if (reported)
        json_object_set_new(item, "progress", reported);
    return item;
}

static int print_status(const struct plan *plan, const struct task *task, json_t *list,
                        struct error *err)
{
    enum verdict verdict;
    char *reason;
    int rc = explain_verdict(plan, task, list != NULL, &verdict, &reason, err);
    if (rc < 0)
        return rc;
    if (list)
        json_array_append_new(list, status_json(plan, task, verdict, reason));
    else
        printf("%-8s %-*s%s%s\n", verdict_names[verdict], reason ? 36 : 0, task->stage->name,
               reason ? " " : "", reason ? reason : "");
    free(reason);
    return 0;
}

int command_status(const struct options *options, struct error *err)
{
    return session_each_picked(options, print_status, err);
}
