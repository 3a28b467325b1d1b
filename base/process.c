/* See process.h. */
#include "base/process.h"
#include "base/cgroup.h"
#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PASSES = 1000, ENVIRONMENT_LIMIT = 4 << 20 };

void process_adopt_orphans(void)
{
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* ---- children ---- */

/* An orphan may become a child of any thread of this process. */
static bool kill_children_of(const char *thread, bool (*keep)(void *data, pid_t pid), void *data)
{
    char path[64];
    bool any = false;
    snprintf(path, sizeof path, "/proc/self/task/%.20s/children", thread);
    FILE *children = fopen(path, "re");
    for (int pid; children && fscanf(children, "%d", &pid) == 1;) {
        if (keep && keep(data, pid))
            continue;
        any = true;
        kill(pid, SIGKILL);
        waitpid(pid, NULL, WNOHANG);
    }
    if (children)
        fclose(children);
    return any;
}

bool process_kill_children(bool (*keep)(void *data, pid_t pid), void *data)
{
    DIR *threads = opendir("/proc/self/task");
    struct dirent *entry;
    bool any = false;
    while (threads && (entry = readdir(threads)))
        if (isdigit((unsigned char)entry->d_name[0]))
            any |= kill_children_of(entry->d_name, keep, data);
    if (threads)
        closedir(threads);
    return any;
}

void process_end_children(bool (*keep)(void *data, pid_t pid), void *data)
{
    for (int pass = 0; pass < MAX_PASSES && process_kill_children(keep, data); pass++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* ---- processes that an attempt left ---- */

static bool belongs_to_attempt(const char *pid, const char *folder)
{
    char path[64], *text = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
    if (file_read(path, ENVIRONMENT_LIMIT, &text, &size, NULL) < 0)
        return false;
    static const char name[] = "FERDAG_ATTEMPT=";
    bool found = false;
    for (size_t i = 0; !found && i < size; i += strlen(text + i) + 1)
        found = strncmp(text + i, name, sizeof name - 1) == 0 &&
                strcmp(text + i + sizeof name - 1, folder) == 0;
    free(text);
    return found;
}

void process_kill_leftovers(const char *folder)
{
    DIR *all = opendir("/proc");
    struct dirent *entry;
    char own[20];
    snprintf(own, sizeof own, "%ld", (long)getpid());
    while (all && (entry = readdir(all)))
        if (isdigit((unsigned char)entry->d_name[0]) && strcmp(entry->d_name, own) != 0 &&
            belongs_to_attempt(entry->d_name, folder))
            kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
    if (all)
        closedir(all);
    cgroup_end(folder);
}
