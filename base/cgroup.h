/* A cgroup (version 2) for each attempt of a stage. It holds every descendant of the stage's
 * command, even if that changes its session, parent or environment. Where a user may not make
 * cgroups, or has version 1, there is none, and these functions do nothing. */
#ifndef FERDAG_BASE_CGROUP_H
#define FERDAG_BASE_CGROUP_H

#include <sys/types.h>

struct cgroup {
    char *path; /* of the cgroup's folder; NULL: there is none */
    int fd;     /* open on that folder */
};

/* Makes the cgroup of the attempt in `folder`, an absolute path, below this process's cgroup. NULL:
 * makes none. */
void cgroup_open(struct cgroup *cgroup, const char *folder);

/* fork() with the child in the cgroup, if there is one. The child must soon call exec or _exit,
 * since handlers of pthread_atfork don't run. */
pid_t cgroup_fork(const struct cgroup *cgroup);

/* Kills all its processes and removes it. */
void cgroup_close(struct cgroup *cgroup);

/* The same for the cgroup that an earlier attempt in `folder` left, wherever it is. */
void cgroup_end(const char *folder);

#endif
