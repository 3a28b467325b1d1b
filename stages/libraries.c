/* See libraries.h. */
#include "stages/libraries.h"
#include "stages/kind.h"

#include <dnnl.h>
#include <stdio.h>
#include <string.h>

void libraries_describe(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    char net[256], blas[256];
    if (kind_numerics(NUMERICS_NET, "auto", 1, net, sizeof net, NULL) < 0)
        net[0] = 0;
    if (kind_numerics(NUMERICS_BLAS, "auto", 1, blas, sizeof blas, NULL) < 0)
        blas[0] = 0;
    char *threads = strstr(net, " threads=");
    if (threads)
        *threads = 0;
    snprintf(text, size, "onednn %d.%d.%d, %s; nets: %s", v->major, v->minor, v->patch, blas, net);
}
