/* See progress_lines.h. */
#define _GNU_SOURCE
#include "stages/progress_lines.h"
#include "base/utf8.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

int progress_lines_open(void)
{
    const char *fd = getenv("FERDAG_PROGRESS_FD");
    return fd && *fd ? (int)strtol(fd, NULL, 10) : -1;
}

/* Steals the reference to line, which may be NULL. */
static void write_line(int fd, json_t *line)
{
    char *text = line && fd >= 0 ? json_dumps(line, JSON_COMPACT) : NULL;
    if (text)
        dprintf(fd, "%s\n", text);
    free(text);
    json_decref(line);
}

void progress_line_done(int fd, double done, double total, const char *unit, double rate,
                        const char *rate_unit, const char *note)
{
    if (fd >= 0)
        write_line(fd, json_pack("{s:f, s:f, s:s, s:f, s:s*, s:s*}", "done", done, "total", total,
                                 "unit", unit ? unit : "", "rate", rate, "rate_unit", rate_unit,
                                 "note", note));
}

void progress_line_continues(int fd, const char *key, int64_t value)
{
    write_line(fd,
               json_pack("{s:{s:s, s:I}}", "continues", "key", key, "value", (json_int_t)value));
}

void progress_line_usage(int fd, double cpu_seconds, int64_t peak_bytes)
{
    write_line(fd, json_pack("{s:{s:f, s:I}}", "usage", "cpu_seconds", cpu_seconds, "peak_bytes",
                             (json_int_t)peak_bytes));
}

void progress_line_error(int fd, const char *message)
{
    write_line(fd, json_pack("{s:o}", "error", utf8_json(message)));
}
