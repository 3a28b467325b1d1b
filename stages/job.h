/* What a running stage sees: its params, its inputs and outputs by port, and a way to say how
 * far it is. A stage is a child process whose current folder holds job.json, its inputs under
 * their ports' names, and whatever it left there when it was killed before.
 *
 * Params were checked against the kind's table when job.json was made and are checked again here,
 * so a getter can't fail; to ask for a name or type that the table lacks is a bug and aborts. */
#ifndef FERDAG_STAGES_JOB_H
#define FERDAG_STAGES_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"
#include "stages/kind.h"

struct job {
    const struct kind *kind;
    json_t *root;        /* job.json: stage, kind, key, params, inputs, outputs, threads, backend */
    const char *stage;   /* full name of the stage in the experiment, "train/vgg19/full" */
    const char *key;     /* its key, 64 hex digits */
    const char *backend; /* "auto", "ref", "cpu", "cuda" */
    int threads;         /* how many it may use: needs.cpu */
    int progress;        /* file descriptor for progress lines, or -1 */
};

/* Reads ./job.json for the kind. The caller frees with job_close. */
int job_open(struct job *job, const struct kind *kind, struct error *err);
void job_close(struct job *job);

int64_t job_int(const struct job *job, const char *param);
double job_real(const struct job *job, const char *param);
bool job_bool(const struct job *job, const char *param);
const char *job_string(const struct job *job, const char *param); /* ENUM and STRING */
const json_t *job_json(const struct job *job,
                       const char *param); /* JSON, LIST, MAP, NAMED; borrowed */

/* How many inputs the port has: 0 if an optional one was left out. */
size_t job_input_count(const struct job *job, const char *port);
/* Path, relative to the current folder, of input i of a port; i is 0 unless the port takes many.
 * Belongs to the job. */
const char *job_input(const struct job *job, const char *port, size_t i);
/* What to call that input in an error: the path in the experiment if it came from outside, else as
 * job_input. Belongs to the job. */
const char *job_input_name(const struct job *job, const char *port, size_t i);
/* Provenance of that input: {"path", "stage", "port", "key", "digest", "kind", "seconds",
 * "peak_bytes", "finished", "params", "inputs"}; for kinds with `report` set. Borrowed. */
const json_t *job_provenance(const struct job *job, const char *port, size_t i);
/* A finished stage that was alike but for a smaller value of the param that its kind marks with
 * `continues`, and the folder that has its outputs under their files' names. It must not show in
 * the outputs whether the stage goes on from there or begins at the beginning. */
struct job_earlier {
    const char *folder, *key; /* belong to the job */
    int64_t value;
};

size_t job_earlier_count(const struct job *job);
/* The largest first. */
struct job_earlier job_earlier(const struct job *job, size_t i);
/* Says that the stage goes on from there, also after it was killed and goes on with that. */
void job_continues(const struct job *job, const char *key, int64_t value);

/* Path of an output; the stage creates it (a folder too, for a tree). */
const char *job_output(const struct job *job, const char *port);

/* Says how far the stage is: done of total `unit`s ("epoch"), at `rate` `rate_unit` ("images/s";
 * NULL: none), `note` (may be NULL) such as "loss 1.02". Cheap; call it at most some times a
 * second. */
void job_progress(const struct job *job, double done, double total, const char *unit, double rate,
                  const char *rate_unit, const char *note);

/* Seconds on a monotonic clock. */
double job_clock(void);

/* Writes a JSON value to an output file, sorted keys, 2 spaces, reals with 17 significant digits,
 * newline at the end; steals the reference to value (which may be NULL: -ENOMEM). */
int job_write_json(const char *path, json_t *value, struct error *err);

#endif
