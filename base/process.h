/* Kills processes that outlive the one that started them. */
#ifndef FERDAG_BASE_PROCESS_H
#define FERDAG_BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Makes this process the parent of descendants whose own parent ends, also of those in another
 * session (PR_SET_CHILD_SUBREAPER). */
void process_adopt_orphans(void);

/* Kills and reaps all children for which `keep` returns false (NULL: all), then their children,
 * which become ours, until none is left or a second has passed. */
void process_end_children(bool (*keep)(void *data, pid_t pid), void *data);

/* One pass of that, without waiting; whether it found any child. */
bool process_kill_children(bool (*keep)(void *data, pid_t pid), void *data);

/* Kills what an attempt in `folder` left running after it and the run that watched it were killed:
 * processes of our user with FERDAG_ATTEMPT=FOLDER in the environment, and those in its cgroup. */
void process_kill_leftovers(const char *folder);

#endif
