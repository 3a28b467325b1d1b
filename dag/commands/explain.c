/* `explain`: why a stage would run. */
#include "dag/commands/commands.h"
#include "dag/continuation.h"
#include "dag/explain.h"
#include "dag/session.h"

#include <stdio.h>

static int print_reasons(const struct plan *plan, const struct task *task, json_t *list,
                         struct error *err)
{
    json_t *reasons;
    int rc = explain_reasons(plan, task, list != NULL, &reasons, err);
    if (rc < 0)
        return rc;
    rc = earlier_explain(plan, task, reasons, err);
    const char *what = state_has_result(task->state)  ? "is cached"
                       : task->state == STATE_READY   ? "would run"
                       : task->state == STATE_WAITING ? "may run"
                                                      : "can't run";
    if (list) {
        json_array_append_new(list, must(json_pack("{s:s, s:s, s:O}", "name", task->stage->name,
                                                   "state", what, "reasons", reasons)));
    } else {
        printf("%s %s\n", task->stage->name, what);
        for (size_t i = 0; i < json_array_size(reasons); i++)
            printf("  %s\n", json_string_value(json_array_get(reasons, i)));
    }
    json_decref(reasons);
    return rc;
}

int command_explain(const struct options *options, struct error *err)
{
    return session_each_picked(options, print_reasons, err);
}
