/* How far a stage is: the last progress line that it reported, kept in its work folder. `status`
 * reads it there, for a stage of another run and for one that was interrupted. */
#ifndef FERDAG_DAG_STAGE_PROGRESS_H
#define FERDAG_DAG_STAGE_PROGRESS_H

#include "dag/plan.h"

/* Writes a progress line (see progress_update) to FOLDER/progress.json, at most once a second.
 * *kept is the clock of the last write, 0 at first. Without syncing, and errors are ignored:
 * nothing depends on the file. */
void stage_progress_keep(const char *folder, const json_t *line, double *kept);

struct stage_progress {
    bool running;       /* a process holds the stage's lock */
    bool interrupted;   /* an attempt was stopped or killed, and its folder is still there */
    bool resumes;       /* the next run continues that attempt */
    double done, total; /* total 0: nothing was reported */
    char unit[24], note[80];
};

/* Looks for an attempt with the task's present key. All zero if there is none. */
void stage_progress_find(const struct plan *plan, const struct task *task,
                         struct stage_progress *progress);

/* "epoch 7.4 of 20", "interrupted at epoch 7.4 of 20; it resumes when run again"; NULL if there
 * is nothing to report. malloc'd. */
char *stage_progress_words(const struct stage_progress *progress);

/* {"done", "total", "unit", "note"}, or NULL if nothing was reported. */
json_t *stage_progress_json(const struct stage_progress *progress);

#endif
