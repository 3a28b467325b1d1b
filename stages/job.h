/* The job of a running stage: its params, its inputs and outputs by port, and functions to report
 * progress. A stage is a process whose current folder holds job.json, the inputs under the names of
 * their ports, and the checkpoint of an earlier attempt, if one was interrupted.
 *
 * job_open checks the params against the kind's table, so the getters can't fail; a name or type
 * that the table lacks is a bug of the caller and aborts. */
#ifndef FERDAG_STAGES_JOB_H
#define FERDAG_STAGES_JOB_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/clock.h"
#include "base/error.h"
#include "stages/kind.h"

struct job {
    const struct kind *kind;
    json_t *root;        /* job.json: stage, kind, key, params, inputs, outputs, threads, backend,
                            numerics */
    const char *stage;   /* full name of the stage in the experiment, "train/vgg19/full" */
    const char *key;     /* its key, 64 hex digits */
    const char *backend; /* "auto", "ref", "cpu", "cuda" */
    int threads;         /* that it may use: needs.cpu */
    int progress;        /* descriptor for progress_lines.h, or -1 */
};

/* Reads ./job.json for the kind. The caller frees with job_close. */
int job_open(struct job *job, const struct kind *kind, struct error *err);
void job_close(struct job *job);

/* Compares the numerics that the job's key contains with those of this process. Returns 0, -EINVAL
 * if they differ, or another negative code if this machine can't use the backend; err has the
 * reason. A job without them isn't checked. */
int job_check_numerics(const struct job *job, struct error *err);

int64_t job_int(const struct job *job, const char *param);
double job_real(const struct job *job, const char *param);
bool job_bool(const struct job *job, const char *param);
const char *job_string(const struct job *job, const char *param); /* ENUM and STRING */
const json_t *job_json(const struct job *job,
                       const char *param); /* JSON, LIST, MAP, NAMED; borrowed */

/* The number of inputs of the port: 0 if an optional one is absent. */
size_t job_input_count(const struct job *job, const char *port);
/* Path of input i of a port, relative to the current folder; i is 0 unless the port takes many.
 * Owned by the job. */
const char *job_input(const struct job *job, const char *port, size_t i);
/* The name of that input for errors: of an external input its path in the experiment, else as
 * job_input. Owned by the job. */
const char *job_input_name(const struct job *job, const char *port, size_t i);
/* Provenance of that input: {"path", "stage", "port", "key", "digest", "kind", "seconds",
 * "peak_bytes", "finished", "params", "inputs"}; for kinds with `report` set. Borrowed. */
const json_t *job_provenance(const struct job *job, const char *port, size_t i);
/* A finished stage that the job may continue from: all is the same except for a smaller value of
 * the param that the kind marks with `continues`. The outputs of the job must not depend on whether
 * it continues from there or starts from the beginning. */
struct job_earlier {
    const char *folder; /* holds the outputs of that stage, under the names of their files */
    const char *key;    /* both are owned by the job */
    int64_t value;
};

size_t job_earlier_count(const struct job *job);
/* The largest first. */
struct job_earlier job_earlier(const struct job *job, size_t i);
/* Reports that the stage continues from there; also when it resumes after an interruption. */
void job_continues(const struct job *job, const char *key, int64_t value);

/* Path of an output, which the stage creates (for a tree, a folder). */
const char *job_output(const struct job *job, const char *port);

/* Reports progress: done of total `unit`s ("epoch"), at a rate in rate_unit ("images/s"; NULL:
 * none), with a note such as "loss 1.02" (may be NULL). To be called at most some times a second.
 */
void job_progress(const struct job *job, double done, double total, const char *unit, double rate,
                  const char *rate_unit, const char *note);

/* Writes a JSON value to an output file, sorted keys, 2 spaces, reals with 17 significant digits,
 * newline at the end; steals the reference to value (which may be NULL: -ENOMEM). */
int job_write_json(const char *path, json_t *value, struct error *err);

#endif
