/* What must run, and why: each stage's key, and whether the cache knows it.
 *
 * A key needs the digests of the stage's inputs, so a plan is walked as results come in: a stage
 * is settled when its result is there or will not come, and then its users can be resolved. This is
 * also what `status` and `run -n` show: there, what hangs on a stage that must run stays open. */
#ifndef FERDAG_DAG_PLAN_H
#define FERDAG_DAG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include "cache/cache.h"
#include "dag/experiment/experiment.h"
#include "dag/source.h"

enum state {
    STATE_WAITING, /* some input isn't settled */
    STATE_READY,   /* key known, no result: it must run */
    STATE_RUNNING,
    STATE_CACHED,  /* settled: the result was there */
    STATE_RAN,     /* settled: it ran now */
    STATE_FAILED,  /* settled without a result */
    STATE_NOT_RUN, /* settled without a result: an input failed, or the run was stopped */
};

struct task {
    struct stage *stage;
    enum state state;
    bool wanted;          /* asked for, or needed by one that is */
    bool forced;          /* runs even if its result is known */
    bool blocked;         /* another run holds its lock */
    size_t waiting;       /* inputs not settled yet */
    char key[65];         /* "" until resolved */
    char *key_text;       /* malloc'd */
    struct result result; /* of a task that is CACHED or RAN */
    char *message;        /* malloc'd: why it FAILED */
};

struct plan {
    struct experiment *experiment;
    struct cache *cache;
    const char *backend;
    struct task *tasks;     /* by the stages' places */
    struct source *sources; /* by the externals' places */
    size_t *queue;          /* settled tasks whose users haven't heard of it */
    size_t queued;
};

/* picked (by place) says which stages are asked for; NULL: all. */
void plan_create(struct plan *plan, struct experiment *experiment, struct cache *cache,
                 const char *backend, const bool *picked);
void plan_free(struct plan *plan);

/* Adds what keeps stages from running here: an external input that can't be read (missing ones are
 * warnings if `lenient`), or is a folder that holds the cache; a GPU that isn't there. Of all
 * stages, or of those that a plan wants. Touch nothing. */
void plan_check_surroundings(const struct experiment *experiment, const char *cache, bool lenient,
                             struct problems *problems);
void plan_check_wanted(const struct plan *plan, const char *cache, struct problems *problems);

/* Hashes the external inputs of what is wanted (mostly by the stat cache) and resolves all that the
 * cache knows. */
int plan_start(struct plan *plan, struct error *err);

/* Fills the task's result from the cache: 0, or -ENOENT (err untouched) if it must run. */
int plan_find(const struct plan *plan, struct task *task, struct error *err);

/* Says that the task is settled in that state, and resolves what waited for it. */
int plan_settle(struct plan *plan, struct task *task, enum state state, struct error *err);

/* Whether a task in that state has a result, and whether it is settled at all. */
bool state_has_result(enum state state);
bool state_is_settled(enum state state);

/* The blob that an edge brings. False if there is none: its stage has no result, or left an
 * optional output out. External files have a digest only. */
bool plan_input(const struct plan *plan, const struct edge *edge, struct blob *blob);

/* [{"port", "stage", "key", "digest"}, ...]: what a resolved task takes in. */
json_t *plan_inputs_json(const struct plan *plan, const struct task *task);

/* The stage's key and its text (malloc'd, also after an error) by what is known of its inputs:
 * those whose stage has no result count as missing. */
int plan_key(const struct plan *plan, const struct stage *stage, char key[65], char **text,
             struct error *err);

/* What an external input looked like when it was hashed. */
const struct source *plan_source(const struct plan *plan, const struct external *external);

/* -EIO if an input of a stage no longer is what it was: an external file that was changed, or a
 * blob that is gone or damaged, which is then set aside, so that it is made again. To be asked
 * before a stage starts and again after its end. */
int plan_check_inputs(const struct plan *plan, const struct stage *stage, struct error *err);

#endif
