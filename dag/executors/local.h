/* A stage as a process on this machine: `ferdag stage KIND` in its folder.
 *
 * Its descriptors: 0 /dev/null, 1 and 2 log.txt, 3 a pipe for JSON lines (how far it is, and at the
 * end what it used or why it failed), 4 the key's lock, so that the lock outlives us if we are
 * killed first. It leads a session of its own, so that all it starts can be ended with it. */
#ifndef FERDAG_DAG_EXECUTORS_LOCAL_H
#define FERDAG_DAG_EXECUTORS_LOCAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/error.h"

struct child {
    void *data; /* the owner's */
    void (*said)(struct child *child, const json_t *line);
    void (*ended)(struct child *child); /* its process is gone, all it said was read: last call */

    double started;     /* seconds since 1970 */
    double seconds;     /* wall time, once ended */
    double cpu_seconds; /* as it reported */
    int64_t peak_bytes;
    int64_t status;     /* exit status, once ended */
    int signal;         /* that ended it, or 0 */
    char message[1024]; /* its own words on why it failed, or "" */

    uv_process_t process;
    uv_pipe_t pipe;
    double clock;    /* monotonic: at the start; then at the exit */
    char line[8192]; /* the unfinished line; a longer one is dropped */
    size_t used;
    bool dropping, exited;
    int open; /* handles still to close */
};

/* Starts it; data, said and ended are set, the rest zero. lock is inherited; -1: none. A
 * process that can't be started ends at once, with status 127 and a message; a negative code means
 * that its log can't be opened, and then `ended` isn't called. */
int child_start(struct child *child, uv_loop_t *loop, const char *kind, const char *folder,
                int threads, int lock, struct error *err);

/* Sends a signal to it and all it has started. */
void child_signal(struct child *child, int signal);

/* Whether it is that process, which hasn't been reaped. */
bool child_is(const struct child *child, pid_t pid);

/* Call some times a second: gives up on a pipe that something keeps open after the exit. */
void child_tick(struct child *child);

/* What `ferdag stage` does at its start: dies with its parent, keeps descriptors 3 and 4 to itself.
 */
void child_settle(void);
/* What `ferdag stage` does at its end: reports resources, and err if rc < 0. */
void child_report(int rc, const struct error *err);

#endif
