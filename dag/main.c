/* The program: a table of commands. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "stages/job.h"

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* progress that nobody reads must not end a stage */
    const struct kind *kind = argc == 3 && strcmp(argv[1], "stage") == 0 ? kind_find(argv[2]) : NULL;
    if (!kind) {
        fprintf(stderr, "usage: ferdag stage KIND\n");
        return 2;
    }
    struct error err = {""};
    struct job job;
    int rc = job_open(&job, kind, &err);
    if (rc == 0) {
        rc = kind->run(&job, &err);
        job_close(&job);
    }
    if (rc < 0)
        fprintf(stderr, "ferdag: %s\n", err.text);
    return rc < 0;
}
