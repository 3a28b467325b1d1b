/* Runs a user's program in a process of its own. Read-only mounts protect its inputs, and every
 * process that it starts ends with it. */
#ifndef FERDAG_STAGES_LAUNCHER_H
#define FERDAG_STAGES_LAUNCHER_H

#include "base/error.h"
#include "stages/program_progress.h"

/* A file that the program sees read-only at another path. Moving or replacing the source during the
 * run doesn't affect the program. */
struct mount {
    const char *source; /* absolute */
    const char *at;     /* a file in the current folder */
};

struct launch {
    const char *text;                  /* what /bin/sh -c runs, in the current folder */
    char *const *environment;          /* "NAME=VALUE", ..., NULL */
    const struct mount *mounts;        /* the last one has no source; NULL: none */
    struct program_progress *progress; /* is looked at while the program runs */
};

/* Runs the program to its end, then kills the processes that it left. *status is as of waitpid. If
 * there are mounts, bubblewrap makes a mount namespace; where it can't, nothing has run and the
 * result is -ENOTSUP.
 *
 * On SIGTERM, SIGINT or the death of the parent process, kills the program and all that it started
 * and exits with status 1. */
int launch(const struct launch *launch, int *status, struct error *err);

#endif
