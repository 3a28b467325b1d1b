/* A cgroup (version 2) for each attempt of a stage: it holds all that descends from the stage's
 * command, whatever that does to its session, its parent or its environment. Where no cgroup can be
 * made (version 1, a system that gives us no rights) there is none. */
#ifndef FERDAG_BASE_CGROUP_H
#define FERDAG_BASE_CGROUP_H

#include <sys/types.h>

struct cgroup {
    char *path; /* of its folder; NULL: there is none */
    int fd;     /* of that folder */
};

/* Makes the cgroup of the attempt in `folder`, an absolute path, below our own cgroup; `folder` may
 * be NULL: none. */
void cgroup_open(struct cgroup *cgroup, const char *folder);

/* fork() with the child in the cgroup, if there is one. The child must call exec or _exit soon:
 * handlers of pthread_atfork don't run. */
pid_t cgroup_fork(const struct cgroup *cgroup);

/* Kills what is in it and removes it. */
void cgroup_close(struct cgroup *cgroup);

/* The same for the cgroup that an attempt in `folder` left, wherever it was made. */
void cgroup_end(const char *folder);

#endif
