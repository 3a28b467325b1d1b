/* Runs gnuplot and groff: without a shell, with a time limit and a fixed environment. */
#ifndef FERDAG_REPORTS_PROGRAM_H
#define FERDAG_REPORTS_PROGRAM_H

#include "base/error.h"

/* Runs argv[0], found on PATH, in the current folder. Its stdin is empty, its stdout is the file
 * `output` (NULL: /dev/null), and its stderr is ours, which is the stage's log. Its environment is
 * PATH, HOME, TMPDIR, a fixed locale and time zone, and SOURCE_DATE_EPOCH=1 (gropdf takes 0 for
 * unset), so that its output has no date. After `limit` seconds it and its children are killed.
 * `package` is the Debian package to install if the program is missing. Returns 0, -ENOENT (not
 * installed), -ETIMEDOUT, or -EIO if the program failed. */
int program_run(const char *const argv[], const char *output, double limit, const char *package,
                struct error *err);

#endif
