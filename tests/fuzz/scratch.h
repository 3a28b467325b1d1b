/* For targets whose code reads files by name: writes the fuzzer's bytes to a file of this process.
 * */
#ifndef FERDAG_TESTS_FUZZ_SCRATCH_H
#define FERDAG_TESTS_FUZZ_SCRATCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char scratch_folder[64];

static void scratch_remove(void)
{
    char path[80];
    snprintf(path, sizeof path, "%s/input", scratch_folder);
    unlink(path);
    rmdir(scratch_folder);
}

/* Name of a file that holds these bytes until the next call. */
static const char *scratch_file(const void *data, size_t size)
{
    static char path[80];
    if (!*scratch_folder) {
        /* in memory where there is /dev/shm */
        snprintf(scratch_folder, sizeof scratch_folder, "%s/ferdag-fuzz-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        if (!mkdtemp(scratch_folder))
            abort();
        atexit(scratch_remove);
        snprintf(path, sizeof path, "%s/input", scratch_folder);
    }
    FILE *file = fopen(path, "wb");
    if (!file || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0)
        abort();
    return path;
}

/* An error has a message on one line. */
static inline void scratch_check(int rc, const struct error *err)
{
    if (rc > 0 || (rc < 0 && (!err->text[0] || strchr(err->text, '\n'))))
        abort();
}

#endif
