/* Processes that outlive what started them. */
#ifndef FERDAG_BASE_PROCESS_H
#define FERDAG_BASE_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Makes orphans among our descendants our children (PR_SET_CHILD_SUBREAPER), also those in a
 * session of their own. */
void process_adopt_orphans(void);

/* Kills and reaps all our children but those that `keep` (NULL: none) wants, and theirs in turn,
 * until none is left or a second has passed. To be used where every child is known to be a stray.
 */
void process_end_children(bool (*keep)(void *data, pid_t pid), void *data);

/* The same without waiting: one pass, which says whether it found any. */
bool process_kill_children(bool (*keep)(void *data, pid_t pid), void *data);

/* Kills processes of our user whose environment says FERDAG_ATTEMPT=FOLDER, or that are in the
 * cgroup of that attempt: they outlived the stage that started them, and whoever watched it. */
void process_end_survivors(const char *folder);

#endif
