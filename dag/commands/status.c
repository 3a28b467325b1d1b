/* `status`: the state of each stage. */
#define _GNU_SOURCE
#include "dag/commands/commands.h"
#include "base/display.h"
#include "dag/explain.h"
#include "dag/session.h"
#include "dag/stage_progress.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Columns: of a name, with which the reasons are aligned; of the state before it; the least for a
 * reason beside its name. */
enum { NAME = 36, BEFORE = 9, REASON_LEAST = 20 };

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

/* On a terminal the reason is on one row: cut at its end, and below a name that is wider than its
 * column. */
static void print_line(const char *state, const char *name, const char *reason)
{
    static const char mark[] = "...";
    char shown[4096];
    size_t width, rows, indent = BEFORE + NAME + 1, used = display_width(name);
    display_size(STDOUT_FILENO, &width, &rows);
    if (!reason) {
        printf("%-8s %s\n", state, name);
        return;
    }
    if (width == 0) {
        printf("%-8s %-*s %s\n", state, NAME, name, reason);
        return;
    }
    bool narrow = width < indent + REASON_LEAST, below = narrow || used > NAME;
    indent = narrow ? BEFORE : indent;
    size_t left = width > indent + REASON_LEAST ? width - indent : REASON_LEAST;
    bool cut = display_width(reason) > left;
    display_copy(shown, sizeof shown, reason, cut ? left - (sizeof mark - 1) : left);
    printf("%-8s %s%s%*s%s%s\n", state, name, below ? "\n" : "",
           (int)(below ? indent : NAME + 1 - used), "", shown, cut ? mark : "");
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
        print_line(verdict_names[verdict], task->stage->name, reason);
    free(reason);
    return 0;
}

int command_status(const struct options *options, struct error *err)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0); /* for display.h */
    locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;
    int status = session_each_picked(options, print_status, err);
    if (utf8) {
        uselocale(before);
        freelocale(utf8);
    }
    return status;
}
