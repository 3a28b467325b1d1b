/* An experiment: the stages that a YAML file asks for, checked and with their matrices expanded.
 *
 * Everything here is what the file says; nothing is known yet of the cache. All of it lives in
 * the experiment's arena. */
#ifndef FERDAG_DAG_EXPERIMENT_EXPERIMENT_H
#define FERDAG_DAG_EXPERIMENT_EXPERIMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/problems.h"
#include "base/arena.h"
#include "dag/experiment/scope.h"
#include "dag/experiment/yaml.h"
#include "stages/kind.h"

/* A file or folder from outside: an entry of `inputs`, or code that a stage declares with `files`.
 */
struct external {
    const char *name;
    const char *path; /* absolute, without '/' at its end */
    const struct node *where;
    bool folder;  /* the YAML says so, or there is one */
    bool code;    /* of `files`: stages get copies */
    bool used;    /* of `inputs`: something names it */
    size_t place; /* in the experiment's list */
};

/* Something that a stage leaves: an output port of its kind or, for open ports, of its `out`. */
struct output {
    const char *port;
    const char *file; /* where the stage leaves it in its folder */
    bool tree, optional, measured;
    unsigned referred; /* bits of tables.c: which sections refer to it */
};

/* Something that a stage reads: another stage's output or an external file. */
struct edge {
    const char *port;
    const char *as; /* its name in the stage's folder: "images", or "features.0" of many */
    bool many, optional;
    struct stage *from; /* NULL: external */
    size_t output;      /* which of from's outputs */
    struct external *external;
    const struct node *where;
};

enum gpu { GPU_NONE, GPU_OPTIONAL, GPU_REQUIRED };

struct stage {
    const char *name;  /* "train/vgg19/full" */
    const char *group; /* "train" */
    const struct kind *kind;
    const struct node *where; /* its entry in `stages` */
    json_t *params;           /* object in the table's order, defaults filled in */
    struct edge *inputs;      /* in the order of the kind's ports, then of each list */
    size_t input_count;
    struct output *outputs;
    size_t output_count;
    const struct node *out; /* of open ports: a sealed map, whose keys are the outputs' ports */
    int cpu;                /* threads it may use */
    uint64_t mem;           /* bytes it is said to need; 0: not said */
    enum gpu gpu;
    const char **env; /* of open ports: environment variables that it sees */
    size_t env_count;
    bool broken;          /* something is wrong with its own fields, which was reported */
    struct stage **users; /* who reads its outputs, each once */
    size_t user_count;
    size_t place;  /* in the experiment's list, which is in topological order */
    size_t height; /* stages on the longest chain from here to an end, itself included */
    double work;   /* as its kind says; 0 if that says nothing */
    bool implicit; /* `tables` and `report`, which the file's tables bring */
};

struct experiment {
    struct arena *arena;
    const char *file; /* as given */
    const char *full; /* absolute */
    const char *name; /* file's name without folder and ending: of the report's folder */
    const char *title;
    struct node *root; /* the merged file */
    bool misspelled;   /* it has a key that no file has: what it lacks may stand there */
    const struct node *params;
    size_t steps; /* see scope.h */
    struct external **externals;
    size_t external_count;
    struct stage **stages; /* inputs before their users */
    size_t stage_count;
    struct stage **by_name;    /* the same, sorted by name */
    struct problems *problems; /* where what is wrong is added while the file is read */
    const char **broken;       /* names of entries of `stages` whose matrix couldn't be expanded */
    size_t broken_count;
};

/* Reads and checks all. settings are the texts of --set. All that is wrong is added to problems;
 * -EINVAL if there is an error among them, and then there is nothing to free. */
int experiment_load(struct experiment *experiment, const char *file, const char *const *settings,
                    size_t setting_count, struct problems *problems);
void experiment_free(struct experiment *experiment);

/* The stages that a name picks: itself, or all below a prefix ("train", "train/vgg19"); marks them
 * in picked[place]. -EINVAL with the nearest name if it picks none. */
int experiment_pick(const struct experiment *experiment, const char *name, bool *picked,
                    struct error *err);

/* ---- for the files that read an experiment ---- */

/* Whether a name has letters, digits, _ and what is in `also` only. */
bool experiment_name_sound(const char *name, const char *also);

/* Where ${...} is looked up: locals first, then params. */
struct scope experiment_scope(struct experiment *e, const struct variable *locals, size_t count);

/* Adds an external; returns it. */
struct external *experiment_add_external(struct experiment *e, struct external external);

/* The absolute path of what a text names in a folder ("" or ending with '/'); NULL with errno set
 * if the current folder isn't known. */
const char *experiment_path(struct experiment *e, const char *folder, const char *text);

/* ---- references.c ---- */

/* Sorts the stages' names, for what follows. */
void references_prepare(struct experiment *e);

/* The stage of exactly that name, or NULL. */
struct stage *experiment_stage(const struct experiment *experiment, const char *name);

/* The input of exactly that name, or NULL. */
struct external *experiment_external(const struct experiment *experiment, const char *name);

/* A reference "stage", "stage.port" or the name of an input, as written at `where`. Exactly one of
 * *from (with *output) and *external is set. -EINVAL: it was reported, or hangs on what was. */
int experiment_resolve(const struct experiment *experiment, const char *text,
                       const struct node *where, struct stage **from, size_t *output,
                       struct external **external);

/* One of the stages that a pattern such as "train/full/\*" or "train/\*.best" names. */
struct match {
    struct stage *from;
    size_t output;
    const char *name; /* what the stars stand for: "vgg19" */
};

/* All of them, in the order of the file; at least one, or -EINVAL as above. */
int experiment_match(const struct experiment *experiment, const char *pattern,
                     const struct node *where, struct match **matches, size_t *count);

#endif
