/* Finished stages that a stage may continue from: a training of 10 epochs is the start of one
 * of 20.
 *
 * Their keys' texts differ in one param only, which the kind marks with `continues`, and theirs is
 * smaller. The stage gets their outputs beside its inputs and decides whether it continues from
 * one. Its outputs must have the same bytes as without, so the key does not depend on this. */
#ifndef FERDAG_DAG_CONTINUATION_H
#define FERDAG_DAG_CONTINUATION_H

#include "dag/plan.h"

/* Links the outputs of the largest ones into folders earlier.0, earlier.1, ... of the stage's
 * folder. *list is for job.json: [{"folder", "key", "value"}, ...], a new reference. */
int continuation_link(const struct plan *plan, const struct task *task, const char *folder,
                      json_t **list, struct error *err);

/* The finished stage that a running stage continues from; key "": none. */
struct origin {
    char key[65];
    int64_t value;
};

/* "epochs 10 of key 0123456789ab", malloc'd. */
char *continuation_text(const struct kind *kind, int64_t value, const char *key);

/* Reads a line that the stage reported: true, and origin filled, if it names an origin. */
bool continuation_read_origin(const json_t *line, struct origin *origin);

/* Appends the origin, if there is one, to the inputs that the result's record lists: {"port",
 * "stage", "key", "digest", "param", "value"}. */
void continuation_record(const struct plan *plan, const struct task *task,
                         const struct origin *origin, json_t *inputs);

/* Appends a line to the reasons of a task that must run, if it may continue from a finished one. */
int continuation_explain(const struct plan *plan, const struct task *task, json_t *reasons,
                         struct error *err);

#endif
