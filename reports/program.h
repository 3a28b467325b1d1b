/* Runs a program that draws or sets pages for us: no shell, a time limit, an environment of our
 * own. */
#ifndef FERDAG_REPORTS_PROGRAM_H
#define FERDAG_REPORTS_PROGRAM_H

#include "base/error.h"

/* Runs argv[0], found on PATH, in the current folder, with nothing on stdin. What it writes goes to
 * the file `output`, or to /dev/null where that is NULL; what it complains about goes to
 * our stderr, so to the stage's log. Its environment is PATH, HOME, TMPDIR and a fixed locale, time
 * zone and SOURCE_DATE_EPOCH=1 (gropdf takes 0 for none), so that no date gets into what it makes.
 * After `limit` seconds it and its children are killed. `package` is what to install where it is
 * missing. Returns 0, -ENOENT (not installed), -ETIMEDOUT, or -EIO if it failed. */
int program_run(const char *const argv[], const char *output, double limit, const char *package,
                struct error *err);

#endif
