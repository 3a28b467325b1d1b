/* See cgroup.h. Linux, Documentation/admin-guide/cgroup-v2.rst; cgroup.kill needs Linux
 * 5.14, CLONE_INTO_CGROUP 5.7. */
#define _GNU_SOURCE
#include "base/cgroup.h"
#include "base/file.h"
#include "base/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WAITS = 1000, MAX_DEPTH = 32, LINE = 8192 };

/* ---- paths ---- */

/* Mount point of the hierarchy of version 2, or NULL; malloc'd. */
static char *find_mount(void)
{
    char line[LINE], root[LINE], point[LINE], *found = NULL;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        const char *type = strstr(line, " - cgroup2 ");
        if (type && sscanf(line, "%*s %*s %*s %s %s", root, point) == 2 && strcmp(root, "/") == 0)
            found = strdup(point);
    }
    if (mounts)
        fclose(mounts);
    return found;
}

/* Folder of this process's cgroup, or NULL; malloc'd. */
static char *find_own(void)
{
    char line[LINE], *mount = find_mount(), *found = NULL;
    FILE *own = mount ? fopen("/proc/self/cgroup", "re") : NULL;
    while (own && !found && fgets(line, sizeof line, own)) {
        line[strcspn(line, "\n")] = 0;
        if (strncmp(line, "0::/", 4) == 0 && strncmp(line, "0::/..", 6) != 0)
            found = format_string("%s%s", mount, line + 3);
    }
    if (own)
        fclose(own);
    free(mount);
    return found;
}

/* Name of the cgroup of an attempt. */
static void make_name(const char *folder, char name[32])
{
    uint64_t hash = hash_add(HASH_START, folder, strlen(folder));
    snprintf(name, 32, "ferdag-%016llx", (unsigned long long)hash);
}

/* ---- killing and removing ---- */

/* Before Linux 5.14. */
static void kill_one_by_one(int folder)
{
    int fd = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    FILE *processes = fd < 0 ? NULL : fdopen(fd, "r");
    for (int pid; processes && fscanf(processes, "%d", &pid) == 1;)
        if (pid > 0 && pid != getpid())
            kill(pid, SIGKILL);
    if (processes)
        fclose(processes);
}

static void kill_all(int folder)
{
    int fd = openat(folder, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1)
        kill_one_by_one(folder);
    if (fd >= 0)
        close(fd);
}

/* Calls `each` for the cgroups directly below the one open on fd, which is closed. */
static void walk(int fd, int depth,
                 void (*each)(int parent, const char *name, int depth, const void *data),
                 const void *data)
{
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    while (dir && depth < MAX_DEPTH && (entry = readdir(dir)))
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
            each(dirfd(dir), entry->d_name, depth + 1, data);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

static int open_below(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Removes a cgroup and those below it after killing their processes. */
static void end_one(int parent, const char *name, int depth, const void *data)
{
    for (int i = 0; i < MAX_WAITS && unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno == EBUSY;
         i++) {
        int folder = open_below(parent, name);
        if (folder >= 0)
            kill_all(folder);
        walk(folder, depth, end_one, data);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static void search(int parent, const char *name, int depth, const void *target)
{
    if (strcmp(name, target) == 0)
        end_one(parent, name, depth, NULL);
    else
        walk(open_below(parent, name), depth, search, target);
}

void cgroup_end(const char *folder)
{
    char name[32], *mount = find_mount();
    make_name(folder, name);
    if (mount)
        walk(open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0, search, name);
    free(mount);
}

/* ---- making ---- */

void cgroup_open(struct cgroup *cgroup, const char *folder)
{
    char name[32], *own = folder ? find_own() : NULL;
    *cgroup = (struct cgroup){.fd = -1};
    if (!own)
        return;
    make_name(folder, name);
    cgroup->path = format_string("%s/%s", own, name);
    free(own);
    if (cgroup->path && (mkdir(cgroup->path, 0755) == 0 || errno == EEXIST))
        cgroup->fd = open(cgroup->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cgroup->fd < 0) {
        free(cgroup->path);
        cgroup->path = NULL;
    }
}

pid_t cgroup_fork(const struct cgroup *cgroup)
{
    if (cgroup->path) {
#if defined SYS_clone3 && defined CLONE_INTO_CGROUP
        struct clone_args how = {
            .flags = CLONE_INTO_CGROUP,
            .exit_signal = SIGCHLD,
            .cgroup = (uint64_t)cgroup->fd,
        };
        long child = syscall(SYS_clone3, &how, sizeof how);
        if (child >= 0)
            return (pid_t)child;
#endif
    }
    return fork();
}

void cgroup_close(struct cgroup *cgroup)
{
    if (!cgroup->path)
        return;
    close(cgroup->fd);
    end_one(AT_FDCWD, cgroup->path, 0, NULL);
    free(cgroup->path);
    *cgroup = (struct cgroup){.fd = -1};
}
