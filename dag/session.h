/* The experiment, the cache and the plan that a command works on. */
#ifndef FERDAG_DAG_SESSION_H
#define FERDAG_DAG_SESSION_H

#include "dag/options.h"
#include "dag/plan.h"

struct session {
    struct experiment experiment;
    struct cache cache;
    struct plan plan;
    const char *backend;                    /* its name; not "auto" */
    bool verifying_shown;                   /* the progress of verifying blobs is on stderr */
    double verifying_since, verifying_last; /* clock of the first blob, and of the last message */
    bool *picked; /* by place: the stages named on the command line, or all */
};

/* Loads the file, opens the cache (which it creates if `create`) and starts the plan over the
 * stages named on the command line. The plan is lenient unless `create`: commands that only read
 * also work where an external input is missing. Returns an exit status; if that isn't EXIT_DONE,
 * err is filled or the errors were printed, and there is nothing to close. A file with errors
 * leaves the cache untouched.
 */
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

/* For `verify`, in two steps, so that a command line can be compared with the file before the cache
 * is touched. The first loads the file and finds the backend; it returns an exit status as
 * session_open does. The second starts a lenient plan over the stage `tables`, which the experiment
 * must have, and creates the cache: 0 or a negative code. After the first has succeeded the caller
 * closes the session. */
int session_open_file(struct session *session, const struct options *options, struct error *err);
int session_plan_tables(struct session *session, const struct options *options, struct error *err);

/* For what can be shown of a file alone, and better with a plan: starts the plan over all stages if
 * there is a cache. *planned is false if there is none or if the plan can't start, say since the
 * index is damaged, which is reported on stderr. */
int session_open_loose(struct session *session, const struct options *options, bool *planned,
                       struct error *err);

/* Loads the file only. Errors and warnings are printed on stderr, one a line. Returns EXIT_DONE or
 * EXIT_BAD. */
int session_load(const struct options *options, struct experiment *experiment);
void session_print_problems(struct problems *problems);

/* Finds the backend of the option --backend: *backend is its name. Returns 0, or a negative code
 * with err filled in if this machine can't use it, unless the file states the numerics of another
 * machine with that backend. */
int session_find_backend(const struct options *options, const struct experiment *experiment,
                         const char **backend, struct error *err);

/* 0 if the report's folder can be written to, or the experiment has no report; else an error. */
int session_check_report_folder(const struct options *options, const struct experiment *experiment,
                                struct error *err);

/* Whether a result that a run over the session's plan used was dropped from the cache meanwhile,
 * because a blob that it may have been computed from turned out to be damaged; prints on stderr
 * which. */
bool session_took_forgotten(const struct session *session);

/* The exit status for 0 or a negative errno-like code. */
int session_status(int rc);

/* Prints a stage or, with --json, appends it to list, which is NULL otherwise. */
typedef int session_print_stage(const struct plan *plan, const struct task *task, json_t *list,
                                struct error *err);

/* Opens the session, calls `print` for each picked stage in the file's order, and returns an exit
 * status. With --json the list is printed at the end. */
int session_each_picked(const struct options *options, session_print_stage *print,
                        struct error *err);

/* Prints a JSON value and a newline on stdout; steals it. */
void session_print(json_t *value);

#endif
