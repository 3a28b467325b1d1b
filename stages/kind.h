/* What a stage kind is: its name, its ports, its params, and the function that does its work.
 *
 * Each kind is one file that defines one `const struct kind`, and one line in kinds.c. The
 * YAML checker, the keys, `ferdag kinds` and the JSON Schema are all driven by these tables.
 * This header holds the data; what a running stage may call is in job.h. */
#ifndef FERDAG_STAGES_KIND_H
#define FERDAG_STAGES_KIND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"
#include "base/problems.h"
#include "stages/param.h"

struct job;

enum port_form {
    PORT_FILE, /* one file */
    PORT_TREE  /* a folder of files */
};

/* A named input or output. Tables of ports end with name == NULL.
 * In its folder a stage finds input port p as `p` (a file, or a folder of files); a port that
 * takes many has `p.0`, `p.1`, ... in the order of the YAML. An output stands under `file`. An
 * optional output whose name starts with a dot is what a kind needs to be continued from: no input
 * can name it, and if it gets lost the result is served without it. */
struct port {
    const char *name;
    enum port_form form;
    const char *file;  /* outputs: file or folder name, with its ending; NULL for inputs */
    const char *data;  /* type of the content; NULL: `name`. An input takes outputs of the same
                          type; outputs of programs and external files are not checked */
    bool optional;     /* inputs: may be left out; outputs: may be absent */
    bool many;         /* inputs: takes a list */
    bool measured;     /* outputs: holds measured times, which differ from run to run; only kinds
                          with `report` set may read it */
    const char *holds; /* outputs: what a reference may name in it, as patterns separated by blanks:
                          of JSON and JSON lines JSON pointers, "/public|private/accuracy"; of a
                          folder its files, "/removed.png". "*" is any one name, "**" at the end
                          anything below. NULL: not known, so that anything may be named */
    const char *text;  /* one line: what is in it, with shapes */
};

/* What besides params and inputs decides the bytes of a kind's results. */
enum numerics {
    NUMERICS_NONE,
    NUMERICS_NET,      /* the backend; its CPU features and the number of threads, or its GPU and
                          the library's version */
    NUMERICS_BLAS,     /* the BLAS library's version and the CPU core that it computes for */
    NUMERICS_PRODUCTS, /* as BLAS; with the backend cuda, also the GPU and the version of cuBLAS */
    NUMERICS_COUNT
};

/* The first output is the main port, which `stage` alone names. */
struct kind {
    const char *name;
    const char *was;      /* its name in format 1 of the experiment file, or NULL */
    const char *key_name; /* its name in the text of a key, or NULL: see struct param */
    int version;          /* goes up whenever the same inputs would give other results */
    const char *text;     /* one line for `ferdag kinds` */
    const struct port *inputs, *outputs;
    const struct param *params;
    enum numerics numerics; /* what of the machine decides results: it goes into the key */
    int gpu; /* hundredths of a GPU that a stage takes with the backend cuda, if the file states no
                number: less than 100 for kinds that use a GPU for a part of their time. 0: the
                kind computes on CPUs only */
    bool report; /* reads measured outputs and provenance: names, keys and measured digests of its
                    input stages go into its key; inputs whose stage has no result are left
                    out instead of stopping it */
    bool open_ports; /* `command`: the YAML names the ports, inputs and outputs are not checked */

    /* Does the work in the current folder. Returns 0, or a negative code with err filled. */
    int (*run)(struct job *job, struct error *err);

    /* Adds what is wrong with the params beyond what the tables say, with JSON pointers into the
     * object of params as places; they are right by the tables. NULL: nothing. */
    void (*check)(const json_t *params, struct problems *problems);

    /* The amount of work of a stage with these params, in any unit: comparable between stages of
     * this kind whose inputs have the same size. The estimate of a run's time scales the seconds
     * of other stages by it. NULL: not known; such a stage takes the seconds of an equal one. */
    double (*work)(const json_t *params);
};

/* All kinds, in the order in which `ferdag kinds` lists them; ends with NULL. */
extern const struct kind *const kinds[];

/* The kind of that name, or NULL. */
const struct kind *kind_find(const char *name);

/* A kind's name, and a param's, in the text of a key. */
const char *kind_key_name(const struct kind *kind);
const char *param_key_name(const struct param *param);

/* The backend that a name stands for: for "auto" the first one that this machine can use for nets
 * and for products, else the name itself. Returns 0, or a negative code with the reason in err if
 * there is no such backend or this machine can't use it. *found is static. */
int kind_backend(const char *name, const char **found, struct error *err);

/* Writes into text (size bytes) the numerics of this machine, such as
 * "cpu avx512_core_bf16 threads=1", "cuda NVIDIA H200 sm_90 132 cudnn 9.19.0" or
 * "openblas 0.3.21 Zen"; "" for NUMERICS_NONE. backend is "auto" or a backend's name. Returns 0, or
 * a negative code if there is no such backend or this machine can't use it. */
int kind_numerics(enum numerics numerics, const char *backend, int threads, char *text, size_t size,
                  struct error *err);

/* ---- numerics that an experiment file states, for a machine that this one only plans for ---- */

/* Their names in the file: "net", "blas", "products". NULL for NUMERICS_NONE. */
extern const char *const numerics_names[NUMERICS_COUNT];

/* The name of the backend in a text of the file, which begins with it: "cuda NVIDIA H200 ...". NULL
 * if it names none. Only NET and PRODUCTS depend on the backend. */
const char *numerics_backend(enum numerics numerics, const char *stated);

/* Writes what kind_numerics would write on the machine whose numerics the file states: the text of
 * the file, and the number of threads where results depend on it. */
int numerics_stated(enum numerics numerics, const char *stated, int threads, char *text,
                    size_t size, struct error *err);

#endif
