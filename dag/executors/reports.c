/* See executor.h: reads what a stage reports. */
#include "dag/executors/executor.h"

#include <stdio.h>
#include <string.h>

static void read_line(struct executor_job *job, const char *text, size_t size)
{
    json_t *line = json_loadb(text, size, 0, NULL);
    const json_t *usage = json_object_get(line, "usage");
    const char *error = json_string_value(json_object_get(line, "error"));
    if (usage) {
        job->cpu_seconds = json_number_value(json_object_get(usage, "cpu_seconds"));
        job->peak_bytes = json_integer_value(json_object_get(usage, "peak_bytes"));
    }
    if (error)
        snprintf(job->message, sizeof job->message, "%s", error);
    if (line && !usage && !error)
        job->reported(job, line);
    json_decref(line);
}

void executor_read(struct executor_job *job, struct line_buffer *lines, const char *bytes,
                   size_t size)
{
    while (size > 0) {
        const char *end = memchr(bytes, '\n', size);
        size_t n = end ? (size_t)(end - bytes) : size;
        if (lines->used + n > sizeof lines->text)
            lines->dropping = true;
        if (!lines->dropping) {
            memcpy(lines->text + lines->used, bytes, n);
            lines->used += n;
        }
        if (!end)
            return;
        if (!lines->dropping)
            read_line(job, lines->text, lines->used);
        lines->used = 0;
        lines->dropping = false;
        bytes = end + 1;
        size -= n + 1;
    }
}
