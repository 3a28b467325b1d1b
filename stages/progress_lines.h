/* The lines by which a stage's process reports to the program that started it, and their writer.
 *
 * Each line is one JSON object, written at once to the descriptor that the environment variable
 * FERDAG_PROGRESS_FD names. Without it, or when nobody reads, nothing is reported, and that is no
 * error. A reader ignores lines and members that it doesn't know, and lines longer than 8 KiB.
 * Lines of these forms may come in any order and number:
 *
 *   {"done": 3.5, "total": 20, "unit": "epoch", "rate": 812, "rate_unit": "images/s",
 *    "note": "loss 1.02"}
 *       how far the stage is: done of total units; all but "done" and "total" may be absent
 *   {"continues": {"key": "0123...", "value": 10}}
 *       it continues from the outputs of the finished stage with that key, whose value of the param
 *       marked `continues` is 10
 *   {"usage": {"cpu_seconds": 12.5, "peak_bytes": 104857600}}
 *       at the end: CPU time (user and system) and the largest resident set, of all its processes
 *   {"error": "out of memory"}
 *       at the end: why it failed, in one sentence for the user */
#ifndef FERDAG_STAGES_PROGRESS_LINES_H
#define FERDAG_STAGES_PROGRESS_LINES_H

#include <stdint.h>

/* The descriptor to write to, from the environment, or -1. All writers ignore -1. */
int progress_lines_open(void);

/* unit, rate_unit and note may be NULL. */
void progress_line_done(int fd, double done, double total, const char *unit, double rate,
                        const char *rate_unit, const char *note);
void progress_line_continues(int fd, const char *key, int64_t value);
void progress_line_usage(int fd, double cpu_seconds, int64_t peak_bytes);
/* message may hold any bytes: what isn't UTF-8 is replaced. */
void progress_line_error(int fd, const char *message);

#endif
