/* The table of backends in this build. */
#include "kernels/backends/backend.h"
#include <errno.h>
#include <string.h>

const struct backend *const backends[] = {
#ifdef FERDAG_CUDA
    &backend_cuda,
#endif
#ifndef FERDAG_WITHOUT_CPU /* in the programs of tests/gpu, which don't need its libraries */
    &backend_cpu,
#endif
    &backend_ref, NULL};

static const struct backend *first_usable(void)
{
    size_t i = 0;
    char text[256];
    struct error ignored = {""};
    while (backends[i]->numerics(text, sizeof text, &ignored) < 0 && backends[i + 1])
        i++;
    return backends[i];
}

const struct backend *backend_find(const char *name, struct error *err)
{
    if (strcmp(name, "auto") == 0)
        return first_usable();
    for (size_t i = 0; backends[i]; i++)
        if (strcmp(name, backends[i]->name) == 0)
            return backends[i];
    if (strcmp(name, "cuda") == 0)
        error_set(err, EINVAL, "this build has no cuda backend (it has cpu and ref)");
    else
        error_set(err, EINVAL, "unknown backend '%s' (auto, cpu, ref or cuda)", name);
    return NULL;
}
