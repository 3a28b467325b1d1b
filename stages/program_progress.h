/* The progress of a user's program while it runs, by what it leaves in two files: reports, which it
 * may write to the file that FERDAG_PROGRESS names, and its output, whose last line is shown.
 *
 * A file, not a pipe: a program can always open it and never waits for a reader, and a shell's ">"
 * and ">>" do equally well. Only the end of either file is read, some times a second, and nothing
 * in it is trusted: what is no report is ignored, text is freed of control characters and cut. */
#ifndef FERDAG_STAGES_PROGRAM_PROGRESS_H
#define FERDAG_STAGES_PROGRAM_PROGRESS_H

#include <stdbool.h>
#include "base/metadata.h"
#include "stages/job.h"

enum { PROGRAM_LOOK_MS = 300 }; /* between two looks */

struct program_report {
    double done, total; /* of `unit`s; total 0: no report */
    double rate;        /* 0: not given */
    char unit[24], rate_unit[24], note[200];
};

struct program_progress {
    const struct job *job;
    char *path;              /* the file of reports; absolute */
    int output;              /* descriptor of the program's output, or -1: not a file */
    struct metadata seen[2]; /* the stamps of both files at the last look */
    double looked;           /* clock_monotonic then */
    struct program_report last;
    char line[200]; /* the last line of the output */
};

/* Prepares for a program that will run in the current folder and write to stdout. Makes no file.
 * Returns 0 or a negative code. */
int program_progress_open(struct program_progress *progress, const struct job *job,
                          struct error *err);
/* Reads what is new and reports it as the stage's progress; at once, or not within PROGRAM_LOOK_MS
 * of the last look. */
void program_progress_look(struct program_progress *progress, bool at_once);
void program_progress_close(struct program_progress *progress);

/* Reads a line without its newline: {"done": 3, "total": 10, "unit": "epoch", "rate": 5.2,
 * "rate_unit": "images/s", "note": "loss 0.3"}, of which done and total are needed, or the text
 * "3/10 UNIT NOTE". False for anything else, which leaves *report alone. */
bool program_report_parse(const char *line, size_t length, struct program_report *report);

/* Copies the last line that isn't blank; of one that a progress bar has redrawn with carriage
 * returns, what stands last. "" if there is none. */
void program_last_line(const char *text, size_t length, char *line, size_t size);

#endif
