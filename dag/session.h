/* What a command that reads an experiment works on: the experiment, the cache, and the plan. */
#ifndef FERDAG_DAG_SESSION_H
#define FERDAG_DAG_SESSION_H

#include "dag/commands/commands.h"
#include "dag/plan.h"

struct session {
    struct experiment experiment;
    struct cache cache;
    struct plan plan;
    bool verifying_shown;                   /* on stderr: how much of the cache was verified */
    double verifying_since, verifying_last; /* clock of the first blob, and of what is shown */
    bool *picked; /* stages named on the command line, by place; all if none was */
};

/* Loads the file, opens the cache (made if create) and starts the plan over what was picked.
 * Returns an exit status: EXIT_DONE, or else with err filled and nothing to close. The cache isn't
 * touched before the file is known to be right. */
int session_open(struct session *session, const struct options *options, bool create,
                 struct error *err);
void session_close(struct session *session);

/* An output, as a command line names it. */
struct output_name {
    const struct stage *stage;
    size_t output; /* which of the stage's outputs */
};

/* The same for one output, "STAGE.PORT" or, of the main port, "STAGE": the plan is over its stage
 * alone, and the cache isn't created. */
int session_open_output(struct session *session, const struct options *options, const char *text,
                        struct output_name *name, struct error *err);

/* For what can be shown of a file alone, and better with a plan: starts the plan over all stages if
 * there is a cache. *planned is false if there is none or if the plan can't start, say since an
 * input isn't there, which is reported on stderr. */
int session_open_loose(struct session *session, const struct options *options, bool *planned,
                       struct error *err);

/* Loads the file alone; what is wrong is printed on stderr, one problem a line. EXIT_DONE or
 * EXIT_BAD. */
int session_load(const struct options *options, struct experiment *experiment);
void session_print_problems(struct problems *problems);

/* Whether the report can be written where it goes, if the experiment has one: 0, or an error. */
int session_check_report_folder(const struct options *options, const struct experiment *experiment,
                                struct error *err);

/* Exit status for a code of this program's functions. */
int session_status(int rc);

/* Prints one stage, or appends it to list where list isn't NULL (--json). */
typedef int session_print_stage(const struct plan *plan, const struct task *task, json_t *list,
                                struct error *err);

/* Opens the session, calls `print` for each picked stage in the file's order, and returns an exit
 * status. With --json the list is printed at the end. */
int session_each_picked(const struct options *options, session_print_stage *print,
                        struct error *err);

/* Prints a JSON value and a newline on stdout; steals it. */
void session_print(json_t *value);

#endif
