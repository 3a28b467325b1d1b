/* A new folder under /tmp that is the current one during a group of tests, and files in it. */
#ifndef FERDAG_TESTS_UNIT_SCRATCH_FOLDER_H
#define FERDAG_TESTS_UNIT_SCRATCH_FOLDER_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"

static char scratch_folder[64];

static inline int scratch_setup(void **state)
{
    (void)state;
    strcpy(scratch_folder, "/tmp/ferdag-test-XXXXXX");
    return mkdtemp(scratch_folder) && chdir(scratch_folder) == 0 ? 0 : -1;
}

static inline int scratch_teardown(void **state)
{
    (void)state;
    return chdir("/") == 0 ? file_remove_tree(scratch_folder, NULL) : -1;
}

static inline void scratch_put(const char *path, const char *text)
{
    assert_int_equal(file_write(path, text, strlen(text), NULL), 0);
}

#endif
