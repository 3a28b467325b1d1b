/* What a run shows while it goes: on a terminal some lines that are redrawn in place, into a pipe
 * plain lines. All of it goes to stderr. */
#ifndef FERDAG_DAG_PROGRESS_H
#define FERDAG_DAG_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* What one running stage last said of itself. */
struct activity {
    const char *stage;
    double since;       /* clock when it started */
    double done, total; /* of `unit`s; total 0: nothing said yet */
    char unit[24], rate_unit[24], note[80];
    double rate;
    double first; /* `done` when it first spoke: an earlier sitting may have done it */
    double spoke, heard, printed; /* clock of its first, last and last printed word */
};

struct progress {
    bool terminal;
    double start; /* clock */
    size_t total, cached, ran, failed, not_run;
    double remaining; /* seconds until the end of the run as estimated, or -1 while that is not known */
    size_t drawn;                /* lines on the screen that are ours */
    unsigned short lengths[256]; /* and how long each is: a narrower terminal wraps them */
    struct activity *activities; /* the running stages, in the order in which they started */
    size_t count, room;
};

void progress_begin(struct progress *p, size_t total);
void progress_start(struct progress *p, const char *stage);
/* The same of what only a terminal need see. */
void progress_start_quietly(struct progress *p, const char *name);
/* A line that a stage wrote: {"done", "total", "unit", "rate", "rate_unit", "note"}. */
void progress_update(struct progress *p, const char *stage, const json_t *line);
/* What a running stage last said, or NULL. */
struct activity *progress_find(const struct progress *p, const char *stage);
/* The stage is no longer running; ends with a line "name: WHAT" unless what is NULL. */
void progress_stop(struct progress *p, const char *stage, const char *what);
/* A line that stays. */
void progress_say(struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Redraws; call some times a second. */
void progress_tick(struct progress *p);
/* Wipes what was drawn. */
void progress_end(struct progress *p);

double progress_clock(void); /* monotonic seconds */

/* "41 s", "2 min 03 s", "1 h 05 min", "16 d 02 h" */
const char *progress_duration(double seconds, char *text, size_t size);

#endif
