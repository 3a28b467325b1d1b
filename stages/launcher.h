/* Runs a program of the user's: in a process of its own, which can't write to what it must not
 * change, and with which all that it starts ends. */
#ifndef FERDAG_STAGES_LAUNCHER_H
#define FERDAG_STAGES_LAUNCHER_H

#include "base/error.h"
#include "stages/program_progress.h"

/* A file that the program sees at another place, where it can't write to it; who moves or replaces
 * the source meanwhile changes nothing for the program. */
struct mount {
    const char *source; /* absolute */
    const char *at;     /* a file in the current folder */
};

struct launch {
    const char *text;                  /* what /bin/sh -c runs, in the current folder */
    char *const *environment;          /* "NAME=VALUE", ..., NULL */
    const struct mount *mounts;        /* one without a source at the end; NULL: none */
    struct program_progress *progress; /* is looked at while the program runs */
};

/* Runs it to its end, then ends what it left running. *status is as of waitpid. With mounts a
 * mount namespace is made by bubblewrap; where that doesn't work nothing has run, and -ENOTSUP is
 * returned.
 *
 * When we are told to end (SIGTERM, SIGINT, or our parent's death), all of it is killed and the
 * process exits with status 1. */
int launch(const struct launch *launch, int *status, struct error *err);

#endif
