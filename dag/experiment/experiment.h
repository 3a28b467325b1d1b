/* An experiment: the stages of a YAML file, checked, with their matrices expanded.
 *
 * It holds what the file contains and nothing from the cache. All memory is the arena's. */
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

/* A file or folder of the user's: an entry of `inputs`, or code that a stage lists in `files`. */
struct external {
    const char *name;
    const char *path; /* absolute, without '/' at its end */
    const struct node *where;
    bool folder;  /* the path ends with '/', or a folder exists there */
    bool code;    /* from `files`: each stage gets its own copy */
    bool used;    /* from `inputs`: a stage reads it */
    size_t place; /* index in the experiment's list */
};

/* An output of a stage: a port of its kind or, with open ports, an entry of its `out`. */
struct output {
    const char *port;
    const char *file; /* path in the stage's folder */
    bool tree, optional, measured;
    unsigned referred; /* bits of tables.c: the sections that refer to it */
};

/* An input of a stage: another stage's output, or an external file. */
struct edge {
    const char *port;
    const char *as; /* path in the stage's folder: "images", or "features.0" of a list */
    bool many, optional;
    struct stage *from; /* NULL: external */
    size_t output;      /* index in from's outputs */
    struct external *external;
    const struct node *where;
};

enum { GPU_WHOLE = 100 }; /* needs.gpu counts hundredths of a GPU */

struct stage {
    const char *name;  /* "train/vgg19/full" */
    const char *group; /* "train" */
    const struct kind *kind;
    const struct node *where; /* its entry in `stages` */
    json_t *params;           /* object, in the table's order, with defaults */
    struct edge *inputs;      /* ordered by the kind's ports, then by each list */
    size_t input_count;
    struct output *outputs;
    size_t output_count;
    const struct node *out; /* with open ports: the map `out`, indexed */
    int cpu;                /* needs.cpu: threads that it may use */
    uint64_t mem;           /* needs.mem in bytes; 0: not given */
    int gpu;                /* needs.gpu: hundredths of a GPU; above 100 whole ones only */
    bool gpu_optional;      /* needs.gpu is `optional`, and `gpu` is 0 */
    const char *numerics;   /* from the section `numerics`, in place of this machine's; or NULL */
    const char **env;       /* with open ports: environment variables passed to the program */
    size_t env_count;
    bool broken;          /* one of its own fields is wrong, which was reported */
    struct stage **users; /* the stages that read its outputs, each once */
    size_t user_count;
    size_t place;  /* index in the experiment's list, which is in topological order */
    size_t height; /* stages on the longest path from here to a last stage, itself included */
    double work;   /* as the kind's `work` returns it; 0 if it has none */
    bool implicit; /* `tables` or `report`: made from sections, not from `stages` */
};

struct experiment {
    struct arena *arena;
    const char *file; /* as given */
    const char *full; /* absolute path */
    const char *name; /* the file's name without folder and extension: names the report's folder */
    const char *title;
    struct node *root; /* the merged file */
    bool misspelled;   /* it has an unknown key: what seems to be missing may stand there */
    const struct node *params;
    size_t steps;                         /* see scope.h */
    const char *numerics[NUMERICS_COUNT]; /* stated by the file; NULL: this machine's */
    struct external **externals;
    size_t external_count;
    struct stage **stages; /* in topological order */
    size_t stage_count;
    struct stage **by_name;    /* the same stages, sorted by name */
    struct problems *problems; /* collects errors while the file is read */
    const char **broken;       /* entries of `stages` that could not be expanded */
    size_t broken_count;
};

/* Reads and checks a file. settings are the arguments of --set. Adds every error and warning to
 * problems. Returns 0, and the caller frees with experiment_free; or -EINVAL if there is an error,
 * with nothing to free. */
int experiment_load(struct experiment *experiment, const char *file, const char *const *settings,
                    size_t setting_count, struct problems *problems);
void experiment_free(struct experiment *experiment);

/* Marks in picked[place] the stage of that name, or all stages below a prefix ("train",
 * "train/vgg19"). -EINVAL, with the nearest name in err, if there are none. */
int experiment_pick(const struct experiment *experiment, const char *name, bool *picked,
                    struct error *err);

/* The stage `tables` that the file's tables, claims and report are made by; NULL if it has none. */
const struct stage *experiment_tables(const struct experiment *experiment);

/* The section `claims`, {ID: {title, text, ...}}, which belongs to the experiment; NULL if the file
 * has no claims. */
const json_t *experiment_claims(const struct experiment *experiment);

/* ---- references.c ---- */

/* Sorts the stages by name. Call it after stages were added and before the functions below. */
void references_prepare(struct experiment *e);

/* The stage of exactly that name, or NULL. */
struct stage *experiment_stage(const struct experiment *experiment, const char *name);

/* The input of exactly that name, or NULL. */
struct external *experiment_external(const struct experiment *experiment, const char *name);

/* Resolves a reference written at `where`: "stage", "stage.port" or the name of an input. Sets
 * either *from and *output, or *external. -EINVAL: an error was added to problems, now or before.
 */
int experiment_resolve(const struct experiment *experiment, const char *text,
                       const struct node *where, struct stage **from, size_t *output,
                       struct external **external);

/* A stage that matches a pattern such as "train/full/\*" or "train/\*.best". */
struct match {
    struct stage *from;
    size_t output;
    const char *name; /* the text that the stars match: "vgg19" */
};

/* Finds all matches, in the order of the file. -EINVAL if there are none, as above. */
int experiment_match(const struct experiment *experiment, const char *pattern,
                     const struct node *where, struct match **matches, size_t *count);

#endif
