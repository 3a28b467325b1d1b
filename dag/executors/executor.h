/* Where stages run. An executor starts `ferdag stage KIND` in the folder of a stage, on this
 * machine or elsewhere, passes on the progress that the stage reports, and reports how it ended.
 *
 * To add one, write one file with a struct executor_type, and add it to the table in executors.c.
 * A stage reports by the lines described in stages/progress_lines.h. Its executor may read them
 * from a pipe, or from a file in the stage's folder that it looks at in `poll`. */
#ifndef FERDAG_DAG_EXECUTORS_EXECUTOR_H
#define FERDAG_DAG_EXECUTORS_EXECUTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "dag/loop.h"

/* What stages may use at the same time. INT_MAX, UINT64_MAX: no limit. */
struct capacity {
    int cpus;
    uint64_t memory; /* bytes */
    int gpus;        /* the scheduler gives each a number from 0 to gpus - 1 */
};

enum { GPUS_ON_JOB = 64 };

/* The GPUs that a job may use. The executor makes exactly these visible to the job's processes: as
 * GPUs 0 to count - 1, by the variable CUDA_VISIBLE_DEVICES or the place's equivalent. With count 0
 * none is visible. */
struct job_gpus {
    int count;
    int share;                /* hundredths of each: 100, or less of a GPU that jobs share */
    int numbers[GPUS_ON_JOB]; /* unused if the capacity has no limit: the executor chooses */
};

/* One attempt to run a stage. The caller owns it until `ended` was called. */
struct executor_job {
    /* Set by the caller: */
    const char *kind;
    const char *folder; /* absolute path: job.json, later the outputs and log.txt */
    int threads;        /* that the stage may use */
    uint64_t memory;    /* bytes that it is declared to need; 0: not declared */
    struct job_gpus gpus;
    int lock; /* descriptor of the lock on the stage's key. If the stage may outlive this process on
                 this machine, it must inherit the descriptor. -1: none */
    void *data;
    void (*reported)(struct executor_job *job, const json_t *line); /* not of usage and errors */
    void (*ended)(struct executor_job *job); /* the last call; the members below are final */

    /* Set by the executor: */
    double started;     /* seconds since 1970 */
    double seconds;     /* wall time */
    double cpu_seconds; /* as the stage reported */
    int64_t peak_bytes;
    int status;         /* exit status; 0: the stage succeeded */
    int signal;         /* that ended it, or 0 */
    char message[1024]; /* why it failed, as the stage reported or the executor found; or "" */
    void *handle;       /* the executor's own */
};

struct executor {
    const struct executor_type *type;
    struct loop *loop;
    void *state; /* of the type */
};

/* The callbacks of a job are called only from loop_wait and from `poll`. */
struct executor_type {
    const char *name;
    const char *text; /* one line of help */

    /* Fills executor->state. Errors: the place can't be used. */
    int (*open)(struct executor *executor, struct error *err);
    /* No job is running any more. */
    void (*close)(struct executor *executor);

    struct capacity (*capacity)(const struct executor *executor);

    /* Starts the job. A negative code means that the folder can't be used or no space is left;
     * `ended` isn't called then. A job that can't be started for any other reason ends at once,
     * with a message. */
    int (*start)(struct executor *executor, struct executor_job *job, struct error *err);

    /* Takes over a job that an earlier process started in job->folder, if it is still running or
     * has ended since and wasn't cancelled. Returns 0, or -ENOENT: the caller then starts the stage
     * in a new folder. NULL: jobs of this executor end with the process that started them. */
    int (*attach)(struct executor *executor, struct executor_job *job);

    /* Requests the end of the job and of all that it started (SIGTERM, or the place's equivalent);
     * with `force`, kills them. `ended` is then called soon, as for any job. */
    void (*cancel)(struct executor *executor, struct executor_job *job, bool force);

    /* Called about ten times a second. */
    void (*poll)(struct executor *executor);
};

/* All executors; the first is the default. Ends with NULL. */
extern const struct executor_type *const executors[];
extern const struct executor_type executor_local;

/* For executors: what a stage has reported, cut into lines. Start with a zeroed one. */
struct line_buffer {
    char text[8192]; /* the unfinished line; a longer one is dropped */
    size_t used;
    bool dropping;
};

/* Takes the next bytes that the job has reported. Usage and errors go into the job's members; other
 * lines are given to job->reported. */
void executor_read(struct executor_job *job, struct line_buffer *lines, const char *bytes,
                   size_t size);

#endif
