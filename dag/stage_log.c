/* See stage_log.h. */
#include "dag/stage_log.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cache/attempts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { END_BYTES = 1 << 14, LINE_BYTES = 300 };

static enum stage_log found(const struct plan *plan, const struct digest *log, enum stage_log which,
                            char **path)
{
    if (!log->hex[0])
        return STAGE_LOG_LOST;
    *path = must(cache_blob_path(plan->cache, log));
    return which;
}

/* With the task's key: the log of a running attempt, of its failure or of its result. */
static enum stage_log find_current(const struct plan *plan, const struct task *task, char **path)
{
    struct failure failure;
    struct result result;
    struct error err;
    char *folder = attempt_last(plan->cache, task->key);
    *path = folder ? must(format_string("%s/log.txt", folder)) : NULL;
    free(folder);
    if (*path && access(*path, R_OK) == 0)
        return STAGE_LOG_CURRENT;
    free(*path);
    *path = NULL;
    enum stage_log which = STAGE_LOG_NONE;
    if (index_find_failure(plan->cache->index, task->key, &failure, &err) == 0) {
        which = found(plan, &failure.log, STAGE_LOG_CURRENT, path);
        failure_free(&failure);
    } else if (index_find(plan->cache->index, task->key, &result, &err) == 0) {
        which = found(plan, &result.log, STAGE_LOG_CURRENT, path);
        result_free(&result);
    }
    return which;
}

/* With any key of the stage: of the last failure or the last result, whichever is newer. */
static enum stage_log find_older(const struct plan *plan, const struct task *task, char **path)
{
    struct index *index = plan->cache->index;
    const char *file = plan->experiment->full, *stage = task->stage->name;
    struct failure failure = {0};
    struct result result = {0};
    struct error err;
    char key[65];
    bool failed = index_latest_failure(index, file, stage, key, &err) == 0 &&
                  index_find_failure(index, key, &failure, &err) == 0;
    bool ran = index_latest(index, file, stage, key, &err) == 0 &&
               index_find(index, key, &result, &err) == 0;
    enum stage_log which = STAGE_LOG_NONE;
    if (failed && (!ran || failure.finished > result.finished))
        which = found(plan, &failure.log, STAGE_LOG_OLDER, path);
    else if (ran)
        which = found(plan, &result.log, STAGE_LOG_OLDER, path);
    failure_free(&failure);
    result_free(&result);
    return which;
}

enum stage_log stage_log_find(const struct plan *plan, const struct task *task, char **path)
{
    *path = NULL;
    enum stage_log which = task->key[0] ? find_current(plan, task, path) : STAGE_LOG_NONE;
    return which == STAGE_LOG_NONE ? find_older(plan, task, path) : which;
}

/* ---- the end of a log ---- */

/* Reads at most END_BYTES from the end of the file and adds a 0 byte. *whole: that is all of it. */
static size_t read_end(const char *path, char *text, bool *whole)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t from = size > END_BYTES ? size - END_BYTES : 0;
    ssize_t n = fd >= 0 ? pread(fd, text, END_BYTES, from) : 0;
    if (fd >= 0)
        close(fd);
    *whole = from == 0;
    n = n < 0 ? 0 : n;
    for (ssize_t i = 0; i < n; i++)
        text[i] = text[i] ? text[i] : '?';
    text[n] = 0;
    return (size_t)n;
}

/* One line, safe for a terminal. Of text that was overwritten by "\r", as progress bars do, the
 * last version is shown. */
static void put_line(FILE *out, const char *before, char *line)
{
    size_t n = strlen(line);
    while (n > 0 && line[n - 1] == '\r')
        line[--n] = 0;
    char *shown = strrchr(line, '\r') ? strrchr(line, '\r') + 1 : line;
    bool cut = strlen(shown) > LINE_BYTES;
    if (cut)
        shown[LINE_BYTES] = 0;
    for (char *p = shown; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = *p == '\t' ? ' ' : '?';
    utf8_repair(shown);
    fprintf(out, "%s%s%s\n", before, shown, cut ? "..." : "");
}

char *stage_log_end(const char *path, int lines, const char *before)
{
    char *text = must(malloc(END_BYTES + 1)), *result = NULL;
    size_t size = 0;
    bool whole;
    size_t n = read_end(path, text, &whole);
    while (n > 0 && text[n - 1] == '\n')
        text[--n] = 0;
    char *start = text + n;
    while (n > 0 && start > text && lines > 0) {
        for (start--; start > text && *start != '\n'; start--)
            ;
        lines--;
    }
    bool all = whole && start == text;
    FILE *out = must(open_memstream(&result, &size));
    start += *start == '\n';
    if (!all)
        fprintf(out, "%s...\n", before);
    for (char *line; n > 0 && (line = strsep(&start, "\n"));)
        put_line(out, before, line);
    if (fclose(out) != 0)
        must(NULL);
    free(text);
    return result;
}
