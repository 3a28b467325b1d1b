/* The table of backends in this build. */
#include "kernels/backends/backend.h"
#include <errno.h>
#include <string.h>

const struct backend *const backends[] = {&backend_cpu, &backend_ref, NULL};

const struct backend *backend_find(const char *name, struct error *err)
{
    if (strcmp(name, "auto") == 0)
        return backends[0];
    for (size_t i = 0; backends[i]; i++)
        if (strcmp(name, backends[i]->name) == 0)
            return backends[i];
    if (strcmp(name, "cuda") == 0)
        error_set(err, EINVAL, "this build has no cuda backend (it has cpu and ref)");
    else
        error_set(err, EINVAL, "unknown backend '%s' (auto, cpu, ref or cuda)", name);
    return NULL;
}
