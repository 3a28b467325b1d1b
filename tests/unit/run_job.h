/* Runs a stage in the current folder, as the scheduler would. */
#ifndef FERDAG_TESTS_UNIT_RUN_JOB_H
#define FERDAG_TESTS_UNIT_RUN_JOB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/file.h"
#include "stages/job.h"

/* params, inputs and outputs are the contents of job.json's objects, without braces. Returns the
 * stage's result. */
static inline int run_job(const char *kind, const char *params, const char *inputs,
                          const char *outputs, int threads, struct error *err)
{
    char *text =
        format_string("{\"stage\":\"x\",\"kind\":\"%s\",\"key\":\"00\",\"params\":{%s},"
                      "\"inputs\":{%s},\"outputs\":{%s},\"threads\":%d,\"backend\":\"auto\"}",
                      kind, params, inputs, outputs, threads);
    assert_non_null(text);
    assert_int_equal(file_write("job.json", text, strlen(text), err), 0);
    free(text);
    struct job job;
    *err = (struct error){""};
    assert_non_null(kind_find(kind));
    int rc = job_open(&job, kind_find(kind), err);
    if (rc == 0) {
        rc = job.kind->run(&job, err);
        job_close(&job);
    }
    return rc;
}

#endif
