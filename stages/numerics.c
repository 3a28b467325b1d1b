/* See kind_numerics in kind.h: what the bits of a kind's results depend on beside params and
 * inputs. */
#include "kernels/math/blas.h"
#include "kernels/nets/net.h"
#include "stages/kind.h"

#include <errno.h>
#include <stdio.h>

int kind_numerics(enum numerics numerics, const char *backend, int threads, char *text, size_t size,
                  struct error *err)
{
    char features[200];
    int n = 0, rc;
    text[0] = 0;
    switch (numerics) {
    case NUMERICS_NONE:
        break;
    case NUMERICS_NET:
        rc = net_numerics(backend, features, sizeof features, err);
        if (rc < 0)
            return rc;
        n = snprintf(text, size, "%s threads=%d", features, threads);
        break;
    case NUMERICS_BLAS:
        n = blas_numerics(text, size);
        break;
    }
    return n < 0 || (size_t)n >= size
               ? error_set(err, ENOSPC, "the text of the numerics is too long")
               : 0;
}
