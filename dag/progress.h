/* What a run shows while it goes: on a terminal lines that are redrawn in place (screen.h) below
 * those that are kept, elsewhere plain lines. All of it goes to stderr. */
#ifndef FERDAG_DAG_PROGRESS_H
#define FERDAG_DAG_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/clock.h"
#include "dag/activity.h"
#include "dag/screen.h"

/* The display of one run. */
struct progress {
    bool terminal;
    double start; /* clock */
    size_t total, cached, ran, failed, not_run;
    bool stopping;    /* after a failure or Ctrl-C: no new stages start */
    double remaining; /* seconds until the end of the run as estimated, or -1 while that is not
                         known */
    struct activity *activities; /* the running stages, in the order in which they started */
    size_t count, room;
    struct screen screen;
};

void progress_begin(struct progress *p, size_t total);
void progress_start(struct progress *p, const char *stage);
/* A report of a stage: {"done", "total", "unit", "rate", "rate_unit", "note"}; with a total of 0
 * the note is the last line of the output of a user's program. */
void progress_update(struct progress *p, const char *stage, const json_t *line);
/* What a running stage last reported, or NULL. */
struct activity *progress_find(const struct progress *p, const char *stage);
/* The stage is no longer running, without a result; ends with a line "name: WHAT" unless what is
 * NULL. */
void progress_stop(struct progress *p, const char *stage, const char *what);
/* The stage has a result, computed in so many seconds. On a terminal only a stage that took a
 * second or more gets a line. */
void progress_done(struct progress *p, const char *stage, double seconds);
/* The stage has failed, for the reason `message`. */
void progress_failed(struct progress *p, const char *stage, const char *message);
/* A line that stays. */
void progress_print(struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same of what needs attention. */
void progress_warn(struct progress *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Redraws; call some times a second. */
void progress_tick(struct progress *p);
/* Removes what was drawn. */
void progress_end(struct progress *p);

#endif
