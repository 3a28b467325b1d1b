/* See program_progress.h. */
#define _GNU_SOURCE
#include "stages/program_progress.h"
#include "base/display.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { END_BYTES = 4096 }; /* of a file, which are read; a longer line is ignored or cut */

static const double MOST = 1e15;

/* ---- what the files hold ---- */

static bool is_count(double x)
{
    return isfinite(x) && x >= 0 && x <= MOST;
}

static bool is_report(const struct program_report *r)
{
    return is_count(r->done) && is_count(r->total) && r->total > 0 && is_count(r->rate);
}

static void copy_member(char *to, size_t size, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);
    display_clean(to, size, text ? text : "", json_string_length(value));
}

static bool parse_json(const char *line, size_t length, struct program_report *r)
{
    json_t *object = json_loadb(line, length, 0, NULL);
    bool counted = json_is_number(json_object_get(object, "done")) &&
                   json_is_number(json_object_get(object, "total"));
    r->done = json_number_value(json_object_get(object, "done"));
    r->total = json_number_value(json_object_get(object, "total"));
    r->rate = json_number_value(json_object_get(object, "rate"));
    copy_member(r->unit, sizeof r->unit, object, "unit");
    copy_member(r->rate_unit, sizeof r->rate_unit, object, "rate_unit");
    copy_member(r->note, sizeof r->note, object, "note");
    json_decref(object);
    return counted && is_report(r);
}

/* "3/10 UNIT NOTE", of which the number of blanks doesn't matter. */
static bool parse_text(const char *line, size_t length, struct program_report *r)
{
    char text[END_BYTES + 1], *end, *unit;
    if (length > END_BYTES || memchr(line, 0, length))
        return false;
    memcpy(text, line, length);
    text[length] = 0;
    r->done = strtod(text, &end);
    if (end == text || *end != '/')
        return false;
    unit = end + 1;
    r->total = strtod(unit, &end);
    if (end == unit || (*end && !strchr(" \t\r", *end)))
        return false;
    unit = end + strspn(end, " \t\r");
    size_t n = strcspn(unit, " \t\r");
    display_clean(r->unit, sizeof r->unit, unit, n);
    unit += n + strspn(unit + n, " \t\r");
    display_clean(r->note, sizeof r->note, unit, strlen(unit));
    return is_report(r);
}

bool program_report_parse(const char *line, size_t length, struct program_report *report)
{
    struct program_report r = {0};
    bool json = length > 0 && *line == '{';
    if (!(json ? parse_json(line, length, &r) : parse_text(line, length, &r)))
        return false;
    *report = r;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

void program_last_line(const char *text, size_t length, char *line, size_t size)
{
    while (length > 0 && is_blank(text[length - 1]))
        length--;
    size_t start = length;
    while (start > 0 && text[start - 1] != '\n' && text[start - 1] != '\r')
        start--;
    while (start < length && is_blank(text[start]))
        start++;
    display_clean(line, size, text + start, length - start);
}

/* Reads the last line that ends with a newline; whole: the text begins at a line's beginning. False
 * if it is no report. */
static bool read_report(const char *text, size_t length, bool whole, struct program_report *report)
{
    const char *end = memrchr(text, '\n', length);
    const char *before = end ? memrchr(text, '\n', (size_t)(end - text)) : NULL;
    const char *start = before ? before + 1 : text;
    return end && (before || whole) && program_report_parse(start, (size_t)(end - start), report);
}

/* ---- the files ---- */

/* Reads the end of a regular file that has changed since *seen; false if there is nothing new. */
static bool read_end(int fd, struct metadata *seen, char text[END_BYTES], size_t *length,
                     bool *whole)
{
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    struct metadata metadata = metadata_of(&st);
    if (metadata_equal(&metadata, seen))
        return false;
    off_t from = st.st_size > END_BYTES ? st.st_size - END_BYTES : 0;
    ssize_t n = pread(fd, text, END_BYTES, from);
    if (n < 0)
        return false;
    *seen = metadata;
    *length = (size_t)n;
    *whole = from == 0;
    return true;
}

int program_progress_open(struct program_progress *p, const struct job *job, struct error *err)
{
    char *here = getcwd(NULL, 0);
    *p = (struct program_progress){.job = job, .output = -1};
    p->path = here ? format_string("%s/.ferdag-progress", here) : NULL;
    free(here);
    if (!p->path)
        return error_errno(err, errno, "cannot find the path of the current folder");
    struct stat st;
    if (job->progress >= 0 && fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode))
        p->output = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
    return 0;
}

void program_progress_close(struct program_progress *p)
{
    if (p->output >= 0)
        close(p->output);
    free(p->path);
    *p = (struct program_progress){.output = -1};
}

void program_progress_look(struct program_progress *p, bool at_once)
{
    char text[END_BYTES], line[sizeof p->line];
    size_t length;
    bool whole, news = false;
    double now = clock_monotonic();
    if (p->job->progress < 0 || (!at_once && now - p->looked < 1e-3 * PROGRAM_LOOK_MS))
        return;
    p->looked = now;
    if (read_end(p->output, &p->seen[0], text, &length, &whole)) {
        program_last_line(text, length, line, sizeof line);
        news = strcmp(line, p->line) != 0;
        memcpy(p->line, line, strlen(line) + 1);
    }
    /* The program may have put anything there: not through links, no waiting for a pipe. */
    int fd = open(p->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (read_end(fd, &p->seen[1], text, &length, &whole))
        news |= read_report(text, length, whole, &p->last);
    if (fd >= 0)
        close(fd);
    const struct program_report *r = &p->last;
    const char *note = *r->note ? r->note : p->line;
    if (news)
        job_progress(p->job, r->done, r->total, r->unit, r->rate,
                     *r->rate_unit ? r->rate_unit : NULL, *note ? note : NULL);
}
