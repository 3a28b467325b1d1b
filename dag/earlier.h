/* Finished stages that a stage can go on from: a training of 10 epochs is the start of one of 20.
 *
 * They have the same key text but for a smaller value of the param that their kind marks with
 * `continues`. The stage gets their outputs beside its inputs, and decides by itself whether it can
 * go on from one: its own outputs must be those of a stage that began at the beginning, so nothing
 * of this is in its key. */
#ifndef FERDAG_DAG_EARLIER_H
#define FERDAG_DAG_EARLIER_H

#include "dag/plan.h"

struct earlier {
    int64_t value; /* of the param */
    struct result result;
};

/* All that the cache has for a task whose key is known, the largest value first; none for a forced
 * task, which is to begin at the beginning. *items is malloc'd and freed by earlier_free. */
int earlier_find(const struct plan *plan, const struct task *task, struct earlier **items,
                 size_t *count, struct error *err);
void earlier_free(struct earlier *items, size_t count);

/* Puts links to the outputs of the largest of them into folders earlier.0, earlier.1, ... of the
 * stage's folder; *list tells of them in job.json: [{"folder", "key", "value"}, ...]. */
int earlier_link(const struct plan *plan, const struct task *task, const char *folder,
                 json_t **list, struct error *err);

/* Which finished stage a running one says that it goes on from; key "": none. */
struct origin {
    char key[65];
    int64_t value;
};

/* "epochs 10 of key 0123456789ab", malloc'd. */
char *earlier_words(const struct kind *kind, int64_t value, const char *key);

/* If a line that the stage wrote says so, fills origin and returns true. */
bool earlier_origin(const json_t *line, struct origin *origin);

/* Adds the origin, if there is one, to the inputs that are kept with the result: {"port", "stage",
 * "key", "digest", "param", "value"}. */
void earlier_record(const struct plan *plan, const struct task *task, const struct origin *origin,
                    json_t *inputs);

/* Adds a line to the reasons of a task that must run if it may go on from an earlier one. */
int earlier_explain(const struct plan *plan, const struct task *task, json_t *reasons,
                    struct error *err);

#endif
