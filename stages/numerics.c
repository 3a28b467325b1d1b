/* What decides the bits of a kind's results besides its params and inputs; see kind_numerics in
 * kind.h. */
#include "kernels/net.h"
#include "stages/kind.h"

#include <errno.h>
#include <stdio.h>

int kind_numerics(const char *backend, int threads, char *text, size_t size, struct error *err)
{
    char features[200];
    int rc = net_numerics(backend, features, sizeof features, err);
    if (rc < 0)
        return rc;
    int n = snprintf(text, size, "%s threads=%d", features, threads);
    return n < 0 || (size_t)n >= size ? error_set(err, ENOSPC, "the numerics don't fit") : 0;
}
