/* Where the doubles of cuDNN and cuBLAS are: in the folder `double` of the build. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "kernels/backends/backend.h"
#include "tests/double/libraries.h"

/* The double of cuDNN needs the `ref` backend in the program that opens it. */
extern const struct backend *const double_backend;
const struct backend *const double_backend = &backend_ref;

/* Sets an environment variable to a file in folder/double. Returns whether the file exists. */
static bool use(const char *variable, const char *folder, const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/double/%s", folder, name);
    return access(path, R_OK) == 0 && setenv(variable, path, 1) == 0;
}

bool double_use_libraries(void)
{
    char folder[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", folder, sizeof folder - 1);
    folder[length > 0 ? length : 0] = '\0';
    for (char *slash; (slash = strrchr(folder, '/'));) {
        *slash = '\0';
        if (use("FERDAG_CUDNN", folder, "libcudnn_graph.so.9"))
            return use("FERDAG_CUBLAS", folder, "libcublas.so");
    }
    return false;
}
