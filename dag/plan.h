/* A plan: the key of each stage, and whether the cache has its result.
 *
 * A key contains the digests of the stage's inputs, so keys are computed as results arrive. A stage
 * is settled once its result exists or is known never to exist; then its users are resolved: their
 * keys are computed and looked up. `status` and `run -n` print a plan without running anything;
 * there, stages behind one that must run stay unresolved. */
#ifndef FERDAG_DAG_PLAN_H
#define FERDAG_DAG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include "cache/cache.h"
#include "dag/experiment/experiment.h"
#include "dag/source.h"

enum state {
    STATE_WAITING, /* an input is not settled */
    STATE_READY,   /* its key is known and the cache has no result: it must run */
    STATE_RUNNING,
    STATE_CACHED,  /* settled: the cache had the result */
    STATE_RAN,     /* settled: this run made the result */
    STATE_FAILED,  /* settled without a result */
    STATE_NOT_RUN, /* settled without a result: an input failed, or the run was stopped */
};

struct task {
    struct stage *stage;
    enum state state;
    bool wanted;          /* picked by the user, or an input of such a stage */
    bool forced;          /* runs even if the cache has its result */
    bool blocked;         /* another run holds its lock */
    size_t waiting;       /* number of inputs that are not settled */
    char key[65];         /* "" until resolved */
    char *key_text;       /* malloc'd */
    struct result result; /* of a CACHED or RAN task */
    char *message;        /* malloc'd: why it FAILED */
};

struct plan {
    struct experiment *experiment;
    struct cache *cache;
    const char *backend;    /* never "auto" */
    bool lenient;           /* see plan_start */
    struct task *tasks;     /* indexed by stage->place */
    struct source *sources; /* indexed by external->place */
    size_t *queue;          /* settled tasks whose users are not updated yet */
    size_t queued;
};

/* Makes a plan for the stages with picked[place] set and all that they need; NULL: for all stages.
 * backend is a name or "auto". The experiment, the cache and backend must outlive the plan. Free
 * with plan_free. */
void plan_create(struct plan *plan, struct experiment *experiment, struct cache *cache,
                 const char *backend, const bool *picked);
void plan_free(struct plan *plan);

/* Check whether stages can run here and add an error for each obstacle: an external input that
 * can't be read or that contains the cache; more GPUs than there are. With `lenient` an input or a
 * GPU that is missing is a warning. The first checks all stages of an experiment, the second the
 * wanted ones of a plan; of a lenient plan, only their GPUs, where those of stages whose numerics
 * the file states are a warning. Neither changes anything. */
void plan_check_surroundings(const struct experiment *experiment, const char *backend,
                             const char *cache, bool lenient, struct problems *problems);
void plan_check_wanted(const struct plan *plan, const char *cache, struct problems *problems);

/* Hashes the external inputs of wanted stages (unchanged files by the stat cache) and resolves
 * every stage whose inputs the cache has. Returns 0 or a negative code. An external input that
 * can't be read is an error or, if the plan is lenient, leaves its stages waiting. */
int plan_start(struct plan *plan, struct error *err);

/* Why a stage of a lenient plan can't run: the first of its external inputs that can't be read, as
 * a text without the place in the YAML. NULL if all can be read. */
const char *plan_obstacle(const struct plan *plan, const struct stage *stage);

/* Looks up a resolved task. Returns 0 and fills task->result, or -ENOENT (err untouched) if the
 * task must run. */
int plan_find(const struct plan *plan, struct task *task, struct error *err);

/* Settles a task in a state and resolves the tasks that waited for it alone. */
int plan_settle(struct plan *plan, struct task *task, enum state state, struct error *err);

/* Whether a task in a state has a result; whether it is settled. */
bool state_has_result(enum state state);
bool state_is_settled(enum state state);

/* The blob of an input. False if there is none: its stage has no result, or did not write an
 * optional output. Of an external file only the digest is set. */
bool plan_input(const struct plan *plan, const struct edge *edge, struct blob *blob);

/* The inputs of a resolved task: [{"port", "stage", "key", "digest"}, ...], a new reference. */
json_t *plan_inputs_json(const struct plan *plan, const struct task *task);

/* Computes a stage's key and its text (malloc'd, also after an error) from the inputs that are
 * known; an input whose stage has no result counts as missing. */
int plan_key(const struct plan *plan, const struct stage *stage, char key[65], char **text,
             struct error *err);

/* An external input as it was when it was hashed. */
const struct source *plan_source(const struct plan *plan, const struct external *external);

/* Checks that a stage's inputs are what the plan hashed; called before a stage starts and after it
 * ends. -EIO if an external file changed, or if a blob is missing or damaged: a damaged blob is
 * moved out of the store, so that the stage that made it runs again. */
int plan_check_inputs(const struct plan *plan, const struct stage *stage, struct error *err);

#endif
