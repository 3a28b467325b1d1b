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
#include "dag/experiment.h"

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

/* An external file as it was when it was hashed. */
struct source {
    bool known;
    struct digest digest;
    struct stat st;
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

/* -EINVAL, with the place in the YAML, if an external input of what is wanted can't be a file to
 * read. Touches nothing. */
int plan_check_externals(const struct plan *plan, struct error *err);

/* Hashes the external inputs of what is wanted (mostly by the stat cache) and resolves all that the
 * cache knows. */
int plan_start(struct plan *plan, struct error *err);

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

/* When each blob that a stage reads was last written to, to be taken before it runs. */
struct stamps {
    int64_t *items; /* malloc'd; -1 for a blob that is gone */
    size_t count;
};
void plan_stamp_inputs(const struct plan *plan, const struct stage *stage, struct stamps *stamps);

/* -EIO if an input of a stage that has run no longer is what it was: an external file that was
 * changed meanwhile, or a blob that the stage wrote to, which is then removed from the cache, so
 * that it is made again. */
int plan_check_inputs(const struct plan *plan, const struct stage *stage,
                      const struct stamps *before, struct error *err);

#endif
